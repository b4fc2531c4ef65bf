"""The search space of pixel prompts: a coarse picture, laid over every image. Draws nothing."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobs.prompts import PixelPrompt


@dataclass(frozen=True)
class PixelGrid:
    """A candidate holds red, green and blue of every cell, squashed into +-strength by tanh."""

    height: int  # cells
    width: int
    strength: float  # units of full brightness

    @property
    def dim(self) -> int:
        return self.height * self.width * 3

    def decode(self, candidate: NDArray[np.float64]) -> PixelPrompt:
        """A candidate (dim,) as a prompt (height, width, 3); zeros change no image."""
        cells = candidate.reshape(self.height, self.width, 3)
        return PixelPrompt((self.strength * np.tanh(cells)).astype(np.float32))
