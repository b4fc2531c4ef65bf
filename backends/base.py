"""What can be asked of a model, whoever hosts it. No task, no search, no budget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Subnetwork:
    """A fixed part of a model: without some units of what its attentions and feed-forwards add.

    Which ones is a function of the seed, the rate, the layer and the place in it: the same for
    every token of every query, in every call and process. Those that stay are divided by
    1 - rate (inverted dropout, Srivastava et al. 2014, JMLR 15:1929-1958, section 10).
    """

    seed: int  # 0 or more
    rate: float  # chance of a unit to be left out, from 0 to below 1

    def __post_init__(self) -> None:
        if self.seed < 0 or not 0 <= self.rate < 1:
            raise ValueError(f"{self}: a seed of 0 or more and a rate in [0, 1) are wanted")


@dataclass(frozen=True)
class Thinking:
    """Demonstrations that stand before a query, and how their keys and values are moved.

    (Iterative forward tuning, Yang et al. 2023, arXiv:2305.13016.) It is a recipe: what a model
    remembers of the demonstrations is a function of these four, so nothing else is kept of it.
    """

    demonstrations: str  # read as they are, with what parts the last one from the query
    passes: int  # over the demonstrations after they were read first; 0: in-context learning alone
    step_size: float
    momentum: float  # share of earlier steps in each


@dataclass(frozen=True, eq=False)
class Query:
    """One prompt on one input, the unit of cost: which label belongs between `before` and `after`?

    A masked model puts its mask token into the gap, a causal model continues `before`
    (and refuses an `after`), an encoder reads the whole and compares it with each label's text.
    """

    before: str
    after: str = ""
    soft: NDArray[np.float32] | None = None  # shape (n_layers, n_tokens, hidden)
    image: bytes = b""  # a PNG or JPEG file; empty: there is none
    visual: NDArray[np.float32] | None = None  # a soft prompt beside the image's patches, as `soft`
    thinking: Thinking | None = None  # what stands before all of it
    subnetwork: Subnetwork | None = None  # what answers; None: the whole model


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


@runtime_checkable
class HasSubnetworks(Protocol):
    """A backend that honours `Query.subnetwork`: what Clip-Tuning needs."""

    @property
    def has_subnetworks(self) -> bool:
        """Whether this model has: its layers are built as those that are known.

        If not, a query that asks for one is refused.
        """
        ...


@runtime_checkable
class Thinks(Protocol):
    """A backend that honours `Query.thinking`: what Deep-Thinking needs."""

    def think(self, recipes: Sequence[Thinking]) -> NDArray[np.float64]:
        """Goes over the demonstrations, so that queries behind them need not.

        Returns:
            Shape (n_recipes,): how far the keys and values were from those that the last pass
            made, as a share of their length (Euclidean, all layers together); 0: without a pass.

        Raises:
            BackendRefused: the model keeps no keys and values, or the demonstrations do not fit.
        """
        ...


@runtime_checkable
class TellsHidden(Protocol):
    """A backend that tells what its layers read: what BBTv2 fits its random matrices to."""

    def hidden(
        self, queries: Sequence[Query], *, padded: bool = False
    ) -> list[NDArray[np.float32]]:
        """What the layers above the first read, those that a soft prompt has rows for.

        Args:
            padded: the places of the padding are told too, all queries being one batch.

        Returns:
            For each layer from the second on, shape (n_places, hidden): one vector for every
            token of every query, special ones and the soft prompt's included.

        Raises:
            BackendUnavailable, BackendRefused: as `score`.
        """
        ...


@runtime_checkable
class TakesVisualPrompts(Protocol):
    """A backend that reads `Query.image` and honours `Query.visual`."""

    @property
    def visual_shape(self) -> tuple[int, int]:
        """(n_layers, hidden) of the image side, as `prompt_shape` is of the text side."""
        ...

    @property
    def patch_statistics(self) -> tuple[float, float]:
        """Mean and standard deviation of the patch embedding's weights, all entries pooled."""
        ...


@runtime_checkable
class GivesFeatures(Protocol):
    """A backend that tells the vector it makes of an input."""

    def features(self, queries: Sequence[Query]) -> NDArray[np.float64]:
        """Unit vectors, shape (n_queries, dim): of the image where there is one, else of the text.

        Raises:
            BackendUnavailable, BackendRefused: as `score`.
        """
        ...


@runtime_checkable
class Generates(Protocol):
    """A backend that continues a query with words of its own."""

    def generate(
        self,
        queries: Sequence[Query],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        samples: Sequence[int] | None = None,
    ) -> list[str]:
        """What the model writes into the gap of each query, without surrounding white space.

        Args:
            max_tokens: most tokens of one answer.
            temperature: 0 for the likeliest words; above it, answers are drawn.
            samples: a number for each query that tells draws of the same query apart, so that
                a remembered answer is given again only for the same number. None: all 0.

        Raises:
            BackendUnavailable, BackendRefused: as `score`.
        """
        ...


@runtime_checkable
class RanksVocabulary(Protocol):
    """A backend that tells which words it would put into the gap: what PromptBoosting needs."""

    def rank(self, queries: Sequence[Query], k: int) -> list[Mapping[str, float]]:
        """The `k` likeliest words for the gap of each query and their log-probabilities, nats.

        Fewer where the backend does not tell so many.
        """
        ...


@dataclass(frozen=True)
class Usage:
    """What requests to an API have cost. Whole numbers, so that sums are exact."""

    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: int = 0  # in 10^-12 of the price table's currency

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.requests + other.requests,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.cost + other.cost,
        )

    def __sub__(self, other: "Usage") -> "Usage":
        return self + Usage(-other.requests, -other.tokens_in, -other.tokens_out, -other.cost)


class Account(Protocol):
    """Who pays for requests and remembers their answers; called from any thread."""

    def recall(self, keys: Sequence[str]) -> Mapping[str, str]:
        """The answers kept for these requests, by key; they cost nothing."""
        ...

    def reserve(self, most: Usage) -> None:
        """Before one request is sent.

        Raises:
            Exception: it may not be afforded; it must not be sent, and the exception is passed on.
        """
        ...

    def settle(self, reserved: Usage, spent: Usage, answer: tuple[str, str] | None = None) -> None:
        """After it, once for every `reserve`: what was billed, and the (key, answer) to keep.

        A request that failed without an answer has spent nothing and keeps nothing.
        """
        ...


@runtime_checkable
class Billed(Protocol):
    """A backend whose requests are paid for."""

    def bill_to(self, account: Account) -> None:
        """From now on `account` pays; before that nobody does, and nothing is remembered."""
        ...
