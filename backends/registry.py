"""Which kinds of backend exist and what each can do, as data: importing this loads no model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from importlib import import_module
from sys import float_info
from typing import cast

from backends.base import Backend


class Capability(StrEnum):
    TEXT_PROMPTS = "text_prompts"  # any words around the input
    SOFT_PROMPTS = "soft_prompts"  # vectors at the input
    DEEP_PROMPTS = "deep_prompts"  # vectors at every layer


class UnknownBackend(LookupError):
    """No kind of backend has this name."""


@dataclass(frozen=True)
class Option:
    """One setting of a backend. `choices`, where given, are all its values."""

    type: type[int] | type[float] | type[str]
    default: int | float | str | None  # None: may be left unset
    description: str
    above: float = -float_info.max  # of numbers, and the bound itself is not allowed
    at_most: float = float_info.max
    choices: tuple[str, ...] = ()

    @property
    def wanted(self) -> str:
        """What a value must be, in words."""
        if self.choices:
            return " or ".join(map(repr, self.choices))
        noun = {int: "a whole number", float: "a finite number", str: "a text"}[self.type]
        low = f" above {self.above:g}" if self.above > -float_info.max else ""
        return noun + low + (f", at most {self.at_most:g}" if self.at_most < float_info.max else "")

    def accepts(self, value: object) -> bool:
        if value is None or isinstance(value, bool):
            return value is None and self.default is None
        if self.type is str:
            return isinstance(value, str) and (not self.choices or value in self.choices)
        if not isinstance(value, int if self.type is int else int | float):
            return False
        return self.above < value <= self.at_most  # false for nan and infinity too


@dataclass(frozen=True)
class Kind:
    path: str  # "module:Class", imported when first opened
    capabilities: frozenset[Capability]
    summary: str
    options: Mapping[str, Option] = field(default_factory=dict)


KINDS: dict[str, Kind] = {
    "encoder": Kind(
        "backends.encoder:Encoder",
        frozenset({Capability.TEXT_PROMPTS, Capability.SOFT_PROMPTS, Capability.DEEP_PROMPTS}),
        "A sentence encoder on this machine: a label scores by how alike its text and the "
        "prompted input are.",
        {
            "scale": Option(float, 20.0, "nats that one unit of cosine is worth", above=0),
            "threads": Option(
                int, None, "batches read side by side; unset: one for every core", 0, 1024
            ),
            "dtype": Option(
                str,
                "float32",
                "bfloat16 is less exact, and faster only where the processor has AMX",
                choices=("float32", "bfloat16"),
            ),
        },
    ),
}


def find(kind: str) -> Kind:
    """The entry of a kind.

    Raises:
        UnknownBackend: there is none; the message lists those there are.
    """
    try:
        return KINDS[kind]
    except KeyError:
        raise UnknownBackend(f"no backend {kind!r}{_instead(kind, KINDS)}") from None


def open_backend(kind: str, model: str, **options: int | float | str | None) -> Backend:
    """Loads the model: slow, and only ever called by a runner.

    Raises:
        UnknownBackend: no such kind.
        ValueError: an option is unknown or out of range.
        BackendRefused: the model cannot be read.
    """
    check_options(kind, options)
    module, _, name = find(kind).path.partition(":")
    return cast(Backend, getattr(import_module(module), name)(model, **options))


def check_options(kind: str, options: Mapping[str, object]) -> None:
    """Nothing, if a backend of this kind can be opened with these options.

    Raises:
        UnknownBackend: no such kind.
        ValueError: naming the option, what was given and what is wanted.
    """
    allowed = find(kind).options
    for name, value in options.items():
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
