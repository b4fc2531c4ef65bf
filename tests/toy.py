"""A model made of arithmetic, for tests of the search: instant, deterministic, needs nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from backends.base import Query

Scores = NDArray[np.float64]


def unchanged(queries: Sequence[Query], scores: Scores) -> Scores:
    return scores


@dataclass
class ToyBackend:
    """Sees the label's word in the text, and believes it as far as the soft prompt is all ones.

    The score of a word is confidence * (1 if it is in the text else 0). The confidence is 0
    without a soft prompt, so that all words tie, and 4 * (1 - mean((soft - 1)^2)) with one.
    """

    prompt_shape: tuple[int, int] = (1, 4)
    embedding_std: float = 0.5
    meddle: Callable[[Sequence[Query], Scores], Scores] = unchanged  # may spoil, may raise
    calls: list[list[Query]] = field(default_factory=list)

    @property
    def asked(self) -> int:
        return sum(len(call) for call in self.calls)

    def score(self, queries: Sequence[Query], labels: Sequence[str]) -> Scores:
        self.calls.append(list(queries))
        scores = [
            [confidence(query.soft) * (word in query.before + query.after) for word in labels]
            for query in queries
        ]
        return self.meddle(queries, np.array(scores, dtype=np.float64))

    def embed(self, text: str) -> NDArray[np.float32]:
        rows = [[len(word) / 10 + k for k in range(4)] for word in text.split()]
        return np.array(rows, dtype=np.float32).reshape(-1, 4)

    def nearest_words(self, vectors: NDArray[np.float32]) -> list[tuple[str, float]]:
        return [("one", float(np.sign(vector.sum()))) for vector in vectors]


def confidence(soft: NDArray[np.float32] | None) -> float:
    if soft is None:
        return 0.0
    return 4.0 * (1.0 - float(((soft.astype(np.float64) - 1.0) ** 2).mean()))
