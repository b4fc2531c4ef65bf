"""How many requests one replica bears at a time, found by trying. A state machine: sends nothing.

The level doubles with every round of answers until one is refused, as TCP's slow start does.
Then the level of the refusal is remembered as the wall: up to a little below it the level comes
back at once, from there it rises by one a round, and well above, where no wall was, it doubles.
"""

import random
import time
from collections.abc import Callable

START = 4.0  # requests in flight at first
GENTLE = 0.05  # of the wall: by so much the level goes below it when it has been touched,
LEAST = 2.0  # and by so many requests at least
HARD = 0.5  # of the wall: where it goes when the gentle cut has not helped
BEYOND = 1.25  # of the wall: from here on it has moved
SHORTEST, LONGEST = 0.05, 5.0  # seconds of a pause that the server has not asked for


class Limiter:
    """Additive increase, multiplicative decrease (Chiu and Jain 1989), one cut a round.

    A request that was on its way when the level was cut says nothing new when it is refused.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._level = min(START, float(most))
        self._wall = float("inf")
        self._cut_at = float("-inf")
        self._answers = 0  # since the last cut
        self._in_vain = 0  # cuts in a row without an answer between
        self._refused_since: float | None = None
        self.in_flight = 0
        self.paused_until = float("-inf")

    @property
    def level(self) -> float:
        """Requests that may be in flight now, from 1 to the most."""
        return self._level

    @property
    def has_room(self) -> bool:
        return self.in_flight + 1 <= self._level and self._clock() >= self.paused_until

    @property
    def load(self) -> float:
        return self.in_flight / self._level

    @property
    def refusing(self) -> float:
        """Seconds for which every answer has been a refusal."""
        return 0.0 if self._refused_since is None else self._clock() - self._refused_since

    def begin(self) -> None:
        self.in_flight += 1

    def end(self) -> None:
        """A request is over; the outcome is told before."""
        self.in_flight -= 1

    def answered(self) -> None:
        self._answers += 1
        self._in_vain = 0
        self._refused_since = None
        if self.in_flight <= self._level / 2:
            return  # the level is not in use, so the answer does not prove it
        below = max(LEAST, GENTLE * self._wall)
        near = self._wall - below <= self._level <= BEYOND * self._wall
        self._level = min(float(self._most), self._level + (1 / self._level if near else 1.0))

    def refused(self, began: float, wait: float | None = None) -> None:
        """A request that began at this time of the clock was too much.

        `wait` is for how many seconds the server wants to be left alone.
        """
        now = self._clock()
        if self._refused_since is None:
            self._refused_since = now
        if wait is not None:
            self.pause(wait)
        if began <= self._cut_at:
            return
        helped = self._wall == float("inf") or self._answers >= self._level
        self._wall = max(1.0, min(self._level, float(self.in_flight)))
        below = max(LEAST, GENTLE * self._wall) if helped else HARD * self._wall
        self._level = max(1.0, self._wall - below)
        if self._answers == 0:
            self._in_vain += 1
            if wait is None:
                self.pause(_backoff(self._in_vain))
        self._answers = 0
        self._cut_at = now

    def pause(self, seconds: float) -> None:
        """Nothing more is sent for so long."""
        self.paused_until = max(self.paused_until, self._clock() + seconds)


def _backoff(in_vain: int) -> float:
    longest = min(LONGEST, SHORTEST * 2.0 ** min(in_vain, 16))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311
