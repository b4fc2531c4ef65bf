"""Leaves a replica out for a while after it has failed. A state machine: no clock of its own."""

import time
from collections.abc import Callable

FAILURES = 5  # in a row, and the replica is left out,
SPAN = 1.0  # seconds at least after the first of them: a restart fails many requests at once
COOL = 5.0  # seconds it is then left out, doubled each time that the trial fails
LONGEST = 60.0  # seconds


class Breaker:
    """Closed: requests pass. Open: none. Half open: one passes, and decides.

    Requests that were on their way together fail together; that counts as one failure.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._failed_at = self._failing_since = float("-inf")
        self._cool = COOL
        self._open_until: float | None = None  # None: closed
        self._on_trial = False
        self.last = ""  # what happened, in words

    @property
    def is_open(self) -> bool:
        return self._open_until is not None and self._clock() < self._open_until

    @property
    def lets_pass(self) -> bool:
        return self._open_until is None or not (self.is_open or self._on_trial)

    @property
    def open_until(self) -> float:
        """When the trial may start."""
        return float("-inf") if self._open_until is None else self._open_until

    @property
    def failures(self) -> int:
        """In a row, up to now."""
        return self._failures

    def begin(self) -> None:
        """A request that was let pass is sent."""
        self._on_trial = self._open_until is not None

    def end(self) -> None:
        """It is over, whatever became of it; the outcome is told before."""
        self._on_trial = False

    def answered(self) -> None:
        self._failures, self._cool, self._open_until = 0, COOL, None

    def failed(self, began: float, what: str) -> None:
        """A request that began at this time of the clock has failed."""
        self.last = what
        if began <= self._failed_at:
            return
        self._failed_at = self._clock()
        if self._failures == 0:
            self._failing_since = self._failed_at
        self._failures += 1
        if self._open_until is not None:
            self._cool = min(2 * self._cool, LONGEST)
            self.trip(self._cool, what)
        elif self._failures >= FAILURES and self._failed_at >= self._failing_since + SPAN:
            self.trip(self._cool, what)

    def trip(self, seconds: float, what: str) -> None:
        """Leaves the replica out for so long, at once."""
        self.last = what
        self._open_until = self._clock() + seconds
