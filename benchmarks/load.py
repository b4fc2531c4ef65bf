"""Whether the service stays quick, correct and small under load: `python -m benchmarks.load`.

A service of two runners on a folder of its own gets a thousand jobs over HTTP. While the runners
work, fifty listeners follow the jobs that run and the next ones, and `GET /api/jobs` is timed.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks.listeners import Listeners, listening
from benchmarks.service import Service, serving

RESULTS = Path(__file__).parent / "results"
MEGABYTE = 10**6
LOCKED = "database is locked"
READY_WITHIN = 300.0  # seconds
TASK = {"endpoint": "minilm", "dataset": "colors"}
MIX: list[dict[str, Any]] = [
    {
        "method": {"name": "bbt", "intrinsic_dim": 8, "n_prompt_tokens": 2, "population_size": 4},
        "budget": {"queries": 250},
    },
    {
        "method": {"name": "grips", "initial_text": "look at the color of the thing"},
        "budget": {"queries": 500},
    },
    {
        "method": {"name": "bbt", "preset": "fast", "population_size": 8},
        "budget": {"queries": 1000},
    },
]
ROWS = {"train": 2, "dev": 2, "test": 6}  # of each label
COLORS = "text,label,split\n" + "".join(
    f"{thing} {number} is {color},{color},{split}\n"
    for split, n in ROWS.items()
    for number in range(n)
    for thing, color in (("sky", "blue"), ("rose", "red"))
)
TITLES = {
    "load_average": "load average, before and after",
    "cores": "cores",
    "jobs": "jobs submitted",
    "runners": "runners",
    "listeners": "listeners",
    "submitting_s": "submitting them, s",
    "requests": "`GET /api/jobs`",
    "p50_ms": "p50, ms",
    "p95_ms": "p95, ms",
    "p99_ms": "p99, ms",
    "most_ms": "most, ms",
    "client_woken_late_p99_ms": "the client itself woken late, p99, ms",
    "errors": "errors, of requests and streams",
    "locked_in_the_log": f"'{LOCKED}' in the log",
    "tracebacks_in_the_log": "tracebacks in the log",
    "jobs_ended": "jobs ended meanwhile",
    "jobs_failed": "of all, failed",
    "jobs_left": "left in the queue",
    "events_heard": "events heard",
    "processor_share": "share of one core that the service took",
    "memory_first_mb": "memory at the beginning, MB",
    "memory_last_mb": "memory at the end, MB",
    "memory_most_mb": "memory, most, MB",
    "memory_slope_mb_per_minute": "slope of memory, MB a minute",
}
ASKED = {"p99_ms": "< 100", "errors": "0", "locked_in_the_log": "0"}
NOTE = (
    "A request is due at fixed instants; where the one before it was late, it is timed from then. "
    "Warm-up is left out. Memory is the resident set of the process that answers; the slope is "
    "that of a line through all samples, one a second; MB are 10^6 bytes. Runners, client and "
    "service share the machine, with whoever else is on it: how late the client's own clock "
    "wakes it tells how busy that is."
)


@dataclass
class Timing:
    """What asking for the list again and again has shown."""

    taken: list[float] = field(default_factory=list)  # seconds of each request
    late: list[float] = field(default_factory=list)  # seconds the client was woken too late
    errors: list[str] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)  # seconds, bytes


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Everything, on a service that exists only for this."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), options.runners) as service,
    ):
        file = {"file": ("colors.csv", COLORS.encode())}
        service.http.post("/api/datasets", files=file, data={"name": "colors"}).raise_for_status()
        begin = time.perf_counter()
        ids = submit(service, options.jobs)
        submitted = time.perf_counter() - begin
        listeners = Listeners(service.url, options.listeners, ids)
        with listening(listeners):
            warm_up(service, options)
            before = _state(service)
            timing = timed(service, options.rate, options.seconds)
            after = _state(service)
        log = service.log.read_text()
    passed = after["at"] - before["at"]
    return {
        "jobs": options.jobs,
        "runners": options.runners,
        "listeners": options.listeners,
        "submitting_s": round(submitted, 1),
        "requests": len(timing.taken),
        **_quantiles(timing.taken),
        "client_woken_late_p99_ms": _quantiles(timing.late)["p99_ms"],
        "errors": timing.errors + listeners.errors,
        "locked_in_the_log": log.count(LOCKED),
        "tracebacks_in_the_log": log.count("Traceback"),
        "jobs_ended": after["ended"] - before["ended"],
        "jobs_failed": after["failed"],
        "jobs_left": after["queued"],
        "events_heard": sum(listeners.events.values()),
        "processor_share": round((after["processor"] - before["processor"]) / passed, 3),
        **_memory(timing.memory),
    }


def warm_up(service: Service, options: argparse.Namespace) -> None:
    """So many seconds at least, and until the runners have loaded their models and ended jobs."""
    deadline = time.monotonic() + READY_WITHIN
    timed(service, options.rate, options.warm_up)
    while _state(service)["ended"] < options.runners:
        if time.monotonic() > deadline:
            sys.exit(f"no runner has ended a job within {READY_WITHIN:.0f} seconds")
        timed(service, options.rate, 1)


def submit(service: Service, n: int) -> list[str]:
    """Jobs of the mix in turn, each with a seed of its own, from four threads at once."""

    def one(number: int) -> str:
        body = {**TASK, **MIX[number % len(MIX)], "seed": number}
        return str(service.http.post("/api/jobs", json=body).raise_for_status().json()["id"])

    with ThreadPoolExecutor(4) as pool:
        return sorted(pool.map(one, range(n)))


def timed(service: Service, rate: float, seconds: float) -> Timing:
    """`GET /api/jobs`, so many times a second."""
    timing, begin = Timing(), time.perf_counter()
    for number in range(round(rate * seconds)):
        due = begin + number / rate
        if (early := due - time.perf_counter()) > 0:
            time.sleep(early)
            planned, due = due, time.perf_counter()  # being woken late is not the service's doing
            timing.late.append(due - planned)
        try:
            answer = service.http.get("/api/jobs")
            if answer.status_code != httpx.codes.OK:
                timing.errors.append(f"jobs: {answer.status_code} {answer.text}")
        except httpx.HTTPError as error:
            timing.errors.append(f"jobs: {type(error).__name__}")
        timing.taken.append(time.perf_counter() - due)
        if number % round(rate) == 0:
            memory = service.process.memory_info().rss
            timing.memory.append((time.perf_counter() - begin, memory))
    return timing


def _state(service: Service) -> dict[str, float]:
    """Jobs by status, and the processor's time that the service has used."""
    rows = service.http.get("/healthz").json()
    used = service.process.cpu_times()
    jobs = rows["jobs"]
    ended = sum(jobs.get(status, 0) for status in ("succeeded", "failed", "cancelled"))
    return {
        "ended": ended,
        "failed": jobs.get("failed", 0),
        "queued": jobs.get("queued", 0),
        "processor": used.user + used.system,
        "at": time.perf_counter(),
    }


def _quantiles(seconds: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100)
    found = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "most": max(seconds)}
    return {f"{name}_ms": round(1000 * value, 1) for name, value in found.items()}


def _memory(samples: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Medians of the first and the last tenth, and the slope, all in MB of 10^6 bytes."""
    times, sizes = np.array(samples).T
    n = max(1, len(sizes) // 10)
    slope = np.polyfit(times / 60, sizes / MEGABYTE, 1)[0]
    return {
        "memory_first_mb": round(float(np.median(sizes[:n])) / MEGABYTE, 1),
        "memory_last_mb": round(float(np.median(sizes[-n:])) / MEGABYTE, 1),
        "memory_most_mb": round(float(sizes.max()) / MEGABYTE, 1),
        "memory_slope_mb_per_minute": round(float(slope), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--listeners", type=int, default=50)
    parser.add_argument("--runners", type=int, default=2)
    parser.add_argument("--rate", type=float, default=20.0, help="timed requests a second")
    parser.add_argument("--warm-up", type=float, default=30.0, help="seconds")
    parser.add_argument("--seconds", type=float, default=120.0, help="of measuring")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args()
    about: dict[str, Any] = {
        "command": " ".join(["python -m benchmarks.load", *sys.argv[1:]]),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
    }
    before = os.getloadavg()[0]
    found = measure(options)
    about["load_average"] = [round(load, 1) for load in (before, os.getloadavg()[0])]
    _write(options.out, about | found)


def _write(folder: Path, found: dict[str, Any]) -> None:
    (folder / "load.json").write_text(json.dumps(found, indent=1) + "\n")
    shown = {**found, "errors": len(found["errors"])}
    rows = [
        f"| {title} | {shown[name]} | {ASKED.get(name, '')} |" for name, title in TITLES.items()
    ]
    lines = [f"`{found['command']}`", "", "| what | measured | asked |", "|---|---|---|", *rows]
    (folder / "load.md").write_text("\n".join([*lines, "", NOTE, ""]))
    print("\n".join(rows))


if __name__ == "__main__":
    main()
