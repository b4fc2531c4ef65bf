"""The whole thing, as its users have it: a process, a real model, a real database, and accidents.

Whatever is killed, and whenever: the job goes on by itself and ends with the same bytes.
"""

import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

import gradless
from tests.conftest import eventually
from tests.servers import COLORS, COLORS_CSV, Service, spec

GENERATIONS = 12
POPULATION = 40  # so that a generation takes long enough to be hit in its middle
QUERIES = 8 + GENERATIONS * (POPULATION * 4 + 4)  # the baseline, then train and dev
JOB = spec(method={**COLORS["method"], "population_size": POPULATION}, budget={"queries": QUERIES})
MOMENTS = (2, 5, 8)  # generations after which the runner is killed


@dataclass(frozen=True)
class Outcome:
    """All of a finished job that must not depend on what happened to it."""

    prompt: bytes
    generations: list[dict[str, Any]]
    queries: int
    baseline: str
    result: str


def outcome(service: Service, job_id: str) -> Outcome:
    """Straight from the tables, in every column but the job's id."""
    [prompt] = service.rows("SELECT content FROM prompts WHERE job_id = ?", job_id)
    rows = service.rows("SELECT * FROM generations WHERE job_id = ? ORDER BY number", job_id)
    assert {row.pop("job_id") for row in rows} == {job_id}
    job = service.row(job_id)
    assert job["status"] == "succeeded", job["error"]
    return Outcome(prompt["content"], rows, job["queries"], job["baseline"], job["result"])


def check_history(service: Service, job_id: str) -> None:
    """Every generation was recorded once and in order, whoever recorded it."""
    events = service.rows("SELECT * FROM events WHERE job_id = ? ORDER BY id", job_id)
    numbers = [re.sub(r"\D", "", e["data"]) for e in events if e["type"] == "generation"]
    assert numbers == [str(n) for n in range(1, GENERATIONS + 1)]
    assert [e["type"] for e in events].count("result") == 1
    assert [e["type"] for e in events].count("done") == 1
    assert events[-1]["type"] == "done"
    timings = service.rows("SELECT number FROM timings WHERE job_id = ? ORDER BY number", job_id)
    assert [row["number"] for row in timings] == list(range(1, GENERATIONS + 1))
    claims = re.findall(rf"{job_id}: claimed by (\S+), attempt (\d+)", service.log.read_text())
    attempts = service.row(job_id)["attempts"]
    assert [int(number) for _, number in claims] == list(range(1, attempts + 1))
    assert len({name for name, _ in claims}) == attempts  # each time another process, never two


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def runner_of(service: Service, job_id: str) -> psutil.Process:
    """The process that holds the job, as /healthz tells."""
    found = eventually(
        lambda: next((r for r in [service.runner()] if r["job"] == job_id), None), 60
    )
    assert found is not None
    return psutil.Process(found["pid"])


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(tmp_path_factory.mktemp("service"))
    try:
        made.start().upload()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("table") / "palette.csv"
    file.write_text(COLORS_CSV)
    return file


@pytest.fixture(scope="module")
def undisturbed(service: Service, table: Path) -> Outcome:
    """From a file to a served prompt, as the README has it; what every other run must equal."""
    with gradless.Client(service.url) as client:
        dataset = client.upload(table)
        job = client.tune(
            dataset=dataset.id,
            method="bbt",
            budget=QUERIES,
            seed=JOB["seed"],
            name="colors",
            **{name: value for name, value in JOB["method"].items() if name != "name"},
        )
        job.wait(progress=False, timeout=300)
        assert job.state.result is not None
        assert job.prompt().shape == [1, 2, 384]
        answers = job.predict(["the sky is blue", {"text": "a red rose"}])
        assert {answer.label for answer in answers} <= {"blue", "red"}
        check_history(service, job.id)
        return outcome(service, job.id)


def test_from_a_file_to_a_served_prompt(undisturbed: Outcome) -> None:
    assert len(undisturbed.generations) == GENERATIONS
    assert undisturbed.queries == QUERIES


def test_the_same_job_gives_the_same_bytes(service: Service, undisturbed: Outcome) -> None:
    """Or nothing could be said of what an accident changes."""
    job_id = service.submit(JOB)
    service.ended(job_id)
    assert outcome(service, job_id) == undisturbed


def test_another_seed_gives_others(service: Service, undisturbed: Outcome) -> None:
    """Or the comparison would compare nothing."""
    job_id = service.submit({**JOB, "seed": 8})
    service.ended(job_id)
    assert outcome(service, job_id).prompt != undisturbed.prompt


@pytest.mark.slow
def test_a_runner_killed_three_times_changes_nothing(
    service: Service, undisturbed: Outcome
) -> None:
    chance = random.Random(2)
    job_id = service.submit(JOB)
    for moment in MOMENTS:
        service.reached(job_id, moment)
        runner = runner_of(service, job_id)
        time.sleep(chance.uniform(0, typical(service, job_id)))  # to be somewhere inside the next
        reached = service.row(job_id)["generation"]
        runner.kill()
        assert reached < GENERATIONS, "the job was over before it could be killed"
    service.ended(job_id)
    assert service.row(job_id)["attempts"] == 4
    assert service.row(job_id)["crashes"] == 0  # each time it went on
    assert outcome(service, job_id) == undisturbed
    check_history(service, job_id)


def typical(service: Service, job_id: str) -> float:
    """Seconds that a generation takes just now."""
    rows = service.rows("SELECT seconds FROM timings WHERE job_id = ? AND number > 0", job_id)
    return min(row["seconds"] for row in rows)


@pytest.mark.slow
def test_a_job_that_kills_its_runner_three_times_fails(service: Service) -> None:
    """The baseline is not progress: all three die before the first generation is recorded."""
    job_id = service.submit(JOB)
    killed: set[int] = set()
    for _ in range(3):
        runner = runner_of(service, job_id)
        assert runner.pid not in killed
        runner.kill()
        killed.add(runner.pid)
        eventually(lambda: service.row(job_id)["status"] != "running", 30)
    job = service.ended(job_id)
    assert service.row(job_id)["attempts"] == 3
    assert (job["status"], job["termination_reason"]) == ("failed", "failed")
    assert job["progress"]["generation"] == 0
    assert job["error"]["code"] == "runner_died"
    assert "died 3 times in a row on generation 1" in job["error"]["message"]
    eventually(lambda: service.runner()["alive"] and service.runner()["pid"] not in killed, 30)


@pytest.mark.slow
def test_a_service_killed_with_its_runner_at_work_goes_on(
    service: Service, undisturbed: Outcome
) -> None:
    """The runner sees that its service has gone, and ends; so does the process that answers."""
    job_id = service.submit(JOB)
    service.reached(job_id, 3)
    family = service.family()
    runner = runner_of(service, job_id)
    assert runner in family
    runner.suspend()  # it must not finish in the half second until it looks
    service.kill()
    runner.resume()
    eventually(lambda: all(gone(process) for process in family), 30)
    assert service.row(job_id)["status"] == "queued"  # handed back, not left to go stale
    assert service.row(job_id)["generation"] < GENERATIONS
    service.start()
    service.ended(job_id)
    assert outcome(service, job_id) == undisturbed
    check_history(service, job_id)


@pytest.mark.slow
def test_a_power_cut_changes_nothing(service: Service, undisturbed: Outcome) -> None:
    """Service and runner at once: nobody hands anything back, the silence is what is noticed."""
    job_id = service.submit(JOB)
    service.reached(job_id, 3)
    runner = runner_of(service, job_id)
    runner.suspend()  # it must not finish between the two blows
    service.kill()
    runner.kill()
    eventually(lambda: gone(runner), 30)
    assert service.row(job_id)["status"] == "running"
    service.start()
    service.ended(job_id)
    assert service.row(job_id)["attempts"] == 2
    assert outcome(service, job_id) == undisturbed
    check_history(service, job_id)


@pytest.mark.slow
def test_a_stopped_service_hands_its_job_back(service: Service, undisturbed: Outcome) -> None:
    job_id = service.submit(JOB)
    service.reached(job_id, 2)
    family = service.family()
    start = time.monotonic()
    service.stop()
    assert time.monotonic() - start < 10
    eventually(lambda: all(gone(process) for process in family), 10)
    job = service.row(job_id)
    assert (job["status"], job["runner"]) == ("queued", None)
    assert 2 <= job["generation"] < GENERATIONS
    service.start()
    service.ended(job_id)
    assert service.row(job_id)["crashes"] == 0
    assert outcome(service, job_id) == undisturbed
    check_history(service, job_id)


def test_an_open_stream_does_not_hold_up_the_end(service: Service) -> None:
    job_id = service.submit(spec(generations=50_000))
    service.reached(job_id, 1)
    with service.http.stream("GET", f"/api/jobs/{job_id}/events") as stream:
        next(stream.iter_lines())
        start = time.monotonic()
        service.stop()
        assert time.monotonic() - start < 10
    service.start()
    assert service.http.post(f"/api/jobs/{job_id}/cancel").status_code == 200
    assert service.ended(job_id)["status"] == "cancelled"
