"""What a job has spent on an API, and the walls it never passes. No SQL: that is `Accounts`."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from backends.base import Usage
from jobs.accounts import Accounts, usage_of
from jobs.meter import BudgetSpent
from jobs.spec import CacheMode

AHEAD = 32  # requests whose price one write to the database may set aside in advance
EVERY = 0.5  # seconds; at the latest after as long, what was settled is written down
MANY = 256  # answers; at the latest with as many, they are written down
NOTHING = Usage()
PICO = 10**12  # costs are whole numbers of 1 / PICO of the currency


@dataclass(frozen=True)
class Walls:
    """The most a job may spend; None: no wall."""

    tokens: int | None = None  # read and written
    cost: int | None = None  # 1 / PICO of the endpoint's currency

    def passed_by(self, usage: Usage) -> str | None:
        """The name of a wall that this much would go over."""
        if self.tokens is not None and usage.tokens_in + usage.tokens_out > self.tokens:
            return "tokens"
        if self.cost is not None and usage.cost > self.cost:
            return "cost"
        return None


class Ledger:
    """An account: reserved before each request, settled after it, by any number of threads.

    What is written down never falls short of what is spent: a request is only let go once the
    database says that its price is set aside. After a crash what was set aside counts as spent,
    since nobody knows which of those requests were billed.
    """

    def __init__(
        self,
        accounts: Accounts,
        job_id: str,
        attempt: int,
        walls: Walls,
        cache: CacheMode = "read",
        look_up: Callable[[], None] = lambda: None,
    ) -> None:
        """`look_up` is called before each request and may raise, so that nothing more is sent."""
        self._accounts, self._job_id, self._attempt = accounts, job_id, attempt
        self._walls, self._cache, self.look_up = walls, cache, look_up
        self.held_requests = 0  # requests to come that must stay affordable: the report's
        row = accounts.open(job_id, attempt)
        self.spent = usage_of(row)
        self.recalled = row.recalled  # answers that were remembered, and so cost nothing
        self._outstanding = NOTHING  # reserved and not yet settled
        self._written = self.spent  # in the database: spent and set aside together
        self._largest = NOTHING  # what one request was billed at most
        self._answers: dict[str, str] = {}
        self._saved_at = time.monotonic()
        self._dirty = False
        self._lock = threading.Lock()

    def recall(self, keys: Sequence[str]) -> Mapping[str, str]:
        if self._cache != "read":
            return {}
        with self._lock:
            found = {key: self._answers[key] for key in keys if key in self._answers}
        found |= self._accounts.recall([key for key in keys if key not in found])
        with self._lock:
            self.recalled += len(found)
            self._dirty = self._dirty or bool(found)
        return found

    def reserve(self, most: Usage) -> None:
        """Sets the most one request can cost aside.

        Raises:
            BudgetSpent: it could pass a wall.
        """
        self.look_up()
        with self._lock:
            due = self.spent + self._outstanding + most
            if wall := self._walls.passed_by(due + self._held()):
                raise BudgetSpent(f"the next request could pass the wall of {wall}", wall)
            self._outstanding += most
            if not _covers(self._written, due):
                self._save(ahead=most)

    def settle(self, reserved: Usage, spent: Usage, answer: tuple[str, str] | None = None) -> None:
        with self._lock:
            self._outstanding -= reserved
            self.spent += spent
            self._largest = _larger(self._largest, spent)
            self._dirty = True
            if answer is not None and self._cache != "off":
                self._answers[answer[0]] = answer[1]
            late = time.monotonic() - self._saved_at > EVERY or len(self._answers) >= MANY
            if late or not _covers(self._written, self.spent + self._outstanding):
                self._save()

    def flush(self) -> None:
        """Writes down all that is settled; what is still under way stays set aside."""
        with self._lock:
            if self._dirty:
                self._save()

    def _held(self) -> Usage:
        """What the report may cost, judged by the dearest request so far."""
        return _times(self._largest, self.held_requests)

    def _save(self, ahead: Usage = NOTHING) -> None:
        due = self.spent + self._outstanding
        aside = self._outstanding + _times(ahead, self._room(due, ahead))
        values = {
            "requests": self.spent.requests,
            "recalled": self.recalled,
            "tokens_in": self.spent.tokens_in,
            "tokens_out": self.spent.tokens_out,
            "cost": self.spent.cost,
            "aside_tokens_in": aside.tokens_in,
            "aside_tokens_out": aside.tokens_out,
            "aside_cost": aside.cost,
        }
        self._accounts.save(self._job_id, self._attempt, values, self._answers)
        self._written = self.spent + aside
        self._answers = {}
        self._dirty = self._outstanding != NOTHING
        self._saved_at = time.monotonic()

    def _room(self, due: Usage, each: Usage) -> int:
        """How many more requests like `each` stay within the walls, at most AHEAD."""
        if each == NOTHING:
            return 0
        low, high = 0, AHEAD
        while low < high:
            middle = (low + high + 1) // 2
            fits = self._walls.passed_by(due + _times(each, middle)) is None
            low, high = (middle, high) if fits else (low, middle - 1)
        return low


def _covers(written: Usage, due: Usage) -> bool:
    return (
        written.tokens_in >= due.tokens_in
        and written.tokens_out >= due.tokens_out
        and written.cost >= due.cost
    )


def _times(usage: Usage, n: int) -> Usage:
    return Usage(n * usage.requests, n * usage.tokens_in, n * usage.tokens_out, n * usage.cost)


def _larger(one: Usage, other: Usage) -> Usage:
    return Usage(
        max(one.requests, other.requests),
        max(one.tokens_in, other.tokens_in),
        max(one.tokens_out, other.tokens_out),
        max(one.cost, other.cost),
    )
