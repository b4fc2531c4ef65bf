"""A model of three layers made of arithmetic, which also ranks a few words; and rows for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from backends.base import Query
from jobs.methods import Problem
from jobs.task import Example, Split, Task
from tests.toy import ToyBackend

TASK = Task("{prompt} {text}", {"b": "blue", "r": "red"})
RANKED = {"navy": "blue", "wine": "red", "rose": "red", "blue": "blue", "red": "red", "the": " "}


@dataclass
class DeepToy(ToyBackend):
    """Three layers. What layer 1 reads spreads by 2, and what layer 2 reads by 3."""

    prompt_shape: tuple[int, int] = (3, 4)
    shown: list[tuple[Sequence[str], bool]] = field(default_factory=list)
    ranked: list[Query] = field(default_factory=list)

    def hidden(self, queries, *, padded=False):
        self.shown.append(([query.before for query in queries], padded))
        assert all(query.soft.shape[::2] == (1, 4) for query in queries)
        return [std * np.tile([-1.0, 1.0], (5, 2)).astype(np.float32) for std in (2, 3)]

    def rank(self, queries: Sequence[Query], k: int) -> list[Mapping[str, float]]:
        """A word is likelier where its color is in the text."""
        self.ranked += queries
        return [
            {word: float(color in query.before) - 4 for word, color in RANKED.items()}
            for query in queries
        ]


def rows(split, n):
    return tuple(
        Example({"text": f"{word} {split} {i}"}, word[0])
        for word in ("blue", "red")
        for i in range(n)
    )


def problem(toy=None, n=4):
    return Problem(toy or DeepToy(), TASK, Split(rows("train", n), rows("dev", 3), ()), "", seed=3)
