"""How often a key may ask: a bucket of tokens each, in memory. No clock of its own, no HTTP."""

from dataclasses import dataclass


@dataclass
class Bucket:
    """Requests that may be sent at once; they come back with time."""

    left: float
    at: float  # seconds on the caller's clock


class Rates:
    """A bucket a key: full it holds the requests of a minute."""

    def __init__(self) -> None:
        self._buckets: dict[str, Bucket] = {}

    def wait(self, key: str, per_minute: int, at: float) -> float:
        """Takes a request out; where there is none left, the seconds until there is one again."""
        bucket = self._buckets.setdefault(key, Bucket(per_minute, at))
        grown = bucket.left + (at - bucket.at) * per_minute / 60
        bucket.left, bucket.at = min(per_minute, grown), at
        if bucket.left < 1:
            return (1 - bucket.left) * 60 / per_minute
        bucket.left -= 1
        return 0.0
