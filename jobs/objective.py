"""From prompts to losses: the only code that sees both the model and the answers."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from backends.base import Query
from jobs.answering import Scorer, label_scores
from jobs.metrics import Metric
from jobs.prompts import Prompt
from jobs.task import Example, Task

Array: TypeAlias = NDArray[np.float64]
Rows: TypeAlias = tuple[int, ...] | None  # None: every row
LossName: TypeAlias = Literal["ce", "hinge", "accuracy"]
Told: TypeAlias = Literal["ce", "hinge", "accuracy", "gap", "answer"]  # what an optimizer may hear

MARGIN = 2.0  # of the hinge loss, for every dataset (BBT, utils.py)


@runtime_checkable
class Writer(Protocol):
    """A scorer that can also be asked for texts: needed where the task has a metric."""

    def generate(self, queries: Sequence[Query], *, max_tokens: int) -> list[str]: ...


def cross_entropy(scores: Array, targets: NDArray[np.intp]) -> Array:
    """-log softmax over the label words, at the true label; nats, shape (n,)."""
    shifted = scores - scores.max(axis=-1, keepdims=True)
    log_z = np.log(np.exp(shifted).sum(axis=-1))
    return np.asarray(log_z - shifted[np.arange(len(targets)), targets])


def hinge(scores: Array, targets: NDArray[np.intp]) -> Array:
    """Sum over the wrong labels of max(0, score - true score + 2), shape (n,)."""
    true = scores[np.arange(len(targets)), targets][:, None]
    slack = np.maximum(0.0, scores - true + MARGIN)
    return np.asarray(slack.sum(axis=-1) - MARGIN)  # the true label's own term is the margin


def wrong(scores: Array, targets: NDArray[np.intp]) -> Array:
    """0 for a right answer and 1 for a wrong one, shape (n,); nan scores stay nan."""
    missed = (scores.argmax(axis=-1) != targets).astype(np.float64)
    return np.where(np.isnan(scores).any(axis=-1), np.nan, missed)


def gap(scores: Array, targets: NDArray[np.intp]) -> Array:
    """Minus RLPrompt's reward, shape (n,): how far the true label is ahead of the runner-up.

    -200 (P(true) - max P(other)) where that is positive, 180 times where it is not
    (Deng et al. 2022, arXiv:2205.12548, equation 4; lambda_1 = 180, lambda_2 = 200).
    """
    chances = probabilities(scores)
    rows = np.arange(len(targets))
    true = chances[rows, targets].copy()
    chances[rows, targets] = -np.inf
    ahead = true - chances.max(axis=-1)
    return np.asarray(np.where(ahead > 0, -200.0, -180.0) * ahead)


def answer(scores: Array, targets: NDArray[np.intp]) -> Array:
    """The index of the likeliest label, for optimizers that judge answers by themselves."""
    chosen = scores.argmax(axis=-1).astype(np.float64)
    return np.where(np.isnan(scores).any(axis=-1), np.nan, chosen)


LOSSES: Mapping[Told, Callable[[Array, NDArray[np.intp]], Array]] = {
    "ce": cross_entropy,
    "hinge": hinge,
    "accuracy": wrong,
    "gap": gap,
    "answer": answer,
}  # of labels; in a task with a metric each of them is 1 - how right the text is


@dataclass(frozen=True, eq=False)
class Scored:
    """One prompt on its rows."""

    losses: Array  # shape (n_rows,)
    right: Array  # how right each answer is, 0 to 1, shape (n_rows,)
    answers: NDArray[np.object_]  # the likeliest labels, or the texts written; str, shape (n_rows,)
    told: Array  # what the optimizer hears of each row, shape (n_rows,): mostly the losses

    @property
    def loss(self) -> float:
        return float(self.losses.mean())

    @property
    def accuracy(self) -> float:
        """Mean over the rows of how right they are: by the task's metric, if it has one."""
        return float(self.right.mean())


@dataclass(frozen=True, eq=False)
class Objective:
    """Per-example losses of prompts on a fixed list of examples."""

    task: Task
    scorer: Scorer
    examples: Sequence[Example]
    loss: LossName = "ce"
    told: Told | None = None  # None: the loss

    def n_queries(self, rows: Rows) -> int:
        """What one prompt on these rows costs."""
        return len(self.examples if rows is None else rows)

    def score(self, asked: Sequence[tuple[Prompt, Rows]]) -> list[Scored]:
        """Each prompt on its rows; all go to the model in one call, to be batched there."""
        chosen = [range(len(self.examples)) if rows is None else rows for _, rows in asked]
        pairs = [
            (prompt, self.examples[row])
            for (prompt, _), rows in zip(asked, chosen, strict=True)
            for row in rows
        ]
        metric = self.task.metric
        found = self._chosen(pairs) if metric is None else self._written(pairs, metric)
        cuts = np.cumsum([len(rows) for rows in chosen])[:-1]
        wholes = (found.losses, found.right, found.answers, found.told)
        parts = (np.split(whole, cuts) for whole in wholes)
        return [Scored(*part) for part in zip(*parts, strict=True)]

    def _chosen(self, pairs: Sequence[tuple[Prompt, Example]]) -> Scored:
        """The likeliest label of each example."""
        asked = [(prompt, example.inputs) for prompt, example in pairs]
        scores = label_scores(self.scorer, self.task, asked)
        labels = self.task.labels
        number = {label: i for i, label in enumerate(labels)}
        targets = np.array([number[example.label] for _, example in pairs], dtype=np.intp)
        return Scored(
            LOSSES[self.loss](scores, targets),
            np.nan_to_num(1.0 - wrong(scores, targets)),  # a lost answer is not right
            np.array(labels, dtype=object)[scores.argmax(axis=1)],
            LOSSES[self.told or self.loss](scores, targets),
        )

    def _written(self, pairs: Sequence[tuple[Prompt, Example]], metric: Metric) -> Scored:
        """The model's own words for each example. Every loss is how far they are from right."""
        assert isinstance(self.scorer, Writer)  # the job was admitted for it
        texts = self.scorer.generate(self._queries(pairs), max_tokens=self.task.max_tokens)
        marks = [
            metric.score(text, example.label)
            for text, (_, example) in zip(texts, pairs, strict=True)
        ]
        right = np.array(marks, dtype=np.float64)
        return Scored(1.0 - right, right, np.array(texts, dtype=object), 1.0 - right)

    def _queries(self, pairs: Sequence[tuple[Prompt, Example]]) -> list[Query]:
        return [self.task.query(prompt, example.inputs) for prompt, example in pairs]


def finite(loss: float) -> float | None:
    """A loss as JSON and SQL can hold it: neither has nan or infinity."""
    return loss if math.isfinite(loss) else None


def probabilities(scores: Array) -> Array:
    """Softmax over the label words, shape as given: (n, n_labels)."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
