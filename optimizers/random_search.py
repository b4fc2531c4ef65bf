"""Random search: N(0, I) draws that learn nothing. What every other optimizer has to beat."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from optimizers.base import Losses, Trial, noise

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class RandomState:
    """How many populations have been told."""

    seed: int
    generation: int


@dataclass(frozen=True)
class RandomSearch:
    """Draws around 0 (Bergstra & Bengio 2012, JMLR 13), `population_size` in a generation.

    Args:
        dim: length of a candidate.
    """

    dim: int
    population_size: int = 20

    def init(self, seed: int) -> RandomState:
        return RandomState(seed, 0)

    def ask(self, state: RandomState) -> list[Trial[Vector]]:
        """New draws, shape (dim,) each."""
        drawn = noise(state.seed, state.generation, (self.population_size, self.dim))
        return [Trial(each) for each in drawn]

    def tell(
        self, state: RandomState, trials: Sequence[Trial[Vector]], losses: Sequence[Losses]
    ) -> RandomState:
        return replace(state, generation=state.generation + 1)

    def describe(self, state: RandomState) -> Mapping[str, float]:
        """Nothing: it has no inner numbers."""
        return {}
