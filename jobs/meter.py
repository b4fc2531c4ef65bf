"""The one place where queries are counted and the budget is kept."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.base import Backend, Query

SLICE = 768  # queries between two looks at the stop signal: two or three seconds on two cores


class BudgetSpent(Exception):
    """The next call would go over the budget; none of it was sent."""


def _go_on() -> None:
    """The default for `between`: nothing asks us to stop."""


@dataclass
class Meter:
    """A backend that counts, around one that answers.

    A call is reserved whole before its first query is sent, so the budget is a wall; what
    a failed call did not get answered is given back.
    """

    backend: Backend
    budget: int  # queries
    spent: int = 0  # queries
    seconds: float = 0.0  # spent waiting for the model
    between: Callable[[], None] = _go_on  # called before each slice; may raise to stop

    def afford(self, n_queries: int) -> None:
        """Nothing, if so many queries fit in what is left.

        Raises:
            BudgetSpent: they do not.
        """
        if self.spent + n_queries > self.budget:
            raise BudgetSpent(f"{self.spent} of {self.budget} spent, {n_queries} more asked")

    def score(self, queries: Sequence[Query], labels: Sequence[str]) -> NDArray[np.float64]:
        """The backend's scores, float64 (n_queries, n_labels).

        Raises:
            BudgetSpent: the queries do not fit in what is left; nothing was asked.
        """
        self.afford(len(queries))
        self.spent += len(queries)  # reserve
        answered = 0
        try:
            scores = np.empty((len(queries), len(labels)))
            for part in _slices(queries):
                self.between()
                scores[part] = self._timed([queries[i] for i in part], labels)
                answered += len(part)
            return scores
        finally:
            self.spent -= len(queries) - answered  # settle

    def _timed(self, queries: list[Query], labels: Sequence[str]) -> NDArray[np.float64]:
        start = time.perf_counter()
        try:
            return self.backend.score(queries, labels)
        finally:
            self.seconds += time.perf_counter() - start


def _slices(queries: Sequence[Query]) -> list[list[int]]:
    """Positions of the queries in runs of like length, so that a backend pads little."""
    lengths = [len(query.before) + len(query.after) for query in queries]
    order = sorted(range(len(queries)), key=lengths.__getitem__)
    return [order[start : start + SLICE] for start in range(0, len(order), SLICE)]
