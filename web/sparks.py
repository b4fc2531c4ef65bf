"""Spark lines: a curve so small that it has no axes. What to draw, not how: no HTML, no HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from web.formats import measured, percent

WIDTH, HEIGHT, EDGE = 320, 64, 6  # of the picture, in its own units; EDGE keeps strokes whole
LEAST = 0.02  # share of 1 that the height stands for at least: noise is not blown up to a mountain


@dataclass(frozen=True)
class Spark:
    """Paths for an `<svg>` of WIDTH by HEIGHT."""

    path: str  # stairs: an incumbent holds until the next one
    level: float  # height of the baseline
    end: tuple[float, float]
    label: str  # what it shows, for whoever cannot see it
    size: str = f"0 0 {WIDTH} {HEIGHT}"


def spark(job: Mapping[str, Any], generations: Sequence[Mapping[str, Any]]) -> Spark | None:
    """The incumbent's dev accuracy against queries, from the baseline on; None: too short a line.

    The right edge is what is spent so far, not the budget: the bar beside it shows how far that is.
    """
    before = job["baseline"]
    if before is None or not generations:
        return None
    points = [(before["queries"], before["dev_accuracy"])]
    points += [(each["queries"], each["incumbent_dev_accuracy"]) for each in generations]
    xs = _placed([float(queries) for queries, _ in points], EDGE, WIDTH - EDGE, 1.0)
    ys = _placed([float(share) for _, share in points], HEIGHT - EDGE, EDGE, LEAST)
    steps = "".join(f"H{x}V{y}" for x, y in zip(xs[1:], ys[1:], strict=True))
    label = _label(measured(job["metric"]), [share for _, share in points])
    return Spark(f"M{xs[0]} {ys[0]}{steps}", ys[0], (xs[-1], ys[-1]), label)


def _placed(values: Sequence[float], start: float, end: float, least: float) -> list[float]:
    """The lowest value at `start`, the highest at `end`; what is closer than `least` stays so."""
    low, span = min(values), max(max(values) - min(values), least)
    return [round(start + (value - low) / span * (end - start), 1) for value in values]


def _label(measure: str, shares: Sequence[float]) -> str:
    first, last, best = (percent(share) for share in (shares[0], shares[-1], max(shares)))
    return f"Dev {measure} against queries: {first} at first, {last} now, {best} at best"
