"""What is kept of the logits of a batch: the tokens asked for, or the likeliest words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backends.local.inputs import Input
from backends.local.vocabulary import Anchor

S = TypeVar("S")
T = TypeVar("T")
Pick = Callable[[Tensor, Sequence[Input]], list[T]]  # logits (n_at, n_vocabulary) -> one an input


def spelled(logits: Tensor, batch: Sequence[Input]) -> list[NDArray[np.float64]]:
    """Log-probabilities of each input's `spelled` tokens, in order."""
    sizes = [len(one.spelled) for one in batch]
    starts = np.cumsum([0, *(len(one.at) for one in batch[:-1])])
    pairs = [
        (start + row, token)
        for start, one in zip(starts, batch, strict=True)
        for row, token in one.spelled
    ]
    rows, tokens = torch.tensor(pairs, dtype=torch.int64, device=logits.device).reshape(-1, 2).T
    wide = logits.float()
    found = wide[rows, tokens].double() - wide.logsumexp(-1).double()[rows]
    return np.split(found.cpu().numpy(), np.cumsum(sizes)[:-1])


@dataclass(frozen=True, eq=False)
class Likeliest:
    """The `k` likeliest of these words at the one place that each input reads."""

    words: Mapping[str, int]  # word -> token
    k: int

    def __call__(self, logits: Tensor, batch: Sequence[Input]) -> list[Mapping[str, float]]:
        wide = logits.float()
        columns = torch.tensor(list(self.words.values()), dtype=torch.int64, device=logits.device)
        top = wide[:, columns].topk(min(self.k, len(columns)))
        logs = (top.values.double() - wide.logsumexp(-1, keepdim=True).double()).cpu().tolist()
        names = list(self.words)
        return [
            {names[i]: nats for i, nats in zip(places, row, strict=True)}
            for places, row in zip(top.indices.cpu().tolist(), logs, strict=True)
        ]


def ranked(
    words: Callable[[Anchor], Mapping[str, int]],
    read: Callable[[Sequence[S], Pick[Mapping[str, float]]], list[Mapping[str, float]]],
    asked: Sequence[S],
    gaps: Sequence[Anchor],
    k: int,
) -> list[Mapping[str, float]]:
    """The `k` likeliest of the `words` that fit behind each gap's text, for what is asked there."""
    answers: dict[int, Mapping[str, float]] = {}
    for gap in dict.fromkeys(gaps):
        rows = [row for row, other in enumerate(gaps) if other == gap]
        found = read([asked[row] for row in rows], Likeliest(words(gap), k))
        answers.update(zip(rows, found, strict=True))
    return [answers[row] for row in range(len(gaps))]


def last(logits: Tensor, batch: Sequence[Input]) -> list[Tensor]:
    """The logits of each input's one place, as they are."""
    return list(logits)
