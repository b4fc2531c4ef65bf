"""How far from chance: intervals of a mean, and tests of a difference. No model, no wording."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]

CONFIDENCE = 0.95
RESAMPLES = 10_000
CELLS = 4_000_000  # numbers drawn at a time: some tens of megabytes


def wilson(correct: int, n: int) -> tuple[float, float]:
    """The 95 % Wilson score interval of an accuracy (Wilson 1927)."""
    interval = _coins(correct, n).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def mcnemar(fixed: int, broken: int) -> float:
    """Exact two-sided McNemar p-value: is `fixed` against `broken` a fair coin? (McNemar 1947)."""
    discordant = fixed + broken
    return float(_coins(fixed, discordant).pvalue) if discordant else 1.0


def _coins(heads: int, n: int) -> Any:
    """The exact test of a fair coin; scipy.stats, half a second, is imported when first needed."""
    from scipy.stats import binomtest

    return binomtest(heads, n)


def bootstrap_interval(values: Array) -> tuple[float, float]:
    """The 95 % percentile interval of the mean (Efron and Tibshirani 1993, section 13.3).

    Unlike the book, it is Wilson's where all values are the same: a resample would be sure, and
    numbers from 0 to 1 vary no more than right and wrong do.
    """
    if values.min() == values.max():
        return wilson(round(values.sum()), len(values))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(_resampled_means(values), [tail, 1 - tail])
    return float(low), float(high)


def paired_bootstrap(differences: Array) -> float:
    """Two-sided p-value: is the mean difference of pairs nothing but chance?

    The differences are moved to mean 0 and resampled; p is how often their mean is as far from 0
    as the one that was seen, that one counted too (Efron and Tibshirani 1993, section 16.4).

    Unlike the book, p is at least 2^(1 - k) where k pairs differ, the least that k coins can
    say: the bootstrap of two or three alike pairs would be sure.
    """
    seen = float(differences.mean())
    means = _resampled_means(differences - seen)
    as_far = int((np.abs(means) >= abs(seen) - 1e-12).sum())
    least = 2.0 ** (1 - np.count_nonzero(differences))
    return float(min(1.0, max(least, (1 + as_far) / (1 + RESAMPLES))))


def _resampled_means(values: Array) -> Array:
    """Means of as many values drawn with replacement, shape (RESAMPLES,); always the same draws."""
    random = np.random.default_rng(0)

    def drawn() -> Iterator[Array]:
        rows = max(1, CELLS // len(values))
        for start in range(0, RESAMPLES, rows):
            shape = (min(rows, RESAMPLES - start), len(values))
            yield values[random.integers(len(values), size=shape)].mean(axis=1)

    return np.concatenate(list(drawn()))


class Statistics(NamedTuple):
    """What is said of how right the answers are, from 0 to 1, one number a row."""

    test: str  # its name, for people
    won: str  # what has become of a row that is more right than it was
    lost: str
    interval: Callable[[Array], tuple[float, float]]  # of the mean
    p_value: Callable[[Array], float]  # of the differences, tuned minus baseline


COUNTED = Statistics(
    "exact McNemar",
    "fixed",
    "broken",
    lambda right: wilson(int(right.sum()), len(right)),
    lambda differences: mcnemar(int((differences > 0).sum()), int((differences < 0).sum())),
)  # of rows that are right or wrong
GRADED = Statistics("paired bootstrap", "better", "worse", bootstrap_interval, paired_bootstrap)
