"""Requests to a model, told to whoever watches them once they are over. Sends nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import time_ns
from typing import Any, Protocol, TypeAlias, runtime_checkable

from backends.base import Usage


@dataclass(slots=True)
class Exchange:
    """One request and what came of it. Texts of users are in `body` and `said`: keep them here."""

    address: str  # base URL of the server
    model: str  # as the server names it
    route: str  # below the base URL, "chat/completions"
    body: Mapping[str, Any]  # as JSON, without "model"
    began: int = field(default_factory=time_ns)  # nanoseconds since the epoch
    ended: int = 0  # as `began`
    said: Mapping[str, Any] = field(default_factory=dict)  # the answer's JSON; empty: there is none
    usage: Usage | None = None  # what it counts as billed
    error: str = "unanswered"  # else "malformed" or a status, "429"; empty: it was answered well


Heard: TypeAlias = Callable[[Exchange], None]


@runtime_checkable
class Watched(Protocol):
    """A backend whose requests can be watched."""

    def watch(self, heard: Heard | None) -> None:
        """From now on `heard` is told of each, on a thread of the backend's own; None: nobody."""
        ...
