"""How many queries each example of a batch gets: the total is fixed, the shares are not.

A gradient estimated over B examples has the variance (1/B^2) sum_i V_i / n_i, where V_i is the
variance of one draw on example i and n_i the number of draws (OPS, arXiv:2410.05966, theorem 1).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64]  # draws of each example, shape (B,)

SMALLEST_SHARE = 0.1  # of the mean share: J holds 1/q, whose mean does not exist near 0
JITTER = 1e-4  # on the covariance's diagonal


@runtime_checkable
class Allocates(Protocol):
    """An optimizer that asks about some training rows more often than about others."""

    def allocation(self, state: Any) -> Mapping[int, int]:
        """After a generation: what each row of its batch was asked, in queries."""
        ...


def equal(n_examples: int, total: int) -> Counts:
    """The same for all; what is left over goes to the first."""
    return rounded(np.ones(n_examples), total)


def bernoulli(losses: Array, per_example: int, p: float, random: np.random.Generator) -> Counts:
    """Examples below the mean loss give up half of their draws, each with probability `p`.

    What they give up is spread evenly over the others (OPS, equation 6 and appendix C.1; the
    halves are those of the authors' allocator.py). Golden vector: methods.md, 4.
    """
    known = np.where(np.isfinite(losses), losses, np.inf)  # nobody knows: it gives nothing up
    below = known < _mean_of_finite(known)
    pruned = below & (random.random(len(losses)) < p)
    counts = np.full(len(losses), per_example, dtype=np.int64)
    if pruned.all() or not pruned.any():
        return counts
    counts[pruned] = per_example // 2
    freed = per_example * len(losses) - int(counts.sum())
    counts[~pruned] += equal(int((~pruned).sum()), freed)
    return counts


def neyman(variances: Array, total: int, least: int = 1) -> Counts:
    """n_i in proportion to sqrt(V_i): the counts that minimize sum_i V_i / n_i (theorem 2).

    Args:
        variances: of one draw on each example; nan counts as the mean of the others.
        least: draws that every example gets; 1 keeps the estimate unbiased.
    """
    return rounded(np.sqrt(_usable(variances)), total, least)


def shrunk(variances: Array, weight: float = 0.5) -> Array:
    """Estimated variances drawn towards their mean: a few pilot draws tell little of each.

    With two pilot pairs and no shrinkage, Neyman's counts are worse than equal ones.
    """
    usable = _usable(variances)
    return np.asarray((1 - weight) * usable + weight * usable.mean())


def variance_ratio(variances: Array, counts: Counts) -> float:
    """Variance under equal counts over the variance under these; above 1 they help.

    It cannot exceed 1 + CV^2 of sqrt(V_i), the square of `spread`.
    """
    usable = _usable(variances)
    mine = float((usable / np.maximum(counts, 1)).sum())
    return float(usable.sum()) * len(counts) / float(counts.sum()) / mine if mine > 0 else 1.0


def spread(variances: Array) -> float:
    """Coefficient of variation of sqrt(V_i): what an allocator can make use of."""
    deviations = np.sqrt(_usable(variances))
    return float(deviations.std() / deviations.mean()) if deviations.any() else 0.0


def rounded(shares: Array, total: int, least: int = 0) -> Counts:
    """Whole numbers in proportion to `shares`, at least `least` each, that sum to `total`.

    By largest remainder, ties to the first. Shares that are all zero count as equal.

    Raises:
        ValueError: `total` is less than `least` for each.
    """
    if total < least * len(shares):
        raise ValueError(f"{total} draws for {len(shares)} examples, wanted {least} for each")
    weights = shares if shares.sum() > 0 else np.ones(len(shares))
    free = np.ones(len(shares), dtype=bool)  # not held at `least`
    exact = np.full(len(shares), float(least))
    while free.any():
        exact[free] = _split(weights[free], total - least * int((~free).sum()))
        short = free & (exact < least)
        if not short.any():
            break
        exact[short], free = least, free & ~short
    counts: Counts = np.floor(exact).astype(np.int64)
    rest = np.argsort(-(exact - counts), kind="stable")[: total - int(counts.sum())]
    counts[rest] += 1
    return counts


@dataclass(frozen=True)
class Gaussian:
    """Shares drawn from N(mu, Sigma) in four numbers, learned by the likelihood-ratio method.

    mu_i = a h(L_i) + b with h(L) = tanh of the standardized clean loss; Sigma_ij = s exp(-kappa
    (1 - cos(e_i, e_j))) over the images' [CLS] vectors (OPS, section 4.3). The paper's h and first
    values are not printed: these are ours.
    """

    a: float
    b: float
    s: float
    kappa: float

    @classmethod
    def first(cls, per_example: int) -> "Gaussian":
        return cls(0.5 * per_example, per_example, (0.2 * per_example) ** 2, 5.0)

    def mean(self, losses: Array) -> Array:
        return self.a * _squashed(losses) + self.b

    def covariance(self, unlike: Array) -> Array:
        """`unlike` is 1 - cosine of each pair of examples, shape (B, B)."""
        return self.s * np.exp(-self.kappa * unlike) + JITTER * np.eye(len(unlike))

    def draw(self, losses: Array, unlike: Array, n: int, random: np.random.Generator) -> Array:
        """Shares, shape (n, B), none below a tenth of the mean share."""
        mean = self.mean(losses)
        shares = random.multivariate_normal(mean, self.covariance(unlike), n, method="cholesky")
        return np.asarray(np.maximum(shares, SMALLEST_SHARE * abs(mean.mean())))

    def learn(
        self, losses: Array, unlike: Array, variances: Array, shares: Array, rate: float
    ) -> "Gaussian":
        """One step down J = E[(sum q)(sum V / q)], scores against their mean (equation 10).

        Unlike the paper, each number moves by `rate` of its size at most: the score's scale is
        that of the shares, and a bad draw must not turn an allocator over.
        """
        objective = shares.sum(axis=1) * (_usable(variances) / shares).sum(axis=1)
        advantage = objective - objective.mean()
        if not np.isfinite(advantage).all() or advantage.std() == 0:
            return self
        scores = np.array([self._score(losses, unlike, each) for each in shares])
        slope = (advantage / advantage.std()) @ scores / len(shares)
        values = np.array([self.a, self.b, self.s, self.kappa])
        size = np.maximum(np.abs(values), 1e-6)
        a, b, s, kappa = values - rate * size * np.tanh(slope * size)
        return replace(self, a=float(a), b=float(b), s=float(s), kappa=float(max(kappa, 0.0)))

    def _score(self, losses: Array, unlike: Array, share: Array) -> Array:
        """Gradient of ln p(share) by (a, b, s, kappa)."""
        inverse = np.linalg.inv(self.covariance(unlike))
        u = inverse @ (share - self.mean(losses))
        by_covariance = 0.5 * (np.outer(u, u) - inverse)
        kernel = np.exp(-self.kappa * unlike)
        return np.array(
            [
                _squashed(losses) @ u,
                u.sum(),
                (by_covariance * kernel).sum(),
                (by_covariance * -self.s * kernel * unlike).sum(),
            ]
        )


def _split(weights: Array, total: int) -> Array:
    mass = weights.sum()
    return total * weights / mass if mass > 0 else np.full(len(weights), total / len(weights))


def _squashed(losses: Array) -> Array:
    known = np.where(np.isfinite(losses), losses, _mean_of_finite(losses))
    return np.asarray(np.tanh((known - known.mean()) / (known.std() + 1e-12)))


def _usable(variances: Array) -> Array:
    """Never negative, never nan: what is unknown counts as the mean of what is known."""
    known = np.where(np.isfinite(variances), np.maximum(variances, 0.0), np.nan)
    return np.where(np.isnan(known), _mean_of_finite(known), known)


def _mean_of_finite(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else 0.0
