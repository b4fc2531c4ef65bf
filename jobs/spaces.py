"""Where candidates live, and the prompt each one stands for."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jobs.prompts import Prompt, SoftPrompt, TextPrompt

ProjectionKind: TypeAlias = Literal["normal", "uniform"]


class Space(Protocol):
    """A search space: its points are what an optimizer proposes."""

    def decode(self, candidate: Any) -> Prompt: ...


@dataclass(frozen=True, eq=False)
class Projection:
    """BBT's random subspace: p = A z + p0, A fixed by its seed (Sun et al. 2022, arXiv:2201.03514).

    `z` has `dim` entries (the intrinsic dimension). With kind "normal" the entries of A are
    N(0, scale^2); with "uniform" they are U(-scale, scale).
    """

    dim: int
    start: NDArray[np.float32]  # p0, shape (n_tokens, hidden)
    kind: ProjectionKind
    scale: float
    seed: int

    @cached_property
    def matrix(self) -> NDArray[np.float32]:
        """A, float32, shape (n_tokens * hidden, dim)."""
        random = np.random.default_rng((self.seed, self.dim))
        shape = (self.start.size, self.dim)
        if self.kind == "normal":
            return np.float32(self.scale) * random.standard_normal(shape, dtype=np.float32)
        return np.float32(self.scale) * (2 * random.random(shape, dtype=np.float32) - 1)

    def decode(self, candidate: NDArray[np.float64]) -> SoftPrompt:
        """A candidate (dim,) as a soft prompt of one layer (1, n_tokens, hidden)."""
        shift = self.matrix @ candidate.astype(np.float32)
        return SoftPrompt((self.start + shift.reshape(self.start.shape))[None])


@dataclass(frozen=True)
class Texts:
    """The candidates are the words themselves."""

    def decode(self, candidate: str) -> TextPrompt:
        return TextPrompt(candidate)


@dataclass(frozen=True)
class WordList:
    """A candidate is a row of positions in a list of words or phrases."""

    words: tuple[str, ...]

    def decode(self, candidate: NDArray[np.int64]) -> TextPrompt:
        """Positions, shape (n_tokens,), as their words with one space between."""
        return TextPrompt(" ".join(self.words[position] for position in candidate))


def normal_scale(embedding_std: float, dim: int, sigma0: float, alpha: float) -> float:
    """alpha * s_E / (sqrt(dim) * sigma0): a first-generation prompt spreads as real embeddings do.

    (BBT's released code, bbt.py, October 2022.)
    """
    return alpha * embedding_std / (float(np.sqrt(dim)) * sigma0)


def uniform_scale(dim: int) -> float:
    """1 / sqrt(dim), the initialization of `torch.nn.Linear(dim, ...)`: the ICML paper's A."""
    return 1.0 / float(np.sqrt(dim))
