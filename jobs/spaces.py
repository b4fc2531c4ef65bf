"""Where candidates live, and the prompt each one stands for."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from jobs.prompts import Prompt, SoftPrompt, TextPrompt

ProjectionKind: TypeAlias = Literal["normal", "uniform"]

TOGETHER = 256  # candidates in one matrix product: what they need beside their prompts is bounded


class Space(Protocol):
    """A search space: its points are what an optimizer proposes."""

    def decode(self, candidate: Any) -> Prompt: ...


@runtime_checkable
class DecodesAll(Protocol):
    """A space that decodes thousands of candidates sooner than one by one."""

    def decode_all(self, candidates: Sequence[Any]) -> Sequence[Prompt]: ...


def decode_all(space: Space, candidates: Sequence[Any]) -> list[Prompt]:
    """Each candidate's prompt, in the candidates' order."""
    if isinstance(space, DecodesAll):
        return list(space.decode_all(candidates))
    return [space.decode(candidate) for candidate in candidates]


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


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a two-sided soft prompt: where it starts, and what a shift of 1 is there."""

    start: NDArray[np.float32]  # shape (n_tokens, hidden); no tokens: nothing is put in
    scale: float  # in the model's own units


@dataclass(frozen=True, eq=False)
class Shifts:
    """The candidates are shifts of the prompt's own vectors, in units of each side's scale.

    A candidate has shape (size,): first the text side's entries, then the visual side's.
    """

    text: Side
    visual: Side | None = None  # None: the model reads no image, or nothing is put beside one

    @property
    def size(self) -> int:
        """How many numbers the prompt has."""
        return self.text.start.size + (0 if self.visual is None else self.visual.start.size)

    def decode(self, candidate: NDArray[np.floating[Any]]) -> SoftPrompt:
        """A prompt of one layer a side, (1, n_tokens, hidden) each."""
        shift, cut = candidate.astype(np.float32), self.text.start.size
        visual = None if self.visual is None else _moved(self.visual, shift[cut:])
        return SoftPrompt(_moved(self.text, shift[:cut]), visual)


@dataclass(frozen=True, eq=False)
class TwoSided:
    """(z_T; z_V) through a random matrix for each side of a soft prompt: p = p0 + scale A z.

    (BPT-VLM, Yu et al. 2023, IJCAI, as released: 500 + 500 numbers.) The entries of A are
    N(0, 1/dim): under z ~ N(0, I) a side's shifts spread by its scale.

    Unlike the paper, the visual matrix has a mean of zero unless `visual_mean` is given: with
    one, z and -z are not alike. `patch_mean` tells the paper's.
    """

    around: Shifts
    dims: tuple[int, int]  # entries of z that move the text side, and the visual side
    seed: int
    visual_mean: float = 0.0

    @cached_property
    def matrix(self) -> NDArray[np.float32]:
        """From z to shifts, block by block: float32, shape (around.size, sum(dims))."""
        cut, (dim, other) = self.around.text.start.size, self.dims
        whole = np.zeros((self.around.size, dim + other), dtype=np.float32)
        blocks = ((whole[:cut, :dim], 0.0), (whole[cut:, dim:], self.visual_mean))
        for place, (block, mean) in enumerate(blocks):
            random = np.random.default_rng((self.seed, place, block.shape[1]))
            entries = random.standard_normal(block.shape, dtype=np.float32)
            block[:] = mean + entries / np.float32(np.sqrt(max(block.shape[1], 1)))
        return whole

    def decode(self, candidate: NDArray[np.float64]) -> SoftPrompt:
        """z, shape (sum(dims),), as a prompt of one layer a side."""
        return self.decode_all([candidate])[0]

    def decode_all(self, candidates: Sequence[NDArray[np.float64]]) -> list[SoftPrompt]:
        """As `decode`; one matrix product for many."""
        prompts: list[SoftPrompt] = []
        for first in range(0, len(candidates), TOGETHER):
            some = np.stack(candidates[first : first + TOGETHER]).astype(np.float32)
            prompts += map(self.around.decode, some @ self.matrix.T)
        return prompts


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


def patch_scale(weights_std: float, n_inputs: int) -> float:
    """std sqrt(n): how embedded patches spread, from the weights that embed them.

    (BPT-VLM as released: n = 3072, the numbers in one patch of ViT-B/32.)
    """
    return weights_std * float(np.sqrt(n_inputs))


def patch_mean(weights_mean: float, weights_std: float, n_inputs: int, dim: int) -> float:
    """The paper's mean of the visual matrix, mean * n / dim, in units of `patch_scale`."""
    return weights_mean * n_inputs / dim / patch_scale(weights_std, n_inputs)


def _moved(side: Side, shift: NDArray[np.float32]) -> NDArray[np.float32]:
    return (side.start + np.float32(side.scale) * shift.reshape(side.start.shape))[None]
