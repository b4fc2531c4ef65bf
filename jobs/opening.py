"""Models opened and kept: loading takes seconds, so a process loads each endpoint once."""

import json
from collections import OrderedDict
from typing import Protocol, runtime_checkable

from backends.base import Backend
from backends.registry import open_backend
from jobs.models import EndpointRow

KEPT = 2  # models in memory at once: the one that is tuned, and its writer

_opened: OrderedDict[str, Backend] = OrderedDict()  # the last one used at the end


@runtime_checkable
class Closes(Protocol):
    """A backend that holds connections."""

    def close(self) -> None: ...


def open_endpoint(row: EndpointRow) -> Backend:
    """The model behind an endpoint; the last two stay open."""
    key = json.dumps([row.kind, row.model, row.options, row.probed], sort_keys=True)
    if key not in _opened:
        while len(_opened) >= KEPT:
            _close(_opened.popitem(last=False)[1])
        _opened[key] = open_backend(row.kind, row.model, row.probed, **row.options)
    _opened.move_to_end(key)
    return _opened[key]


def close_endpoints() -> None:
    """Gives back what all open models hold; asked again, they are opened anew."""
    while _opened:
        _close(_opened.popitem()[1])


def _close(backend: Backend) -> None:
    if isinstance(backend, Closes):
        backend.close()
