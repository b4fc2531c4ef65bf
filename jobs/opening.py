"""Models opened and kept: loading takes seconds, so a process loads each endpoint once."""

import json
from functools import lru_cache

from backends.base import Backend
from backends.registry import open_backend
from jobs.models import EndpointRow


def open_endpoint(row: EndpointRow) -> Backend:
    """The model behind an endpoint; the last two stay in memory."""
    facts = (json.dumps(each, sort_keys=True) for each in (row.options, row.probed))
    return _opened(row.kind, row.model, *facts)


@lru_cache(maxsize=2)
def _opened(kind: str, model: str, options: str, probed: str) -> Backend:
    return open_backend(kind, model, json.loads(probed), **json.loads(options))
