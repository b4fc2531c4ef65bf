"""What every rung of the ladder is: a way to ask for label scores, in rounds of requests."""

from collections.abc import Callable, Generator, Sequence
from math import exp, log
from typing import Any, Protocol

from backends.base import Query
from backends.remote.parsing import Position
from backends.remote.pool import Request

Send = Callable[[Sequence[Request[Any]]], list[Any]]
Asking = Generator[list[Request[Any]], list[Any], list[float]]

NO_AFTER = "a text after the label is only read by the rung 'sequence'"
NO_BEFORE = "a completion needs a text before the label"

_MASS = 1e-10  # of a distribution, the least that rounding may leave to tokens not listed


class Rung(Protocol):
    """One way to score labels."""

    @property
    def name(self) -> str:
        """Its key in registry.RUNGS."""
        ...

    def refuses(self, queries: Sequence[Query], labels: Sequence[str]) -> str | None:
        """Why these labels cannot be scored on it; None: they can."""
        ...

    def asks(self, query: Query, labels: Sequence[str]) -> Asking:
        """Yields requests, is sent their answers, returns nats for each label, in order."""
        ...


def together(askings: Sequence[Asking], send: Send) -> list[list[float]]:
    """Runs many askings side by side: one `send` a round, with all that is to be asked in it."""
    scores: list[list[float]] = [[] for _ in askings]
    waiting: dict[int, list[Request[Any]]] = {}

    def go_on(index: int, answers: list[Any] | None) -> None:
        try:
            asking = askings[index]
            waiting[index] = next(asking) if answers is None else asking.send(answers)
        except StopIteration as end:
            scores[index] = end.value

    for index in range(len(askings)):
        go_on(index, None)
    while waiting:
        asked, waiting = waiting, {}
        answers = iter(send([request for requests in asked.values() for request in requests]))
        for index, requests in asked.items():
            go_on(index, [next(answers) for _ in requests])
    return scores


def after_refused(queries: Sequence[Query]) -> str | None:
    return NO_AFTER if any(query.after.strip() for query in queries) else None


def before_refused(queries: Sequence[Query]) -> str | None:
    return NO_BEFORE if any(not query.before.strip() for query in queries) else None


def floor(position: Position) -> float:
    """Nats of a token that is not listed: no more than any that is, nor than all that is left.

    min(lowest listed log-probability, log(1 - sum of the listed probabilities)).
    """
    values = [value for _, value in position.top]
    left = 1.0 - sum(map(exp, values))
    return min([*values, log(max(left, _MASS))])
