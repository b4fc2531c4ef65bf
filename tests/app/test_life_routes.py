"""Pausing, cloning, deleting, priorities and estimates over HTTP."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import eventually
from tests.servers import BASELINE, GENERATION, Service, spec

LONG = spec(generations=50_000, name="long")


@pytest.fixture
def running(tuning: Service) -> Iterator[str]:
    """A job that would take hours, in its second generation or later."""
    job_id = tuning.submit(LONG)
    tuning.reached(job_id, 2)
    yield job_id
    tuning.http.delete(f"/api/jobs/{job_id}?force=true")


def act(service: Service, job_id: str, deed: str) -> Any:
    answer = service.http.post(f"/api/jobs/{job_id}/{deed}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_running_job_pauses_within_seconds_and_goes_on(tuning: Service, running: str) -> None:
    assert act(tuning, running, "pause")["status"] in ("running", "paused")
    eventually(lambda: tuning.row(running)["status"] == "paused", 15)
    paused = tuning.job(running)
    assert (paused["runner"], paused["retry_at"], paused["error"]) == (None, None, None)
    assert act(tuning, running, "pause") == paused
    other = tuning.ended(tuning.submit(spec(generations=1)))
    assert other["status"] == "succeeded", "the runner is free"
    assert tuning.row(running)["generation"] == paused["progress"]["generation"]
    assert act(tuning, running, "resume")["status"] == "queued"
    tuning.reached(running, paused["progress"]["generation"] + 1)


def test_a_job_deleted_while_it_runs_leaves_its_runner_free(tuning: Service, running: str) -> None:
    refused = tuning.http.delete(f"/api/jobs/{running}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "not_ended")
    assert "?force=true" in refused.json()["error"]["message"]
    assert tuning.http.delete(f"/api/jobs/{running}?force=true").status_code == 204
    assert tuning.http.get(f"/api/jobs/{running}").status_code == 404
    other = tuning.ended(tuning.submit(spec(generations=1)))
    assert other["status"] == "succeeded"
    left = tuning.rows("SELECT * FROM generations WHERE job_id = ?", running)
    assert left == []


def test_a_clone_is_the_same_job_again(tuning: Service, finished: dict[str, Any]) -> None:
    answer = tuning.http.post(f"/api/jobs/{finished['id']}/clone")
    assert answer.status_code == 202
    assert answer.json()["spec"] == finished["spec"]
    again = tuning.ended(answer.json()["id"])
    assert again["result"] | {"seconds": 0} == finished["result"] | {"seconds": 0}


def test_a_clone_with_changes(idle: Service, waiting: str) -> None:
    changes = {"seed": 11, "name": None, "budget": {"queries": 900}}
    answer = idle.http.post(f"/api/jobs/{waiting}/clone?priority=7", json=changes)
    made, old = answer.json(), idle.job(waiting)
    assert (answer.status_code, made["priority"], made["name"]) == (202, 7, None)
    assert made["spec"] == old["spec"] | {
        "seed": 11,
        "name": None,
        "budget": old["spec"]["budget"] | {"queries": 900},
    }


@pytest.mark.parametrize(
    ("changes", "status", "param"),
    [
        ({"sedd": 1}, 422, "sedd"),
        ({"budget": {"queries": 9}}, 422, "budget.queries"),
        ({"method": {"sigma0": -1}}, 422, "method.sigma0"),
        ({"dataset": None}, 422, "dataset"),
        ({"dataset": "nope"}, 404, "dataset"),
        ([], 422, None),
    ],
)
def test_a_clone_is_checked_as_any_job(
    changes: Any, status: int, param: str | None, idle: Service, waiting: str
) -> None:
    answer = idle.http.post(f"/api/jobs/{waiting}/clone", json=changes)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param), answer.text


def test_a_priority_is_kept_and_bounded(idle: Service) -> None:
    answer = idle.http.post("/api/jobs?priority=-3", json=spec())
    assert answer.json()["priority"] == -3
    assert idle.job(answer.json()["id"])["priority"] == -3
    refused = idle.http.post("/api/jobs?priority=101", json=spec())
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "priority")


def test_an_estimate_before_any_job(idle: Service) -> None:
    body = {**spec(), "endpoint": "digits-clip", "dataset": "two-digits"}
    body["budget"] = {"queries": 100_000}
    before = idle.get("/healthz")["jobs"]
    told = idle.http.post("/api/jobs/estimate", json=body).json()
    assert told["object"] == "estimate"
    assert (told["tokens"], told["cost"], told["seconds"], told["basis"]) == (None,) * 4
    assert told["queries"]["ceiling"] == 100_000
    assert idle.get("/healthz")["jobs"] == before, "nothing is started"


def test_a_budget_under_one_generation_is_a_warning_here(idle: Service) -> None:
    body = spec(budget={"queries": 27})
    told = idle.http.post("/api/jobs/estimate?points=50", json=body).json()
    assert told["generations"] == 0
    assert [caution["code"] for caution in told["warnings"]] == ["budget_too_small"]
    assert "wanted at least 28" in told["warnings"][0]["message"]
    refused = idle.http.post("/api/jobs", json=body).json()["error"]
    assert told["warnings"][0]["message"].startswith(refused["message"])


def test_what_was_expected_stands_beside_what_was_spent(
    tuning: Service, finished: dict[str, Any]
) -> None:
    report = tuning.get(f"/api/jobs/{finished['id']}/report")
    expected = report["estimate"]
    assert expected["queries"] == finished["estimate"]["queries"]
    assert expected["queries"]["ceiling"] == report["usage"]["queries"] == BASELINE + 4 * GENERATION
    assert expected["report_queries"] == report["usage"]["report_queries"]


def test_times_are_those_of_earlier_jobs(tuning: Service, finished: dict[str, Any]) -> None:
    body = spec(budget={"queries": 10_000, "seconds": 0.01})
    told = tuning.http.post("/api/jobs/estimate", json=body).json()
    assert told["basis"] == "earlier jobs"
    assert 0 < told["seconds"]["low"] <= told["seconds"]["ceiling"] == 0.01
    assert "wall_first" in [caution["code"] for caution in told["warnings"]]
