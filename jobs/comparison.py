"""Jobs side by side: how their settings differ, and whether their prompts do. No SQL."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from jobs.models import ENDED, JobRow
from jobs.report import Scores, statistics_of
from jobs.spec import JobSpec

ASIDE = frozenset({"name"})  # of a spec: what a job is called is no setting of it
GONE = object()


@dataclass(frozen=True)
class Setting:
    """One leaf of the specs, as each job has it; None: it has none, or null."""

    name: str  # its path: "method.sigma0"
    values: Sequence[Any]
    same: bool


@dataclass(frozen=True)
class Verdict:
    """Two tuned prompts on the same test rows."""

    first: str
    second: str
    p_value: float  # by itself: several tests at once find something sooner
    difference: float  # of the accuracies, the second's minus the first's
    test: str
    n: int


@dataclass(frozen=True)
class NoVerdict:
    """Two jobs that cannot be held against each other, and why."""

    first: str
    second: str
    reason: str


class Contestant(NamedTuple):
    """A job, and what is kept of its test rows."""

    job: JobRow
    scores: Scores | None


def settings(specs: Sequence[Mapping[str, Any]]) -> list[Setting]:
    """Every setting that one of them has, in the order in which they come."""
    flat = [dict(_leaves(spec)) for spec in specs]
    names = dict.fromkeys(name for each in flat for name in each)
    return [_setting(name, [each.get(name, GONE) for each in flat]) for name in names]


def verdicts(contestants: Sequence[Contestant]) -> list[Verdict | NoVerdict]:
    """Each pair of them, in their order: the tuned prompts by the statistics of a report."""
    return [_held_against(*pair) for pair in combinations(contestants, 2)]


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Lists of objects are opened too; those of plain values are values."""
    if isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        value = dict(enumerate(value))
    if not isinstance(value, Mapping):
        yield path, value
        return
    for name, each in value.items():
        if path or name not in ASIDE:
            yield from _leaves(each, f"{path}.{name}" if path else str(name))


def _setting(name: str, values: Sequence[Any]) -> Setting:
    same = all(value == values[0] for value in values)  # never all GONE: one of them has it
    return Setting(name, [None if value is GONE else value for value in values], same)


def _held_against(first: Contestant, second: Contestant) -> Verdict | NoVerdict:
    ids, one, other = (first.job.id, second.job.id), first.scores, second.scores
    if one is None or other is None:
        place, job = ("first", first.job) if one is None else ("second", second.job)
        why = _why_no_scores(job)
        return NoVerdict(*ids, f"the {place} job has no scores of its test rows: {why}")
    if reason := _unlike(first, second):
        return NoVerdict(*ids, reason)
    statistics = statistics_of(JobSpec.model_validate(first.job.spec).task.made())
    gains = np.subtract(other.tuned, one.tuned)
    p_value = statistics.p_value(gains)
    return Verdict(*ids, p_value, float(gains.mean()), statistics.test, len(gains))


def _unlike(first: Contestant, second: Contestant) -> str:
    """Why their scores cannot be compared row by row; empty: they can."""
    one, other = first.job.spec, second.job.spec
    if one["task"]["metric"] != other["task"]["metric"]:
        return "their answers are measured by different metrics"
    if one["dataset"] != other["dataset"]:
        return f"their datasets are different: {one['dataset']} and {other['dataset']}"
    if first.scores and second.scores and first.scores.rows != second.scores.rows:
        return f"the test rows of {one['dataset']} were changed between the two"
    return ""


def _why_no_scores(job: JobRow) -> str:
    if job.status not in ENDED:
        return f"it is {job.status}"
    if job.result is None or "tuned" not in job.result:
        return "it was not measured on test"
    return "it ended before Gradless kept them"
