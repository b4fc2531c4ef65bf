"""Where the adapters between two models live: matrices in units of what they put out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.prompts import SoftPrompt


@dataclass(frozen=True)
class Adapters:
    """A candidate is an adapter of `backends.bridge`, or its bias alone, over `scale`."""

    scale: float  # in the reader's own units

    def decode(self, candidate: NDArray[np.floating[Any]]) -> SoftPrompt:
        """W and b, shape (n_features + 1, width) or (1, width), as what the bridge reads."""
        return SoftPrompt(np.float32(self.scale) * candidate.astype(np.float32)[None])
