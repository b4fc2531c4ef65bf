"""From prompts and inputs to label scores, for every kind of prompt. Counts nothing."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from backends.base import Query
from jobs.prompts import EnsemblePrompt, LabelWords, Prompt, SoftPrompt, TextPrompt
from jobs.task import Task
from optimizers import samme

Scores: TypeAlias = NDArray[np.float64]  # shape (n, n_labels), nats; nan: a query failed
Inputs: TypeAlias = Mapping[str, str]  # column -> text

NO_WORDS = TextPrompt("")


class Scorer(Protocol):
    """Anything that answers queries: a backend, or a meter around one."""

    def score(self, queries: Sequence[Query], labels: Sequence[str]) -> Scores: ...


def n_queries(prompt: Prompt) -> int:
    """What one input costs: a query, or one for each different template of an ensemble."""
    return len(prompt.templates) if isinstance(prompt, EnsemblePrompt) else 1


def label_scores(scorer: Scorer, task: Task, asked: Sequence[tuple[Prompt, Inputs]]) -> Scores:
    """The score of every label for each prompt on its input, in the labels' order.

    Texts and soft prompts go to the model in one call and are scored by the task's template and
    words; soft prompts with label words of their own in one call for equal words. Each template of
    an ensemble is one call, with the words of all members that use it.

    Raises:
        BackendError: the model could not answer.
        BudgetSpent: of a meter; where that makes several calls, some may have been paid for.
    """
    scores = np.empty((len(asked), len(task.labels)))
    groups: dict[LabelWords | EnsemblePrompt, list[int]] = {}
    for row, (prompt, _) in enumerate(asked):
        groups.setdefault(_asked_alike(prompt), []).append(row)
    for group, rows in groups.items():
        some = [asked[row] for row in rows]
        if isinstance(group, EnsemblePrompt):
            scores[rows] = _poll(scorer, group, [inputs for _, inputs in some])
        elif group:
            scores[rows] = _mixed(scorer, task, some, group)
        else:
            scores[rows] = scorer.score([task.query(*pair) for pair in some], task.words)
    return scores


def voted(answers: samme.Answers, weights: Sequence[float], n_labels: int) -> Scores:
    """The scores that stand for a vote, shape (n_rows, n_labels); the highest has won it.

    Logarithms of the labels' shares, as if one more member of average weight had voted for all
    labels alike: a vote is no probability, and a label without a vote is not impossible.

    Args:
        answers: index of the label that each member answers, shape (n_members, n_rows); -1: none.
        weights: of the members, above 0.
    """
    n = len(weights)
    return np.asarray(
        np.log((n * samme.votes(answers, weights, n_labels) + 1 / n_labels) / (n + 1))
    )


def _asked_alike(prompt: Prompt) -> LabelWords | EnsemblePrompt:
    """Prompts of which this is equal are asked in one call; (): with the task's own words."""
    if isinstance(prompt, EnsemblePrompt):
        return prompt
    return prompt.words if isinstance(prompt, SoftPrompt) else ()


def _mixed(
    scorer: Scorer, task: Task, asked: Sequence[tuple[Prompt, Inputs]], words: LabelWords
) -> Scores:
    """The mean score of each label's words; one that stands there twice weighs twice.

    (The multi-mixed verbalizer of BBT-RGB, Sun et al. 2024, arXiv:2305.08088. The paper averages
    logits: with log-probabilities all labels of an input are shifted alike.)
    """
    different = list(dict.fromkeys(word for mine in words for word in mine))
    table = scorer.score([task.query(*pair) for pair in asked], different)
    places = [[different.index(word) for word in mine] for mine in words]
    return np.stack([table[:, mine].mean(axis=1) for mine in places], axis=1)


def _poll(scorer: Scorer, ensemble: EnsemblePrompt, inputs: Sequence[Inputs]) -> Scores:
    """As `label_scores` for one ensemble; an input of which any query failed has nan scores."""
    members = ensemble.members
    answers = np.empty((len(members), len(inputs)), np.intp)
    lost = np.zeros(len(inputs), bool)
    for template in ensemble.templates:
        mine = [i for i, member in enumerate(members) if member.template == template]
        words = list(dict.fromkeys(word for i in mine for word in members[i].words))
        shown = Task(template, {})
        table = scorer.score([shown.query(NO_WORDS, each) for each in inputs], words)
        lost |= np.isnan(table).any(axis=1)
        ways = [[words.index(word) for word in members[i].words] for i in mine]
        answers[mine] = samme.answers(table, np.array(ways))
    scores = voted(answers, [member.weight for member in members], len(members[0].words))
    return np.where(lost[:, None], np.nan, scores)
