"""`python -m docs.method_facts`: what the settings say, into each method's page and their index."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from backends.registry import Capability
from jobs.methods import METHODS, Method
from web.words import POWERS

PAGES = Path(__file__).parent / "methods"
INDEX = PAGES / "README.md"
PART = re.compile(r"(?<=<!-- facts -->\n).*?(?=<!-- /facts -->)", re.DOTALL)
ROWS = 32  # train rows, and dev rows, of the costs that are shown
LINKS = {"arXiv": "https://arxiv.org/abs/", "doi": "https://doi.org/"}


def facts(method: type[Method]) -> str:
    """What a page shows between its markers: needs, costs, the source, and the settings.

    The preset that is taken where none is named comes first.
    """
    default = method.model_fields["preset"].default
    names = [default, *(name for name in method.presets if name != default)]
    presets = {name: method.with_preset(name) for name in names}
    lines = [_needs(presets), _costs(presets), f"Source: {_linked(method.citation)}."]
    return "\n\n".join([*lines, _settings(method, presets)])


def index() -> str:
    """One row a method."""
    rows = [
        f"| [`{name}`]({name}.md) | {method.summary} | {_linked(method.citation)} |"
        for name, method in METHODS.items()
    ]
    return "\n".join(["| method | what it does | from |", "|---|---|---|", *rows, ""])


def write() -> None:
    _fill(INDEX, index())
    for name, method in METHODS.items():
        _fill(PAGES / f"{name}.md", facts(method))


def _fill(page: Path, part: str) -> None:
    page.write_text(PART.sub(lambda _: part, page.read_text()))


def _needs(presets: Mapping[str, Method]) -> str:
    needs = {name: settings.requires() for name, settings in presets.items()}
    common = frozenset.intersection(*needs.values())
    more = [
        f"with the preset `{name}` also {_named(wanted - common)}"
        for name, wanted in needs.items()
        if wanted - common
    ]
    return f"The endpoint must offer {'; '.join([_named(common), *more])}."


def _named(capabilities: frozenset[Capability]) -> str:
    words = {key: f"{name.lower()} ({meaning})" for key, name, meaning in POWERS}
    return " and ".join(words[key] for key in Capability if key in capabilities)


def _costs(presets: Mapping[str, Method]) -> str:
    """Of one generation, and the least that a job of this method can do."""
    each = {name: settings.generation_queries(ROWS, ROWS) for name, settings in presets.items()}
    least = [f"{settings.least_queries(ROWS, ROWS):,}" for settings in presets.values()]
    costs = " or ".join(f"{queries:,} (`{name}`)" for name, queries in each.items())
    return (
        f"On {ROWS} train and {ROWS} dev rows a generation takes at most {costs} queries; a budget "
        f"must hold at least {' or '.join(least)} besides the baseline's."
    )


def _linked(citation: str) -> str:
    """The citation, with its identifiers as links."""
    for kind, place in LINKS.items():
        citation = re.sub(rf"{kind}:([^\s;]+)", rf"[{kind}:\1]({place}\1)", citation)
    return citation


def _settings(method: type[Method], presets: Mapping[str, Method]) -> str:
    properties = method.model_json_schema()["properties"]
    head = ["setting", "takes", *(f"`{name}`" for name in presets), "meaning"]
    rows = [
        [f"`{name}`", _range(schema), *_values(name, presets), schema["description"]]
        for name, schema in properties.items()
        if name not in ("name", "preset")
    ]
    return "".join(map(_row, [head, ["---"] * len(head), *rows]))


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _values(name: str, presets: Mapping[str, Method]) -> Iterator[str]:
    for settings in presets.values():
        yield _value(getattr(settings, name))


def _value(value: Any) -> str:
    """As JSON has it, but for lists and methods, and numbers as a reader would write them."""
    match value:
        case Method():
            return f"{type(value).model_fields['name'].default} ({value.preset})"
        case tuple():
            return ", ".join(map(_value, value)) or "none"
        case bool() | None | "":
            return json.dumps(value)
        case int():
            return f"{value:,}"
        case float():
            return re.sub(r"e([+-])0?", lambda e: "e" + e[1].strip("+"), f"{value:g}")
    return str(value)


def _range(schema: Mapping[str, Any]) -> str:
    """What a value may be, from its JSON schema."""
    if "anyOf" in schema:
        return " or ".join(map(_range, schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(schema["enum"])
    return RANGES[schema["type"]](schema)


def _number(schema: Mapping[str, Any]) -> str:
    bounds = {key: _value(schema[key]) for key in BOUNDS if key in schema}
    return " ".join(f"{BOUNDS[key]} {bound}" for key, bound in bounds.items())


def _several(schema: Mapping[str, Any]) -> str:
    """How many values, and of what."""
    of = ", ".join(schema["items"].get("enum", ()))
    return f"{schema.get('minItems', 0)} to {schema['maxItems']}{of and f' of {of}'}"


BOUNDS = {
    "minimum": "from",
    "exclusiveMinimum": "above",
    "maximum": "to",
    "exclusiveMaximum": "below",
}
RANGES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "integer": _number,
    "number": _number,
    "array": _several,
    "string": lambda schema: f"up to {schema['maxLength']:,} characters",
    "boolean": lambda _: "true, false",
    "object": lambda _: "an object",
    "null": lambda _: "null",
}


if __name__ == "__main__":
    write()
