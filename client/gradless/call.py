"""What a request of the service is, and a list that comes in pages. Nothing is sent here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from gradless import types

T = TypeVar("T")


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request, and how its answer is read."""

    method: str
    path: str
    parse: Callable[[bytes], T]
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    data: Mapping[str, str] | None = None
    files: Mapping[str, tuple[str, bytes]] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def options(self) -> dict[str, Any]:
        """What httpx's `request` and `stream` take."""
        known = {key: value for key, value in self.params.items() if value is not None}
        return {
            "method": self.method,
            "url": self.path,
            "params": known,
            "json": self.json,
            "data": self.data,
            "files": self.files,
            "headers": dict(self.headers),
        }


@dataclass(frozen=True)
class Listing(Generic[T]):
    """A list of the service, page by page; `cursor` names the field that `after` counts in."""

    call: Call[types.Page[T]]
    cursor: str = "id"

    def after(self, page: types.Page[T]) -> Listing[T] | None:
        """Ask for the page after this one, or None if there is none."""
        if not (page.has_more and page.data):
            return None
        last = getattr(page.data[-1], self.cursor)
        return replace(self, call=replace(self.call, params={**self.call.params, "after": last}))
