"""Weak classifiers out of ranked words: found, and asked. No query, no boosting."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobs.ranked import Ranked
from optimizers import samme


@dataclass(frozen=True)
class Learner:
    """A template and one word for each label, in the labels' order."""

    template: int
    words: tuple[str, ...]
    error: float  # weighted, on train, when it was found
    weight: float = 1.0  # in the vote


@dataclass(frozen=True, eq=False)
class Lesson:
    """What there is to be learned, and how thoroughly verbalizers are tried."""

    targets: NDArray[np.intp]  # index of each train row's label, shape (n_train,)
    words: tuple[str, ...]  # the job's own, one for each label
    words_per_label: int  # of which verbalizers are made
    n_verbalizers: int  # most of them tried

    @property
    def n_labels(self) -> int:
        return len(self.words)


def best_learner(
    ranked: Sequence[Ranked],
    template: int,
    lesson: Lesson,
    weights: NDArray[np.float64],
    random: np.random.Generator,
) -> Learner:
    """The verbalizer of the least weighted error for a template (arXiv:2212.09257, section 3.3).

    Unlike the paper, the job's own words are tried too, where the model has told them all; they
    are taken, with error 1, where it has told no word at all.

    Args:
        ranked: of each template, train rows first.
        weights: of the train rows, shape (n_train,), sum 1.
    """
    mine = ranked[template]
    logs = mine.logs[: len(weights)].astype(np.float32)
    scores = samme.word_scores(np.exp(logs), lesson.targets, weights, lesson.n_labels)
    lists = samme.shortlists(scores, lesson.words_per_label)
    ways = samme.verbalizers(lists, lesson.n_verbalizers, random)
    own = [mine.places.get(word, -1) for word in lesson.words]
    if -1 not in own:
        ways = np.vstack([ways, own])
    if not len(ways):
        return Learner(template, lesson.words, 1.0)
    chosen, error = samme.best(logs, lesson.targets, weights, ways)
    return Learner(template, tuple(mine.words[place] for place in ways[chosen]), error)


def answers(ranked: Sequence[Ranked], learners: Sequence[Learner]) -> samme.Answers:
    """What each learner answers for every row, shape (n_learners, n_rows); -1: nothing."""
    one = np.arange(len(learners[0].words))[None]
    tables = [ranked[learner.template].table(learner.words) for learner in learners]
    return np.concatenate([samme.answers(table, one) for table in tables])
