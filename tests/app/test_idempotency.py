"""Requests with an Idempotency-Key over HTTP: told again, never done again."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import httpx
import pytest

from app.access import NOBODY
from app.errors import BodyTooLarge
from app.idempotency import Idempotency
from jobs.database import Database
from jobs.repeats import Repeats, Told
from tests.servers import COLORS_CSV, Service, spec


def post(service: Service, path: str, key: str, body: Any, **more: Any) -> httpx.Response:
    return service.http.post(path, json=body, headers={"Idempotency-Key": key, **more})


@pytest.fixture
def key() -> str:
    return str(uuid4())


def n_jobs(service: Service) -> int:
    return int(service.rows("SELECT count(*) AS n FROM jobs")[0]["n"])


def check_refusal(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    assert answer.json()["error"]["param"] == "idempotency-key"


def test_the_same_request_again_is_answered_the_same(idle: Service, key: str) -> None:
    before = n_jobs(idle)
    first = post(idle, "/api/jobs", key, spec(name="once"))
    assert (first.status_code, "idempotent-replayed" in first.headers) == (202, False)
    idle.http.post(f"/api/jobs/{first.json()['id']}/cancel")
    for _ in range(3):
        again = post(idle, "/api/jobs", key, spec(name="once"))
        assert (again.status_code, again.headers["idempotent-replayed"]) == (202, "true")
        assert again.headers["content-type"] == "application/json"
        assert again.headers["x-request-id"] != first.headers["x-request-id"]
        assert again.json() == first.json(), "as it was answered first, not as the job is now"
    assert n_jobs(idle) == before + 1


def test_without_a_key_each_is_another(idle: Service) -> None:
    assert idle.submit(spec()) != idle.submit(spec())


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/jobs", spec(seed=99)),
        ("/api/jobs?priority=1", spec()),
        ("/api/endpoints", {"id": "once", "kind": "encoder", "model": "minilm"}),
    ],
)
def test_another_request_with_the_key_is_refused(
    path: str, body: Any, idle: Service, key: str
) -> None:
    post(idle, "/api/jobs", key, spec())
    before = n_jobs(idle)
    check_refusal(post(idle, path, key, body), 422, "key_reused")
    assert n_jobs(idle) == before


def test_the_key_is_the_caller_s_own(tuning: Service, idle: Service, key: str) -> None:
    first = post(idle, "/api/jobs", key, spec())
    other = post(idle, "/api/jobs", key, spec(), authorization="Bearer another")
    assert other.json()["id"] != first.json()["id"]


def test_a_refused_request_may_be_corrected(idle: Service, key: str) -> None:
    assert post(idle, "/api/jobs", key, spec(seed=-1)).status_code == 422
    assert post(idle, "/api/jobs", key, spec()).status_code == 202


@pytest.mark.parametrize("bad", ["", "x" * 256])
def test_a_key_has_a_length(bad: str, idle: Service) -> None:
    check_refusal(post(idle, "/api/jobs", bad, spec()), 422, "bad_idempotency_key")


def test_many_at_once_make_one_job(idle: Service, key: str) -> None:
    before = n_jobs(idle)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post(idle, "/api/jobs", key, spec()), range(16)))
    assert n_jobs(idle) == before + 1
    made = {answer.json()["id"] for answer in answers if answer.status_code == 202}
    assert len(made) == 1
    for answer in answers:
        if answer.status_code != 202:
            check_refusal(answer, 409, "in_flight")
            assert answer.headers["x-should-retry"] == "false"


def test_a_clone_is_made_once(idle: Service, waiting: str, key: str) -> None:
    ids = {
        post(idle, f"/api/jobs/{waiting}/clone", key, {"seed": 5}).json()["id"] for _ in range(2)
    }
    assert len(ids) == 1


def test_an_upload_is_made_once_though_its_boundary_changes(idle: Service, key: str) -> None:
    def upload(content: str = COLORS_CSV) -> httpx.Response:
        file = {"file": ("c.csv", content.encode())}
        head = {"Idempotency-Key": key}
        return idle.http.post("/api/datasets", files=file, data={"name": "once"}, headers=head)

    first, again = upload(), upload()
    assert first.request.headers["content-type"] != again.request.headers["content-type"]
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    check_refusal(upload(COLORS_CSV.replace("sky", "sea")), 422, "key_reused")
    assert idle.http.delete("/api/datasets/once").status_code == 204


def test_a_body_that_is_too_large_is_refused_as_ever(idle: Service, key: str) -> None:
    parts = (b"x" * 1_000_000 for _ in range(5))  # no length is told
    answer = idle.http.post("/api/jobs", content=parts, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


def test_no_key_is_stored_as_it_was_sent(idle: Service, key: str) -> None:
    post(idle, "/api/jobs", key, spec(), authorization="Bearer sesame")
    stored = json.dumps(idle.rows("SELECT * FROM repeats"))
    assert key not in stored and "sesame" not in stored


def test_a_repetition_needs_the_service_s_key_too(tmp_path: Path, key: str) -> None:
    service = Service(tmp_path, {"runners": "0", "api_key": "open"})
    try:
        service.start().upload()
        assert post(service, "/api/jobs", key, spec()).status_code == 202
        assert post(service, "/api/jobs", key, spec()).status_code == 202
        assert post(service, "/api/jobs", key, spec(), authorization="").status_code == 401
    finally:
        service.close()


# What only the layer itself can show.

SCOPE = {
    "type": "http",
    "method": "POST",
    "path": "/api/jobs",
    "query_string": b"",
    "headers": [(b"idempotency-key", b"k")],
}


def new_scope() -> dict[str, Any]:
    return {**SCOPE, "state": {"caller": NOBODY}}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/x.db")
    database.migrate()
    yield database
    database.close()


def ask(app: Any, database: Database, body: bytes = b"{}") -> tuple[int, bytes]:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = new_scope()
    anyio.run(Idempotency(app, database), scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


def answering(status: int, made: list[bytes]) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        made.append((await receive())["body"])
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b'{"n":', "more_body": True})
        await send({"type": "http.response.body", "body": b"%d}" % len(made)})

    return app


def test_the_route_sees_the_body_and_the_answer_is_kept_whole(database: Database) -> None:
    made: list[bytes] = []
    app = answering(201, made)
    assert ask(app, database, b"[1]") == ask(app, database, b"[1]") == (201, b'{"n":1}')
    assert made == [b"[1]"]
    assert ask(app, database, b"[2]")[0] == 422


@pytest.mark.parametrize("status", [404, 409, 422, 500, 503])
def test_what_made_nothing_is_tried_again(status: int, database: Database) -> None:
    made: list[bytes] = []
    app = answering(status, made)
    assert ask(app, database) == (status, b'{"n":1}')
    assert ask(app, database) == (status, b'{"n":2}')


def test_what_broke_is_tried_again(database: Database) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ask(broken, database)
    assert ask(answering(201, []), database) == (201, b'{"n":1}')


@pytest.mark.parametrize("fails", [False, True])
def test_what_is_kept_in_a_transaction_is_undone_with_it(fails: bool, database: Database) -> None:
    made: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with suppress(KeyError), database.writing() as session:
            scope["state"]["once"].keep(session, Told(202, "{}"))
            if fails:
                raise KeyError
        await answering(500, made)(scope, receive, send)

    assert ask(app, database)[0] == 500
    assert ask(app, database)[0] == (500 if fails else 202)
    assert len(made) == 1 + fails


def test_while_the_first_is_at_work_the_second_is_turned_away(database: Database) -> None:
    made: list[bytes] = []

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        status, body = await anyio.to_thread.run_sync(ask, answering(201, []), database)
        assert (status, json.loads(body)["error"]["code"]) == (409, "in_flight")
        await answering(201, made)(scope, receive, send)

    assert ask(slow, database) == (201, b'{"n":1}')
    assert len(made) == 1


def test_a_client_that_has_gone_leaves_its_key_free(database: Database) -> None:
    async def gone() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    anyio.run(
        Idempotency(answering(201, []), database),
        new_scope(),
        gone,
        send,
    )
    assert Repeats(database).begin("any", "digest")
    with database.reading() as session:
        assert session.connection().exec_driver_sql("SELECT count(*) FROM repeats").scalar() == 1


def test_too_large_says_its_limit(database: Database) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        raise BodyTooLarge(4_000_000, None)

    async def send(message: Any) -> None:
        sent.append(message)

    anyio.run(
        Idempotency(answering(201, []), database),
        new_scope(),
        receive,
        send,
    )
    assert sent[0]["status"] == 413 and b"4 MB" in sent[1]["body"]
