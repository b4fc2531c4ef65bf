"""Numbers as people read them, for the pages that Python fills; format.js writes them alike."""

from collections.abc import Mapping
from typing import Any

from web.words import MEASURES

DASH = "–"
NBSP = "\N{NO-BREAK SPACE}"


def count(n: int) -> str:
    """12345 -> "12,345"."""
    return f"{n:,}"


def percent(share: float) -> str:
    """0.7291 -> "72.9 %"."""
    return f"{100 * share:.1f}{NBSP}%"


def interval(bounds: Mapping[str, Any]) -> str:
    """Of `low` and `high`: "68.0 to 77.1 %"."""
    return f"{100 * bounds['low']:.1f} to {percent(bounds['high'])}"


def points(difference: float) -> str:
    """A difference of shares: 0.156 -> "+15.6 points"."""
    size = f"{100 * abs(difference):.1f}"
    sign = "±" if size == "0.0" else "−" if difference < 0 else "+"
    return f"{sign}{size}{NBSP}points"


def p_value(p: float) -> str:
    """Two digits, and no more than can be meant."""
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def loss(value: float | None, measure: str) -> str:
    """In nats; by a metric it is 1 minus it, so of 1."""
    if value is None:
        return DASH
    return f"{value:.3f}{NBSP}{'nats' if measure == 'accuracy' else 'of 1'}"


def measured(name: str) -> str:
    """A metric's name as words: "rouge_l" -> "ROUGE-L"."""
    return MEASURES.get(name, name.replace("_", " "))


def sentence(words: str) -> str:
    """The first letter large, the others as they are: "not_measured" -> "Not measured"."""
    spaced = words.replace("_", " ")
    return spaced[:1].upper() + spaced[1:]


FILTERS = {
    "count": count,
    "percent": percent,
    "interval": interval,
    "points": points,
    "p_value": p_value,
    "loss": loss,
    "measured": measured,
    "sentence": sentence,
}
