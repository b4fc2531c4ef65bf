"""A job over HTTP, before and after; its cancelling and its events."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.servers import GENERATION, Service, spec

LONG = spec(generations=50_000, name="long")


def test_a_job_that_waits(idle: Service) -> None:
    sent = spec(name="waits", metadata={"team": "a"})
    answer = idle.http.post("/api/jobs", json=sent)
    job = answer.json()
    assert answer.status_code == 202
    assert job == idle.job(job["id"])
    assert job["object"] == "job"
    assert (job["name"], job["status"]) == ("waits", "queued")
    assert job["created_at"].endswith("Z")
    unknown = "termination_reason error runner baseline incumbent result started_at finished_at"
    assert {name: job[name] for name in unknown.split()} == dict.fromkeys(unknown.split())
    assert job["progress"] == {
        "generation": 0,
        "queries": 0,
        "budget": sent["budget"]["queries"],
        "fraction": 0.0,
        "seconds": 0.0,
        "queries_per_second": None,
        "seconds_left": None,
        "optimizer_share": None,
    }
    assert job["spec"]["task"] == {
        "template": "{prompt} {text}",
        "verbalizer": {"blue": "blue", "red": "red"},
        "baseline": "",
        "metric": None,
        "max_tokens": 64,
    }
    assert job["metric"] == "accuracy"
    assert job["spec"]["metadata"] == {"team": "a"}
    assert {**job["spec"]["method"], **sent["method"]} == job["spec"]["method"]
    assert job["spec"]["method"]["sigma0"] == 1.0  # a default is written down


def test_a_resolved_spec_can_be_sent_again(idle: Service, waiting: str) -> None:
    resolved_spec = idle.job(waiting)["spec"]
    again = idle.job(idle.submit(resolved_spec))
    assert again["spec"] == resolved_spec


def test_a_job_that_has_succeeded(finished: dict[str, Any]) -> None:
    queries = 8 + 4 * GENERATION
    assert finished["termination_reason"] == "budget_spent"
    assert finished["error"] is None
    assert finished["created_at"] < finished["started_at"] < finished["finished_at"]
    progress = finished["progress"]
    assert (progress["generation"], progress["queries"], progress["fraction"]) == (4, queries, 1.0)
    assert progress["seconds"] > 0
    assert progress["queries_per_second"] == pytest.approx(queries / progress["seconds"])
    assert progress["seconds_left"] is None
    assert 0 < progress["optimizer_share"] < 1
    assert finished["baseline"]["prompt"] == ""
    assert finished["baseline"]["queries"] == 8
    assert set(finished["baseline"]) == {
        "prompt",
        "queries",
        *(f"{split}_{what}" for split in ("train", "dev") for what in ("loss", "accuracy")),
    }
    incumbent = finished["incumbent"]
    assert incumbent["kind"] == "soft"
    assert 1 <= incumbent["generation"] <= 4
    assert incumbent["text"] is None
    assert len(incumbent["nearest_words"]) == 2  # one for each vector of the prompt
    result = finished["result"]
    assert result["outcome"] in ("improved", "no_improvement")
    assert (result["queries"], result["seconds"]) == (queries, progress["seconds"])
    for side in ("baseline", "tuned"):
        assert result[side]["n"] == 12
        assert 0 <= result[side]["low"] <= result[side]["accuracy"] <= result[side]["high"] <= 1
    assert 0 < result["p_value"] <= 1


def test_generations_carry_what_a_curve_needs(tuning: Service, finished: dict[str, Any]) -> None:
    rows = tuning.get(f"/api/jobs/{finished['id']}/generations")["data"]
    assert [row["number"] for row in rows] == [1, 2, 3, 4]
    assert [row["queries"] for row in rows] == [8 + n * GENERATION for n in (1, 2, 3, 4)]
    for row in rows:
        for name in ("train_loss", "dev_loss", "population_loss", "incumbent_dev_loss"):
            assert row[name] > 0
        for name in ("train_accuracy", "dev_accuracy", "incumbent_dev_accuracy"):
            assert 0 <= row[name] <= 1
        assert row["seconds"] >= row["model_seconds"] > 0
        assert row["internals"]["sigma"] > 0
    best = min(rows, key=lambda row: row["dev_loss"])
    assert rows[-1]["incumbent_generation"] == best["number"]
    assert rows[-1]["incumbent_dev_loss"] == best["dev_loss"] == finished["incumbent"]["dev_loss"]


@pytest.fixture
def running(tuning: Service) -> Iterator[str]:
    """A job that would take hours, in its second generation or later."""
    job_id = tuning.submit(LONG)
    tuning.reached(job_id, 2)
    yield job_id
    tuning.http.post(f"/api/jobs/{job_id}/cancel")
    tuning.ended(job_id)


def test_cancelling_a_running_job_keeps_its_prompt(tuning: Service, running: str) -> None:
    state = tuning.job(running)
    assert state["status"] == "running"
    assert state["runner"] == tuning.runner()["name"]
    assert tuning.runner()["job"] == running
    assert state["progress"]["seconds_left"] > 0
    assert 0 < state["progress"]["fraction"] < 1
    assert tuning.http.post(f"/api/jobs/{running}/cancel").status_code == 200
    ended = tuning.ended(running, 20)
    assert (ended["status"], ended["termination_reason"]) == ("cancelled", "cancelled")
    assert ended["result"] is None
    prompt = tuning.get(f"/api/jobs/{running}/prompt")
    assert prompt["generation"] == ended["incumbent"]["generation"]
    assert tuning.http.get(f"/api/jobs/{running}/report").status_code == 409


def test_a_job_behind_another_is_cancelled_at_once(tuning: Service, running: str) -> None:
    behind = tuning.submit(spec())
    assert tuning.job(behind)["status"] == "queued"
    answer = tuning.http.post(f"/api/jobs/{behind}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert answer.json()["finished_at"] is not None
    assert tuning.job(running)["status"] == "running"


def test_a_job_that_has_ended_cannot_be_cancelled(
    tuning: Service, finished: dict[str, Any]
) -> None:
    answer = tuning.http.post(f"/api/jobs/{finished['id']}/cancel")
    assert answer.status_code == 409
    assert answer.headers["x-should-retry"] == "false"
    assert answer.json()["error"]["code"] == "already_ended"
    assert tuning.job(finished["id"]) == finished


# Events


@dataclass(frozen=True)
class Event:
    id: int
    type: str
    data: dict[str, Any]


def parsed(lines: Iterator[str]) -> Iterator[Event]:
    """The events of a stream; comments are its heartbeat."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line and fields:
            yield Event(int(fields["id"]), fields["event"], json.loads(fields["data"]))
            fields = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value


def follow(service: Service, job_id: str, after: int = 0, last: int | None = None) -> list[Event]:
    """All events until the service ends the stream."""
    headers = {} if last is None else {"last-event-id": str(last)}
    params = {"after": after} if after else {}
    address = f"/api/jobs/{job_id}/events"
    with service.http.stream("GET", address, params=params, headers=headers) as stream:
        assert stream.status_code == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["cache-control"] == "no-cache"
        return list(parsed(stream.iter_lines()))


def test_events_tell_the_whole_story(tuning: Service, finished: dict[str, Any]) -> None:
    events = follow(tuning, finished["id"])
    assert [event.type for event in events] == [
        *["status"] * 3,
        *["generation"] * 4,
        *["result", "status", "done"],
    ]
    ids = [event.id for event in events]
    assert ids == sorted(set(ids))
    statuses = [event.data["status"] for event in events if event.type == "status"]
    assert statuses == ["queued", "running", "running", "succeeded"]
    assert all(event.data["job"] == finished for event in events if event.type == "status")
    rows = tuning.get(f"/api/jobs/{finished['id']}/generations")["data"]
    assert [event.data for event in events if event.type == "generation"] == rows
    assert events[-3].data == {"result": finished["result"]}
    assert events[-1].data == {"status": "succeeded"}


def test_a_stream_goes_on_after_the_last_event_seen(
    tuning: Service, finished: dict[str, Any]
) -> None:
    whole = follow(tuning, finished["id"])
    for seen in range(len(whole)):
        last = whole[seen].id
        assert follow(tuning, finished["id"], last=last) == whole[seen + 1 :]
    assert follow(tuning, finished["id"], after=whole[4].id) == whole[5:]
    both = follow(tuning, finished["id"], after=whole[2].id, last=whole[4].id)
    assert both == whole[5:]  # the header is newer: the browser sent it on reconnecting


def test_events_come_while_the_job_runs(tuning: Service) -> None:
    """The stream was open before the first generation, and ends by itself."""
    job_id = tuning.submit(spec(generations=3))
    with tuning.http.stream("GET", f"/api/jobs/{job_id}/events") as stream:
        events = parsed(stream.iter_lines())
        first = next(events)
        assert first.type == "status"
        assert first.data["job"]["progress"]["generation"] == 0
        rest = list(events)
    assert [e.data["number"] for e in rest if e.type == "generation"] == [1, 2, 3]
    assert rest[-1].type == "done"


def test_a_stream_that_nobody_reads_any_more_is_given_up(tuning: Service, running: str) -> None:
    with tuning.http.stream("GET", f"/api/jobs/{running}/events") as stream:
        next(parsed(stream.iter_lines()))
    assert tuning.http.get("/healthz").status_code == 200
