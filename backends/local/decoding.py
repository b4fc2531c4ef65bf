"""How words are chosen, one token after another, for many sequences side by side."""

import json
from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass
from hashlib import sha256
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from backends.base import Query
from backends.local.vocabulary import Ids

Choose = Callable[[Tensor], Tensor]  # logits (n, n_vocabulary) -> tokens, int64, (n,)


S = TypeVar("S", bound=Sized)


@dataclass(frozen=True, eq=False)
class Draft(Generic[S]):
    """Something to be gone on with, and the seed of what is drawn for it."""

    start: S
    seed: int

    def __len__(self) -> int:
        return len(self.start)


def drafts(
    starts: Sequence[S], queries: Sequence[Query], samples: Sequence[int] | None
) -> list[Draft[S]]:
    """One for each query, with a seed from its text and sample number alone.

    Soft prompts have no part in it: a population is compared with the same random numbers.
    """
    numbers = [0] * len(queries) if samples is None else samples
    return [
        Draft(start, _seed(query, number))
        for start, query, number in zip(starts, queries, numbers, strict=True)
    ]


def _seed(query: Query, number: int) -> int:
    told = json.dumps([query.before, query.after, int(number)])
    return int.from_bytes(sha256(told.encode()).digest()[:16])


def chooser(temperature: float, seeds: Sequence[int]) -> Choose:
    """The likeliest token at temperature 0; above it one drawn for each sequence by its seed."""
    if temperature <= 0:
        return _likeliest
    draws = [np.random.default_rng(seed) for seed in seeds]

    def draw(logits: Tensor) -> Tensor:
        shares = (logits.double() / temperature).softmax(-1).cumsum(-1)
        numbers = torch.tensor([[one.random()] for one in draws], dtype=torch.float64)
        numbers = numbers.to(logits.device)
        over = shares <= numbers * shares[:, -1:]
        return over.sum(-1).clamp(max=logits.shape[-1] - 1)

    return draw


def _likeliest(logits: Tensor) -> Tensor:
    return logits.argmax(-1)


def decode(
    logits: Tensor,
    step: Callable[[Tensor], Tensor],
    choose: Choose,
    ends: frozenset[int],
    most: int,
) -> list[Ids]:
    """The tokens of each sequence, at most `most`, without the one that ended it.

    Args:
        logits: after what has been read, shape (n, n_vocabulary).
        step: reads one token more of each sequence, (n,), and gives the logits after it.
    """
    written: list[list[int]] = [[] for _ in logits]
    open_ = set(range(len(written)))
    for number in range(most):
        chosen = choose(logits)
        for row, token in enumerate(chosen.tolist()):
            if token in ends:
                open_.discard(row)
            if row in open_:
                written[row].append(token)
        if not open_ or number + 1 == most:
            break
        logits = step(chosen)
    return [tuple(tokens) for tokens in written]
