"""An account with hard walls, in memory: what the ledger of a job does, and nothing more."""

import threading
from collections.abc import Mapping, Sequence

from backends.base import Usage

NOTHING = Usage()


class Spent(Exception):
    """A wall is in the way."""


class Wallet:
    """Whoever would pass `most` in any of the four is refused; None: no wall."""

    def __init__(self, most: Usage | None = None) -> None:
        self.most = most
        self.spent = self.outstanding = NOTHING
        self.reserved = self.settled = self.recalls = 0
        self.kept: dict[str, str] = {}
        self._lock = threading.Lock()

    def recall(self, keys: Sequence[str]) -> Mapping[str, str]:
        self.recalls += 1
        return {key: self.kept[key] for key in keys if key in self.kept}

    def reserve(self, most: Usage) -> None:
        with self._lock:
            due = self.spent + self.outstanding + most
            if self.most is not None and not fits(due, self.most):
                raise Spent(f"{due} would pass {self.most}")
            self.outstanding += most
            self.reserved += 1

    def settle(self, reserved: Usage, spent: Usage, answer: tuple[str, str] | None = None) -> None:
        with self._lock:
            self.outstanding -= reserved
            self.spent += spent
            self.settled += 1
            if answer is not None:
                self.kept[answer[0]] = answer[1]


def fits(usage: Usage, most: Usage) -> bool:
    return (
        usage.requests <= most.requests
        and usage.tokens_in <= most.tokens_in
        and usage.tokens_out <= most.tokens_out
        and usage.cost <= most.cost
    )
