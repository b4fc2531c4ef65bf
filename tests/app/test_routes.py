"""Every route in its good case, over HTTP, against a service that tunes the real model."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import safetensors.numpy

from tests.conftest import eventually
from tests.servers import COLORS_CSV, GENERATION, Service, spec

LONG = spec(generations=50_000, name="long")
ROUTES = [
    ("GET", "/healthz", 200),
    ("GET", "/api/methods", 200),
    ("GET", "/api/backends", 200),
    ("GET", "/api/endpoints", 200),
    ("POST", "/api/endpoints", 201),
    ("GET", "/api/endpoints/{endpoint_id}", 200),
    ("DELETE", "/api/endpoints/{endpoint_id}", 204),
    ("POST", "/api/datasets", 201),
    ("GET", "/api/datasets", 200),
    ("GET", "/api/datasets/{dataset_id}", 200),
    ("GET", "/api/datasets/{dataset_id}/rows", 200),
    ("DELETE", "/api/datasets/{dataset_id}", 204),
    ("POST", "/api/jobs", 202),
    ("GET", "/api/jobs", 200),
    ("GET", "/api/jobs/{job_id}", 200),
    ("POST", "/api/jobs/{job_id}/cancel", 409),  # the job has ended
    ("GET", "/api/jobs/{job_id}/generations", 200),
    ("GET", "/api/jobs/{job_id}/events", 200),
    ("GET", "/api/jobs/{job_id}/prompt", 200),
    ("POST", "/api/jobs/{job_id}/predict", 200),
    ("GET", "/api/jobs/{job_id}/report", 200),
    ("GET", "/api/jobs/{job_id}/figures/{name}", 200),
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
    if verb == "DELETE":
        names |= forgettable(tuning)
    address = path.format(name="loss", **names)
    answer = tuning.http.request(verb, address, **request_of(example(schema, verb, path)))
    assert answer.status_code == status, answer.text
    assert answer.headers["x-request-id"].startswith("req_")
    if (verb, path) == ("POST", "/api/jobs"):  # forty thousand queries: not now
        assert tuning.http.post(f"/api/jobs/{answer.json()['id']}/cancel").status_code == 200
    if status == 201:
        assert tuning.http.delete(f"{address}/{answer.json()['id']}").status_code == 204


def forgettable(service: Service) -> dict[str, str]:
    body = {"id": "brief", "kind": "encoder", "model": "minilm"}
    assert service.http.post("/api/endpoints", json=body).status_code == 201
    service.upload(name="brief")
    return {"dataset_id": "brief", "endpoint_id": "brief"}


@pytest.mark.parametrize(("verb", "path"), [(verb, path) for verb, path, _ in ROUTES])
def test_refusals_are_in_the_document(verb: str, path: str, schema: dict[str, Any]) -> None:
    answers = schema["paths"][path][verb.lower()]["responses"]
    for status in ("400", "401", "403", "404", "409", "413", "422", "500", "503"):
        content = answers[status]["content"]["application/json"]
        assert content["schema"] == {"$ref": "#/components/schemas/ErrorEnvelope"}


LISTS = [
    "/api/methods",
    "/api/backends",
    "/api/endpoints",
    "/api/datasets",
    "/api/datasets/colors/rows",
    "/api/jobs",
    "/api/jobs/{job}/generations",
]


@pytest.mark.parametrize("path", LISTS)
def test_a_list_says_that_it_is_one(path: str, tuning: Service, finished: dict[str, Any]) -> None:
    body = tuning.get(path.format(job=finished["id"]))
    assert set(body) == {"object", "data", "has_more"}
    assert body["object"] == "list"
    assert body["data"]
    assert body["has_more"] is False
    assert len({item["object"] for item in body["data"]}) == 1


PAGED = [
    ("/api/jobs", "id", 1),
    ("/api/jobs/{job}/generations", "number", 3),
    ("/api/datasets/colors/rows", "number", 7),
]


@pytest.mark.parametrize(("path", "cursor", "limit"), PAGED, ids=[path for path, _, _ in PAGED])
def test_pages_make_up_the_whole(
    path: str, cursor: str, limit: int, idle: Service, tuning: Service, finished: dict[str, Any]
) -> None:
    address = path.format(job=finished["id"])
    service = tuning
    if path == "/api/jobs":  # where nobody else adds one
        service = idle
        for _ in range(3):
            idle.submit(spec())
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


# A job, before and after


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
    }
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


# Cancelling


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


# Prompts, answers, reports


def test_a_prompt_as_json_and_as_safetensors(tuning: Service, finished: dict[str, Any]) -> None:
    address = f"/api/jobs/{finished['id']}/prompt"
    described = tuning.get(address)
    assert described["object"] == "prompt"
    assert described["job"] == finished["id"]
    assert (described["kind"], described["text"]) == ("soft", None)
    assert described["shape"] == [1, 2, 384]
    assert described["endpoint"] == "minilm"
    assert described["template"] == "{prompt} {text}"
    assert described["verbalizer"] == {"blue": "blue", "red": "red"}
    for name in ("generation", "dev_loss", "dev_accuracy", "nearest_words"):
        assert described[name] == finished["incumbent"][name]
    answer = tuning.http.get(address, params={"format": "safetensors"})
    assert answer.headers["content-type"] == "application/octet-stream"
    assert f'filename="{finished["id"]}.safetensors"' in answer.headers["content-disposition"]
    [(name, tensor)] = safetensors.numpy.load(answer.content).items()
    assert name == "prompt"
    assert list(tensor.shape) == described["shape"]
    [row] = tuning.rows("SELECT content FROM prompts WHERE job_id = ?", finished["id"])
    assert answer.content == row["content"]  # the very bytes that were scored


def test_a_soft_prompt_has_no_text(tuning: Service, finished: dict[str, Any]) -> None:
    answer = tuning.http.get(f"/api/jobs/{finished['id']}/prompt", params={"format": "text"})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["param"], error["code"]) == ("format", "wrong_format")
    assert "soft prompt" in error["message"]


def ask(service: Service, job_id: str, inputs: list[Any], **more: Any) -> httpx.Response:
    body = {"inputs": inputs, **more}
    return service.http.post(f"/api/jobs/{job_id}/predict", json=body)


def test_predict_takes_texts_and_objects(tuning: Service, finished: dict[str, Any]) -> None:
    body = ask(tuning, finished["id"], ["sky 1 is blue", {"text": "sky 1 is blue"}]).json()
    assert (body["object"], body["has_more"], len(body["data"])) == ("list", False, 2)
    first, second = body["data"]
    assert first == second
    assert first["object"] == "prediction"
    assert first["baseline"] is None
    assert set(first["probabilities"]) == {"blue", "red"}
    assert sum(first["probabilities"].values()) == pytest.approx(1)
    assert first["label"] == max(first["probabilities"], key=first["probabilities"].__getitem__)


def test_predict_answers_as_the_report_did(tuning: Service, finished: dict[str, Any]) -> None:
    """The same rows as the test split, so the same answers: of the tuned prompt and the other."""
    rows = tuning.get("/api/datasets/colors/rows", split="test")["data"]
    answers = ask(tuning, finished["id"], [row["inputs"] for row in rows], baseline=True).json()
    report = tuning.get(f"/api/jobs/{finished['id']}/report")
    for side, labels in (
        ("tuned", [each["label"] for each in answers["data"]]),
        ("baseline", [each["baseline"]["label"] for each in answers["data"]]),
    ):
        right = sum(label == row["label"] for label, row in zip(labels, rows, strict=True))
        assert right / len(rows) == report[side]["accuracy"]


@pytest.mark.parametrize("wrong", [{"txt": "a"}, {"text": "a", "title": "b"}, {}])
def test_predict_wants_the_columns_of_the_template(
    wrong: dict[str, str], tuning: Service, finished: dict[str, Any]
) -> None:
    answer = ask(tuning, finished["id"], ["fine", wrong])
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (422, "inputs.1")
    assert error["code"] == "wrong_columns"
    assert "wanted an object with the columns text" in error["message"]


def test_two_columns_need_an_object(tuning: Service) -> None:
    header, *lines = COLORS_CSV.strip().split("\n")
    tuning.upload("\n".join([f"title,{header}", *(f"seen,{line}" for line in lines)]), "titled")
    job_id = tuning.submit(spec(generations=1, dataset="titled"))
    assert tuning.ended(job_id)["status"] == "succeeded"
    answer = ask(tuning, job_id, ["a text"])
    assert answer.status_code == 422
    assert "columns title, text" in answer.json()["error"]["message"]
    assert ask(tuning, job_id, [{"title": "seen", "text": "the sky"}]).status_code == 200


def test_a_prompt_outlives_its_dataset(tuning: Service) -> None:
    """And asks only for the columns that its template shows."""
    header, *lines = COLORS_CSV.strip().split("\n")
    content = "\n".join([f"title,{header}", *(f"seen,{line}" for line in lines)])
    tuning.upload(content, "passing")
    task = {"template": "{prompt} {text}"}
    job_id = tuning.submit(spec(generations=1, dataset="passing", task=task))
    assert tuning.ended(job_id)["status"] == "succeeded"
    before = ask(tuning, job_id, ["the sky", {"text": "a rose"}], baseline=True).json()
    assert tuning.http.delete("/api/datasets/passing").status_code == 204
    assert ask(tuning, job_id, ["the sky", {"text": "a rose"}], baseline=True).json() == before
    assert len(before["data"]) == 2


def test_the_report_says_all_that_was_measured(tuning: Service, finished: dict[str, Any]) -> None:
    report = tuning.get(f"/api/jobs/{finished['id']}/report")
    assert (report["object"], report["job"]) == ("report", finished["id"])
    assert (report["metric"], report["split"]) == ("accuracy", "test")
    assert report["test"] == "exact McNemar"
    assert report["labels"] == ["blue", "red"]
    for name in ("outcome", "message", "p_value"):
        assert report[name] == finished["result"][name]
    for side in ("baseline", "tuned"):
        confusion = report[side]["confusion"]
        assert [sum(row) for row in confusion] == [6, 6]
        right = confusion[0][0] + confusion[1][1]
        assert report[side]["accuracy"] == right / report[side]["n"]
        assert report[side]["loss"] > 0
    assert report["baseline"]["prompt"] == ""
    assert report["tuned"]["kind"] == "soft"
    assert report["tuned"]["generation"] == finished["incumbent"]["generation"]
    assert {"python", "torch", "cma"} <= report["versions"].keys()
    assert len(report["changed"]) >= report["fixed"] + report["broken"]
    assert report["usage"] == {
        "queries": finished["progress"]["queries"],
        "report_queries": 24,
        "seconds": finished["progress"]["seconds"],
    }


@pytest.mark.parametrize("name", ["loss", "accuracy"])
def test_a_figure_is_plotlys(name: str, tuning: Service, finished: dict[str, Any]) -> None:
    address = f"/api/jobs/{finished['id']}/figures/{name}"
    light, dark = (tuning.get(address, theme=theme) for theme in ("light", "dark"))
    assert set(light) >= {"data", "layout"}
    assert light["data"]
    assert light["layout"] != dark["layout"]
    assert tuning.get(address) == light


def test_a_figure_before_the_first_generation(idle: Service, waiting: str) -> None:
    assert set(idle.get(f"/api/jobs/{waiting}/figures/loss")) >= {"data", "layout"}


# Datasets and endpoints


def test_the_life_of_a_dataset(idle: Service) -> None:
    content = "text,label\n" + "".join(f"yes {n},y\nno {n},n\n" for n in range(5))
    file = {"file": ("My Answers.csv", content.encode())}
    answer = idle.http.post("/api/datasets", files=file, data={"shots": "2", "seed": "5"})
    made = answer.json()
    assert answer.status_code == 201
    assert made["id"] == "my-answers"
    assert (made["columns"], made["labels"], made["n_rows"]) == (["text"], ["n", "y"], 10)
    assert (made["split_source"], made["shots"], made["seed"]) == ("drawn", 2, 5)
    assert made["splits"]["train"] == {"rows": 4, "per_label": {"n": 2, "y": 2}}
    assert made["splits"]["test"] == {"rows": 2, "per_label": {"n": 1, "y": 1}}
    assert made["built_in"] is False
    assert idle.get("/api/datasets/my-answers") == made
    assert made in idle.get("/api/datasets")["data"]

    again = idle.http.post("/api/datasets", files=file, data={"shots": "2", "seed": "5"})
    assert (again.status_code, again.json()) == (201, made)  # the same rows: no second copy
    rows = idle.get("/api/datasets/my-answers/rows", split="dev")["data"]
    assert [row["split"] for row in rows] == ["dev"] * 4
    assert {row["label"] for row in rows} == {"y", "n"}

    assert idle.http.delete("/api/datasets/my-answers").status_code == 204
    assert idle.http.get("/api/datasets/my-answers").status_code == 404
    assert not idle.rows("SELECT * FROM examples WHERE dataset_id = 'my-answers'")


@pytest.mark.parametrize(
    ("filename", "content"),
    [
        ("a.tsv", "text\tlabel\tsplit\n{}"),
        ("a.jsonl", "{}"),
        ("a.csv", "\ufefftext,label,split\r\n{}"),
    ],
)
def test_every_format_gives_the_same_rows(filename: str, content: str, idle: Service) -> None:
    lines = [line.split(",") for line in COLORS_CSV.strip().split("\n")[1:]]
    if filename.endswith("jsonl"):
        names = ("text", "label", "split")
        written = [json.dumps(dict(zip(names, line, strict=True))) for line in lines]
    else:
        written = [("\t" if filename.endswith("tsv") else ",").join(line) for line in lines]
    data = content.replace("{}", "\n".join(written)).encode()
    answer = idle.http.post("/api/datasets", files={"file": (filename, data)})
    assert answer.status_code == 201, answer.text
    assert answer.json()["sha256"] == idle.get("/api/datasets/colors")["sha256"]
    assert idle.http.delete("/api/datasets/a").status_code == 204


def test_the_life_of_an_endpoint(idle: Service) -> None:
    body = {"id": "sharp", "kind": "encoder", "model": "minilm", "options": {"scale": 40.0}}
    answer = idle.http.post("/api/endpoints", json=body)
    made = answer.json()
    assert answer.status_code == 201
    assert {name: made[name] for name in body} == body
    assert made["built_in"] is False
    assert "soft_prompts" in made["capabilities"]
    assert idle.get("/api/endpoints/sharp") == made
    assert made in idle.get("/api/endpoints")["data"]
    assert idle.http.post("/api/endpoints", json=body).status_code == 409
    assert idle.http.delete("/api/endpoints/sharp").status_code == 204
    assert idle.http.get("/api/endpoints/sharp").status_code == 404


def test_what_comes_with_the_service(idle: Service) -> None:
    minilm, tickets = idle.get("/api/endpoints/minilm"), idle.get("/api/datasets/tickets")
    assert minilm["built_in"] is tickets["built_in"] is True
    assert len(tickets["labels"]) >= 6
    for split, least in (("train", 16), ("dev", 16), ("test", 40)):
        assert min(tickets["splits"][split]["per_label"].values()) >= least


def test_methods_carry_their_schema(idle: Service) -> None:
    [bbt] = idle.get("/api/methods")["data"]
    assert bbt["name"] == "bbt"
    assert "2201.03514" in bbt["citation"]
    assert bbt["needs"] == ["soft_prompts"]
    assert bbt["presets"]["paper"]["intrinsic_dim"] == 500
    settings = bbt["schema"]["properties"]
    assert settings["population_size"]["minimum"] == 4
    for preset in bbt["presets"].values():
        assert preset.keys() <= settings.keys()


def test_health_tells_who_works(tuning: Service) -> None:
    body = tuning.get("/healthz")
    assert body["status"] == "ok"
    [runner] = body["runners"]
    assert runner["alive"] is True
    assert runner["pid"] in [process.pid for process in tuning.family()]
    assert set(runner) == {"name", "pid", "alive", "job"}


def test_health_sees_a_runner_come_back(tuning: Service, finished: dict[str, Any]) -> None:
    """Last: whoever comes after it waits for a new process."""
    before = tuning.runner()
    [process] = [child for child in tuning.family() if child.pid == before["pid"]]
    process.kill()
    eventually(lambda: tuning.runner()["pid"] != before["pid"], 30)
    assert tuning.runner()["alive"] is True
