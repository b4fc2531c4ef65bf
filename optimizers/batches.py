"""Mini-batches of train rows, and how losses on the same rows differ. No model, no gradient."""

import numpy as np

from optimizers.base import Losses

ROWS = 2  # a stream of random numbers


def batch(seed: int, step: int, n_train: int, size: int) -> tuple[int, ...]:
    """The train rows of a step, counted from 0; more than there are: all.

    Every epoch is a new order of the train set; what does not fill a batch is left out of it.
    """
    size = min(size, n_train)
    epoch, place = divmod(step, n_train // size)
    order = np.random.default_rng((seed, epoch, ROWS)).permutation(n_train)
    return tuple(order[place * size : (place + 1) * size].tolist())


def differences(first: Losses, second: Losses) -> Losses:
    """Mean of first - second over the rows that both have, shape (n_pairs,); nan: there are none.

    Both have shape (n_pairs, n_rows).
    """
    common = np.isfinite(first) & np.isfinite(second)
    counts = common.sum(axis=1)
    apart = np.where(common, first, 0.0) - np.where(common, second, 0.0)
    return np.where(counts > 0, apart.sum(axis=1) / np.maximum(counts, 1), np.nan)
