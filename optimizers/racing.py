"""Racing: which candidates stay, judged on common rows. Knows no text, no model, no order of rows.

Candidates meet growing subsets of the rows, and the losers are dropped on the way (Maron and
Moore 1994, "Hoeffding Races"; Birattari et al. 2002, "A Racing Algorithm for Configuring
Metaheuristics"). Unlike the papers, the test is the exact one-sided sign test of a candidate
against the leader: for losses of 0 and 1 it is McNemar's, it assumes no distribution, and
it is valid for a handful of rows, where Hoeffding's bound drops nobody and Friedman's is rough.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

Table = NDArray[np.float64]  # shape (n_candidates, n_rows); nan: the query failed
Positions = NDArray[np.intp]  # of candidates, ascending


def ends(n_rows: int, first: int, growth: float) -> list[int]:
    """How many rows have been met after each slice: `first`, then `growth` times as many.

    >>> ends(50, 8, 2.0)
    [8, 16, 32, 50]
    """
    found = [min(first, n_rows)]
    while found[-1] < n_rows:
        found.append(min(n_rows, max(found[-1] + 1, round(growth * found[-1]))))
    return found


def usable(losses: Table) -> Positions:
    """The candidates that answered at least half of the rows; all of them where none did."""
    half = np.isfinite(losses).mean(axis=1) >= 0.5
    return np.flatnonzero(half if half.any() else np.ones(len(losses), dtype=bool))


def leader(losses: Table) -> int | None:
    """The usable candidate with the lowest mean over the rows that all usable ones answered.

    The first of equals; where they have no row in common, each one's own rows count.
    None: no candidate answered at all.
    """
    racing = usable(losses)
    known = np.isfinite(losses[racing])
    if not known.any():
        return None
    common = known.all(axis=0)
    counted = np.broadcast_to(common, known.shape) if common.any() else known
    sums = np.where(counted, losses[racing], 0.0).sum(axis=1)
    n_rows = counted.sum(axis=1)
    means = np.where(n_rows > 0, sums / np.maximum(n_rows, 1), np.inf)
    return int(racing[np.argmin(means)])


def survivors(losses: Table, error_rate: float, comparisons: int) -> Positions:
    """The usable candidates that are not shown to be worse than the leader.

    The best candidate is one that no other beats on more than half of the rows where the two
    differ; with losses of 0 and 1 it has the fewest errors. If rows are drawn at random, a whole
    race drops it with a chance of at most `error_rate`, which all comparisons share (Bonferroni):
    so it does no harm that the leader is found on the same rows, nor that the test is made
    again and again. Failures are outside this promise.

    Args:
        losses: of the candidates still racing, on all rows met so far.
        error_rate: in (0, 1).
        comparisons: the most that one candidate can undergo in a race of k candidates:
            k - 1 times the calls of this function.
    """
    racing, first = usable(losses), leader(losses)
    if first is None:
        return racing
    level = error_rate / max(1, comparisons)
    return np.array([i for i in racing if p_worse(losses[i], losses[first]) > level], dtype=np.intp)


def p_worse(losses: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """One-sided p-value of the sign test that `losses` are higher, both shape (n_rows,).

    Rows on which either failed, or both are equal, tell nothing: 1 if no other is left.
    """
    n_lower, n_higher = int((losses < others).sum()), int((losses > others).sum())
    return float(bdtr(n_lower, n_lower + n_higher, 0.5))
