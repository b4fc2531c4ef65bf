"""ZIP's search space: a soft prompt whose tokens share few directions. Searches nothing."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from jobs.fastfood import Fastfood
from jobs.prompts import SoftPrompt

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LowRank:
    """Token i is p0_i + F_i w_i, w_i being row i of W = U diag(s) V' + 1 v' (ZIP, ICLR 2025).

    F_i is a Fastfood transform, fixed by the seed; as in the released code, each token has its
    own. A candidate is U, s, V and v, in this order.
    """

    start: NDArray[np.float32]  # p0, shape (n_tokens, hidden)
    width: int  # entries of a row of W, at most `hidden`
    rank: int  # columns of U and V
    seed: int

    @property
    def dim(self) -> int:
        return len(self.first)

    @cached_property
    def first(self) -> Array:
        """U = 0, s = 1, V ~ N(0, 1) and v = 0, shape (dim,): the prompt is p0."""
        random = np.random.default_rng((self.seed, self.width, self.rank))
        u, s = np.zeros(len(self.start) * self.rank), np.ones(self.rank)
        v = random.standard_normal(self.width * self.rank)
        return np.concatenate([u, s, v, np.zeros(self.width)])

    def decode(self, candidate: Array) -> SoftPrompt:
        """A candidate (dim,) as a soft prompt of one layer (1, n_tokens, hidden)."""
        n_tokens = len(self.start)
        ends = np.cumsum([n_tokens * self.rank, self.rank, self.width * self.rank])
        u, s, v, shared = np.split(candidate, ends)
        rows = (u.reshape(n_tokens, -1) * s) @ v.reshape(self.width, -1).T + shared
        return SoftPrompt((self.start + self._spread(rows).astype(np.float32))[None])

    @cached_property
    def _spread(self) -> Fastfood:
        n_tokens, hidden = self.start.shape
        return Fastfood(n_tokens, hidden, self.seed)
