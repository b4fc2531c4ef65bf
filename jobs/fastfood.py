"""The Fastfood transform: a random projection upwards that keeps no matrix. No prompt, no model."""

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Fastfood:
    """n_rows maps x -> H G P H B x, from up to `n_out` entries to `n_out` (Le et al. 2013).

    H is the Walsh-Hadamard matrix of size L, the least power of two from `n_out` on; B has random
    signs, P a random order and G standard normal entries. x is filled up with zeros and the result
    cut. Divided by sqrt(L |G|^2 n_out / L), as in Aghajanyan et al. 2020 (arXiv:2012.13255), it has
    about the length of x.
    """

    n_rows: int  # each with B, P and G of its own
    n_out: int
    seed: int

    @property
    def size(self) -> int:
        """L."""
        return 1 << (self.n_out - 1).bit_length()

    @cached_property
    def _random(self) -> tuple[Array, NDArray[np.int64], Array]:
        """B, P and G / (sqrt(n_out) |G|), shape (n_rows, L) each."""
        random = np.random.default_rng((self.seed, self.n_out))
        shape = (self.n_rows, self.size)
        signs = random.choice((-1.0, 1.0), shape)
        orders = random.permuted(np.tile(np.arange(self.size), (self.n_rows, 1)), axis=1)
        gains = random.standard_normal(shape)
        norms = np.linalg.norm(gains, axis=1, keepdims=True)
        return signs, orders, gains / (np.sqrt(self.n_out) * norms)

    def __call__(self, rows: Array) -> Array:
        """Shape (n_rows, width) as (n_rows, n_out); `width` is at most `size`."""
        signs, orders, gains = self._random
        padded = np.zeros((self.n_rows, self.size))
        padded[:, : rows.shape[1]] = rows
        mixed = np.take_along_axis(hadamard(signs * padded), orders, axis=1)
        return hadamard(gains * mixed)[:, : self.n_out]


def hadamard(rows: Array) -> Array:
    """H x of each row, shape as given, (n, L), L a power of two; entries of H are 1 and -1."""
    n, size = rows.shape
    width = 1
    while width < size:
        halves = rows.reshape(n, -1, 2, width)
        rows = np.stack([halves[:, :, 0] + halves[:, :, 1], halves[:, :, 0] - halves[:, :, 1]], 2)
        width *= 2
    return rows.reshape(n, size)
