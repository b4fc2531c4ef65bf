"""The API reference page's content: an OpenAPI document, flattened for reading. No HTTP."""

import json
from collections.abc import Mapping
from typing import Any


def sections(document: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Tag -> its operations, in the document's order.

    Each operation has `method`, `path`, `summary`, `description`, `parameters` (name, place and
    description) and `example`, the body as text or "".
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            tag = (operation.get("tags") or ["other"])[0]
            found.setdefault(tag, []).append(_operation(document, path, verb, operation))
    return found


def _operation(
    document: Mapping[str, Any], path: str, verb: str, operation: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "method": verb.upper(),
        "path": path,
        "summary": operation.get("summary", ""),
        "description": operation.get("description", ""),
        "parameters": [
            {
                "name": each["name"],
                "place": each["in"],
                "default": each.get("schema", {}).get("default"),
                "description": each.get("description", ""),
            }
            for each in operation.get("parameters", [])
        ],
        "example": _example(document, operation.get("requestBody", {}).get("content", {})),
    }


def _example(document: Mapping[str, Any], content: Mapping[str, Any]) -> str:
    """The first example of a JSON body, by way of its schema; multipart forms as name=value."""
    if "application/json" in content:
        schema = content["application/json"]["schema"]
        name = schema.get("$ref", "").rpartition("/")[2]
        examples = document["components"]["schemas"].get(name, schema).get("examples") or [{}]
        return json.dumps(examples[0], indent=2)
    form = content.get("multipart/form-data", {}).get("example", {})
    return "\n".join(f"{key}={value!r}" for key, value in form.items())
