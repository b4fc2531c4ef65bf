"""The API reference page's content: an OpenAPI document, flattened for reading. No HTTP."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
Operation = dict[str, Any]

NO_LIMIT = 2**53  # a bound from here up is the database's, and tells a reader nothing
ANY = "…"  # in place of a name, where a body has fields of any name
TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "names and values",
    "array": "list",
}


def sections(document: Mapping[str, Any]) -> dict[str, list[Operation]]:
    """Tag -> its operations, in the document's order.

    Each operation has `method`, `path`, `summary`, `description`, `parameters` (of path, query,
    header and body: name, place, default and meaning) and `example`, the body as text or "".
    """
    found: dict[str, list[Operation]] = {}
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            tag = (operation.get("tags") or ["other"])[0]
            found.setdefault(tag, []).append(_operation(document, path, verb, operation))
    return found


def _operation(
    document: Mapping[str, Any], path: str, verb: str, operation: Mapping[str, Any]
) -> Operation:
    content = operation.get("requestBody", {}).get("content", {})
    given = [
        _parameter(document, each["name"], each["in"], each["required"], each["schema"])
        for each in operation.get("parameters", [])
    ]
    return {
        "method": verb.upper(),
        "path": path,
        "summary": operation.get("summary", ""),
        "description": operation.get("description", ""),
        "parameters": [*given, *_body(document, content)],
        "example": _example(document, content),
    }


def _body(document: Mapping[str, Any], content: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for media, body in content.items():
        place = "body" if media == "application/json" else "form"
        schema = _resolved(document, body["schema"])
        fields = schema.get("properties", {ANY: schema})
        for name, field in fields.items():
            yield _parameter(document, name, place, name in schema.get("required", []), field)


def _parameter(
    document: Mapping[str, Any], name: str, place: str, required: bool, schema: Schema
) -> dict[str, str]:
    default = schema.get("default")
    nothing = default is None or default in ("", [], {})
    shown = "" if nothing else default if isinstance(default, str) else json.dumps(default)
    return {
        "name": name,
        "place": place,
        "default": "required" if required else shown,
        "meaning": _meaning(document, schema),
    }


def _meaning(document: Mapping[str, Any], schema: Schema) -> str:
    """The description, the choices and the limits; without any of them, the type."""
    own, schema = schema.get("description", ""), _resolved(document, schema)
    choices = ", ".join(schema.get("enum", []))
    bounds = [
        f"{word} {schema[key]:,.10g}"
        for word, key in (("from", "minimum"), ("up to", "maximum"), ("below", "exclusiveMaximum"))
        if schema.get(key, NO_LIMIT) < NO_LIMIT
    ]
    parts = [own if choices else schema.get("description", ""), choices, " ".join(bounds)]
    return "; ".join(part.removesuffix(".") for part in parts if part) or TYPES.get(
        schema.get("type", ""), ""
    )


def _resolved(document: Mapping[str, Any], schema: Schema) -> Schema:
    """The schema behind a reference, and behind "or null"."""
    for option in schema.get("anyOf", []):
        if option.get("type") != "null":
            return {**_resolved(document, option), **schema}
    name = schema.get("$ref", "").rpartition("/")[2]
    return {**document["components"]["schemas"][name], **schema} if name else schema


def _example(document: Mapping[str, Any], content: Mapping[str, Any]) -> str:
    """The first example of a JSON body, by way of its schema; multipart forms as name=value."""
    if "application/json" in content:
        schema = _resolved(document, content["application/json"]["schema"])
        return json.dumps((schema.get("examples") or [{}])[0], indent=2)
    form = content.get("multipart/form-data", {}).get("example", {})
    return "\n".join(f"{key}={value!r}" for key, value in form.items())
