"""The search: ask, score, tell. No database, no clock, no threads, no HTTP."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from jobs.meter import BudgetSpent
from jobs.objective import Objective, Scored
from jobs.prompts import Prompt
from jobs.spaces import Space
from optimizers.base import Optimizer, mean_losses

S = TypeVar("S")


class NothingScored(Exception):
    """Every candidate of a generation failed: there is no loss to learn from."""


@dataclass(frozen=True)
class Incumbent:
    """The best prompt so far, by dev loss: the one that will be served."""

    prompt: Prompt
    generation: int
    train_loss: float  # nats
    dev_loss: float  # nats
    dev_accuracy: float


@dataclass(frozen=True)
class Champion:
    """The best of one generation by train loss, and how it did on dev."""

    train_loss: float
    train_accuracy: float
    population_loss: float  # mean over the candidates that did not fail
    dev_loss: float
    dev_accuracy: float


@dataclass(frozen=True)
class Generation(Generic[S]):
    """What happened in one round, and all that the next one needs."""

    number: int  # counted from 1; 0 is the start
    state: S
    incumbent: Incumbent | None = None
    champion: Champion | None = None
    internals: Mapping[str, float] | None = None  # what the optimizer says of itself


@dataclass(frozen=True, eq=False)
class Search(Generic[S]):
    """An optimizer, the space it searches, and the two splits it may see."""

    optimizer: Optimizer[S, Any]
    space: Space
    train: Objective
    dev: Objective
    afford: Callable[[int], None]  # raises BudgetSpent where so many queries do not fit

    def run(self, last: Generation[S]) -> Iterator[Generation[S]]:
        """Generation after generation, from `last` on, until the budget is spent.

        To pause, stop asking; to resume, pass back the last generation you were given.
        """
        try:
            while True:
                last = self.advance(last)
                yield last
        except BudgetSpent:
            return

    def advance(self, last: Generation[S]) -> Generation[S]:
        """One round: train losses move the optimizer, dev loss alone picks the incumbent."""
        number = last.number + 1
        trials = self.optimizer.ask(last.state)
        prompts = [self.space.decode(trial.candidate) for trial in trials]
        rows = [trial.rows for trial in trials]
        self.afford(sum(map(self.train.n_queries, rows)) + self.dev.n_queries(None))
        scored = self.train.score(list(zip(prompts, rows, strict=True)))
        losses = [each.losses for each in scored]
        means = mean_losses(losses)
        if not np.isfinite(means).any():
            raise NothingScored(f"all {len(means)} candidates of generation {number} failed")

        best = int(means.argmin())
        on_dev = self.dev.score([(prompts[best], None)])[0]
        state = self.optimizer.tell(last.state, trials, losses)
        return Generation(
            number,
            state,
            _better(last.incumbent, prompts[best], number, scored[best], on_dev),
            Champion(
                scored[best].loss,
                scored[best].accuracy,
                float(means[np.isfinite(means)].mean()),
                on_dev.loss,
                on_dev.accuracy,
            ),
            self.optimizer.describe(state),
        )


def _better(
    incumbent: Incumbent | None, prompt: Prompt, number: int, train: Scored, dev: Scored
) -> Incumbent:
    """The challenger if its dev loss is strictly lower, else the incumbent.

    A lost dev score counts as +inf: a first prompt without one is the first to be overtaken.
    """
    dev_loss = math.inf if math.isnan(dev.loss) else dev.loss
    if incumbent is not None and not dev_loss < incumbent.dev_loss:
        return incumbent
    return Incumbent(prompt, number, train.loss, dev_loss, dev.accuracy)
