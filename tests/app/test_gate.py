"""Who gets in, and what every answer carries: key, origin, host, request id, headers."""

import re
from collections.abc import Iterator

import httpx
import pytest

from app.limits import HEADERS
from tests.servers import Service, spec

KEY = "gradless-secret-5ece7"


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Listens to the world, with a key."""
    settings = {"runners": "0", "api_key": KEY}
    service = Service(tmp_path_factory.mktemp("locked"), settings, host="0.0.0.0")
    try:
        yield service.start()
    finally:
        service.close()


@pytest.fixture
def stranger(locked: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=locked.url, trust_env=False) as client:
        yield client


def test_the_key_opens(locked: Service) -> None:
    assert locked.http.get("/api/jobs").status_code == 200
    locked.upload()
    assert locked.http.post("/api/jobs", json=spec()).status_code == 202


WRONG_KEYS = [
    {},
    {"authorization": ""},
    {"authorization": "Bearer"},
    {"authorization": "Bearer wrong"},
    {"authorization": f"Bearer {KEY}x"},
    {"authorization": f"Bearer {KEY[:-1]}"},
    {"authorization": f"Basic {KEY}"},
    {"authorization": KEY},
    {"x-api-key": KEY},
    {"cookie": f"key={KEY}"},
]


@pytest.mark.parametrize("headers", WRONG_KEYS)
def test_anything_else_does_not(headers: dict[str, str], stranger: httpx.Client) -> None:
    answer = stranger.get("/api/jobs", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    error = answer.json()["error"]
    assert (error["type"], error["code"]) == ("authentication_error", "no_key")
    assert "Authorization: Bearer" in error["message"]
    assert KEY not in answer.text


def test_a_browser_is_asked_and_its_password_is_the_key(stranger: httpx.Client) -> None:
    asked = stranger.get("/", headers={"accept": "text/html"})
    assert asked.status_code == 401
    assert asked.headers["www-authenticate"].startswith("Basic ")
    assert stranger.get("/", auth=("anybody", KEY)).status_code == 200
    for wrong in ("", f"{KEY}x", KEY[:-1]):
        assert stranger.get("/", auth=(KEY, wrong)).status_code == 401
    for garbage in ("Basic %%%", "Basic /w==", "Basic"):
        assert stranger.get("/", headers={"authorization": garbage}).status_code == 401


CLOSED = [
    ("GET", "/api/jobs"),
    ("POST", "/api/jobs"),
    ("POST", "/api/datasets"),
    ("GET", "/api/jobs/x/events"),
    ("GET", "/api/openapi.json"),
    ("GET", "/api/nope"),
    ("GET", "/healthzz/../api/jobs"),
    ("OPTIONS", "/api/jobs"),
]


@pytest.mark.parametrize(("verb", "path"), CLOSED)
def test_no_route_is_left_open(verb: str, path: str, stranger: httpx.Client) -> None:
    assert stranger.request(verb, path).status_code == 401


@pytest.mark.parametrize("path", ["/healthz", "/favicon.ico", "/static/style.css"])
def test_what_needs_no_key(path: str, stranger: httpx.Client) -> None:
    assert stranger.get(path).status_code == 200


def test_the_key_is_told_to_nobody(locked: Service, stranger: httpx.Client) -> None:
    """Neither in the log nor in a refusal, right or wrong."""
    texts = [
        stranger.get("/api/jobs", headers={"authorization": f"Bearer {KEY}"}).text,
        locked.http.post("/api/jobs", json={"endpoint": 1}).text,
        locked.http.get("/api/nope").text,
        locked.http.get("/healthz").text,
        locked.log.read_text(),
    ]
    assert not [text for text in texts if KEY in text]


def test_another_name_is_no_reason_to_refuse_where_there_is_a_key(locked: Service) -> None:
    headers = {"host": f"gradless.example:{locked.port}"}
    assert locked.http.get("/api/jobs", headers=headers).status_code == 200


# On loopback, without a key, the browser of the same machine is the way in.


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "[::1", "", "0.0.0.0"]
)
def test_another_host_is_refused_on_loopback(host: str, idle: Service) -> None:
    """DNS rebinding: a page of evil.example whose name now means 127.0.0.1."""
    for path in ("/api/jobs", "/healthz", "/"):
        answer = idle.http.get(path, headers={"host": host})
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "foreign_origin"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "LOCALHOST", "[::1]"])
def test_the_names_of_this_machine_are_not(host: str, idle: Service) -> None:
    for name in (host, f"{host}:{idle.port}"):
        assert idle.http.get("/api/jobs", headers={"host": name}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost"]
)
def test_a_page_of_another_origin_cannot_write(origin: str, idle: Service) -> None:
    before = idle.rows("SELECT id FROM jobs")
    answer = idle.http.post("/api/jobs", json=spec(), headers={"origin": origin})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "foreign_origin"
    assert "another origin" in answer.json()["error"]["message"]
    assert idle.http.delete("/api/datasets/colors", headers={"origin": origin}).status_code == 403
    assert idle.rows("SELECT id FROM jobs") == before


def test_our_own_pages_can(idle: Service) -> None:
    answer = idle.http.post("/api/jobs", json=spec(), headers={"origin": idle.url})
    assert answer.status_code == 202


ANSWERS = [
    ("GET", "/", 200),
    ("GET", "/api/jobs", 200),
    ("GET", "/healthz", 200),
    ("GET", "/static/style.css", 200),
    ("GET", "/api/openapi.json", 200),
    ("GET", "/api/nope", 404),
    ("PUT", "/api/jobs", 405),
    ("POST", "/api/jobs", 422),
    ("DELETE", "/api/endpoints/minilm", 409),
]


@pytest.mark.parametrize(("verb", "path", "status"), ANSWERS)
def test_every_answer_has_the_headers(verb: str, path: str, status: int, idle: Service) -> None:
    check_headers(idle.http.request(verb, path), status)


@pytest.mark.parametrize(
    ("path", "verbs"),
    [
        ("/api/jobs/archive", "POST"),  # which is no job, though it looks like one's path
        ("/api/jobs/job_0", "DELETE, GET"),
        ("/api/jobs", "GET, POST"),
    ],
)
def test_a_verb_that_there_is_not_is_answered_with_those_that_there_are(
    path: str, verbs: str, idle: Service
) -> None:
    answer = idle.http.put(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, verbs)


def test_who_may_ask_is_in_the_document(idle: Service, locked: Service) -> None:
    """On loopback nobody needs a key; with one set everybody does, but for what is open."""
    document, keyed = (each.get("/api/openapi.json") for each in (idle, locked))
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert document["security"] == [{}, {"key": []}]
    assert keyed["security"] == [{"key": []}]
    paths = keyed["paths"].items()
    opened = {path for path, verbs in paths for verb in verbs.values() if "security" in verb}
    assert opened == {"/healthz", "/readyz"}
    assert keyed["paths"]["/healthz"]["get"]["security"] == []


def test_refusals_at_the_gate_have_them_too(idle: Service, stranger: httpx.Client) -> None:
    check_headers(idle.http.get("/", headers={"host": "evil.example"}), 403)
    check_headers(stranger.get("/api/jobs"), 401)
    check_headers(idle.http.post("/api/jobs", content=b" " * 4_000_001), 413)


def check_headers(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert re.fullmatch(r"req_[0-9a-f]{16}", answer.headers["x-request-id"])
    assert len(answer.headers.get_list("x-request-id")) == 1
    assert {name.decode() for name, _ in HEADERS} <= set(answer.headers)


def test_request_ids_are_never_the_same(idle: Service) -> None:
    assert len({idle.http.get("/healthz").headers["x-request-id"] for _ in range(5)}) == 5


@pytest.mark.parametrize("given", ["abc", "trace-1.2_3", "A" * 64])
def test_a_request_id_is_kept(given: str, idle: Service) -> None:
    answer = idle.http.get("/api/jobs", headers={"x-request-id": given})
    assert answer.headers["x-request-id"] == given
    assert f"GET /api/jobs 200 {given}" in idle.log.read_text()


@pytest.mark.parametrize(
    "given", ["A" * 65, "a b", "", "<script>", "a\tb", "é".encode(), "%0d%0aset-cookie: x=1"]
)
def test_a_strange_request_id_is_replaced(given: str | bytes, idle: Service) -> None:
    answer = idle.http.get("/healthz", headers={b"x-request-id": given})
    assert answer.headers["x-request-id"].startswith("req_")
