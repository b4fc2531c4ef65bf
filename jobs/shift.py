"""One vector that several layers add at every token of a soft prompt: the space of `shift`."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.prompts import SoftPrompt


@dataclass(frozen=True, eq=False)
class SharedShift:
    """The candidates are shifts, shape (hidden,), shared by all tokens of all layers but the first.

    P_1 = start, and every row of P_l is scale_l v / sqrt(n) for the layers l above the first: n,
    the number of places that a shift is added at, keeps a step of v as long in the whole prompt
    however many they are.
    """

    start: NDArray[np.float32]  # of the first layer, shape (n_tokens, hidden)
    scales: tuple[float, ...]  # of the layers above the first, in the model's own units

    def decode(self, candidate: NDArray[np.floating[Any]]) -> SoftPrompt:
        """A prompt of shape (1 + len(scales), n_tokens, hidden)."""
        n_tokens, hidden = self.start.shape
        each = candidate.astype(np.float32) / np.float32(np.sqrt(n_tokens * len(self.scales)))
        rows = np.multiply.outer(np.array(self.scales, np.float32), each)
        shifts = np.broadcast_to(rows[:, None], (len(rows), n_tokens, hidden))
        return SoftPrompt(np.concatenate([self.start[None], shifts]))
