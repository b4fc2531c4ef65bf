"""A search told in part, over HTTP: some generations, incumbents, candidates and the log."""

from typing import Any

import pytest

from app.log_entries import entries
from jobs.history import Happening
from jobs.models import EventRow, JobRow
from tests.servers import Service


@pytest.fixture(scope="module")
def whole(tuning: Service, finished: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = path_of(tuning, finished, "generations")
    assert len(found) == 4
    return found


def path_of(service: Service, job: dict[str, Any], what: str, **params: Any) -> Any:
    body = service.get(f"/api/jobs/{job['id']}/{what}", **params)
    return body["data"]


def test_a_generation_tells_words_and_spending(whole: list[dict[str, Any]]) -> None:
    for each in whole:
        assert (each["text"], each["tokens"], each["cost"]) == (None, 0, 0.0), "vectors, for free"


def test_points_are_some_of_the_whole(
    tuning: Service, finished: dict[str, Any], whole: list[dict[str, Any]]
) -> None:
    assert path_of(tuning, finished, "generations", points=2) == [whole[0], whole[3]]
    assert path_of(tuning, finished, "generations", points=60) == whole
    late = path_of(tuning, finished, "generations", points=2, after=1, limit=1)
    assert late == [whole[1], whole[3]], "a limit does not count where points are asked for"


def test_incumbents_and_candidates_are_generations(
    tuning: Service, finished: dict[str, Any], whole: list[dict[str, Any]]
) -> None:
    found = path_of(tuning, finished, "incumbents")
    assert found == [each for each in whole if each["incumbent_generation"] == each["number"]]
    assert found[-1]["number"] == finished["incumbent"]["generation"]
    assert path_of(tuning, finished, "incumbents", after=found[0]["number"]) == found[1:]
    best = path_of(tuning, finished, "candidates")
    assert best == sorted(whole, key=lambda each: (each["dev_loss"], each["number"]))
    body = tuning.get(f"/api/jobs/{finished['id']}/candidates", limit=1)
    assert (body["data"], body["has_more"]) == (best[:1], True)


def test_the_log_says_it_in_words(tuning: Service, finished: dict[str, Any]) -> None:
    rows = path_of(tuning, finished, "log")
    assert [row["type"] for row in rows] == [
        *["status"] * 3,
        *["generation"] * 4,
        *("result", "status", "done"),
    ]
    texts = [row["text"] for row in rows]
    assert texts[0] == "Queued" and texts[-1] == "The job has ended"
    assert texts[-2] == "Succeeded: budget spent"
    assert texts[-3] == finished["result"]["message"]
    assert texts[3].startswith("Generation 1: dev loss ") and texts[3].endswith("the new incumbent")
    assert "nats" in texts[3] and "dev accuracy" in texts[3]
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)
    after = rows[4]["id"]
    assert path_of(tuning, finished, "log", after=after, limit=2) == rows[5:7]
    assert path_of(tuning, finished, "log", last=4, limit=1) == rows[-4:]


def test_a_failure_says_its_reason(finished: dict[str, Any]) -> None:
    spec = finished["spec"]
    job = JobRow(id="job_1", spec=spec, status="failed", error={"message": "no such model"})
    failed = EventRow(id=1, job_id="job_1", type="status", data={"status": "failed"})
    strange = EventRow(id=2, job_id="job_1", type="status", data={"status": "paused"})
    told = entries(job, [Happening(failed, None), Happening(strange, None)])
    assert [each.text for each in told] == ["Failed: no such model", "Paused"]
