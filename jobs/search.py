"""The search: ask, score, tell. No database, no clock, no threads, no HTTP."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from jobs.meter import BudgetSpent, Meter, Writing
from jobs.objective import Objective, Scored
from jobs.prompts import Prompt, words_of
from jobs.spaces import Space, decode_all
from optimizers.allocation import Allocates
from optimizers.base import Chooses, Losses, Optimizer, Staged, Trial, Writes, mean_losses

S = TypeVar("S")

SAMPLES = 1_000_000  # most requests to the writer in one generation: their numbers never meet


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
    text: str | None = None  # its words, of a text prompt


@dataclass(frozen=True)
class Generation(Generic[S]):
    """What happened in one round, and all that the next one needs."""

    number: int  # counted from 1; 0 is the start
    state: S
    incumbent: Incumbent | None = None
    champion: Champion | None = None
    internals: Mapping[str, float] | None = None  # what the optimizer says of itself
    allocation: Mapping[int, int] | None = None  # queries of each train row, where it shares out


class Searching(Protocol):
    """What a runner drives: a search that can be left after any generation and taken up again."""

    @property
    def dev(self) -> Objective:
        """The rows that pick the incumbent, and the loss they are measured by."""
        ...

    @property
    def train(self) -> Objective: ...

    def start(self) -> Generation[Any]:
        """Before the first generation: nothing asked yet."""
        ...

    def run(self, last: Generation[Any]) -> Iterator[Generation[Any]]:
        """Generation after generation, from `last` on, until the budget is spent.

        To pause, stop asking; to resume, pass back the last generation you were given.
        """
        ...


class OnDev(NamedTuple):
    """One prompt on the dev split."""

    loss: float
    accuracy: float


@dataclass(frozen=True, eq=False)
class _Population:
    """What was asked in one generation, and what came of it."""

    trials: list[Trial[Any]]
    prompts: list[Prompt]
    scored: list[Scored]

    @cached_property
    def means(self) -> Losses:
        """Mean loss of each trial, shape (n_trials,); +inf: it failed."""
        return mean_losses([each.losses for each in self.scored])

    @property
    def mean_loss(self) -> float:
        """Over the trials that did not fail; nan: each has lost a row."""
        finite = self.means[np.isfinite(self.means)]
        return float(finite.mean()) if finite.size else math.nan


@dataclass(frozen=True, eq=False)
class Search(Generic[S]):
    """An optimizer, the space it searches, and the two splits it may see."""

    optimizer: Optimizer[S, Any]
    space: Space
    train: Objective
    dev: Objective
    meter: Meter
    seed: int
    writing: Writing = Writing()

    def start(self) -> Generation[S]:
        return Generation(0, self.optimizer.init(self.seed))

    def run(self, last: Generation[S]) -> Iterator[Generation[S]]:
        """As `Searching.run`."""
        try:
            while True:
                last = self.advance(last)
                yield last
        except BudgetSpent:
            return

    def advance(self, last: Generation[S]) -> Generation[S]:
        """One round: train losses move the optimizer, dev loss alone picks the incumbent."""
        number = last.number + 1
        state, found = self._asked(self._written(last.state, number), number)
        champion, on_train = self._champion(state, found)
        on_dev = self._on_dev(champion, last.incumbent)
        return Generation(
            number,
            state,
            _better(last.incumbent, champion, number, on_train, on_dev),
            Champion(
                on_train.loss,
                on_train.accuracy,
                found.mean_loss,
                on_dev.loss,
                on_dev.accuracy,
                words_of(champion),
            ),
            self.optimizer.describe(state),
            self.optimizer.allocation(state) if isinstance(self.optimizer, Allocates) else None,
        )

    def _written(self, state: S, number: int) -> S:
        """The state once the writer has answered what the optimizer asks of it."""
        if not isinstance(self.optimizer, Writes):
            return state
        requests = self.optimizer.requests(state)
        samples = [number * SAMPLES + i for i in range(len(requests))]
        heard: S = self.optimizer.hear(state, self.meter.write(requests, samples, self.writing))
        return heard

    def _asked(self, state: S, number: int) -> tuple[S, _Population]:
        """All that the optimizer asks in this generation, and its state after the answers."""
        found = _Population([], [], [])
        while True:
            trials = self.optimizer.ask(state)
            prompts, scored = self._score(trials)
            state = self.optimizer.tell(state, trials, [each.told for each in scored])
            found = _Population(
                [*found.trials, *trials], [*found.prompts, *prompts], [*found.scored, *scored]
            )
            if not any(np.isfinite(each.losses).any() for each in found.scored):
                failed = f"all {len(found.trials)} candidates of generation {number} failed"
                raise NothingScored(failed)
            if not (isinstance(self.optimizer, Staged) and self.optimizer.unfinished(state)):
                return state, found

    def _score(self, trials: list[Trial[Any]]) -> tuple[list[Prompt], list[Scored]]:
        prompts = decode_all(self.space, [trial.candidate for trial in trials])
        rows = [trial.rows for trial in trials]
        self.meter.afford(sum(map(self.train.n_queries, rows)) + self.dev.n_queries(None))
        return prompts, self.train.score(list(zip(prompts, rows, strict=True)))

    def _champion(self, state: S, found: _Population) -> tuple[Prompt, Scored]:
        """The optimizer's favorite if it names one, else the lowest train loss."""
        chosen = self.optimizer.choice(state) if isinstance(self.optimizer, Chooses) else None
        best = int(found.means.argmin()) if chosen is None else chosen
        return found.prompts[best], found.scored[best]

    def _on_dev(self, champion: Prompt, incumbent: Incumbent | None) -> OnDev:
        """Measured, unless the very same prompt has been: words compare, vectors do not."""
        if incumbent is not None and champion == incumbent.prompt:
            return OnDev(incumbent.dev_loss, incumbent.dev_accuracy)
        scored = self.dev.score([(champion, None)])[0]
        return OnDev(scored.loss, scored.accuracy)


def _better(
    incumbent: Incumbent | None, prompt: Prompt, number: int, train: Scored, dev: OnDev
) -> Incumbent:
    """The challenger if its dev loss is strictly lower, else the incumbent.

    A lost dev score counts as +inf: a first prompt without one is the first to be overtaken.
    """
    dev_loss = math.inf if math.isnan(dev.loss) else dev.loss
    if incumbent is not None and not dev_loss < incumbent.dev_loss:
        return incumbent
    return Incumbent(prompt, number, train.loss, dev_loss, dev.accuracy)
