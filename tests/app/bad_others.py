"""Every bad endpoint, upload and question."""

from tests.app.bad import (
    BROKEN_PART,
    FEW,
    MANY_DIGITS,
    NO_BOUNDARY,
    NO_END,
    NO_FILE,
    TEXT_FOR_FILE,
    Bad,
    delete,
    endpoint,
    get,
    predict,
    raw,
    upload,
)
from tests.servers import COLORS_CSV

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
