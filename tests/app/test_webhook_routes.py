"""Webhooks over HTTP: a job's end reaches a receiver that verifies it with OpenAI's client."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.conftest import eventually
from tests.receiver import Receiver, receiving
from tests.servers import Service, spec


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


def add(service: Service, url: str, *events: str) -> dict[str, Any]:
    body = {"url": url, **({"events": list(events)} if events else {})}
    answer = service.http.post("/api/webhooks", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def delivery(service: Service, hook: dict[str, Any], status: str) -> dict[str, Any]:
    """The only one, when it has this status."""

    def found() -> list[dict[str, Any]]:
        rows = service.get(f"/api/webhooks/{hook['id']}/deliveries")["data"]
        return [row for row in rows if row["status"] == status and row["attempts"]]

    [row] = eventually(found, 20)
    return row


def cancelled(service: Service) -> str:
    job_id = service.submit(spec())
    assert service.http.post(f"/api/jobs/{job_id}/cancel").status_code == 200
    return job_id


def test_a_tuned_job_is_told_to_the_openai_client(tuning: Service, receiver: Receiver) -> None:
    hook = add(tuning, receiver.url, "fine_tuning.job.succeeded")
    job_id = tuning.submit(spec(generations=1))
    assert tuning.ended(job_id)["status"] == "succeeded"
    [(_, headers, body)] = eventually(lambda: list(receiver.got), 20)
    with openai.OpenAI(api_key="none", webhook_secret=hook["secret"]) as client:
        event = client.webhooks.unwrap(body, headers)
    assert event.type == "fine_tuning.job.succeeded"
    assert event.data.id == job_id
    assert delivery(tuning, hook, "delivered")["job"] == job_id
    tuning.http.delete(f"/api/webhooks/{hook['id']}")


def test_the_secret_is_shown_once(idle: Service, receiver: Receiver) -> None:
    hook = add(idle, receiver.url)
    assert hook["events"] == ["job.succeeded", "job.failed", "job.cancelled"]
    secret = hook.pop("secret")
    cancelled(idle)
    delivery(idle, hook, "delivered")
    address = f"/api/webhooks/{hook['id']}"
    assert idle.get(address) == hook
    texts = [
        idle.http.get(path).text for path in ("/api/webhooks", address, f"{address}/deliveries")
    ]
    assert not [text for text in [*texts, idle.log.read_text()] if secret in text]
    assert secret not in json.dumps([list(map(str, got)) for got in receiver.got])
    assert idle.http.delete(address).status_code == 204
    answer = idle.http.get(address)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_such_webhook")


def test_gone_disables(idle: Service, receiver: Receiver) -> None:
    hook = add(idle, receiver.url)
    receiver.statuses = [410]
    cancelled(idle)
    assert delivery(idle, hook, "failed")["next_attempt_at"] is None
    assert "410" in idle.get(f"/api/webhooks/{hook['id']}")["disabled"]
    idle.http.delete(f"/api/webhooks/{hook['id']}")


def test_what_was_not_delivered_survives_a_restart(tmp_path: Path, receiver: Receiver) -> None:
    service = Service(tmp_path / "data", {"runners": "0"})
    try:
        service.start().upload()
        hook = add(service, receiver.url, "job.cancelled")
        receiver.statuses = [503]
        job_id = cancelled(service)
        waiting = delivery(service, hook, "pending")
        assert [attempt["status"] for attempt in waiting["attempts"]] == [503]
        service.kill()
        service.start()
        told = delivery(service, hook, "delivered")
        assert (told["id"], told["job"], len(told["attempts"])) == (waiting["id"], job_id, 2)
        assert [json.loads(body)["id"] for *_, body in receiver.got] == [told["id"]] * 2
    finally:
        service.close()


REFUSED: list[tuple[dict[str, Any], str | None, str]] = [
    ({}, "url", "missing_field"),
    ({"url": "ftp://example.com"}, "url", "bad_address"),
    ({"url": "http://169.254.169.254/latest"}, "url", "bad_address"),
    ({"url": "http://127.0.0.1/x", "events": []}, "events", "too_short"),
    ({"url": "http://127.0.0.1/x", "events": ["job.started"]}, "events.0", "literal_error"),
    ({"url": "http://127.0.0.1/x", "secret": "mine"}, "secret", "unknown_field"),
]


@pytest.mark.parametrize(("body", "param", "code"), REFUSED)
def test_what_is_refused(body: dict[str, Any], param: str, code: str, idle: Service) -> None:
    answer = idle.http.post("/api/webhooks", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (422, param, code)


def test_pages_of_deliveries(idle: Service, receiver: Receiver) -> None:
    hook = add(idle, receiver.url, "job.cancelled", "fine_tuning.job.cancelled")
    jobs = [cancelled(idle) for _ in range(2)]
    address = f"/api/webhooks/{hook['id']}/deliveries"
    whole = eventually(lambda: [idle.get(address)["data"]][0][3:] and idle.get(address)["data"], 20)
    assert {row["job"] for row in whole} == set(jobs)
    first = idle.get(address, limit=3)
    rest = idle.get(address, limit=3, after=first["data"][-1]["id"])
    ids = [row["id"] for row in first["data"] + rest["data"]]
    assert (ids, first["has_more"], rest["has_more"]) == ([row["id"] for row in whole], True, False)
    idle.http.delete(f"/api/webhooks/{hook['id']}")
