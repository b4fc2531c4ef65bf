"""The contract every optimizer keeps: pure functions over one state. No model, no database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

State = TypeVar("State")
Candidate = TypeVar("Candidate")
Losses = NDArray[np.float64]  # shape (n_rows,), nats; lower is better; nan: the query failed


@dataclass(frozen=True, eq=False)
class Trial(Generic[Candidate]):
    """One candidate and the training rows to score it on (None: every row)."""

    candidate: Candidate
    rows: tuple[int, ...] | None = None


class Optimizer(Protocol[State, Candidate]):
    """Proposes candidates, learns from their losses; never evaluates anything.

    All methods are pure: the same state gives the same trials, so a population lost in a
    crash is asked for again and is the same population.
    """

    def init(self, seed: int) -> State: ...

    def ask(self, state: State) -> list[Trial[Candidate]]: ...

    def tell(
        self,
        state: State,
        trials: Sequence[Trial[Candidate]],
        losses: Sequence[Losses],
    ) -> State: ...

    def describe(self, state: State) -> Mapping[str, float]:
        """The optimizer's inner numbers worth a look, by name: `sigma`, for instance."""
        ...


@runtime_checkable
class Chooses(Protocol):
    """An optimizer that names its own favorite, where one generation's lowest loss misleads.

    Racing, annealing and policies do: their trials meet different rows, or are draws.
    """

    def choice(self, state: Any) -> int | None:
        """After `tell`, the position among the generation's trials of the one to try on dev.

        None: the one with the lowest loss.
        """
        ...


@runtime_checkable
class Staged(Protocol):
    """An optimizer whose generation asks several times: pilots first, and then the rest."""

    def unfinished(self, state: Any) -> bool:
        """After `tell`: whether the generation goes on with another `ask`."""
        ...


@runtime_checkable
class Writes(Protocol):
    """An optimizer whose candidates are written by a language model, before each `ask`."""

    def requests(self, state: Any) -> Sequence[str]:
        """What to ask of the writer, one text each; none: `ask` can go on without."""
        ...

    def hear(self, state: Any, texts: Sequence[str]) -> Any:
        """The state after the writer's answers, in the requests' order; an answer may be empty."""
        ...


def noise(seed: int, generation: int, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Standard normal draws, shape `shape`, a function of (seed, generation) alone."""
    return np.random.default_rng((seed, generation)).standard_normal(shape)


def mean_losses(losses: Sequence[Losses]) -> NDArray[np.float64]:
    """Mean loss of each trial, shape (n_trials,); a failed trial counts as +inf."""
    means = np.array([row.mean() for row in losses])
    return np.where(np.isnan(means), np.inf, means)
