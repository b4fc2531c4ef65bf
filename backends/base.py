"""What can be asked of a model, whoever hosts it. No task, no search, no budget."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Query:
    """One prompt on one input, the unit of cost: which label belongs between `before` and `after`?

    A masked model puts its mask token into the gap, a causal model continues `before`
    (and refuses an `after`), an encoder reads the whole and compares it with each label's text.
    """

    before: str
    after: str = ""
    soft: NDArray[np.float32] | None = None  # shape (n_layers, n_tokens, hidden)


class BackendError(Exception):
    """A backend could not answer."""


class BackendUnavailable(BackendError):
    """Timed out, rate-limited or down: the same queries may succeed later."""


class BackendRefused(BackendError):
    """The queries themselves were rejected: asking again cannot help."""


@runtime_checkable
class Backend(Protocol):
    """A frozen model. It is never trained and never sees an answer."""

    def score(self, queries: Sequence[Query], labels: Sequence[str]) -> NDArray[np.float64]:
        """Log-probability of each label word in the gap of each query.

        Returns:
            float64, shape (n_queries, n_labels), in nats, not normalized over the labels.

        Raises:
            BackendUnavailable: retry later.
            BackendRefused: do not.
        """
        ...


@runtime_checkable
class TakesSoftPrompts(Protocol):
    """A backend that honours `Query.soft`: what BBT and forward gradients need."""

    @property
    def prompt_shape(self) -> tuple[int, int]:
        """(n_layers, hidden): the most layers a soft prompt may have, and the width of a vector."""
        ...

    @property
    def embedding_std(self) -> float:
        """Standard deviation of the token embeddings, all entries pooled."""
        ...

    def embed(self, text: str) -> NDArray[np.float32]:
        """The token embeddings of a text without special tokens, shape (n_tokens, hidden).

        Used as an input-layer soft prompt, they answer exactly as the text itself would.
        """
        ...

    def nearest_words(self, vectors: NDArray[np.float32]) -> list[tuple[str, float]]:
        """The vocabulary word nearest to each vector (n_tokens, hidden) and their cosine.

        An illustration only: the model reads the vectors, not these words.
        """
        ...
