"""Finds, checks, opens and probes backends by kind: importing this loads no model."""

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any, cast

from backends.base import Backend
from backends.kinds import KINDS, RUNGS, Capability, Kind, Layout, Option

__all__ = [
    "KINDS",
    "RUNGS",
    "Capability",
    "Kind",
    "Layout",
    "Option",
    "UnknownBackend",
    "check_option",
    "check_options",
    "describe_options",
    "find",
    "open_backend",
    "probe_backend",
]


class UnknownBackend(LookupError):
    """No kind of backend has this name."""


def find(kind: str) -> Kind:
    """The entry of a kind.

    Raises:
        UnknownBackend: there is none; the message lists those there are.
    """
    try:
        return KINDS[kind]
    except KeyError:
        raise UnknownBackend(f"no backend {kind!r}{_instead(kind, KINDS)}") from None


def open_backend(
    kind: str,
    model: str,
    probed: Mapping[str, Any] | None = None,
    **options: int | float | str | None,
) -> Backend:
    """Loads the model: slow, and only ever called by a runner.

    `probed` is what `probe_backend` found, for kinds that need it.

    Raises:
        UnknownBackend: no such kind.
        ValueError: an option is unknown or out of range.
        BackendRefused: the model cannot be read.
    """
    check_options(kind, options)
    facts = {"probed": probed} if find(kind).probe else {}
    return cast(Backend, _load(find(kind).path)(model, **facts, **options))


def probe_backend(
    kind: str, model: str, **options: int | float | str | None
) -> dict[str, Any] | None:
    """Asks a model what it can do, in a few short requests; None: its kind already tells.

    Returns:
        Facts as JSON; `capabilities` lists values of `Capability`.

    Raises:
        UnknownBackend, ValueError, BackendRefused: as `open_backend`.
        BackendUnavailable: nobody answers.
    """
    check_options(kind, options)
    path = find(kind).probe
    return cast(dict[str, Any], _load(path)(model, **options)) if path else None


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def check_options(kind: str, options: Mapping[str, object]) -> None:
    """Nothing, if a backend of this kind can be opened with these options.

    Raises:
        UnknownBackend: no such kind.
        ValueError: naming the option, what was given and what is wanted.
    """
    for name, value in options.items():
        check_option(kind, name, value)
    for name, option in find(kind).options.items():
        if option.required and name not in options:
            raise ValueError(f"{kind} needs the option {name!r}: {option.description}")


def check_option(kind: str, name: str, value: object) -> None:
    """As `check_options`, for one of them."""
    allowed = find(kind).options
    if name not in allowed:
        raise ValueError(f"{kind} has no option {name!r}{_instead(name, allowed)}")
    if not allowed[name].accepts(value):
        raise ValueError(f"{kind} option {name}={value!r}: {allowed[name].wanted} is wanted")


def describe_options(kind: str) -> dict[str, str]:
    """One sentence for each option of a kind: what it is, what it may be, its default."""
    return {
        name: f"{option.description}; {option.wanted}, default {option.default}"
        for name, option in find(kind).options.items()
    }


def _instead(given: str, names: Mapping[str, object]) -> str:
    close = get_close_matches(given, names, n=1)
    hint = f", did you mean {close[0]!r}?" if close else ";"
    return f"{hint} there are {', '.join(names) or 'none'}"
