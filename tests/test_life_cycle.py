"""Pauses, clones and deletions as users have them: real processes, accidents, SDK and command line.

Whatever is paused, killed or repeated: the job ends with the same bytes.
"""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner

import gradless
from gradless import cli
from tests.conftest import eventually
from tests.servers import Service
from tests.test_service import GENERATIONS, JOB, Outcome, gone, outcome


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Two runners on one database."""
    made = Service(tmp_path_factory.mktemp("life"), {"runners": "2", "threads": "1"})
    try:
        made.start().upload()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def undisturbed(service: Service) -> Outcome:
    job_id = service.submit(JOB)
    service.ended(job_id)
    return outcome(service, job_id)


def post(service: Service, path: str, **more: Any) -> Any:
    answer = service.http.post(path, **more)
    assert answer.is_success, answer.text
    return answer.json()


def paused(service: Service, job_id: str) -> None:
    eventually(lambda: service.row(job_id)["status"] == "paused", 20)
    assert service.row(job_id)["runner"] is None


@pytest.mark.slow
def test_paused_and_resumed_it_ends_with_the_same_bytes(
    service: Service, undisturbed: Outcome
) -> None:
    job_id = service.submit(JOB)
    for generation in (2, 6):
        service.reached(job_id, generation)
        post(service, f"/api/jobs/{job_id}/pause")
        paused(service, job_id)
        assert service.row(job_id)["generation"] < GENERATIONS
        post(service, f"/api/jobs/{job_id}/resume")
    service.ended(job_id)
    assert service.row(job_id)["crashes"] == 0
    assert outcome(service, job_id) == undisturbed


@pytest.mark.slow
def test_a_pause_outlives_everything(service: Service, undisturbed: Outcome) -> None:
    """The runner is killed before it has seen it, and then the whole service."""
    job_id = service.submit(JOB)
    service.reached(job_id, 3)
    runner = holder(service, job_id)
    runner.suspend()  # it must not see the pause
    assert post(service, f"/api/jobs/{job_id}/pause")["status"] == "running"
    family = service.family()
    service.kill()
    for process in family:
        if process.is_running():
            process.kill()
    eventually(lambda: all(gone(process) for process in family), 30)
    assert service.row(job_id)["status"] == "running"
    service.start()  # the silence is noticed, the job taken, and the pause seen at once
    eventually(lambda: service.row(job_id)["status"] == "paused", 60)
    at = service.row(job_id)["generation"]
    assert 3 <= at < GENERATIONS
    service.stop()
    service.start()
    other = service.submit({**JOB, "budget": {"queries": 400}})
    service.ended(other)
    assert (service.row(job_id)["status"], service.row(job_id)["generation"]) == ("paused", at)
    post(service, f"/api/jobs/{job_id}/resume")
    service.ended(job_id)
    assert outcome(service, job_id) == undisturbed


def holder(service: Service, job_id: str) -> psutil.Process:
    """The process that has the job, of several."""

    def found() -> int | None:
        runners = service.get("/healthz")["runners"]
        return next((each["pid"] for each in runners if each["job"] == job_id), None)

    return psutil.Process(eventually(found, 60))


@pytest.mark.slow
def test_two_runners_share_the_queue_by_priority(service: Service) -> None:
    """Two at once and never one job in two hands; what is urgent overtakes what waits."""
    blockers = [service.submit({**JOB, "budget": {"queries": 10**8}}) for _ in range(2)]
    for job_id in blockers:
        service.reached(job_id, 1)
    assert holder(service, blockers[0]).pid != holder(service, blockers[1]).pid
    small = {**JOB, "budget": {"queries": 400}}
    low, usual, urgent = (
        post(service, f"/api/jobs?priority={priority}", json=small)["id"] for priority in (-5, 0, 9)
    )
    for job_id in blockers:
        post(service, f"/api/jobs/{job_id}/pause")
    for job_id in (urgent, usual, low):
        assert service.ended(job_id)["status"] == "succeeded"
    started = [service.row(job_id)["started_at"] for job_id in (urgent, usual, low)]
    assert started == sorted(started)
    for job_id in blockers:
        assert service.http.delete(f"/api/jobs/{job_id}?force=true").status_code == 204


@pytest.mark.slow
def test_the_client_does_it_all(service: Service, undisturbed: Outcome) -> None:
    with gradless.Client(service.url) as client:
        expected = client.estimate(JOB, points=50)
        assert expected.queries is not None
        assert expected.queries.ceiling == JOB["budget"]["queries"]
        assert expected.basis == "earlier jobs"
        assert [caution.code for caution in expected.warnings] == []
        job = client.submit(JOB, priority=3, idempotency_key="tests/test_life_cycle")
        again = client.submit(JOB, priority=3, idempotency_key="tests/test_life_cycle")
        assert (again.id, job.state.priority) == (job.id, 3)
        job.pause()
        paused(service, job.id)
        with pytest.raises(gradless.Conflict, match=r"paused.*force=true"):
            job.delete()
        job.resume().wait(progress=False, timeout=120)
        assert outcome(service, job.id) == undisturbed
        clone = job.clone({"budget": {"queries": 400}}, priority=1)
        assert clone.wait(progress=False, timeout=120).spec["seed"] == JOB["seed"]
        for each in (job, clone):
            each.delete()
        with pytest.raises(gradless.NotFound):
            client.job(job.id)


@pytest.mark.slow
def test_so_does_its_asynchronous_twin(service: Service) -> None:
    async def drive() -> None:
        async with gradless.AsyncClient(service.url) as client:
            expected = await client.estimate(JOB)
            assert expected.queries is not None
            job = await client.submit(JOB, priority=2)
            await job.pause()
            clone = await job.clone({"seed": 9, "budget": {"queries": 400}})
            assert (await clone.wait(progress=False, timeout=120)).status == "succeeded"
            assert (await job.refresh()).status == "paused"
            await job.resume()
            await job.delete(force=True)
            await clone.delete()

    asyncio.run(drive())
    assert service.rows("SELECT * FROM jobs WHERE priority = 2") == []


@pytest.mark.slow
def test_so_does_the_command_line(service: Service) -> None:
    def run(*words: str) -> str:
        done = CliRunner().invoke(cli.app, [*words, "--url", service.url])
        assert done.exit_code == 0, done.output
        return done.output

    common = ["tune", "--dataset", "colors", "--preset", "fast"]
    said = run(*common, "--budget", "4000", "--estimate")
    assert "queries" in said and "4,000" in said
    assert "warning: the dev split" in said
    told = json.loads(run(*common, "--budget", "90000", "--estimate", "--json"))
    assert told["queries"]["ceiling"] == 90_000
    job = json.loads(run(*common, "--budget", "90000", "--priority", "4", "--detach", "--json"))
    assert job["priority"] == 4
    assert "paus" in run("pause", job["id"])
    paused(service, job["id"])
    made = json.loads(
        run("clone", job["id"], "--set", "budget.queries=500", "--set", "seed=3", "--json")
    )
    assert (made["spec"]["seed"], made["spec"]["budget"]["queries"]) == (3, 500)
    assert service.ended(made["id"])["status"] == "succeeded"
    assert job["id"] in run("resume", job["id"])
    assert "deleted" in run("delete", job["id"], "--force")
    assert "deleted" in run("delete", made["id"])
    assert service.http.get(f"/api/jobs/{made['id']}").status_code == 404
