"""A model made of arithmetic that ranks a small vocabulary: instant, deterministic, noisy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np

from backends.base import Query
from jobs.task import Example, Split, Task

MEANS = {"navy": "blue", "sky": "blue", "rose": "red", "wine": "red", "leaf": "green"}
WORDS = (*MEANS, "the", "of", " ", "blue", "red", "green")
NOISE = 1.5  # nats, either way


def split(labels: Sequence[str], n_train: int = 16, n_dev: int = 16) -> Split:
    def rows(name: str, n: int) -> tuple[Example, ...]:
        return tuple(
            Example({"text": f"{name} row {i} is {label}"}, label)
            for i in range(n)
            for label in labels
        )

    return Split(rows("train", n_train), rows("dev", n_dev), rows("test", n_dev))


def task(labels: Sequence[str]) -> Task:
    return Task("{prompt} {text}", {label: label for label in labels})


@dataclass
class RankingToy:
    """A word is likelier where its color is in the text; noise depends on text and word."""

    hint: float = 1.0  # nats for the right color
    lose: Callable[[Query], bool] = lambda query: False  # queries that fail
    queries: list[Query] = field(default_factory=list)

    def score(self, queries: Sequence[Query], labels: Sequence[str]) -> np.ndarray:
        self.queries += queries
        return np.array([self._logs(query, labels) for query in queries]).reshape(-1, len(labels))

    def rank(self, queries: Sequence[Query], k: int) -> list[Mapping[str, float]]:
        self.queries += queries
        return [self._ranked(query, k) for query in queries]

    def _ranked(self, query: Query, k: int) -> Mapping[str, float]:
        if self.lose(query):
            return {}
        scores = zip(WORDS, self._logs(query, WORDS), strict=True)
        return dict(sorted(scores, key=lambda item: -item[1])[:k])

    def _logs(self, query: Query, words: Sequence[str]) -> list[float]:
        if self.lose(query):
            return [np.nan for _ in words]
        text = query.before + query.after
        return [
            self.hint * (MEANS.get(word, "no color") in text)
            + NOISE * (crc32(f"{text}|{word}".encode()) / 2**31 - 1)
            - 8
            for word in words
        ]
