"""Prompts at every layer: their space, and how widely what a layer reads is spread."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.prompts import LabelWords, SoftPrompt
from jobs.spaces import Projection, ProjectionKind
from optimizers.layered import stream

CLIPPINGS = 5
WIDEST = 3.0  # standard deviations


@dataclass(frozen=True, eq=False)
class DeepProjection:
    """A random subspace of its own for each layer: P_i = A_i z_i, and p0 added at the first.

    (BBTv2, Sun et al. 2022, arXiv:2205.11200, section 3.2.)
    """

    layers: tuple[Projection, ...]
    words: LabelWords = ()  # of every prompt

    def decode(self, candidate: NDArray[np.float64]) -> SoftPrompt:
        """z, shape (n_layers, dim), as a prompt of shape (n_layers, n_tokens, hidden)."""
        return self.decode_all([candidate])[0]

    def decode_all(self, candidates: Sequence[NDArray[np.float64]]) -> list[SoftPrompt]:
        """As `decode`; a z that many share is projected once, so its bytes are the same in all."""
        known: dict[tuple[int, bytes], NDArray[np.float32]] = {}
        prompts = []
        for candidate in candidates:
            keys = [(layer, z.tobytes()) for layer, z in enumerate(candidate)]
            for (layer, key), z in zip(keys, candidate, strict=True):
                if (layer, key) not in known:
                    known[layer, key] = self.layers[layer].decode(z).vectors[0]
            vectors = np.stack([known[key] for key in keys])
            prompts.append(SoftPrompt(vectors, words=self.words))
        return prompts


def deep_projection(
    dim: int,
    start: NDArray[np.float32],
    kind: ProjectionKind,
    scales: Sequence[float],
    seed: int,
    words: LabelWords = (),
) -> DeepProjection:
    """One projection for each of `scales`; `start`, shape (n_tokens, hidden), is the first's p0."""
    return DeepProjection(
        tuple(
            Projection(
                dim, np.zeros_like(start) if layer else start, kind, scale, stream(seed, layer)
            )
            for layer, scale in enumerate(scales)
        ),
        words,
    )


def clipped_statistics(
    values: NDArray[np.float32] | NDArray[np.float64], clippings: int = CLIPPINGS
) -> tuple[float, float]:
    """Mean and standard deviation of all entries after clipping them, again and again.

    Each time to three standard deviations around the mean, so that a few huge entries, which
    transformers have, do not widen a prompt. (BBTv2 as released, deepbbt.py, 2022.)
    """
    kept: NDArray[Any] = values.ravel()
    for left in range(clippings, -1, -1):
        mean = float(kept.mean(dtype=np.float64))
        std = float(kept.std(dtype=np.float64, mean=np.float64(mean)))
        if left:
            kept = np.clip(kept, mean - WIDEST * std, mean + WIDEST * std)
    return mean, std
