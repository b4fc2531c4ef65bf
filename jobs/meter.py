"""The one place where queries are counted and the budget is kept."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from backends.base import (
    Backend,
    Generates,
    GivesFeatures,
    Query,
    RanksVocabulary,
    Thinking,
    Thinks,
)

T = TypeVar("T")

Around: TypeAlias = Callable[[object, str, int], AbstractContextManager[object]]

SLICE = 768  # queries between two looks at the stop signal: two or three seconds on two cores


class BudgetSpent(Exception):
    """The next call would go over the budget; none of it was sent. `wall` names what ran out."""

    def __init__(self, message: str, wall: str = "queries") -> None:
        super().__init__(message)
        self.wall = wall


def _go_on() -> None:
    """The default for `between`: nothing asks us to stop."""


def _unwatched(model: object, what: str, n_queries: int) -> AbstractContextManager[object]:
    """The default for `around`: nobody wants to know."""
    return nullcontext()


@dataclass(frozen=True)
class Writing:
    """How much a writer may write, and how freely."""

    max_tokens: int = 512  # of one answer
    temperature: float = 1.0  # 0: always the likeliest words


@dataclass
class Meter:
    """A backend that counts, around one that answers.

    A call is reserved whole before its first query is sent, so the budget is a wall; what
    a failed call did not get answered is given back.
    """

    backend: Backend
    budget: int  # queries
    spent: int = 0  # queries
    seconds: float = 0.0  # spent waiting for the models
    between: Callable[[], None] = _go_on  # called before each slice; may raise to stop
    writer: Generates | None = None  # who writes candidates; None: the backend itself, if it can
    ran_out: str = ""  # the wall that had no room for what was asked last; empty: none had
    around: Around = _unwatched  # each call of a model: which, the method's name, queries

    def afford(self, n_queries: int) -> None:
        """Nothing, if so many queries fit in what is left.

        Raises:
            BudgetSpent: they do not.
        """
        if self.spent + n_queries > self.budget:
            self.ran_out = "queries"
            raise BudgetSpent(f"{self.spent} of {self.budget} spent, {n_queries} more asked")

    def score(self, queries: Sequence[Query], labels: Sequence[str]) -> NDArray[np.float64]:
        """The backend's scores, float64 (n_queries, n_labels).

        Raises:
            BudgetSpent: the queries do not fit in what is left; nothing was asked.
        """
        scores = np.empty((len(queries), len(labels)))
        ask = partial(self.backend.score, labels=labels)
        counted = self._counted(queries, lambda part: ask(_at(queries, part)), "score")
        for part, answers in counted:
            scores[part] = answers
        return scores

    def generate(self, queries: Sequence[Query], *, max_tokens: int) -> list[str]:
        """The backend's own words for each query, at temperature 0; raises as `score`."""
        assert isinstance(self.backend, Generates)  # the job was admitted for it
        ask = partial(self.backend.generate, max_tokens=max_tokens)
        return self._gathered(queries, lambda part: ask(_at(queries, part)), "generate")

    def rank(self, queries: Sequence[Query], k: int) -> list[Mapping[str, float]]:
        """The `k` likeliest words for each query; raises as `score`."""
        assert isinstance(self.backend, RanksVocabulary)
        ask = partial(self.backend.rank, k=k)
        return self._gathered(queries, lambda part: ask(_at(queries, part)), "rank")

    def features(self, queries: Sequence[Query]) -> NDArray[np.float64]:
        """The backend's unit vectors, shape (n_queries, dim), one query each; raises as `score`."""
        backend = self.backend
        assert isinstance(backend, GivesFeatures)  # the job was admitted for it
        return np.stack(
            self._gathered(
                queries, lambda part: list(backend.features(_at(queries, part))), "features"
            )
        )

    def think(self, recipe: Thinking) -> float:
        """How far the keys and values were from the last pass's; one query, raises as `score`.

        A backend that has kept what one pass less has come to reads the demonstrations once. One
        that has not begins anew, at no cost: after a pause no pass is paid again.
        """
        backend = self.backend
        assert isinstance(backend, Thinks)  # the job was admitted for it
        query = Query("", thinking=recipe)
        [moved] = self._gathered([query], lambda part: list(backend.think([recipe])), "think")
        return float(moved)

    def write(
        self,
        requests: Sequence[str],
        samples: Sequence[int],
        writing: Writing = Writing(),
    ) -> list[str]:
        """The writer's answer to each request, one query each; raises as `score`.

        `samples` numbers the requests over the whole job: an equal number is an equal draw.
        """
        writer = self.writer or self.backend
        assert isinstance(writer, Generates)
        queries = [Query(request) for request in requests]
        ask = partial(
            writer.generate, max_tokens=writing.max_tokens, temperature=writing.temperature
        )
        return self._gathered(
            queries, lambda part: ask(_at(queries, part), samples=_at(samples, part)), "write"
        )

    def _gathered(
        self, queries: Sequence[Query], ask: Callable[[list[int]], Sequence[T]], what: str
    ) -> list[T]:
        answers: dict[int, T] = {}
        for part, some in self._counted(queries, ask, what):
            answers.update(zip(part, some, strict=True))
        return _at(answers, range(len(queries)))

    def _counted(
        self, queries: Sequence[Query], ask: Callable[[list[int]], T], what: str
    ) -> Iterator[tuple[list[int], T]]:
        """Asks slice by slice; yields the positions of each slice's queries and the answers."""
        self.afford(len(queries))
        self.spent += len(queries)  # reserve
        answered = 0
        try:
            for part in _slices(queries):
                self.between()
                yield part, self._timed(ask, part, what)
                answered += len(part)
        except BudgetSpent as error:
            self.ran_out = error.wall
            raise
        finally:
            self.spent -= len(queries) - answered  # settle

    def _timed(self, ask: Callable[[list[int]], T], part: list[int], what: str) -> T:
        asked = self.writer or self.backend if what == "write" else self.backend
        start = time.perf_counter()
        try:
            with self.around(asked, what, len(part)):
                return ask(part)
        finally:
            self.seconds += time.perf_counter() - start


def _at(items: Sequence[T] | Mapping[int, T], positions: Sequence[int]) -> list[T]:
    return [items[position] for position in positions]


def _slices(queries: Sequence[Query]) -> list[list[int]]:
    """Positions of the queries in runs of like length, so that a backend pads little."""
    lengths = [len(query.before) + len(query.after) for query in queries]
    order = sorted(range(len(queries)), key=lengths.__getitem__)
    return [order[start : start + SLICE] for start in range(0, len(order), SLICE)]
