"""Soft prompts as the towers read them, and unit vectors as they come out. No model."""

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import BackendRefused


@dataclass(frozen=True)
class Vectors:
    """A soft prompt for one tower, at least one token long."""

    rows: NDArray[np.float32] = field(compare=False)  # shape (n_layers, n_tokens, width)
    key: bytes  # the same for the same numbers

    @property
    def n_tokens(self) -> int:
        return int(self.rows.shape[1])


def checked(given: Any, noun: str, shape: tuple[int, int]) -> Vectors | None:
    """The prompt for a tower of (most layers, width); None: there is none, or it has no tokens.

    Raises:
        BackendRefused: its shape is another, or some of its numbers are not finite.
    """
    if given is None:
        return None
    layers, width = shape
    with np.errstate(over="ignore"):  # becomes infinite, which is refused below
        rows = np.ascontiguousarray(given, np.float32)
    said = f"{noun} prompt of shape {rows.shape}"
    if not layers:
        raise BackendRefused(f"{said}: this model's image tower takes none, only words")
    if rows.ndim != 3 or rows.shape[2] != width or not 1 <= rows.shape[0] <= layers:
        raise BackendRefused(f"{said}: (1 to {layers}, n_tokens, {width}) is wanted")
    if not np.isfinite(rows).all():
        raise BackendRefused(f"{said}: some of its numbers are not finite")
    if not rows.size:
        return None
    return Vectors(rows, blake2b(rows.tobytes() + bytes(str(rows.shape), "ascii")).digest())
