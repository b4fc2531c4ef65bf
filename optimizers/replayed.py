"""Stateful ask/tell libraries as pure optimizers, by replaying. Holds no library, no pickle."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from optimizers.base import Losses, Trial, mean_losses

Vector = NDArray[np.float64]  # shape (dim,)
History = NDArray[np.float64]  # shape (n_generations, population_size), nats; +inf: failed
LARGEST = float(np.finfo(np.float64).max)


class Live(Protocol):
    """A library's object, which changes as it is used; all it ever draws follows from its seed."""

    def ask(self) -> list[Vector]:
        """Return the next population. Asked again without a tell, it draws another one."""
        ...

    def tell(self, candidates: list[Vector], losses: Losses) -> None:
        """Learn: `candidates` are the arrays last asked for, `losses` finite, shape (n,), nats."""
        ...

    def describe(self) -> Mapping[str, float]: ...


@dataclass(frozen=True, eq=False)
class ReplayedState:
    """The seed and what was told so far; all else is asked and told again from these."""

    seed: int
    losses: History


@dataclass(frozen=True, eq=False)
class _Reached:
    """A live object that stands at `state` and has been asked for the population there."""

    state: ReplayedState
    live: Live
    population: list[Vector]  # the library's own arrays
    trials: tuple[Trial[Vector], ...]  # copies of them, read-only
    numbers: dict[str, float]

    def stands_at(self, state: ReplayedState) -> bool:
        mine, theirs = self.state.losses, state.losses
        return self.state.seed == state.seed and (
            mine is theirs or (mine.shape == theirs.shape and np.array_equal(mine, theirs))
        )


@dataclass(frozen=True, eq=False)
class Replayed:
    """Makes the library object of `make(seed)` an `Optimizer[ReplayedState, Vector]`.

    A state holds no library object. The objects in use are a memo on the adapter: the state just
    told is answered from it, any other state (an old one, or one read back from disk) by a fresh
    object that is asked and told from the first generation on. Both give the same bytes, if
    the library is a function of its seed and its losses, and if numpy, its BLAS, the library, the
    processor and the number of BLAS threads are those of the first run.

    A failed trial (any row nan or infinite) is told as `worst + max(1, |worst|)`, `worst` being
    the largest finite loss of its generation: finite, and worse than all that did not fail. A
    generation in which all failed is not told at all. It still counts: the next population is a
    new draw from the same distribution, so that a job cannot hang on one bad population.

    Args:
        make: seed -> a new library object. Called with the same seed, it gives an equal one.
        population_size: trials in one generation, which is what the object's `ask` returns.
        keep: most live objects kept, 1 or more, the last used ones. Runs that take turns on one
            adapter (one per layer, say) need one each, or every turn is a replay.

    Not for several threads at once.
    """

    make: Callable[[int], Live]
    population_size: int
    keep: int = 32
    _memo: list[_Reached] = field(default_factory=list, init=False, repr=False)

    def init(self, seed: int) -> ReplayedState:
        """Return the state before the first generation.

        Raises:
            ValueError: `seed` is negative.
        """
        if seed < 0:
            raise ValueError(f"seed is {seed}, it must be 0 or more")
        return ReplayedState(seed, _frozen(np.empty((0, self.population_size))))

    def ask(self, state: ReplayedState) -> list[Trial[Vector]]:
        """Return the population at `state`, its candidates read-only, shape (dim,).

        Raises:
            ValueError: `state` belongs to another population size.
        """
        return list(self._reach(state).trials)

    def tell(
        self,
        state: ReplayedState,
        trials: Sequence[Trial[Vector]],
        losses: Sequence[Losses],
    ) -> ReplayedState:
        """Return the state after `losses`, shape (n_rows,) each, of the trials asked at `state`.

        Raises:
            ValueError: `trials` are not those of `ask(state)`, all of them and in their order,
                or there is not one array of losses for each.
        """
        reached = self._reach(state)
        _check(reached.trials, trials, losses)
        with np.errstate(invalid="ignore"):  # a row of +inf and -inf: nan, so a failed trial
            means = mean_losses(losses)
        row = np.where(np.isfinite(means), means, np.inf)
        self._memo.remove(reached)  # first: it is of no use if the library fails half-way
        _learn(reached.live, reached.population, row)
        told = ReplayedState(state.seed, _frozen(np.vstack([state.losses, row])))
        self._remember(told, reached.live)
        return told

    def describe(self, state: ReplayedState) -> Mapping[str, float]:
        return dict(self._reach(state).numbers)

    def _reach(self, state: ReplayedState) -> _Reached:
        for reached in reversed(self._memo):
            if reached.stands_at(state):
                self._memo.remove(reached)
                self._memo.append(reached)
                return reached
        if state.losses.ndim != 2 or state.losses.shape[1] != self.population_size:
            raise ValueError(
                f"the state's losses have shape {state.losses.shape}, this optimizer's have "
                f"(n_generations, {self.population_size})"
            )
        live = self.make(state.seed)
        for row in state.losses:
            _learn(live, live.ask(), row)
        return self._remember(ReplayedState(state.seed, _frozen(state.losses)), live)

    def _remember(self, state: ReplayedState, live: Live) -> _Reached:
        population = live.ask()
        if len(population) != self.population_size:
            raise ValueError(f"asked for {self.population_size} candidates, got {len(population)}")
        trials = tuple(Trial(_frozen(candidate)) for candidate in population)
        # after the ask, which may bring the library up to date (pycma's eigendecomposition)
        reached = _Reached(state, live, population, trials, dict(live.describe()))
        self._memo.append(reached)
        del self._memo[: -self.keep]
        return reached


def _learn(live: Live, population: list[Vector], row: Losses) -> None:
    finite = row[np.isfinite(row)]
    if finite.size == 0:
        return
    worst = float(finite.max())
    failed = min(worst + max(1.0, abs(worst)), LARGEST)
    live.tell(population, np.where(np.isfinite(row), row, failed))


def _check(
    asked: Sequence[Trial[Vector]], told: Sequence[Trial[Vector]], losses: Sequence[Losses]
) -> None:
    if not len(asked) == len(told) == len(losses):
        raise ValueError(
            f"asked for {len(asked)} trials, told of {len(told)} with {len(losses)} losses"
        )
    for i, (mine, theirs) in enumerate(zip(asked, told, strict=True)):
        if mine is not theirs and not np.array_equal(mine.candidate, theirs.candidate):
            raise ValueError(f"trial {i} is not the one that `ask` gives for this state")


def _frozen(array: NDArray[np.float64]) -> NDArray[np.float64]:
    copy = np.array(array, dtype=np.float64, order="C")
    copy.setflags(write=False)
    return copy
