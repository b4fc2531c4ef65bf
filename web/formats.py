"""Values as people read them: with their unit, and a dash where nothing is known."""

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import wraps
from typing import Any

from web.words import MEASURES

DASH = "–"
NBSP = "\N{NO-BREAK SPACE}"


def known(write: Callable[..., str]) -> Callable[..., str]:
    """A dash in place of what nobody knows."""

    @wraps(write)
    def written(value: Any, *more: Any) -> str:
        return DASH if value is None else write(value, *more)

    return written


@known
def count(n: float) -> str:
    """12345 -> "12,345"."""
    return f"{n:,.0f}"


def counted(n: float, noun: str) -> str:
    """1, "row" -> "1 row"."""
    return f"{count(n)}{NBSP}{noun}{'' if n == 1 else 's'}"


@known
def number(x: float) -> str:
    """Three digits: 0.012345 -> "0.0123"."""
    return f"{x:.3g}" if abs(x) < 1000 else count(x)


@known
def percent(share: float) -> str:
    """0.7291 -> "72.9 %"."""
    return f"{100 * share:.1f}{NBSP}%"


@known
def interval(bounds: Mapping[str, Any]) -> str:
    """Of `low` and `high`: "68.0 to 77.1 %"."""
    return f"{100 * bounds['low']:.1f} to {percent(bounds['high'])}"


@known
def points(difference: float) -> str:
    """A difference of shares: 0.156 -> "+15.6 points"."""
    size = f"{100 * abs(difference):.1f}"
    sign = "±" if size == "0.0" else "−" if difference < 0 else "+"
    return f"{sign}{size}{NBSP}points"


@known
def p_value(p: float) -> str:
    """Two digits, and no more than can be meant."""
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


@known
def loss(value: float, measure: str) -> str:
    """In nats; by a metric it is 1 minus it, so of 1."""
    return f"{value:.3f}{NBSP}{'nats' if measure == 'accuracy' else 'of 1'}"


@known
def money(sum_: float) -> str:
    """Two digits after the point, or as many as show three that count: "12.35", "0.00123"."""
    digits = max(2, 2 - math.floor(math.log10(sum_))) if sum_ > 0 else 2
    return f"{sum_:,.{digits}f}"


@known
def speed(rate: float) -> str:
    """Queries a second."""
    return f"{count(rate)}{NBSP}queries/s"


@known
def duration(seconds: float) -> str:
    """65.3 -> "1 min 5 s"."""
    if seconds < 9.95:
        return f"{seconds:.1f}{NBSP}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{rest}{NBSP}s"
    if minutes < 60:
        return f"{minutes}{NBSP}min{NBSP}{rest}{NBSP}s"
    return f"{minutes // 60}{NBSP}h{NBSP}{minutes % 60}{NBSP}min"


@known
def moment(iso: str) -> str:
    """An instant in full: "2026-11-21 14:05:10 UTC"."""
    return datetime.fromisoformat(iso).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


@known
def ago(iso: str) -> str:
    """An instant as the time that has gone by since, or is still to go."""
    seconds = (datetime.now(UTC) - datetime.fromisoformat(iso)).total_seconds()
    if seconds < -1:
        return f"in {duration(-seconds)}"
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{seconds // 60:.0f}{NBSP}min ago"
    return f"{seconds // 3600:.0f}{NBSP}h ago" if seconds < 86_400 else iso[:10]


def price(options: Mapping[str, Any]) -> str | None:
    """Of 10^6 tokens, of an endpoint's options: "0.1 read, 0.4 written (USD)"; None: not known."""
    sides = (("input_price", "read"), ("output_price", "written"))
    told = [f"{options[key]:g} {side}" for key, side in sides if options.get(key) is not None]
    return f"{', '.join(told)} ({options.get('currency') or 'USD'})" if told else None


def spaced(names: str | Iterable[str]) -> str:
    """Identifiers as words: ["text_prompts"] -> "text prompts"."""
    return ", ".join([names] if isinstance(names, str) else names).replace("_", " ")


def measured(name: str) -> str:
    """A metric's name as words: "rouge_l" -> "ROUGE-L"."""
    return MEASURES.get(name, name.replace("_", " "))


def sentence(words: str) -> str:
    """The first letter large, the others as they are: "not_measured" -> "Not measured"."""
    spaced_ = words.replace("_", " ")
    return spaced_[:1].upper() + spaced_[1:]


FILTERS: dict[str, Callable[..., str | None]] = {
    "count": count,
    "counted": counted,
    "number": number,
    "percent": percent,
    "interval": interval,
    "points": points,
    "p_value": p_value,
    "loss": loss,
    "money": money,
    "speed": speed,
    "duration": duration,
    "moment": moment,
    "ago": ago,
    "price": price,
    "spaced": spaced,
    "measured": measured,
    "sentence": sentence,
}
