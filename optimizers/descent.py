"""Steps down a gradient: Adam and clipping, as pure functions of arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DECAY_1, DECAY_2, TINY = 0.9, 0.999, 1e-8  # the constants of Adam's paper


@dataclass(frozen=True, eq=False)
class Moments:
    """What Adam remembers of the gradients so far; both arrays have the gradient's shape."""

    mean: Array
    square: Array
    n_steps: int

    @classmethod
    def none(cls, shape: tuple[int, ...]) -> "Moments":
        return cls(np.zeros(shape), np.zeros(shape), 0)


def adam(moments: Moments, gradient: Array, rate: float) -> tuple[Moments, Array]:
    """The new moments and the step to add (Kingma & Ba 2015, arXiv:1412.6980, algorithm 1)."""
    n = moments.n_steps + 1
    mean = DECAY_1 * moments.mean + (1 - DECAY_1) * gradient
    square = DECAY_2 * moments.square + (1 - DECAY_2) * gradient**2
    unbiased, spread = mean / (1 - DECAY_1**n), square / (1 - DECAY_2**n)
    return Moments(mean, square, n), -rate * unbiased / (np.sqrt(spread) + TINY)


def clipped(gradient: Array, longest: float) -> Array:
    """The gradient, cut to a Euclidean norm of at most `longest`."""
    norm = float(np.linalg.norm(gradient))
    return gradient if norm <= longest else gradient * (longest / norm)


def cosine(step: int, horizon: int) -> float:
    """From 1 at step 0 to 0 at `horizon` and after it; 1 where the horizon is 0, which is none.

    (Loshchilov & Hutter 2017, arXiv:1608.03983, equation 5, without restarts.)
    """
    return float(1 + np.cos(np.pi * min(step / horizon, 1))) / 2 if horizon else 1.0
