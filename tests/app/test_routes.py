"""Every route in its good case, over HTTP, against a service that tunes the real model."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers import Service, spec

LONG = spec(generations=50_000, name="long")
ROUTES = [
    ("GET", "/healthz", 200),
    ("GET", "/readyz", 200),
    ("GET", "/metrics", 200),
    ("GET", "/api/methods", 200),
    ("GET", "/api/metrics", 200),
    ("GET", "/api/backends", 200),
    ("GET", "/api/endpoints", 200),
    ("POST", "/api/endpoints", 201),
    ("GET", "/api/endpoints/{endpoint_id}", 200),
    ("POST", "/api/endpoints/{endpoint_id}/probe", 200),
    ("DELETE", "/api/endpoints/{endpoint_id}", 204),
    ("POST", "/api/datasets", 201),
    ("GET", "/api/datasets", 200),
    ("GET", "/api/datasets/{dataset_id}", 200),
    ("GET", "/api/datasets/{dataset_id}/rows", 200),
    ("GET", "/api/datasets/{dataset_id}/images/{name}", 404),  # it has none
    ("DELETE", "/api/datasets/{dataset_id}", 204),
    ("POST", "/api/jobs", 202),
    ("POST", "/api/jobs/estimate", 200),
    ("GET", "/api/jobs", 200),
    ("GET", "/api/jobs/{job_id}", 200),
    ("DELETE", "/api/jobs/{job_id}", 204),
    ("POST", "/api/jobs/{job_id}/clone", 202),
    ("POST", "/api/jobs/{job_id}/pause", 409),  # the job has ended
    ("POST", "/api/jobs/{job_id}/cancel", 409),  # the job has ended
    ("POST", "/api/jobs/{job_id}/resume", 409),  # it is not paused
    ("GET", "/api/jobs/{job_id}/generations", 200),
    ("GET", "/api/jobs/{job_id}/incumbents", 200),
    ("GET", "/api/jobs/{job_id}/candidates", 200),
    ("GET", "/api/jobs/{job_id}/log", 200),
    ("GET", "/api/jobs/{job_id}/allocation", 200),
    ("GET", "/api/jobs/{job_id}/events", 200),
    ("GET", "/api/jobs/{job_id}/prompt", 200),
    ("POST", "/api/jobs/{job_id}/predict", 200),
    ("GET", "/api/jobs/{job_id}/report", 200),
    ("GET", "/api/jobs/{job_id}/figures/{name}", 200),
    ("GET", "/api/jobs/{job_id}/archive", 200),
    ("POST", "/api/jobs/archive", 422),  # an empty file
    ("GET", "/api/summary", 200),
    ("GET", "/api/compare", 422),  # which jobs?
    ("GET", "/api/compare/figures/{name}", 422),
    ("POST", "/api/projects", 201),
    ("GET", "/api/projects", 200),
    ("POST", "/api/keys", 201),
    ("GET", "/api/keys", 200),
    ("DELETE", "/api/keys/{key_id}", 204),
    ("GET", "/api/audit", 200),
    ("POST", "/api/webhooks", 201),
    ("GET", "/api/webhooks", 200),
    ("GET", "/api/webhooks/{webhook_id}", 200),
    ("GET", "/api/webhooks/{webhook_id}/deliveries", 200),
    ("DELETE", "/api/webhooks/{webhook_id}", 204),
    ("POST", "/api/prompts", 404),  # the job of its example is nobody's
    ("GET", "/api/prompts", 200),
    ("GET", "/api/prompts/{name}", 404),  # no prompt has been promoted
    ("GET", "/api/prompts/{name}/versions", 404),
    ("POST", "/api/prompts/{name}/rollback", 404),
    ("GET", "/api/prompts/{name}/diff", 422),  # of which versions?
    ("POST", "/v1/files", 200),
    ("GET", "/v1/files", 200),
    ("GET", "/v1/files/{file_id}", 404),  # there is none of that id
    ("GET", "/v1/files/{file_id}/content", 404),
    ("DELETE", "/v1/files/{file_id}", 404),
    ("POST", "/v1/fine_tuning/jobs", 200),
    ("GET", "/v1/fine_tuning/jobs", 200),
    ("GET", "/v1/fine_tuning/jobs/{job_id}", 200),
    ("POST", "/v1/fine_tuning/jobs/{job_id}/cancel", 409),  # the job has ended
    ("POST", "/v1/fine_tuning/jobs/{job_id}/pause", 409),
    ("POST", "/v1/fine_tuning/jobs/{job_id}/resume", 409),  # it is not paused
    ("GET", "/v1/fine_tuning/jobs/{job_id}/events", 200),
    ("GET", "/v1/fine_tuning/jobs/{job_id}/checkpoints", 200),
    ("GET", "/v1/models", 200),
    ("GET", "/v1/models/{model}", 200),
    ("POST", "/v1/chat/completions", 404),  # the model of its example is nobody's
    ("POST", "/v1/completions", 404),
]


@pytest.fixture(scope="session")
def schema(tuning: Service) -> dict[str, Any]:
    document: dict[str, Any] = tuning.get("/api/openapi.json")
    return document


def resolved(schema: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in part:
        return part
    found: dict[str, Any] = schema["components"]["schemas"][part["$ref"].rsplit("/", 1)[1]]
    return found


def example(schema: dict[str, Any], verb: str, path: str) -> tuple[str, Any] | None:
    """The media type of a route's body and its example; None where a route takes no body."""
    body = schema["paths"][path][verb.lower()].get("requestBody")
    if body is None:
        return None
    [(kind, content)] = body["content"].items()
    if "example" in content:
        return kind, content["example"]
    return kind, resolved(schema, content["schema"])["examples"][0]


def request_of(body: tuple[str, Any] | None) -> dict[str, Any]:
    if body is None:
        return {}
    kind, content = body
    if kind == "application/json":
        return {"json": content}
    form = {name: value for name, value in content.items() if name != "file"}
    return {"files": {"file": ("example.csv", content["file"].encode())}, "data": form}


def test_the_list_of_routes_is_the_openapi_document(schema: dict[str, Any]) -> None:
    documented = {(verb.upper(), path) for path, verbs in schema["paths"].items() for verb in verbs}
    assert {(verb, path) for verb, path, _ in ROUTES} == documented


@pytest.mark.parametrize(("verb", "path", "status"), ROUTES, ids=[f"{v} {p}" for v, p, _ in ROUTES])
def test_route_answers_to_its_own_example(
    verb: str,
    path: str,
    status: int,
    schema: dict[str, Any],
    tuning: Service,
    finished: dict[str, Any],
) -> None:
    names = {"job_id": finished["id"], "dataset_id": "colors", "endpoint_id": "minilm"}
    names |= {"file_id": "file-none", "model": "minilm"}
    if verb == "DELETE" or "{webhook_id}" in path:
        names |= forgettable(tuning, path)
    address = path.format(name="loss", **names)
    answer = tuning.http.request(verb, address, **request_of(example(schema, verb, path)))
    assert answer.status_code == status, answer.text
    assert answer.headers["x-request-id"].startswith("req_")
    submitted = (verb, status) == ("POST", 202) or (verb, path) == ("POST", "/v1/fine_tuning/jobs")
    if submitted:  # some ten thousand queries: not now
        assert tuning.http.post(f"/api/jobs/{answer.json()['id']}/cancel").status_code == 200
    if status == 201 and path != "/api/projects":  # a project is for ever
        assert tuning.http.delete(f"{address}/{answer.json()['id']}").status_code == 204


def forgettable(service: Service, path: str) -> dict[str, str]:
    """What the path names, made for this."""
    if "{job_id}" in path:
        return {"job_id": service.ended(service.submit(spec(generations=1)))["id"]}
    if "{dataset_id}" in path:
        return {"dataset_id": service.upload(name="brief")["id"]}
    if "{key_id}" in path:
        body = {"name": "brief", "role": "read"}
        return {"key_id": service.http.post("/api/keys", json=body).json()["id"]}
    if "{webhook_id}" in path:
        body = {"url": "http://127.0.0.1:9/hook", "events": ["job.failed"]}
        return {"webhook_id": service.http.post("/api/webhooks", json=body).json()["id"]}
    body = {"id": "brief", "kind": "encoder", "model": "minilm"}
    assert service.http.post("/api/endpoints", json=body).status_code == 201
    return {"endpoint_id": "brief"}


@pytest.mark.parametrize(("verb", "path"), [(verb, path) for verb, path, _ in ROUTES])
def test_refusals_are_in_the_document(verb: str, path: str, schema: dict[str, Any]) -> None:
    answers = schema["paths"][path][verb.lower()]["responses"]
    for status in ("400", "401", "403", "404", "409", "413", "422", "429", "500", "503"):
        content = answers[status]["content"]["application/json"]
        assert content["schema"] == {"$ref": "#/components/schemas/ErrorEnvelope"}


LISTS = [
    "/api/methods",
    "/api/metrics",
    "/api/backends",
    "/api/endpoints",
    "/api/datasets",
    "/api/datasets/colors/rows",
    "/api/jobs/{job}/generations",
    "/api/jobs/{job}/generations?points=3",
    "/api/jobs/{job}/incumbents",
    "/api/jobs/{job}/candidates",
    "/api/jobs/{job}/log",
]


@pytest.mark.parametrize("path", LISTS)
def test_a_list_says_that_it_is_one(path: str, tuning: Service, finished: dict[str, Any]) -> None:
    body = tuning.get(path.format(job=finished["id"]))
    assert set(body) == {"object", "data", "has_more"}
    assert body["object"] == "list"
    assert body["data"]
    assert body["has_more"] is False
    assert len({item["object"] for item in body["data"]}) == 1


@pytest.fixture(scope="module")
def three_jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of its own, without a runner: as many jobs as here, and no more."""
    service = Service(tmp_path_factory.mktemp("three_jobs"), {"runners": "0"})
    try:
        service.start().upload()
        for _ in range(3):
            service.submit(spec())
        yield service
    finally:
        service.close()


def test_a_list_of_jobs_says_that_it_is_one(three_jobs: Service) -> None:
    body = three_jobs.get("/api/jobs")
    assert (body["object"], body["has_more"]) == ("list", False)
    assert [job["object"] for job in body["data"]] == ["job"] * 3


PAGED = [
    ("/api/jobs", "id", 1),
    ("/api/jobs/{job}/generations", "number", 3),
    ("/api/jobs/{job}/log", "id", 3),
    ("/api/datasets/colors/rows", "number", 7),
]


@pytest.mark.parametrize(("path", "cursor", "limit"), PAGED, ids=[path for path, _, _ in PAGED])
def test_pages_make_up_the_whole(
    path: str,
    cursor: str,
    limit: int,
    three_jobs: Service,
    tuning: Service,
    finished: dict[str, Any],
) -> None:
    address = path.format(job=finished["id"])
    service = three_jobs if path == "/api/jobs" else tuning
    whole = service.get(address, limit=100)["data"]
    pages, params = [], {"limit": limit}
    while True:
        page = service.get(address, **params)
        pages.append(page["data"])
        if not page["has_more"]:
            break
        params["after"] = page["data"][-1][cursor]
    assert [item for page in pages for item in page] == whole
    assert len(whole) > 2
    assert all(len(page) == limit for page in pages[:-1])
    assert 0 < len(pages[-1]) <= limit


def test_jobs_come_newest_first_and_by_status(idle: Service) -> None:
    older, newer = idle.submit(spec()), idle.submit(spec())
    assert [job["id"] for job in idle.get("/api/jobs", limit=2)["data"]] == [newer, older]
    assert idle.http.post(f"/api/jobs/{older}/cancel").status_code == 200
    assert older in [job["id"] for job in idle.get("/api/jobs", status="cancelled")["data"]]
    queued = [job["id"] for job in idle.get("/api/jobs", status="queued", limit=100)["data"]]
    assert newer in queued
    assert older not in queued
