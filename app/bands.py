"""How sure an accuracy on dev is, beside the curve that shows it. No SQL, no HTTP."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from jobs.metrics import METRICS
from jobs.significance import wilson

Object = Mapping[str, Any]  # an object of the API, as its JSON says it


def with_bands(generations: Sequence[Object], job: Object) -> list[dict[str, Any]]:
    """Each with `incumbent_dev_low` and `incumbent_dev_high`: 95 %, Wilson's.

    Without them where answers are more or less right, and of a job whose dev rows nobody counted.
    """
    n = _dev_rows(job)
    metric = METRICS.get(job["metric"])
    if n is None or (metric is not None and metric.graded):
        return [dict(each) for each in generations]
    interval = cache(lambda right: wilson(right, n))  # a search has few different ones
    banded = []
    for each in generations:
        low, high = interval(round(each["incumbent_dev_accuracy"] * n))
        banded.append({**each, "incumbent_dev_low": low, "incumbent_dev_high": high})
    return banded


def _dev_rows(job: Object) -> int | None:
    """As many as there were when the job was submitted."""
    effect = ((job["estimate"] or {}).get("effects") or {}).get("dev")
    return int(effect["rows"]) if effect else None
