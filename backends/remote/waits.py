"""How long a server wants to be left alone, read off the headers of its answer."""

import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "": 1.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|)")


def asked_for(headers: Mapping[str, str]) -> float | None:
    """Seconds that a refusal asks for: `retry-after-ms`, `retry-after`, else a limit's reset."""
    if (milliseconds := duration(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    if (seconds := duration(headers.get("retry-after"))) is not None:
        return seconds
    if (seconds := _until(headers.get("retry-after"))) is not None:
        return seconds
    return until_reset(headers)


def until_reset(headers: Mapping[str, str], tokens: int = 1) -> float | None:
    """Seconds until requests or tokens that have run out are there again; None: none have.

    `tokens` is how many the next request may need.
    """
    waits = [
        duration(headers.get(f"x-ratelimit-reset-{what}"))
        for what, needed in (("requests", 1), ("tokens", tokens))
        if (left := _number(headers.get(f"x-ratelimit-remaining-{what}"))) is not None
        and left < needed
    ]
    return max((wait for wait in waits if wait is not None), default=None)


def duration(text: str | None) -> float | None:
    """Seconds of "1.5", "1s", "6m0s" or "200ms"; None: it is no duration."""
    parts = _PART.findall(text.strip()) if text else []
    if not text or not parts or "".join(map("".join, parts)) != text.strip():
        return None
    if len(parts) > 1 and any(unit == "" for _, unit in parts):
        return None
    return math.fsum(float(number) * _SECONDS[unit] for number, unit in parts)


def _until(text: str | None) -> float | None:
    """Seconds until an HTTP date."""
    try:
        return max(0.0, parsedate_to_datetime(text or "").timestamp() - time.time())
    except (ValueError, OverflowError, OSError):
        return None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
