"""A bad request and what its refusal must say; how to write one shortly."""

import json
from dataclasses import dataclass, field
from typing import Any

from tests.servers import COLORS

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


def post(url: str) -> dict[str, Any]:
    return {"method": "POST", "url": url}


def api(**options: Any) -> dict[str, Any]:
    """An endpoint behind a port where nobody listens."""
    options = {"base_url": "http://127.0.0.1:9/v1", **options}
    return endpoint(kind="openai", model="any", options=options)


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
