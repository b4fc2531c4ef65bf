"""A job's spec once more, with changes: another job, checked as any other."""

from collections.abc import Mapping
from typing import Any

RESETS = ("name", "preset")  # of a method: its settings then come from there


def changed(spec: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The spec with the changes merged in: null takes a field back to its default (RFC 7396).

    Unlike the RFC, another method or preset brings its own settings: those of the old one are all
    written down in a stored spec, and would otherwise win over it. What a spec has no object for
    is taken as it is.

    >>> spec = {"seed": 1, "name": "a", "method": {"name": "bbt", "sigma0": 2.0}}
    >>> changed(spec, {"seed": 2, "name": None, "method": {"sigma0": 1.0}})
    {'seed': 2, 'method': {'name': 'bbt', 'sigma0': 1.0}}
    >>> changed(spec, {"method": {"name": "zo"}})["method"]
    {'name': 'zo'}
    """
    method = changes.get("method")
    if isinstance(method, Mapping) and any(field in method for field in RESETS):
        old = {"name": spec["method"]["name"]}
        spec = {**spec, "method": old}
    return _merged(spec, changes)


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    made = {key: value for key, value in base.items() if key not in changes}
    for key, value in changes.items():
        old = base.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            made[key] = _merged(old, value)
        elif value is not None:
            made[key] = value
    return made
