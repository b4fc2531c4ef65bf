"""From the options of `gradless tune` to a job's spec. No HTTP, nothing printed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gradless.calls import METHOD, QUERIES

DEFAULTS: dict[str, Any] = {
    "dataset": "tickets",
    "endpoint": "minilm",
    "method": {"name": METHOD},
    "budget": {"queries": QUERIES},
}


def read_spec(path: Path | None) -> dict[str, Any]:
    """Read a spec from a JSON file, or start an empty one."""
    if path is None:
        return {}
    spec = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(spec, dict):
        raise ValueError(
            f"{path} holds a {type(spec).__name__}; wanted a JSON object, a job's spec"
        )
    return spec


def settings(pairs: Sequence[str]) -> dict[str, Any]:
    """Read `name=value` pairs; values are JSON where they can be, else text.

    Example:
        >>> settings(["intrinsic_dim=200", "covariance=diagonal"])
        {'intrinsic_dim': 200, 'covariance': 'diagonal'}
    """
    read: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise ValueError(f"--set {pair!r}: wanted name=value, such as intrinsic_dim=200")
        try:
            read[name] = json.loads(value)
        except ValueError:
            read[name] = value
    return read


def overlaid(spec: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Put the given values over a spec; objects are joined, and None gives way.

    Example:
        >>> overlaid({"method": {"name": "bbt"}, "seed": 1}, {"method": {"preset": "fast"}})
        {'method': {'name': 'bbt', 'preset': 'fast'}, 'seed': 1}
    """
    made = dict(spec)
    for name, value in over.items():
        known = made.get(name)
        if isinstance(value, Mapping):
            made[name] = overlaid(known if isinstance(known, Mapping) else {}, value)
        elif value is not None:
            made[name] = value
    return {name: value for name, value in made.items() if value != {}}
