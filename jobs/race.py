"""Several searches under one budget: successive halving on dev. Knows no method, no test split."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jobs import checkpoint, prompts
from jobs.meter import Meter
from jobs.objective import Objective
from jobs.search import Generation, Incumbent, NothingScored, Searching

Bytes: TypeAlias = NDArray[np.uint8]
Status: TypeAlias = Literal["racing", "out", "failed"]


@dataclass(frozen=True, eq=False)
class Kept:
    """A contender's own incumbent, as a checkpoint can hold it."""

    kind: prompts.Kind
    content: Bytes  # prompts.dumps
    generation: int
    train_loss: float  # nats, by the contender's loss
    dev_loss: float  # by the race's
    dev_accuracy: float


@dataclass(frozen=True, eq=False)
class Standing:
    """How one contender stands, and all that its search needs to go on."""

    state: Bytes  # checkpoint.dumps; nothing once it has left
    status: Status = "racing"
    number: int = 0  # of its own last generation
    best: tuple[Kept, ...] = ()  # its incumbent, once it has one
    queries: int = 0  # in all
    used: int = 0  # queries in this rung
    moves: int = 0  # generations in this rung

    @property
    def dev_loss(self) -> float:
        return self.best[0].dev_loss if self.best else math.inf


@dataclass(frozen=True, eq=False)
class RaceState:
    """All contenders, and how far the race has come."""

    standings: tuple[Standing, ...]
    rung: int = 0  # counted from 1; 0: not begun
    share: int = 0  # queries for each contender in this rung

    @property
    def racing(self) -> list[int]:
        return [i for i, standing in enumerate(self.standings) if standing.status == "racing"]

    def having(self, position: int, standing: Standing) -> "RaceState":
        """The state with one standing in place of another."""
        standings = (*self.standings[:position], standing, *self.standings[position + 1 :])
        return replace(self, standings=standings)


@dataclass(frozen=True, eq=False)
class Contender:
    """One search in a race."""

    search: Searching
    cost: int  # the most queries that one of its generations takes

    @cached_property
    def kind(self) -> type[Any]:
        return type(self.search.start().state)

    def enter(self) -> Standing:
        return Standing(_bytes(checkpoint.dumps(self.search.start().state)))

    def move(self, standing: Standing) -> Generation[Any] | None:
        """Its next generation; None: the budget is spent.

        Raises:
            NothingScored: all of its candidates failed.
        """
        state = checkpoint.loads(self.kind, standing.state.tobytes())
        best = _incumbent(standing.best[0]) if standing.best else None
        return next(iter(self.search.run(Generation(standing.number, state, best))), None)


@dataclass(frozen=True, eq=False)
class RaceSearch:
    """Successive halving (Jamieson and Talwalkar 2016, arXiv:1502.07943) of whole searches.

    Of n contenders the best ceil(n / eta) by dev loss go on to the next rung, until one is
    left. Each rung gets an equal share of the budget that is left when it begins, and each of its
    contenders an equal share of that; the last rung gets all. The contender with the fewest
    generations in a rung moves next. It begins none that could cost more than its share has left,
    but may always begin its first.

    Unlike the paper, what is shared out is queries, and a contender takes them by whole
    generations, so that shares are kept only roughly; and one that cannot go on leaves: its
    candidates all failed, its generation does not fit into the budget, or it has nothing to do.

    Args:
        contenders: two or more; they pick their incumbents by the loss of `dev`.
        eta: above 1.
    """

    contenders: tuple[Contender, ...]
    eta: int
    train: Objective
    dev: Objective
    meter: Meter

    def start(self) -> Generation[RaceState]:
        return Generation(0, RaceState(tuple(each.enter() for each in self.contenders)))

    def run(self, last: Generation[RaceState]) -> Iterator[Generation[RaceState]]:
        """As `Searching.run`; in each generation one contender moves. Ends early if none can.

        Raises:
            NothingScored: every contender has failed.
        """
        while (moved := self._advance(last)) is not None:
            yield moved
            last = moved

    def _advance(self, last: Generation[RaceState]) -> Generation[RaceState] | None:
        """The next generation of whoever can move; those that turn out not to leave the race."""
        state = last.state
        while state.racing:
            state, turn = self._with_a_turn(state)
            standing, spent = state.standings[turn], self.meter.spent
            found = self._try(turn, standing)
            queries = self.meter.spent - spent
            if isinstance(found, Generation):
                state = state.having(turn, _moved(standing, found, queries))
                return _generation(last, state, turn, found)
            left = _left(standing, found)
            state = state.having(turn, replace(left, queries=standing.queries + queries))
        if all(standing.status == "failed" for standing in state.standings):
            raise NothingScored("every contender has failed: all candidates of one generation")
        return None

    def _try(self, turn: int, standing: Standing) -> Generation[Any] | Status:
        """The contender's next generation, or how it ends: without budget, or with a failure."""
        try:
            return self.contenders[turn].move(standing) or "out"
        except NothingScored:
            return "failed"

    def _with_a_turn(self, state: RaceState) -> tuple[RaceState, int]:
        """The state in the first rung, from its own on, in which somebody can move, and who."""
        while (turn := self._turn(state)) is None:
            state = self._next_rung(state)
        return state, turn

    def _turn(self, state: RaceState) -> int | None:
        """Who moves next; None: nobody can in this rung. Who is alone goes on until the wall."""
        if state.rung == 0:
            return None
        if len(state.racing) == 1:
            return state.racing[0]
        able = [i for i in state.racing if self._has_share(i, state)]
        return min(able, key=lambda i: state.standings[i].moves, default=None)

    def _has_share(self, position: int, state: RaceState) -> bool:
        standing, cost = state.standings[position], self.contenders[position].cost
        return standing.moves == 0 or standing.used + cost <= state.share

    def _next_rung(self, state: RaceState) -> RaceState:
        ranked = sorted(state.racing, key=lambda i: state.standings[i].dev_loss)
        n_stay = len(ranked) if state.rung == 0 else math.ceil(len(ranked) / self.eta)
        for i in ranked[:n_stay]:
            state = state.having(i, replace(state.standings[i], used=0, moves=0))
        for i in ranked[n_stay:]:
            state = state.having(i, _left(state.standings[i], "out"))
        left = self.meter.budget - self.meter.spent
        share = left // n_rungs(n_stay, self.eta) // n_stay
        return replace(state, rung=state.rung + 1, share=share)


def n_rungs(n_contenders: int, eta: int) -> int:
    """ceil(log_eta n) + 1: how many rungs it takes until one of n is left, its own counted.

    >>> [n_rungs(n, 3) for n in (1, 2, 3, 4, 9, 10)]
    [1, 2, 2, 3, 3, 4]
    """
    return 1 if n_contenders == 1 else 1 + n_rungs(math.ceil(n_contenders / eta), eta)


def _moved(standing: Standing, found: Generation[Any], queries: int) -> Standing:
    assert found.incumbent is not None  # every generation but number 0 has one
    return replace(
        standing,
        state=_bytes(checkpoint.dumps(found.state)),
        number=found.number,
        best=(_kept(found.incumbent),),
        queries=standing.queries + queries,
        used=standing.used + queries,
        moves=standing.moves + 1,
    )


def _left(standing: Standing, status: Status) -> Standing:
    """It needs its state no more, which may be large."""
    return replace(standing, status=status, state=_bytes(b""))


def _generation(
    last: Generation[RaceState], state: RaceState, turn: int, found: Generation[Any]
) -> Generation[RaceState]:
    """What the race shows of one contender's move; its incumbent is the best of all."""
    number, best, challenger = last.number + 1, last.incumbent, found.incumbent
    assert challenger is not None
    if best is None or challenger.dev_loss < best.dev_loss:
        best = replace(challenger, generation=number)
    internals = {
        "moved": turn,
        "rung": state.rung,
        "racing": len(state.racing),
        "failed": sum(standing.status == "failed" for standing in state.standings),
        **{f"queries_{i}": standing.queries for i, standing in enumerate(state.standings)},
        **{f"dev_loss_{i}": standing.dev_loss for i, standing in enumerate(state.standings)},
    }
    return Generation(number, state, best, found.champion, internals)


def _kept(incumbent: Incumbent) -> Kept:
    return Kept(
        prompts.kind_of(incumbent.prompt),
        _bytes(prompts.dumps(incumbent.prompt)),
        incumbent.generation,
        incumbent.train_loss,
        incumbent.dev_loss,
        incumbent.dev_accuracy,
    )


def _incumbent(kept: Kept) -> Incumbent:
    return Incumbent(
        prompts.loads(kept.kind, kept.content.tobytes()),
        kept.generation,
        kept.train_loss,
        kept.dev_loss,
        kept.dev_accuracy,
    )


def _bytes(data: bytes) -> Bytes:
    return np.frombuffer(data, dtype=np.uint8)
