"""Numbers, times and other people's text as a terminal shows them. It prints nothing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from math import floor, log10


def printable(text: str) -> str:
    """Take out what would steer a terminal; labels and messages are other people's text.

    Example:
        >>> printable("re\\x1b[31md")
        're\ufffd[31md'
    """
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)


def number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def duration(seconds: float) -> str:
    """Say a time as people do.

    Example:
        >>> duration(7.4), duration(75), duration(3 * 3600 + 120)
        ('7 s', '1 min 15 s', '3 h 2 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def clock(at: datetime) -> str:
    """Say an instant of today, in this machine's time zone: '14:05:10'."""
    return at.astimezone().strftime("%H:%M:%S")


def day(at: datetime | None) -> str:
    """Say an instant to the minute, in this machine's time zone; '-' if there is none."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M") if at else "-"


def money(amount: float, currency: str = "") -> str:
    """Say a sum with its currency: two decimals, and more where it is small.

    Example:
        >>> money(12.3456, "USD"), money(0.001234, "EUR"), money(0.0)
        ('12.35 USD', '0.00123 EUR', '0.00')
    """
    decimals = 2 - min(0, floor(log10(amount))) if amount > 0 else 2
    return f"{amount:,.{decimals}f} {currency}".rstrip()


def spaced(names: Iterable[str]) -> str:
    """Say names of the service as words.

    Example:
        >>> spaced(["text_prompts", "generation"])
        'text prompts, generation'
    """
    return ", ".join(names).replace("_", " ") or "-"
