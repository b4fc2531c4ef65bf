"""`make demo`: a service, a job, its progress and its end; all over HTTP, as a user would."""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from gradless import Client, ConnectionFailed, Job

ROOT = Path(__file__).parents[1]
SPEC = ROOT / "examples" / "bbt-tickets.json"
START_WITHIN = 60.0  # seconds


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) if options.once else ROOT / "data"
        service, url = _start(folder)
        try:
            job = _tune(url)
            _say(job, url)
            if not options.once:
                print("The service stays up; Ctrl-C ends it.")
                service.wait()
        except KeyboardInterrupt:
            print()
        finally:
            service.send_signal(signal.SIGTERM)
            service.wait()
    if options.once:
        print(json.dumps(_line(job)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--once", action="store_true", help="end the service after the job; last line is JSON"
    )
    return parser.parse_args()


def _start(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """The service on a free port, its log beside its database."""
    folder.mkdir(parents=True, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = folder / "service.log"
    command = [sys.executable, "-m", "app", "--port", str(port), "--data", str(folder)]
    with log.open("ab") as out:
        service = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out, env={**os.environ})
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + START_WITHIN
    while True:
        try:
            Client(url).health()
            return service, url
        except ConnectionFailed:
            if service.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"the service did not start:\n{log.read_text()}")
            time.sleep(0.1)


def _tune(url: str) -> Job:
    job = Client(url).submit(json.loads(SPEC.read_text()))
    print(f"Tuning a soft prompt of MiniLM on 'tickets'. Watch it: {url}/jobs/{job.id}")
    return job.wait()


def _say(job: Job, url: str) -> None:
    line = _line(job)
    for name in ("baseline", "tuned"):
        m = line[name]
        print(
            f"  {name:<9} {m['accuracy']:6.1%} test accuracy, n = {m['n']}, "
            f"95 % interval {m['low']:.1%} to {m['high']:.1%}"
        )
    print(f"  {line['outcome']}: exact McNemar p = {line['p_value']:.2g}")
    print(f"  {line['queries']:,} queries in {line['seconds']:.0f} s")
    print(f"  dashboard: {url}/jobs/{job.id}")


def _line(job: Job) -> dict[str, Any]:
    """The result as one JSON object."""
    result = job.result
    assert result is not None  # wait() has raised on any other end
    figures = {
        name: getattr(result, name).model_dump(include={"accuracy", "n", "low", "high"})
        for name in ("baseline", "tuned")
    }
    return {
        "job": job.id,
        **figures,
        "p_value": result.p_value,
        "outcome": result.outcome,
        "queries": result.queries,
        "seconds": round(result.seconds or 0.0, 1),
    }


if __name__ == "__main__":
    main()
