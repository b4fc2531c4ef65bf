"""Projects that cannot see each other: every route, tried with what is the other's."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.app.test_routes import ROUTES, example, request_of
from tests.app.two_projects import HEADER, Projects, furnish, two_projects
from tests.conftest import eventually
from tests.servers import COLORS_CSV, spec

OTHER_CSV = COLORS_CSV.replace("sky", "sea")
NAMING = {  # routes whose body names an object, and the fields of what is the other's
    "/api/jobs": {"dataset": "ones-rows"},
    "/api/jobs/estimate": {"endpoint": "ones-model"},
    "/api/prompts": {"job": "{job_id}"},
    "/v1/fine_tuning/jobs": {"training_file": "{file_id}"},
    "/v1/chat/completions": {"model": "{model}"},
    "/v1/completions": {"model": "pt:ones-prompt"},
}
QUERYING = {  # routes whose query names jobs
    "/api/compare": {"jobs": "{job_id},{other_job_id}"},
    "/api/compare/figures/{name}": {"jobs": "{other_job_id},{job_id}"},
}
MAKING = {  # routes that make something out of nothing
    *("/api/endpoints", "/api/datasets", "/api/webhooks", "/api/keys", "/api/projects"),
    *("/api/jobs/archive", "/v1/files"),
}


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Projects]:
    with two_projects(tmp_path_factory.mktemp("projects")) as made:
        furnish(made, COLORS_CSV)
        yield made


@pytest.fixture(scope="module")
def schema(projects: Projects) -> dict[str, Any]:
    document: dict[str, Any] = projects.client("one").ok("GET", "/api/openapi.json")
    return document


def address(path: str, made: dict[str, str]) -> str:
    """With what `one` has in the place of every parameter."""
    own = {"name": "loss"} if "/figures/" in path else {}
    return path.format(**made | own)


def request(schema: dict[str, Any], verb: str, path: str, made: dict[str, str]) -> dict[str, Any]:
    sent = request_of(example(schema, verb, path))
    if path.endswith("/diff"):
        sent["params"] = {"first": 1, "second": 1}
    if path in QUERYING:
        sent["params"] = {name: x.format(**made) for name, x in QUERYING[path].items()}
    if "json" in sent:
        fields = {name: value.format(**made) for name, value in NAMING.get(path, {}).items()}
        sent["json"] = {**sent["json"], **fields}
    return sent


@pytest.mark.parametrize(("verb", "path"), [(verb, path) for verb, path, _ in ROUTES])
def test_what_is_the_other_s_is_not_there(
    verb: str, path: str, projects: Projects, schema: dict[str, Any]
) -> None:
    """404 wherever it is named, by the path or the body, and no list has it."""
    made = projects.made
    sent = request(schema, verb, path, made)
    two = projects.client("two", "admin")
    answer = two.http.request(verb, address(path, made), **sent)
    if "{" in path or path in QUERYING or (verb == "POST" and path in NAMING):
        assert answer.status_code == 404, answer.text
    elif verb == "POST":
        assert path in MAKING, "a new route: does its body name an object, or does it make one?"
    else:
        assert verb == "GET" and answer.status_code in (200, 403)
    named = f"{address(path, made)} {sent.get('json')} {sent.get('params')}"
    if path != "/api/audit":  # there stands what `two` itself has named
        for id_ in {"ones-", *made.values()}:
            assert id_ in named or id_ not in answer.text


CONTROL = [
    (verb, path) for verb, path, _ in ROUTES if verb == "GET" and ("{" in path or path in QUERYING)
]


@pytest.mark.parametrize(("verb", "path"), CONTROL)
def test_it_is_there_for_its_own(
    verb: str, path: str, projects: Projects, schema: dict[str, Any]
) -> None:
    if path.endswith("/images/{name}"):
        return  # it has none
    sent = request(schema, verb, path, projects.made)
    answer = projects.client("one", "read").http.get(address(path, projects.made), **sent)
    if path in QUERYING:
        assert answer.status_code == 200, answer.text
    assert answer.status_code in (200, 422), answer.text  # 422: a diff of which versions?


PAGES = [
    *("/datasets/{dataset_id}", "/jobs/{job_id}/report", "/v1/files/{job_id}-results"),
    *("/v1/models/pt:ones-prompt", "/api/jobs?after={job_id}"),
]


@pytest.mark.parametrize("path", PAGES)
def test_neither_are_pages_and_what_else_has_an_id(path: str, projects: Projects) -> None:
    one, two = projects.client("one", "read").http, projects.client("two", "read").http
    assert one.get(path.format(**projects.made)).status_code == 200
    answer = two.get(path.format(**projects.made))
    assert answer.status_code == 404 or answer.json()["data"] == []
    assert "sky" not in answer.text and "ones-job" not in answer.text


def test_a_job_of_its_own_does_not_open_another_s(projects: Projects) -> None:
    two, other = projects.client("two"), projects.made["job_id"]
    mine = two.ok("POST", "/api/jobs", json=spec(generations=40, dataset="tickets"))["id"]
    for path in ("/api/compare", "/api/compare/figures/loss"):
        answer = two.http.get(path, params={"jobs": f"{mine},{other}"})
        assert answer.status_code == 404 and "sky" not in answer.text
    two.ok("POST", f"/api/jobs/{mine}/cancel")
    eventually(lambda: projects.service.row(mine)["finished_at"], 60)


def test_what_is_spent_today_is_told_to_who_spends_it(projects: Projects) -> None:
    sums = "SELECT sum(queries) AS n FROM jobs WHERE project = ?"
    for project in ("one", "two"):
        told = projects.client(project, "read").ok("GET", "/api/summary")["today"]["queries"]
        assert told == (projects.service.rows(sums, project)[0]["n"] or 0)
    assert projects.client("one").ok("GET", "/api/summary")["today"]["queries"] > 0


def test_no_hint_betrays_a_name(projects: Projects) -> None:
    one, two = projects.client("one").http, projects.client("two").http
    for path, name in (("datasets/ones-row", "ones-rows"), ("endpoints/ones-mode", "ones-model")):
        assert name in one.get(f"/api/{path}").text
        assert name not in two.get(f"/api/{path}").text
    assert "ones-prompt" in one.get("/api/prompts/ones-promp").text
    assert "ones-prompt" not in two.get("/api/prompts/ones-promp").text


def test_an_exported_job_comes_in_under_another_id_where_its_own_is_the_other_s(
    projects: Projects,
) -> None:
    """Nobody is told that there is one; it is the same job but for its id."""
    one, two, old = projects.client("one"), projects.client("two"), projects.made["job_id"]
    data = one.http.get(f"/api/jobs/{old}/archive").content
    taken = two.ok("POST", "/api/jobs/archive", files={"file": ("job.zip", data)})
    new = taken["id"]
    try:
        assert new != old
        assert taken == {**one.ok("GET", f"/api/jobs/{old}"), "id": new}
        assert two.http.get(f"/api/jobs/{old}").status_code == 404
        for part in ("generations", "prompt", "report"):
            mine, yours = (
                client.ok("GET", f"/api/jobs/{id_}/{part}")
                for client, id_ in ((one, old), (two, new))
            )
            assert {**yours, "job": old, "endpoint_kind": None, "model": None, "options": None} == {
                **mine,
                "job": old,
                "endpoint_kind": None,
                "model": None,
                "options": None,
            }
        again = one.http.post("/api/jobs/archive", files={"file": ("job.zip", data)})
        assert again.json()["error"]["code"] == "id_taken", "its own project may know"
    finally:
        two.ok("DELETE", f"/api/jobs/{new}")
        two.ok("DELETE", "/api/datasets/ones-rows")


def test_no_count_betrays_a_job(projects: Projects) -> None:
    assert projects.client("one", "read").ok("GET", "/healthz")["jobs"]["succeeded"] >= 1
    assert "succeeded" not in projects.client("two", "read").ok("GET", "/healthz")["jobs"]
    headers = {"authorization": ""}
    assert projects.service.http.get("/healthz", headers=headers).json()["jobs"] == {}


def test_what_comes_with_the_service_is_everybody_s(projects: Projects) -> None:
    two = projects.client("two")
    assert two.ok("GET", "/api/endpoints/minilm")["built_in"]
    assert two.ok("GET", "/api/datasets/tickets/rows?limit=1")["data"]
    answer = two.http.delete("/api/datasets/tickets")
    assert answer.json()["error"]["code"] == "built_in"


def test_names_repeat_and_each_project_works_with_its_own(projects: Projects) -> None:
    one, two = projects.client("one"), projects.client("two")
    mine = one.ok("GET", "/api/datasets/ones-rows")
    file = {"file": ("rows.csv", OTHER_CSV.encode())}
    yours = two.ok("POST", "/api/datasets", files=file, data={"name": "ones-rows"})
    assert mine["sha256"] != yours["sha256"]
    body = {"id": "ones-model", "kind": "encoder", "model": "minilm", "options": {"scale": 30.0}}
    two.ok("POST", "/api/endpoints", json=body)
    asked = spec(generations=1, dataset="ones-rows", endpoint="ones-model")
    job = two.ok("POST", "/api/jobs", json=asked)["id"]
    row = eventually(lambda: ended(projects, job), 120)
    assert (row["status"], row["project"]) == ("succeeded", "two"), row["error"]
    texts = {each["inputs"]["text"] for each in rows_of(two)}
    assert texts and all("sky" not in text for text in texts)
    two.ok("POST", "/api/prompts", json={"name": "ones-prompt", "job": job})
    assert two.ok("GET", "/api/prompts/ones-prompt")["job"] == job
    assert one.ok("GET", "/api/prompts/ones-prompt")["job"] == projects.made["job_id"]
    two.ok("DELETE", "/api/datasets/ones-rows")
    two.ok("DELETE", "/api/endpoints/ones-model")
    assert len(rows_of(one)) == mine["n_rows"]
    assert one.ok("GET", "/api/endpoints/ones-model")["options"] == {}


def ended(projects: Projects, job: str) -> Any:
    row = projects.service.row(job)
    return row if row["finished_at"] else None


def rows_of(client: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = client.ok("GET", "/api/datasets/ones-rows/rows?limit=1000")["data"]
    return rows


def test_the_service_s_key_acts_for_the_project_that_it_names(projects: Projects) -> None:
    http, job = projects.service.http, projects.made["job_id"]
    assert http.get(f"/api/jobs/{job}").status_code == 404
    assert http.get(f"/api/jobs/{job}", headers={HEADER: "one"}).status_code == 200
    answer = http.get("/api/jobs", headers={HEADER: "three"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_such_project")


def test_a_key_cannot_name_another_project(projects: Projects) -> None:
    http = projects.client("two", "admin").http
    there = http.get("/api/jobs", headers={HEADER: "one"})
    nowhere = http.get("/api/jobs", headers={HEADER: "three"})
    assert (there.status_code, nowhere.status_code) == (404, 404)
    said = there.json()["error"]["message"]
    assert said.replace("one", "three") == nowhere.json()["error"]["message"]
    assert http.get("/api/jobs", headers={HEADER: "two"}).status_code == 200


def test_an_idempotency_key_is_a_project_s_own(projects: Projects) -> None:
    headers = {"idempotency-key": "once"}
    body = {"id": "twice", "kind": "encoder", "model": "minilm"}
    for project in ("one", "two"):
        head = {**headers, HEADER: project}
        answer = projects.service.http.post("/api/endpoints", json=body, headers=head)
        assert (answer.status_code, "idempotent-replayed" in answer.headers) == (201, False)
        assert projects.client(project).ok("GET", "/api/endpoints/twice")
        projects.client(project).ok("DELETE", "/api/endpoints/twice")
