"""Every bad input there is: refused with the field, what was given and what is wanted.

The list is the test: a new refusal is a new line. Nothing of it may leave a trace.
"""

import select
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import h11
import httpx
import psutil
import pytest

from app.errors import ANSWERS
from backends.registry import KINDS, Capability, Kind
from jobs.admission import Refused, admit
from jobs.catalog import Catalog
from jobs.models import DatasetRow, EndpointRow
from jobs.spec import JobSpec
from tests.app.bad import (
    KEYS,
    Bad,
)
from tests.app.bad_courses import COURSES
from tests.app.bad_life import LIFE
from tests.app.bad_names import NAMES
from tests.app.bad_others import ENDPOINTS, QUESTIONS, UPLOADS
from tests.app.bad_specs import BODIES, SPECS
from tests.servers import Service, spec

GROUPS = {
    "spec": SPECS,
    "body": BODIES,
    "endpoint": ENDPOINTS,
    "upload": UPLOADS,
    "question": QUESTIONS,
    "life": LIFE,
    "course": COURSES,
    "name": NAMES,
}
EVERY = [(f"{group}: {bad.name}", bad) for group, list_ in GROUPS.items() for bad in list_]


PROVOKED: set[str] = set()  # codes
OPENAIS = {"model_not_found"}  # of OpenAI's own type


def everything(service: Service) -> dict[str, Any]:
    """All that is stored, row by row."""
    tables = ("jobs", "datasets", "examples", "endpoints", "events", "generations", "prompts")
    return {table: service.rows(f"SELECT * FROM {table}") for table in tables}


@pytest.fixture(scope="module", autouse=True)
def nothing_is_stored(idle: Service, waiting: str) -> Iterator[None]:
    """Whatever this whole module sends, it leaves no trace."""
    before = everything(idle)
    yield
    assert everything(idle) == before
    answer = idle.http.get("/healthz")
    assert answer.json()["jobs"] == {"queued": len(before["jobs"])}


def check_refusal(answer: httpx.Response, bad: Bad) -> None:
    assert answer.status_code == bad.status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"].startswith("req_")
    body = answer.json()
    assert set(body) == {"error"}
    error = body["error"]
    assert set(error) == KEYS
    assert error["param"] == bad.param, error
    assert error["code"], "a program needs a code to tell refusals apart"
    missing = [word for word in bad.words if word not in error["message"]]
    assert not missing, error["message"]
    kinds = {404: "not_found_error", 409: "conflict_error"}
    if error["code"] in OPENAIS:
        kinds = {}
    assert error["type"] == kinds.get(bad.status, "invalid_request_error")
    assert answer.headers.get("x-should-retry") == ("false" if bad.status == 409 else None)


@pytest.mark.parametrize("bad", [bad for _, bad in EVERY], ids=[name for name, _ in EVERY])
def test_is_refused_with_the_field_what_was_given_and_what_is_wanted(
    bad: Bad, idle: Service, waiting: str
) -> None:
    request = {**bad.request, "url": bad.request["url"].replace("{job}", waiting)}
    answer = idle.http.request(**request)
    check_refusal(answer, bad)
    PROVOKED.add(answer.json()["error"]["code"])


def test_no_name_stands_twice_in_the_list() -> None:
    names = [name for name, _ in EVERY]
    assert len(set(names)) == len(names)


def test_the_list_provokes_every_refusal_of_the_table() -> None:
    """A kind of refusal that nobody provokes is one that nobody has read."""
    elsewhere = {
        "already_ended": "tests/app/test_job_routes.py: a job must have ended",
        "in_flight": "tests/app/test_idempotency.py: two requests at once",
        "key_reused": "tests/app/test_idempotency.py: one request after another",
        "no_such_version": "tests/app/test_names.py: a name must have been given",
        "nothing_earlier": "tests/app/test_names.py: as the one before",
        "no_such_webhook": "tests/app/test_webhook_routes.py: no job has one",
        "not_ready": "tests/app/test_metrics.py: a runner must be dead",
        "rows_gone": "tests/app/test_archive_routes.py: a job must have lost its dataset",
        "wrong_format": "tests/app/test_prompt_routes.py: a job must have a prompt",
        "backend_refused": "tests/jobs: what a model of another sort says",
        "backend_unavailable": "tests/jobs: no endpoint of this machine can be away",
        "backend_error": "tests/jobs: no endpoint of this machine breaks",
        "refused": "every Refused has a code of its own",
        "bad_field": "every BadField has a code of its own",
    }
    assert {answer.code for answer in ANSWERS.values()} - PROVOKED == elsewhere.keys()


def test_a_method_that_the_endpoint_cannot_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not over HTTP: the only kind there is today can do all that the only method needs."""
    weak = Kind("no.module:None", frozenset({Capability.TEXT_PROMPTS}), "words only")
    monkeypatch.setitem(KINDS, "weak", weak)
    with pytest.raises(Refused) as refused:
        admit(JobSpec.model_validate(spec(endpoint="worded")), WordsOnly())
    assert (refused.value.param, refused.value.code) == ("method.name", "method_endpoint_mismatch")
    for word in ("bbt", "soft_prompts", "'worded'", "weak", "text_prompts"):
        assert word in str(refused.value)


class WordsOnly(Catalog):
    """A catalog with one endpoint, of the kind `weak`."""

    def __init__(self) -> None: ...

    def endpoint(self, id_: str) -> EndpointRow:
        return EndpointRow(id=id_, kind="weak", model="none", options={})

    def dataset(self, id_: str) -> DatasetRow:
        counts = {split: {"red": 2, "blue": 2} for split in ("train", "dev", "test")}
        return DatasetRow(id=id_, columns=["text"], labels=["blue", "red"], counts=counts)


# Uploads that are too large. The client is a socket: httpx would send all before it listened.

HUGE = 300_000_000  # bytes
MEGABYTE = b"a long text,label\n" * (1_000_000 // 18)
HEAD = (
    "POST /api/datasets HTTP/1.1\r\nhost: 127.0.0.1\r\n"
    "content-type: multipart/form-data; boundary=x\r\n{length}\r\n\r\n"
)
PART = b'--x\r\ncontent-disposition: form-data; name="file"; filename="huge.csv"\r\n\r\n'


@pytest.fixture
def flat_memory(idle: Service) -> Iterator[None]:
    """The service may take the largest upload there is, and no more than that, into memory."""
    process = psutil.Process(idle.pid)
    before = process.memory_info().rss
    yield
    assert process.memory_info().rss - before < 80e6


@pytest.fixture
def wire(idle: Service) -> Iterator[socket.socket]:
    with closing(socket.create_connection(("127.0.0.1", idle.port), timeout=60)) as connection:
        yield connection


def refusal(wire: socket.socket) -> httpx.Response:
    """The answer, though the request has not ended."""
    reader = h11.Connection(h11.CLIENT)
    reader.send(h11.Request(method="GET", target="/", headers=[("host", "127.0.0.1")]))
    reader.send(h11.EndOfMessage())
    head, body = None, b""
    while not isinstance(event := reader.next_event(), h11.EndOfMessage):
        if event is h11.NEED_DATA:
            reader.receive_data(wire.recv(65536))
        elif isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
    assert head is not None
    return httpx.Response(head.status_code, headers=list(head.headers), content=body)


TOO_LARGE = Bad("300 MB", {}, 413, "file", ["64 MB"])


def test_300_megabytes_are_refused_by_their_stated_length(
    wire: socket.socket, flat_memory: None
) -> None:
    wire.sendall(HEAD.format(length=f"content-length: {HUGE}").encode() + PART)
    check_refusal(refusal(wire), TOO_LARGE)  # not a byte of the file has been sent


def test_300_megabytes_are_refused_when_they_have_come_too_far(
    idle: Service, wire: socket.socket, flat_memory: None
) -> None:
    """A body of unknown length is refused at its 64th megabyte, not at its end."""
    wire.sendall(HEAD.format(length="transfer-encoding: chunked").encode())
    sent = 0
    for piece in [PART, *[MEGABYTE] * (HUGE // len(MEGABYTE))]:
        if select.select([wire], [], [], 0)[0]:
            break
        wire.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        sent += len(piece)
    check_refusal(refusal(wire), TOO_LARGE)
    assert 64e6 < sent < 80e6  # what was on its way when the answer came is little
    assert stored_in_passing(idle) < 1e6


def stored_in_passing(service: Service) -> int:
    """Bytes in files that the service holds open and has already unlinked: spooled uploads."""
    files = Path(f"/proc/{service.pid}/fd").iterdir()
    return sum(file.stat().st_size for file in files if "(deleted)" in str(file.readlink()))
