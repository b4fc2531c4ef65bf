"""Every bad input there is: refused with the field, what was given and what is wanted.

The list is the test: a new refusal is a new line. Nothing of it may leave a trace.
"""

import json
import select
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
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
from tests.servers import COLORS, COLORS_CSV, Service, spec

JSON = {"content-type": "application/json"}
MANY_DIGITS = "1" * 5000
KEYS = {"message", "type", "param", "code"}


@dataclass(frozen=True)
class Bad:
    """A request, and what its refusal must say. `{job}` in a path is a job that waits."""

    name: str
    request: dict[str, Any]
    status: int
    param: str | None
    words: list[str] = field(default_factory=list)


def raw(content: bytes | str, url: str = "/api/jobs", **headers: str) -> dict[str, Any]:
    return {"method": "POST", "url": url, "content": content, "headers": {**JSON, **headers}}


def job(text: str | None = None, **changes: Any) -> dict[str, Any]:
    """POST /api/jobs: COLORS with some fields changed, and `text` for the value `"HERE"`."""
    body = json.dumps({**COLORS, **changes})
    return raw(body if text is None else body.replace('"HERE"', text))


def without(name: str) -> dict[str, Any]:
    return raw(json.dumps({key: value for key, value in COLORS.items() if key != name}))


def method(text: str | None = None, **settings: Any) -> dict[str, Any]:
    return job(text, method={**COLORS["method"], **settings})


def task(**fields: Any) -> dict[str, Any]:
    return job(task=fields)


def endpoint(text: str | None = None, **changes: Any) -> dict[str, Any]:
    body = json.dumps({"id": "mine", "kind": "encoder", "model": "minilm", **changes})
    return raw(body if text is None else body.replace('"HERE"', text), "/api/endpoints")


def upload(content: bytes | str, filename: str = "new.csv", **form: Any) -> dict[str, Any]:
    data = content.encode() if isinstance(content, str) else content
    return {
        "method": "POST",
        "url": "/api/datasets",
        "files": {"file": (filename, data)},
        "data": form,
    }


def predict(inputs: Any, **more: Any) -> dict[str, Any]:
    return {"method": "POST", "url": "/api/jobs/{job}/predict", "json": {"inputs": inputs, **more}}


def get(url: str, **headers: str) -> dict[str, Any]:
    return {"method": "GET", "url": url, "headers": headers}


def delete(url: str) -> dict[str, Any]:
    return {"method": "DELETE", "url": url}


FEW = "text,label\n" + "".join(f"a {n},x\nb {n},y\n" for n in range(6))
NO_BOUNDARY = {
    **raw(b"--x\r\n", "/api/datasets"),
    "headers": {"content-type": "multipart/form-data"},
}
BOUNDARY = {"content-type": "multipart/form-data; boundary=x"}
NO_END = {**raw(b"--x\r\nnonsense", "/api/datasets"), "headers": BOUNDARY}
BROKEN_PART = {**raw(b"--x\r\n\0: y\r\n\r\n", "/api/datasets"), "headers": BOUNDARY}
NO_FILE = {"method": "POST", "url": "/api/datasets", "data": {"name": "x"}}
TEXT_FOR_FILE = {"method": "POST", "url": "/api/datasets", "files": {"file": (None, "a,b")}}

SPECS = [
    Bad("an unknown field", job(sedd=1), 422, "sedd", ["'sedd'", "did you mean 'seed'", "budget"]),
    Bad(
        "an unknown field of the method",
        method(populaton_size=4),
        422,
        "method.populaton_size",
        ["'populaton_size'", "did you mean 'population_size'"],
    ),
    Bad(
        "an unknown field of the budget",
        job(budget={"querys": 500}),
        422,
        "budget.querys",
        ["'querys'", "did you mean 'queries'"],
    ),
    Bad(
        "an unknown field of the task",
        task(templat="{prompt} {text}"),
        422,
        "task.templat",
        ["did you mean 'template'"],
    ),
    Bad("no endpoint", without("endpoint"), 422, "endpoint", ["needed"]),
    Bad("no method", without("method"), 422, "method", ["needed"]),
    Bad("no budget", without("budget"), 422, "budget", ["needed"]),
    Bad("no queries in the budget", job(budget={}), 422, "budget.queries", ["needed"]),
    Bad(
        "an unknown method",
        job(method={"name": "bbtt"}),
        422,
        "method.name",
        ["'bbtt'", "did you mean 'bbt'"],
    ),
    Bad("a method without a name", job(method={}), 422, "method.name", ["bbt"]),
    Bad("a number for a method", job(method=5), 422, "method.name", ["5", "bbt"]),
    Bad("a list for a method", job(method=["bbt"]), 422, "method.name", ["['bbt']"]),
    Bad("an unknown preset", method(preset="fastt"), 422, "method.preset", ["'fastt'", "'fast'"]),
    Bad("a list for a preset", method(preset=[]), 422, "method.preset", ["[]", "'fast'"]),
    Bad(
        "an unknown endpoint",
        job(endpoint="minilmm"),
        404,
        "endpoint",
        ["'minilmm'", "did you mean 'minilm'"],
    ),
    Bad(
        "an unknown dataset",
        job(dataset="ticket"),
        404,
        "dataset",
        ["'ticket'", "did you mean 'tickets'"],
    ),
    Bad(
        "labels missing from the verbalizer",
        task(verbalizer={"red": "red"}),
        422,
        "task.verbalizer",
        ["'blue'", "blue, red"],
    ),
    Bad(
        "a label of the verbalizer that the dataset has not",
        task(verbalizer={"red": "a", "blue": "b", "gren": "c"}),
        422,
        "task.verbalizer",
        ["'gren'", "blue, red"],
    ),
    Bad(
        "one word for two labels",
        task(verbalizer={"red": "hue", "blue": "hue"}),
        422,
        "task.verbalizer",
        ["different", "'hue'"],
    ),
    Bad(
        "an empty word for a label",
        task(verbalizer={"red": " ", "blue": "b"}),
        422,
        "task.verbalizer",
        ["not empty"],
    ),
    Bad(
        "an unknown slot",
        task(template="{prompt} {txt}"),
        422,
        "task.template",
        ["{txt}", "did you mean 'text'"],
    ),
    Bad("no slot for the prompt", task(template="{text}"), 422, "task.template", ["{prompt}"]),
    Bad("no slot for the input", task(template="{prompt}"), 422, "task.template", ["{text}"]),
    Bad(
        "a slot that stands twice",
        task(template="{prompt} {text} {text}"),
        422,
        "task.template",
        ["{text}", "twice"],
    ),
    Bad("a template that is a number", task(template=1), 422, "task.template", ["string", "got 1"]),
    Bad(
        "a budget below one generation",
        job(budget={"queries": 27}),
        422,
        "budget.queries",
        ["27", "at least 28"],
    ),
    Bad("a budget of nothing", job(budget={"queries": 0}), 422, "budget.queries", ["got 0", "1"]),
    Bad("a budget in words", job(budget={"queries": "many"}), 422, "budget.queries", ["'many'"]),
    Bad(
        "a budget that no number of bits holds",
        job("1" + "0" * 30, budget={"queries": "HERE"}),
        422,
        "budget.queries",
        ["1000000000", "10000000000000000000000"],
    ),
    Bad("a budget that is a list", job(budget=[5]), 422, "budget", ["[5]"]),
    Bad("NaN for an integer", job("NaN", seed="HERE"), 422, "seed", ["nan"]),
    Bad("NaN for a setting", method("NaN", sigma0="HERE"), 422, "method.sigma0", ["nan", "finite"]),
    Bad("Infinity", method("Infinity", sigma0="HERE"), 422, "method.sigma0", ["inf", "finite"]),
    Bad("-Infinity", method("-Infinity", alpha="HERE"), 422, "method.alpha", ["-inf", "finite"]),
    Bad("1e999", method("1e999", bound="HERE"), 422, "method.bound", ["inf", "finite"]),
    Bad("a population of one", method(population_size=1), 422, "method.population_size", ["4"]),
    Bad(
        "a step that does not fit the bound",
        method(sigma0=5, bound=1),
        422,
        "method",
        ["sigma0", "5", "bound"],
    ),
    Bad("a seed below zero", job(seed=-1), 422, "seed", ["0", "got -1"]),
    Bad("a seed of 33 bits", job(seed=2**32), 422, "seed", [str(2**32)]),
    Bad("a seed and a half", job(seed=0.5), 422, "seed", ["got 0.5"]),
    Bad("a seed in words", job(seed="abc"), 422, "seed", ["integer", "'abc'"]),
    Bad("a name that is a list", job(name=["x"]), 422, "name", ["string", "['x']"]),
    Bad("an empty name", job(name=""), 422, "name", ["1", "''"]),
    Bad("a name without end", job(name="x" * 101), 422, "name", ["100"]),
    Bad("half a letter", job('"\\ud800"', name="HERE"), 422, "name", ["unicode"]),
    Bad("half a letter for a field", job(**{"\ud800": 1}), 422, r"\ud800", ["unknown field"]),
    Bad(
        "half a letter for a key",
        job(metadata={"\ud800": "v"}),
        422,
        "metadata.\ufffd\ufffd\ufffd",
        ["unicode"],
    ),
    Bad("metadata of numbers", job(metadata={"k": 1}), 422, "metadata.k", ["string", "got 1"]),
    Bad(
        "too much metadata",
        job(metadata={str(n): "v" for n in range(17)}),
        422,
        "metadata",
        ["16"],
    ),
]

BODIES = [
    Bad("broken JSON", raw('{"endpoint": '), 400, None, ["not JSON"]),
    Bad("no JSON at all", raw("hello"), 400, None, ["not JSON"]),
    Bad("an empty body", raw(b""), 422, None, ["body", "needed"]),
    Bad("null", raw("null"), 422, None, ["body"]),
    Bad("a list", raw("[1, 2]"), 422, None, ["body", "[1, 2]"]),
    Bad("a number", raw("5"), 422, None, ["body", "got 5"]),
    Bad("invalid UTF-8", raw(b'{"name": "\xff"}'), 400, None, ["UTF-8"]),
    Bad("deeply nested", raw("[" * 100_000), 400, None, ["not JSON", "deep"]),
    Bad("nested in a field", job("[" * 100_000, name="HERE"), 400, None, ["not JSON", "deep"]),
    Bad("5000 digits", job(MANY_DIGITS, seed="HERE"), 400, None, ["not JSON", "digits"]),
    Bad(
        "JSON that says it is text",
        raw(json.dumps(COLORS), **{"content-type": "text/plain"}),
        422,
        None,
        ["body", "application/json"],
    ),
    Bad("a file where JSON belongs", {**upload("a"), "url": "/api/jobs"}, 422, None, ["body"]),
    Bad("more JSON than there can be", raw(b" " * 4_000_001), 413, None, ["4 MB"]),
]

ENDPOINTS = [
    Bad("an unknown kind", endpoint(kind="encodr"), 422, "kind", ["'encodr'", "'encoder'"]),
    Bad("an unknown model", endpoint(model="bert"), 422, "model", ["'bert'", "minilm"]),
    Bad("a path for a model", endpoint(model="../../etc"), 422, "model", ["'../../etc'"]),
    Bad(
        "an unknown option",
        endpoint(options={"scal": 2}),
        422,
        "options.scal",
        ["'scal'", "did you mean 'scale'"],
    ),
    Bad(
        "an option below", endpoint(options={"scale": -1}), 422, "options.scale", ["-1", "above 0"]
    ),
    Bad(
        "an option of another type",
        endpoint(options={"scale": "loud"}),
        422,
        "options.scale",
        ["'loud'", "number"],
    ),
    Bad(
        "an option that is no number",
        endpoint("NaN", options={"scale": "HERE"}),
        422,
        "options.scale",
        ["nan", "finite"],
    ),
    Bad("options in a list", endpoint(options=[]), 422, "options", ["[]"]),
    Bad("capital letters", endpoint(id="Mine"), 422, "id", ["'Mine'", "small letters"]),
    Bad("a path for an id", endpoint(id="../x"), 422, "id", ["'../x'"]),
    Bad("an id that is taken", endpoint(id="minilm"), 409, "id", ["'minilm'", "another"]),
    Bad("a field too many", endpoint(key="sk-1"), 422, "key", ["unknown field 'key'", "kind"]),
    Bad("no such endpoint", get("/api/endpoints/nope"), 404, "endpoint", ["'nope'", "minilm"]),
    Bad("to forget a built-in", delete("/api/endpoints/minilm"), 409, None, ["'minilm'"]),
    Bad("to forget nothing", delete("/api/endpoints/nope"), 404, "endpoint", ["'nope'"]),
]

UPLOADS = [
    Bad(
        "too few rows for the shots",
        upload(FEW, shots=3),
        422,
        "shots",
        ["'x'", "6 rows", "3 shots", "7"],
    ),
    Bad(
        "a quote that stays open", upload('text,label\n"a,x\nb,y\n'), 422, "file", ["line", "quote"]
    ),
    Bad("a quote inside", upload('text,label\n"a"b,x\n'), 422, "file", ["line 2", "quote"]),
    Bad("a field too many", upload("text,label\na,b,x\n"), 422, "file", ["line 2", "3", "2"]),
    Bad(
        "an empty text", upload("text,label\na,x\n ,y\n"), 422, "file", ["row 2", "'text'", "empty"]
    ),
    Bad("an empty label", upload("text,label\na,\n"), 422, "file", ["row 1", "label", "empty"]),
    Bad(
        "invalid UTF-8",
        upload(b"text,label\na,x\n\xffb,y\n"),
        422,
        "file",
        ["line 3", "0xff", "UTF-8"],
    ),
    Bad("NUL", upload("text,label\na\0,x\n"), 422, "file", ["line 2"]),
    Bad("NaN", upload('{"text": "a", "label": NaN}', "a.jsonl"), 422, "file", ["line 1", "NaN"]),
    Bad("broken JSON", upload('{"text": "a"', "a.jsonl"), 422, "file", ["line 1", "not JSON"]),
    Bad("deep JSON", upload("[" * 100_000, "a.jsonl"), 422, "file", ["line 1", "not JSON"]),
    Bad("many digits", upload(MANY_DIGITS, "a.jsonl"), 422, "file", ["line 1", "not JSON"]),
    Bad("a nested row", upload('{"text": ["a"], "label": "x"}', "a.jsonl"), 422, "file", ["flat"]),
    Bad(
        "half a letter",
        upload(r'{"text": "\ud800", "label": "x"}', "a.jsonl"),
        422,
        "file",
        ["line 1"],
    ),
    Bad("another kind of file", upload("a", "a.xlsx"), 422, "file", ["'.xlsx'", ".csv", ".jsonl"]),
    Bad("no ending", upload("a", "a"), 422, "file", [".csv"]),
    Bad("nothing in it", upload(""), 422, "file", ["wanted"]),
    Bad("no row", upload("text,label\n"), 422, "file", ["no rows"]),
    Bad("two columns of one name", upload("text,text,label\na,b,x\n"), 422, "file", ["line 1"]),
    Bad("one label", upload("text,label\na,x\nb,x\n"), 422, "label_column", ["1 different", "2"]),
    Bad(
        "no column of that name",
        upload(FEW, label_column="lable"),
        422,
        "label_column",
        ["'lable'", "did you mean 'label'"],
    ),
    Bad(
        "no text column of that name",
        upload(FEW, text_columns="texts"),
        422,
        "text_columns",
        ["'texts'", "did you mean 'text'"],
    ),
    Bad(
        "the label for a text", upload(FEW, text_columns="label"), 422, "text_columns", ["'label'"]
    ),
    Bad(
        "a column that cannot be a slot",
        upload("prompt,label\na,x\nb,y\n"),
        422,
        "text_columns",
        ["'prompt'"],
    ),
    Bad(
        "an unknown split",
        upload("text,label,split\na,x,train\nb,y,trane\n"),
        422,
        "split_column",
        ["'trane'", "did you mean 'train'"],
    ),
    Bad(
        "a split without a label",
        upload(
            COLORS_CSV.replace("rose 0 is red,red,dev\n", "").replace("rose 1 is red,red,dev\n", "")
        ),
        422,
        "split_column",
        ["'dev'", "'red'"],
    ),
    Bad("no shots", upload(FEW, shots=0), 422, "shots", ["1", "'0'"]),
    Bad("shots in words", upload(FEW, shots="all"), 422, "shots", ["integer", "'all'"]),
    Bad("a seed below zero", upload(FEW, seed=-1), 422, "seed", ["0", "'-1'"]),
    Bad("a name that is a path", upload(FEW, shots=1, name="../x"), 422, "name", ["'../x'"]),
    Bad("other rows, same name", upload(FEW, shots=1, name="tickets"), 409, "name", ["'tickets'"]),
    Bad("no file", NO_FILE, 422, "file", ["needed"]),
    Bad("a text for a file", TEXT_FOR_FILE, 422, "file", ["file"]),
    Bad("JSON for a form", raw("{}", "/api/datasets"), 422, "file", ["needed"]),
    Bad("no boundary", NO_BOUNDARY, 400, None, ["boundary"]),
    Bad("a part without an end", NO_END, 422, "file", ["needed"]),
    Bad("a part with a broken header", BROKEN_PART, 400, None, ["multipart"]),
    Bad("no such dataset", get("/api/datasets/nope"), 404, "dataset", ["'nope'", "tickets"]),
    Bad("to delete a built-in", delete("/api/datasets/tickets"), 409, None, ["'tickets'"]),
    Bad("to delete nothing", delete("/api/datasets/nope"), 404, "dataset", ["'nope'"]),
]

NUMBER = str(10**30)
QUESTIONS = [
    Bad("no such job", get("/api/jobs/nope"), 404, None, ["'nope'"]),
    Bad("no page of nothing", get("/api/jobs?limit=0"), 422, "limit", ["1", "'0'"]),
    Bad("a page without end", get("/api/jobs?limit=101"), 422, "limit", ["100", "'101'"]),
    Bad("a page in words", get("/api/jobs?limit=all"), 422, "limit", ["integer", "'all'"]),
    Bad(
        "an unknown status", get("/api/jobs?status=done"), 422, "status", ["'done'", "'succeeded'"]
    ),
    Bad("a cursor that is no id", get("/api/jobs?after=zzz"), 422, "after", ["job_", "'zzz'"]),
    Bad("an empty cursor", get("/api/jobs?after="), 422, "after", ["job_", "''"]),
    Bad("before the first", get("/api/jobs/{job}/generations?after=-1"), 422, "after", ["'-1'"]),
    Bad("a cursor in words", get("/api/jobs/{job}/generations?after=x"), 422, "after", ["'x'"]),
    Bad("after all", get(f"/api/jobs/{{job}}/generations?after={NUMBER}"), 422, "after", [NUMBER]),
    Bad("10^30 rows", get(f"/api/datasets/colors/rows?limit={NUMBER}"), 422, "limit", ["1000"]),
    Bad("rows after all", get(f"/api/datasets/colors/rows?after={NUMBER}"), 422, "after", [NUMBER]),
    Bad("an unknown split", get("/api/datasets/colors/rows?split=tran"), 422, "split", ["'train'"]),
    Bad("events in words", get("/api/jobs/{job}/events?after=x"), 422, "after", ["'x'"]),
    Bad(
        "events after all", get(f"/api/jobs/{{job}}/events?after={NUMBER}"), 422, "after", [NUMBER]
    ),
    Bad(
        "a last event in words",
        get("/api/jobs/{job}/events", **{"last-event-id": "x"}),
        422,
        "last-event-id",
        ["integer", "'x'"],
    ),
    Bad(
        "a last event after all",
        get("/api/jobs/{job}/events", **{"last-event-id": NUMBER}),
        422,
        "last-event-id",
        [NUMBER],
    ),
    Bad("events of no job", get("/api/jobs/nope/events"), 404, None, ["'nope'"]),
    Bad("a prompt too early", get("/api/jobs/{job}/prompt"), 409, None, ["no prompt yet"]),
    Bad(
        "a pickle",
        get("/api/jobs/{job}/prompt?format=pickle"),
        422,
        "format",
        ["'json'", "'pickle'"],
    ),
    Bad("a report too early", get("/api/jobs/{job}/report"), 409, None, ["queued", "succeeded"]),
    Bad(
        "an unknown figure", get("/api/jobs/{job}/figures/cost"), 422, "name", ["'loss'", "'cost'"]
    ),
    Bad(
        "a theme",
        get("/api/jobs/{job}/figures/loss?theme=pink"),
        422,
        "theme",
        ["'light'", "'pink'"],
    ),
    Bad("an answer too early", predict(["x"]), 409, None, ["no prompt yet"]),
    Bad("an empty text", predict([""]), 422, "inputs.0", ["1"]),
    Bad("an empty text in a column", predict([{"text": ""}]), 422, "inputs.0.text", ["1"]),
    Bad("no input", predict([]), 422, "inputs", ["1"]),
    Bad("a thousand and one inputs", predict(["x"] * 1001), 422, "inputs", ["1000"]),
    Bad("a number for a text", predict([5]), 422, "inputs.0", ["5"]),
    Bad("a text for a list", predict("x"), 422, "inputs", ["list", "'x'"]),
    Bad("an unknown field", predict(["x"], base=True), 422, "base", ["did you mean 'baseline'"]),
    Bad("no such route", get("/api/nope"), 404, None, ["GET /api/nope", "/api/openapi.json"]),
    Bad("no such version", get("/v9/jobs"), 404, None, ["GET /v9/jobs"]),
    Bad(
        "the wrong verb",
        {"method": "PUT", "url": "/api/jobs"},
        405,
        None,
        ["PUT", "/api/jobs", "GET, POST"],
    ),
    Bad(
        "to delete what a waiting job needs",
        delete("/api/datasets/colors"),
        409,
        None,
        ["'colors'", "job_", "cancel"],
    ),
    Bad("to delete a job", delete("/api/jobs/{job}"), 405, None, ["DELETE", "GET"]),
    Bad("a static file that is none", get("/static/%2e%2e/%2e%2e/app/main.py"), 404, None, []),
]

GROUPS = {
    "spec": SPECS,
    "body": BODIES,
    "endpoint": ENDPOINTS,
    "upload": UPLOADS,
    "question": QUESTIONS,
}
EVERY = [(f"{group}: {bad.name}", bad) for group, list_ in GROUPS.items() for bad in list_]


PROVOKED: set[str] = set()  # codes


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
        "already_ended": "tests/app/test_routes.py: a job must have ended",
        "wrong_format": "tests/app/test_routes.py: a job must have a prompt",
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
