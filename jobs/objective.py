"""From prompts to losses: the only code that sees both the model and the answers."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from backends.base import Query
from jobs.prompts import Prompt
from jobs.task import Example, Task

Array: TypeAlias = NDArray[np.float64]
Rows: TypeAlias = tuple[int, ...] | None  # None: every row
LossName: TypeAlias = Literal["ce", "hinge", "accuracy"]
Told: TypeAlias = Literal["ce", "hinge", "accuracy", "gap", "answer"]  # what an optimizer may hear

MARGIN = 2.0  # of the hinge loss, for every dataset (BBT, utils.py)


class Scorer(Protocol):
    """Anything that answers queries: a backend, or a meter around one."""

    def score(self, queries: Sequence[Query], labels: Sequence[str]) -> Array: ...


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
}


@dataclass(frozen=True, eq=False)
class Scored:
    """One prompt on its rows."""

    losses: Array  # shape (n_rows,)
    predicted: NDArray[np.intp]  # index of the likeliest label, shape (n_rows,)
    targets: NDArray[np.intp]  # index of the true label, shape (n_rows,)
    told: Array  # what the optimizer hears of each row, shape (n_rows,): mostly the losses

    @property
    def loss(self) -> float:
        return float(self.losses.mean())

    @property
    def accuracy(self) -> float:
        return float((self.predicted == self.targets).mean())


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
        queries = [self.task.query(prompt, example.inputs) for prompt, example in pairs]
        scores = self.scorer.score(queries, self.task.words)
        number = {label: i for i, label in enumerate(self.task.labels)}
        targets = np.array([number[example.label] for _, example in pairs], dtype=np.intp)
        losses = LOSSES[self.loss](scores, targets)
        told = LOSSES[self.told or self.loss](scores, targets)
        cuts = np.cumsum([len(rows) for rows in chosen])[:-1]
        wholes = (losses, scores.argmax(axis=1), targets, told)
        parts = (np.split(whole, cuts) for whole in wholes)
        return [Scored(*part) for part in zip(*parts, strict=True)]


def finite(loss: float) -> float | None:
    """A loss as JSON and SQL can hold it: neither has nan or infinity."""
    return loss if math.isfinite(loss) else None


def probabilities(scores: Array) -> Array:
    """Softmax over the label words, shape as given: (n, n_labels)."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
