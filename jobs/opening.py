"""Models opened and kept: loading takes seconds, so a process loads each endpoint once."""

import json
from functools import lru_cache

from backends.base import Backend
from backends.registry import open_backend
from jobs.models import EndpointRow


def open_endpoint(row: EndpointRow) -> Backend:
    """The model behind an endpoint; the last two stay in memory."""
    return _opened(row.kind, row.model, json.dumps(row.options, sort_keys=True))


@lru_cache(maxsize=2)
def _opened(kind: str, model: str, options: str) -> Backend:
    return open_backend(kind, model, **json.loads(options))
