"""Gradients from losses alone: likelihood ratio and SPSA, one draw at a time. No model, no state.

A draw is one direction e ~ N(0, I) on one example. With o the point that is moved and s the noise
scale, one query at o + s e (and, antithetic, one more at o - s e) gives an estimate of dL/do.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Directions: TypeAlias = NDArray[np.floating[Any]]  # shape (n_draws, D)
Owners: TypeAlias = NDArray[np.int64]  # the example of each draw, shape (n_draws,), 0 .. B-1


@dataclass(frozen=True, eq=False)
class Draws:
    """What was asked and answered; a lost answer is nan, and its draw is left out."""

    owners: Owners
    directions: Directions  # e
    slopes: Array  # c with gradient estimate c e, shape (n_draws,), nats per unit of o

    def __add__(self, other: "Draws") -> "Draws":
        return Draws(
            np.concatenate([self.owners, other.owners]),
            np.concatenate([self.directions, other.directions]),
            np.concatenate([self.slopes, other.slopes]),
        )


def likelihood_ratio(losses: Array, clean: Array, sigma: float) -> Array:
    """c = (L(o + s e) - L(o)) / s, one query a draw (OPS, arXiv:2410.05966, equation 1).

    The clean loss is a baseline: it changes no mean and takes most of the variance away.
    """
    return (losses - clean) / sigma


def antithetic(plus: Array, minus: Array, sigma: float) -> Array:
    """c = (L(o + s e) - L(o - s e)) / (2 s), two queries a draw (equation 3, "SPSA")."""
    return (plus - minus) / (2 * sigma)


def batch_gradient(draws: Draws, n_examples: int, *, by_query: bool = False) -> Array:
    """dL/do, shape (D,), L the mean loss of the batch.

    Draws are averaged within each example first, then examples with equal weight (equation 4).
    An example all of whose draws were lost is left out. With `by_query` every draw weighs alike, as
    in the released code: biased towards the examples with many draws.
    """
    weights = _weights(draws, draws.slopes, n_examples, by_query)
    return (weights.astype(draws.directions.dtype) @ draws.directions).astype(np.float64)


def noise_gradient(draws: Draws, rises: Array, n_examples: int, *, by_query: bool = False) -> float:
    """dL/d(ln s), L the mean loss of the batch under noise: the mean of L (|e|^2 - D).

    `rises` are the losses above the clean one, which is the baseline, shape (n_draws,). OPS's
    released layers learn a scale for each output, by L (e^2 - 1); for one scale they are summed.
    """
    sizes = _squares(draws.directions) - draws.directions.shape[1]
    return float(_weights(draws, rises, n_examples, by_query) @ sizes)


def draw_variances(draws: Draws, n_examples: int) -> Array:
    """V_i: variance of one draw's gradient on each example, summed over coordinates, shape (B,).

    nan where fewer than two draws are known.
    """
    known, squares = np.isfinite(draws.slopes), _squares(draws.directions)
    variances = np.full(n_examples, np.nan)
    for example in range(n_examples):
        mine = np.flatnonzero(known & (draws.owners == example))
        if len(mine) > 1:
            slopes = draws.slopes[mine]
            mean = slopes @ draws.directions[mine] / len(mine)
            about_zero = float(slopes**2 @ squares[mine])
            variances[example] = max(about_zero - len(mine) * float(mean @ mean), 0.0)
            variances[example] /= len(mine) - 1
    return variances


def _weights(draws: Draws, values: Array, n_examples: int, by_query: bool) -> Array:
    """Each draw's value times its share in the mean; 0 where it is lost, shape (n_draws,)."""
    known = np.isfinite(values)
    counts = np.bincount(draws.owners[known], minlength=n_examples)
    shares = known / max(int(known.sum()), 1)
    if not by_query:
        shares = known / np.maximum(counts[draws.owners] * np.count_nonzero(counts), 1)
    return np.where(known, values, 0.0) * shares


def _squares(directions: Directions) -> Array:
    """|e|^2 of each, shape (n_draws,)."""
    return np.asarray(np.einsum("ij,ij->i", directions, directions, dtype=np.float64))
