"""PromptBoosting's search: every template asked once, then boosting without a query."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from jobs.answering import NO_WORDS
from jobs.learners import Learner, Lesson, answers, best_learner
from jobs.meter import BudgetSpent, Meter
from jobs.objective import Objective
from jobs.prompts import EnsemblePrompt, Member
from jobs.ranked import Ranked, ranked
from jobs.search import Champion, Generation, Incumbent
from jobs.task import Task
from optimizers import samme

Wrong: TypeAlias = NDArray[np.bool_]  # shape (n_rows,), train rows first

ORDER, WORDS = 0, 1  # streams of random numbers
TOGETHER = 64  # rows asked in one call: each is told thousands of words


@dataclass(frozen=True, eq=False)
class BoostingState:
    """What the model has told, and the learners so far, in the order of boosting."""

    ranked: tuple[Ranked, ...]  # of each template asked so far, train rows first
    weights: NDArray[np.float64]  # of the train rows, shape (n_train,), sum 1
    learners: tuple[Learner, ...] = ()
    turn: int = 0  # turns through all templates, begun or done
    over: bool = False  # nothing is left to be boosted


@dataclass(frozen=True)
class Recipe:
    """The numbers of PromptBoosting."""

    top_words: int  # asked of each row
    kept_words: int  # of each template
    words_per_label: int  # of which verbalizers are made
    n_verbalizers: int  # most verbalizers tried for one learner
    n_learners: int  # most learners
    rate: float  # of SAMME


@dataclass(frozen=True, eq=False)
class Boosting:
    """A `Searching` that ends by itself (Hou et al. 2023, arXiv:2212.09257, section 3).

    First one generation a template: the words of all train and dev rows are asked for, n_train +
    n_dev queries, and the template's best learner is tried. If the budget ends before the last
    template, boosting goes on with those there are. Then, without a query, one generation a turn
    through the templates, shuffled anew: SAMME adds a learner for each that has one better than
    chance. It ends after `n_learners`, after a learner without an error, or after a turn that
    has added none. The incumbent has the fewest errors on dev, counted from what the model has
    told: no query again, and a row of which no word is known is an error.

    Unlike the paper, of ensembles equally good on dev the shortest is taken, not the longest, and
    single learners are tried for any number of labels, not only for two.
    """

    templates: tuple[str, ...]
    recipe: Recipe
    train: Objective
    dev: Objective
    meter: Meter
    seed: int

    @cached_property
    def _targets(self) -> NDArray[np.intp]:
        """Index of the label of every row, shape (n_train + n_dev,)."""
        number = {label: i for i, label in enumerate(self.train.task.labels)}
        rows = [*self.train.examples, *self.dev.examples]
        return np.array([number[row.label] for row in rows], dtype=np.intp)

    @cached_property
    def _lesson(self) -> Lesson:
        recipe, words = self.recipe, tuple(self.train.task.words)
        targets = self._targets[: len(self.train.examples)]
        return Lesson(targets, words, recipe.words_per_label, recipe.n_verbalizers)

    def start(self) -> Generation[BoostingState]:
        n_train = len(self.train.examples)
        return Generation(0, BoostingState((), np.full(n_train, 1 / n_train)))

    def run(self, last: Generation[BoostingState]) -> Iterator[Generation[BoostingState]]:
        """As `Searching.run`, but it ends by itself when boosting does."""
        while following := self._following(last):
            last = following
            yield last

    def _following(self, last: Generation[BoostingState]) -> Generation[BoostingState] | None:
        state = last.state
        if state.turn == 0 and len(state.ranked) < len(self.templates):
            try:
                return self._passed(last)
            except BudgetSpent:
                if len(state.ranked) == 0:
                    return None
        return None if state.over else self._turned(last)

    def _passed(self, last: Generation[BoostingState]) -> Generation[BoostingState]:
        """The next template asked, and its best learner tried."""
        state, template = last.state, len(last.state.ranked)
        told = self._told(self.templates[template])
        lesson = self._lesson
        new = ranked(told, lesson.targets, lesson.words, self.recipe.kept_words)
        state = replace(state, ranked=(*state.ranked, new))
        learner = self._best(state, template)
        return self._generation(last, state, [learner], new=1)

    def _told(self, template: str) -> Iterator[Mapping[str, float]]:
        """The likeliest words of every row, train rows first."""
        shown = Task(template, {})
        rows = [*self.train.examples, *self.dev.examples]
        queries = [shown.query(NO_WORDS, row.inputs) for row in rows]
        self.meter.afford(len(queries))
        for start in range(0, len(queries), TOGETHER):
            some = queries[start : start + TOGETHER]
            yield from self.meter.rank(some, self.recipe.top_words)

    def _turned(self, last: Generation[BoostingState]) -> Generation[BoostingState] | None:
        """A learner more for each template that has a good one; None: none has."""
        state = replace(last.state, turn=last.state.turn + 1)
        random = np.random.default_rng((self.seed, state.turn, ORDER))
        for template in random.permutation(len(state.ranked)).tolist():
            if not state.over:
                state = self._boosted(state, template)
        new = len(state.learners) - len(last.state.learners)
        return self._generation(last, state, state.learners, new) if new else None

    def _boosted(self, state: BoostingState, template: int) -> BoostingState:
        """With one more learner, unless the template has none better than chance."""
        found, n_labels = self._best(state, template), self._lesson.n_labels
        if not found.error < 1 - 1 / n_labels:
            return state
        learner = replace(found, weight=samme.alpha(found.error, n_labels, self.recipe.rate))
        wrong = answers(state.ranked, [learner])[0] != self._targets
        learners = (*state.learners, learner)
        return replace(
            state,
            learners=learners,
            weights=samme.reweighted(state.weights, wrong[: len(state.weights)], learner.weight),
            over=found.error < samme.TINY or len(learners) >= self.recipe.n_learners,
        )

    def _best(self, state: BoostingState, template: int) -> Learner:
        random = np.random.default_rng((self.seed, state.turn, WORDS, template))
        return best_learner(state.ranked, template, self._lesson, state.weights, random)

    def _generation(
        self,
        last: Generation[BoostingState],
        state: BoostingState,
        learners: Sequence[Learner],
        new: int,
    ) -> Generation[BoostingState]:
        """The best of the ensembles that end with one of the `new` last learners."""
        told, n_train = answers(state.ranked, learners), len(state.weights)
        lengths = range(len(learners) - new + 1, len(learners) + 1)
        wrong = {n: self._wrong(told[:n], learners[:n]) for n in lengths}
        best = min(lengths, key=lambda n: (wrong[n][n_train:].mean(), n))
        on_train, on_dev = (float(part.mean()) for part in np.split(wrong[best], [n_train]))
        population = float((told[-new:, :n_train] != self._lesson.targets).mean())
        number, incumbent = last.number + 1, last.incumbent
        if incumbent is None or on_dev < incumbent.dev_loss:
            prompt = self._ensemble(learners[:best])
            incumbent = Incumbent(prompt, number, on_train, on_dev, 1 - on_dev)
        champion = Champion(on_train, 1 - on_train, population, on_dev, 1 - on_dev)
        internals = {
            "templates": len(state.ranked),
            "learners": len(state.learners),
            "error": learners[-1].error,
        }
        return Generation(number, state, incumbent, champion, internals)

    def _wrong(self, told: samme.Answers, learners: Sequence[Learner]) -> Wrong:
        """Which rows the vote of these learners gets wrong; without any vote, too."""
        weights = [learner.weight for learner in learners]
        shares = samme.votes(told, weights, self._lesson.n_labels)
        return np.asarray((shares.argmax(axis=1) != self._targets) | (shares.max(axis=1) == 0))

    def _ensemble(self, learners: Sequence[Learner]) -> EnsemblePrompt:
        return EnsemblePrompt(
            tuple(
                Member(self.templates[learner.template], learner.words, learner.weight)
                for learner in learners
            )
        )
