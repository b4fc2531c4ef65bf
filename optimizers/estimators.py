"""Gradients from losses alone: likelihood ratio and SPSA, one draw at a time. No model, no state.

A draw is one direction e ~ N(0, I) on one example. With o the point that is moved and s the noise
scale, one query at o + s e (and, antithetic, one more at o - s e) gives an estimate of dL/do.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Owners: TypeAlias = NDArray[np.int64]  # the example of each draw, shape (n_draws,), 0 .. B-1


@dataclass(frozen=True, eq=False)
class Draws:
    """What was asked and answered; a lost answer is nan, and its draw is left out."""

    owners: Owners
    directions: Array  # e, shape (n_draws, D)
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
    known = np.isfinite(draws.slopes)
    if not known.any():
        return np.zeros(draws.directions.shape[1])
    owners, slopes = draws.owners[known], draws.slopes[known]
    counts = np.bincount(owners, minlength=n_examples)
    share = np.ones(len(owners)) / len(owners)
    if not by_query:
        share = 1 / counts[owners] / np.count_nonzero(counts)
    return np.asarray((share * slopes) @ draws.directions[known])


def draw_variances(draws: Draws, n_examples: int) -> Array:
    """V_i: variance of one draw's gradient on each example, summed over coordinates, shape (B,).

    nan where fewer than two draws are known.
    """
    known = np.isfinite(draws.slopes)
    variances = np.full(n_examples, np.nan)
    for example in range(n_examples):
        mine = known & (draws.owners == example)
        if np.count_nonzero(mine) > 1:
            gradients = draws.slopes[mine, None] * draws.directions[mine]
            variances[example] = gradients.var(axis=0, ddof=1).sum()
    return variances
