"""Keys over HTTP: what each role may do, how often, where a key stands, what is written down."""

import base64
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.access import needed
from app.routes.events import PATIENCE
from jobs.keys import Role
from tests.app.test_routes import ROUTES
from tests.app.two_projects import KEY, Client, Projects, new_client, two_projects
from tests.servers import Service, spec

PARAMETERS = ("dataset_id", "endpoint_id", "file_id", "job_id", "key_id", "webhook_id")
BUDGET = {"queries": 10_000}  # of a job on `tickets`
NOTHING = dict.fromkeys((*PARAMETERS, "model", "name"), "none")


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Projects]:
    with two_projects(tmp_path_factory.mktemp("keys")) as made:
        yield made


@pytest.fixture
def brief(projects: Projects) -> Iterator[Client]:
    """A key that a test may spend."""
    client = new_client(projects.service, "one")
    with client.http:
        yield client


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize("role", ["read", "write", "admin"])
@pytest.mark.parametrize(("verb", "path"), [(verb, path) for verb, path, _ in ROUTES])
def test_a_role_may_what_it_covers(role: str, verb: str, path: str, projects: Projects) -> None:
    """Without a body nothing is made: a caller that may is told what is missing."""
    operators = path.startswith(("/api/projects", "/metrics"))
    admins = path.startswith(("/api/keys", "/api/audit"))
    may = not operators and (role == "admin" or not admins) and (role != "read" or verb == "GET")
    answer = projects.client("one", role).http.request(verb, path.format(**NOTHING))
    assert answer.status_code != 401
    if may:
        assert answer.status_code in (200, 400, 404, 422), answer.text
    else:
        assert refusal(answer) == (403, "role_needed")
        error = answer.json()["error"]
        assert error["type"] == "permission_error" and f"is {role}" in error["message"]


def test_similar_paths_need_no_more_than_others() -> None:
    assert needed("GET", "/api/keys/x") == needed("POST", "/api/audit") == Role.ADMIN
    assert needed("GET", "/api/keysets") == needed("GET", "/api/datasets/keys/rows") == Role.READ
    assert needed("PUT", "/nowhere") == Role.WRITE


def test_the_operator_s_key_may_all(projects: Projects) -> None:
    for path in ("/metrics", "/api/projects", "/api/keys", "/api/audit", "/api/jobs"):
        assert projects.service.http.get(path).status_code == 200


def test_a_key_opens_until_it_is_deleted(projects: Projects, brief: Client) -> None:
    browser = {"authorization": f"Basic {base64.b64encode(f':{brief.key}'.encode()).decode()}"}
    admin = projects.client("one", "admin")
    for headers in ({}, browser):
        assert brief.http.get("/api/jobs", headers=headers).status_code == 200
    [row] = [each for each in admin.ok("GET", "/api/keys")["data"] if each["id"] == brief.id]
    assert (row["role"], row["project"]) == ("write", "one") and row["last_used_at"]
    admin.ok("DELETE", f"/api/keys/{brief.id}")
    assert refusal(brief.http.get("/api/jobs")) == (401, "no_key")


@pytest.mark.parametrize("change", [lambda key: key[:-1] + "g", lambda key: key + "0", str.upper])
def test_almost_the_key_does_not(change: Any, brief: Client) -> None:
    for _ in range(2):  # before and after the right one has been seen
        headers = {"authorization": f"Bearer {change(brief.key)}"}
        assert refusal(brief.http.get("/api/jobs", headers=headers)) == (401, "no_key")
        assert brief.http.get("/api/jobs").status_code == 200


def test_a_stream_ends_soon_after_its_key(projects: Projects, brief: Client) -> None:
    """One that is deleted, and one that comes to its end; another's goes on."""
    job = brief.ok("POST", "/api/jobs", json=spec(dataset="tickets", budget=BUDGET))["id"]
    brief.ok("POST", f"/api/jobs/{job}/pause")  # nothing more is to be told of it
    events, admin = f"/api/jobs/{job}/events", projects.client("one", "admin")
    over = new_client(projects.service, "one", role="read", expires_in_days=1)
    with ExitStack() as stack:
        streams = [
            stack.enter_context(client.http.stream("GET", events, timeout=30))
            for client in (brief, over, projects.client("one", "read"))
        ]
        chunks = [stream.iter_bytes() for stream in streams]
        for told in chunks:
            assert b"queued" in next(told)
        admin.ok("DELETE", f"/api/keys/{brief.id}")
        with closing(sqlite3.connect(projects.service.database)) as database, database:
            yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat(" ")
            database.execute("UPDATE keys SET expires_at = ? WHERE id = ?", (yesterday, over.id))
        begin = time.monotonic()
        for told in chunks[:2]:
            assert b"done" not in b"".join(told), "it has just ended"
        assert time.monotonic() - begin < 3 * PATIENCE
        projects.client("one").ok("POST", f"/api/jobs/{job}/cancel")
        assert b"event: done" in b"".join(chunks[2])
    over.http.close()


def test_a_key_stands_nowhere_once_it_was_shown(projects: Projects, brief: Client) -> None:
    """Neither it nor its secret part: in the files, the log, or any answer."""
    headers = {"idempotency-key": "secret"}
    brief.http.post("/api/endpoints", json={"id": brief.key}, headers=headers)
    admin, service = projects.client("one", "admin"), projects.service
    answers = [admin.http.get(path).text for path in ("/api/keys", "/api/audit")]
    answers += [service.http.get(path).text for path in ("/metrics", "/healthz", "/api/nowhere")]
    answers.append(brief.http.get("/api/jobs", headers={"x-gradless-project": "no"}).text)
    secret = brief.key.rsplit("_", 1)[1]
    assert not [text for text in answers if secret in text]
    for file in service.data.rglob("*"):
        if file.is_file():
            assert secret.encode() not in file.read_bytes(), file
            assert KEY.encode() not in file.read_bytes(), file


def test_a_key_has_its_rate(projects: Projects) -> None:
    slow = new_client(projects.service, "one", requests_per_minute=3)
    with slow.http as http:
        assert [http.get("/api/jobs").status_code for _ in range(3)] == [200] * 3
        answer = http.get("/api/jobs")
        assert refusal(answer) == (429, "rate_limit_exceeded")
        assert answer.json()["error"]["type"] == "rate_limit_error"
        assert 1 <= int(answer.headers["retry-after"]) <= 20
        assert http.get("/healthz").status_code == 200
    assert projects.client("one").http.get("/api/jobs").status_code == 200


def test_every_change_is_written_down(projects: Projects, brief: Client) -> None:
    body = {"id": "audited", "kind": "encoder", "model": "minilm"}
    brief.ok("POST", "/api/endpoints", json=body)
    brief.http.get("/api/endpoints/audited")
    brief.http.post("/api/endpoints", json=body, headers={"x-request-id": "again"})
    brief.ok("DELETE", "/api/endpoints/audited")
    brief.http.post("/api/keys", json={"name": "x", "role": "admin"})
    admin = projects.client("one", "admin")
    log = admin.ok("GET", "/api/audit", params={"limit": 1000})["data"]
    told = [
        (each["verb"], each["route"], each["object_id"], each["status"])
        for each in reversed(log)
        if each["who"] == brief.id
    ]
    assert told == [
        ("POST", "/api/endpoints", "audited", 201),
        ("POST", "/api/endpoints", "", 409),
        ("DELETE", "/api/endpoints/{endpoint_id}", "audited", 204),
        ("POST", "", "", 403),
    ]
    assert "again" in {each["request_id"] for each in log}
    assert brief.id not in projects.client("two", "admin").http.get("/api/audit").text
    pages, after = [], {}
    while True:
        page = admin.ok("GET", "/api/audit", params={"limit": 2, **after})
        pages += page["data"]
        if not page["has_more"]:
            break
        after = {"after": page["data"][-1]["id"]}
    assert pages == log


def test_the_operator_stands_in_the_log_by_role(projects: Projects) -> None:
    log = projects.client("two", "admin").ok("GET", "/api/audit")["data"]
    assert {each["who"] for each in log if each["route"] == "/api/keys"} == {"admin key"}
    ids = {projects.client("two", role).id for role in ("read", "write", "admin")}
    assert ids <= {each["object_id"] for each in log}


def test_a_stranger_is_not_written_down(projects: Projects) -> None:
    before = projects.service.rows("SELECT count(*) FROM audit")
    headers = {"authorization": "Bearer wrong"}
    assert projects.service.http.post("/api/keys", headers=headers).status_code == 401
    assert projects.service.rows("SELECT count(*) FROM audit") == before


def test_without_keys_everything_is_as_it_was(idle: Service) -> None:
    """On loopback whoever asks may all, whatever key a client must send; but no forgotten key."""
    for headers in ({}, {"authorization": "Bearer anything"}):
        assert idle.http.get("/api/keys", headers=headers).status_code == 200
        assert idle.http.get("/metrics", headers=headers).status_code == 200
    key = idle.http.post("/api/keys", json={"name": "k", "role": "read"}).json()
    headers = {"authorization": f"Bearer {key['key']}"}
    assert idle.http.get("/api/jobs", headers=headers).status_code == 200
    assert refusal(idle.http.post("/api/jobs", json={}, headers=headers)) == (403, "role_needed")
    assert idle.http.delete(f"/api/keys/{key['id']}").status_code == 204
    assert refusal(idle.http.get("/api/jobs", headers=headers)) == (401, "no_key")
    [entry] = idle.get("/api/audit", limit=1)["data"]
    assert (entry["who"], entry["object_id"]) == ("loopback", key["id"])
