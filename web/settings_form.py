"""The settings of a method or a metric as the fields of a form, out of its JSON schema.

Data to data: it asks nobody, and writes no HTML.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from textwrap import shorten
from typing import Any, Literal, TypeAlias

Object: TypeAlias = Mapping[str, Any]  # as its JSON says it

LONGEST = 60  # characters of a value that is shown where nothing is typed
UNBOUNDED = 1e9  # a limit above it is none that a person could meet
WORDS = {True: "on", False: "off"}


@dataclass(frozen=True)
class Given:
    """What the form is filled with: a job's spec, and over it what was typed (path -> text)."""

    spec: Object = field(default_factory=dict)
    typed: Mapping[str, str] = field(default_factory=dict)

    def text(self, *path: str, usual: Any = None) -> str:
        """What stands in the control at this path; empty: nothing, or what is usual."""
        typed = self.typed.get(".".join(path))
        if typed is not None:
            return typed
        value: Any = self.spec
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        return "" if value is None or value == usual else _written(value)


@dataclass(frozen=True)
class Field:
    """One setting: its control, what is said of it, and what holds where nothing is typed."""

    id: str
    path: str  # of its value in the body of the request
    name: str
    kind: Literal["choice", "number", "text", "json"]
    hint: str
    bounds: str
    usual: str
    value: str
    options: tuple[tuple[str, str], ...] = ()  # of a choice: value, words
    limits: Mapping[str, Any] = field(default_factory=dict)  # attributes of its control


def fields(schema: Object, place: str, prefix: str, presets: Object, given: Given) -> list[Field]:
    """Every setting of a schema but its name and preset; `presets` are the values of the preset.

    `place` is their path in the body, such as "method"; ids begin with `prefix`.
    """
    known = {
        name: one
        for name, one in schema.get("properties", {}).items()
        if name not in ("name", "preset") and "const" not in one
    }
    return [
        _field(name, one, place, prefix, presets.get(name, one.get("default")), given)
        for name, one in known.items()
    ]


def _field(name: str, one: Object, place: str, prefix: str, usual: Any, given: Given) -> Field:
    said = {**one, **next((each for each in one.get("anyOf", ()) if each != {"type": "null"}), {})}
    shown = _usual(usual)
    return Field(
        id=f"{prefix}-{name}",
        path=f"{place}.{name}",
        name=name,
        kind=_kind(said),
        hint=one.get("description", ""),
        bounds=_bounds(said),
        usual=shown,
        value=given.text(*place.split("."), name, usual=usual),
        options=(("", f"{shown} (usual)"), *_options(said)) if _kind(said) == "choice" else (),
        limits=_limits(said),
    )


def _kind(said: Object) -> Literal["choice", "number", "text", "json"]:
    if "enum" in said or said.get("type") == "boolean":
        return "choice"
    if said.get("type") in ("integer", "number"):
        return "number"
    return "text" if said.get("type") == "string" else "json"


def _options(said: Object) -> list[tuple[str, str]]:
    if said.get("type") == "boolean":
        return [(_written(value), words) for value, words in WORDS.items()]
    return [(_written(value), _written(value)) for value in said["enum"]]


def _limits(said: Object) -> dict[str, Any]:
    kind = _kind(said)
    if kind == "text":
        return {"maxlength": said["maxLength"]} if "maxLength" in said else {}
    if kind != "number":
        return {}
    whole = said["type"] == "integer"
    known = {"min": said.get("minimum"), "max": said.get("maximum"), "step": 1 if whole else "any"}
    return {name: value for name, value in known.items() if value is not None}


def _bounds(said: Object) -> str:
    """The numbers it takes, in words: "2 to 2,000"; empty: all, or it is no number.

    >>> _bounds({"type": "number", "exclusiveMinimum": 0, "maximum": 0.9})
    'above 0, at most 0.9'
    >>> _bounds({"type": "integer", "minimum": 1, "maximum": 200})
    '1 to 200'
    """
    low, high = said.get("minimum"), said.get("maximum")
    above, below = said.get("exclusiveMinimum"), said.get("exclusiveMaximum")
    if low is not None and high is not None and high < UNBOUNDED:
        return f"{_number(low)} to {_number(high)}"
    known = {"above": above, "at least": low, "at most": high, "below": below}
    told = [
        f"{words} {_number(limit)}"
        for words, limit in known.items()
        if limit is not None and abs(limit) < UNBOUNDED
    ]
    return ", ".join(told)


def _number(x: float) -> str:
    return f"{x:,.0f}" if x == int(x) else f"{x:g}"


def _usual(value: Any) -> str:
    """What holds where nothing is typed, in a few words.

    >>> _usual(True), _usual(None), _usual(0.0), _usual("")
    ('on', 'none', '0.0', 'none')
    """
    if isinstance(value, bool):
        return WORDS[value]
    if value is None or value in ("", [], {}):
        return "none"
    return shorten(_written(value), LONGEST, placeholder=" …")


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
