"""SAMME over verbalizers, one word a label: pure functions. Sees no text, asks no model.

A table holds log-probabilities of words, shape (n_rows, n_words), -inf where a word's is not
known; a verbalizer is a row of n_labels positions in it, and answers the label whose word is the
likeliest, or nothing (-1, always wrong) where none of its words is known.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.floating]  # shape (n_rows, n_words), nats
Verbalizers = NDArray[np.intp]  # shape (n_verbalizers, n_labels)
Answers = NDArray[np.intp]  # shape (n_verbalizers, n_rows); -1: none

TINY = 1e-10  # an error is taken to be no nearer than this to 0 or 1
TOGETHER = 4_000_000  # numbers looked at in one piece
SAME = 1e-9  # errors that differ by less are equal


def alpha(error: float, n_labels: int, rate: float = 1.0) -> float:
    """A learner's weight in the vote: rate * (ln((1 - e) / e) + ln(C - 1)).

    (Zhu et al. 2009, "Multi-class AdaBoost", equation 10.) Unlike the paper, e is kept within
    [1e-10, 1 - 1e-10]: few rows are often all answered rightly.
    """
    error = min(max(error, TINY), 1 - TINY)
    return rate * (math.log((1 - error) / error) + math.log(n_labels - 1))


def reweighted(
    weights: NDArray[np.float64], wrong: NDArray[np.bool_], alpha: float
) -> NDArray[np.float64]:
    """Weights of the rows, shape (n_rows,), sum 1: those answered wrongly grow by exp(alpha)."""
    grown = weights * np.exp(alpha * (wrong - 1.0))  # a common factor, so that none overflows
    shares: NDArray[np.float64] = grown / grown.sum()
    return shares


def word_scores(
    shares: Any, targets: NDArray[np.intp], weights: NDArray[np.float64], n_labels: int
) -> NDArray[np.float64]:
    """S_c(v) = sum_i w_i pi(x_i)[v] (+1 if y_i = c, else -1), shape (n_labels, n_words).

    (Hou et al. 2023, arXiv:2212.09257, section 3.3.)

    Args:
        shares: pi, probabilities of the words, shape (n_rows, n_words); an array, also of scipy's
            sparse ones.
    """
    right = targets == np.arange(n_labels)[:, None]
    return np.asarray(np.where(right, weights, -weights) @ shares)


def shortlists(scores: NDArray[np.float64], k: int) -> list[NDArray[np.intp]]:
    """For each label the `k` best of the words that score best for it; best first.

    Unlike the paper, a label that is no word's best takes the `k` that score best for itself.
    """
    owner = scores.argmax(axis=0)
    lists = []
    for label, row in enumerate(scores):
        mine = np.flatnonzero(owner == label)
        mine = mine if len(mine) else np.arange(len(row))
        lists.append(mine[np.argsort(-row[mine], kind="stable")][:k])
    return lists


def verbalizers(
    lists: Sequence[NDArray[np.intp]], most: int, random: np.random.Generator
) -> Verbalizers:
    """One word of each label's list, in every way; for two labels swapped as well.

    Where that is more than `most`, so many of them at random, the best words' among them. None
    has a word twice.
    """
    n_ways = math.prod(len(words) for words in lists)
    if n_ways == 0:
        return np.empty((0, len(lists)), np.intp)
    if n_ways <= most:
        ways = np.array(list(itertools.product(*lists)), np.intp)
    else:
        drawn = [random.choice(words, most - 1) for words in lists]
        first = [[words[0]] for words in lists]
        ways = np.hstack([first, drawn]).astype(np.intp).T
    ordered = np.sort(ways, axis=1)
    ways = ways[(ordered[:, 1:] != ordered[:, :-1]).all(axis=1)]
    return np.concatenate([ways, ways[:, ::-1]]) if len(lists) == 2 else ways


def answers(table: Table, verbalizers: Verbalizers) -> Answers:
    """The label that each verbalizer answers for each row."""
    logs = table.T[verbalizers]  # shape (n_verbalizers, n_labels, n_rows)
    return np.where(np.isneginf(logs).all(axis=1), -1, logs.argmax(axis=1))


def best(
    table: Table, targets: NDArray[np.intp], weights: NDArray[np.float64], ways: Verbalizers
) -> tuple[int, float]:
    """The verbalizer of the least weighted error, and that error.

    Unlike the paper, among equals it is the one of the least weighted cross-entropy over its own
    words: on few rows many make no error at all.
    """
    errors = np.concatenate(
        [(answers(table, some) != targets) @ weights for some in _pieces(ways, len(table))]
    )
    equals = np.flatnonzero(errors <= errors.min() + SAME)
    known = np.maximum(table, table[np.isfinite(table)].min(initial=0.0))
    losses = np.concatenate(
        [
            _cross_entropy(known, targets, some) @ weights
            for some in _pieces(ways[equals], len(table))
        ]
    )
    chosen = int(equals[losses.argmin()])
    return chosen, float(errors[chosen])


def votes(answers: Answers, weights: Sequence[float], n_labels: int) -> NDArray[np.float64]:
    """Each label's share of the learners' weights, shape (n_rows, n_labels)."""
    cast = answers[:, :, None] == np.arange(n_labels)
    return np.asarray(np.tensordot(np.asarray(weights), cast, axes=1) / np.sum(weights))


def _cross_entropy(
    table: Table, targets: NDArray[np.intp], ways: Verbalizers
) -> NDArray[np.float64]:
    """Shape (n_verbalizers, n_rows), nats."""
    logs = table.T[ways].astype(np.float64)
    true = logs[:, targets, np.arange(len(targets))]
    top = logs.max(axis=1)
    return np.asarray(top + np.log(np.exp(logs - top[:, None]).sum(axis=1)) - true)


def _pieces(ways: Verbalizers, n_rows: int) -> Iterator[Verbalizers]:
    size = max(1, TOGETHER // max(1, n_rows * ways.shape[1]))
    return (ways[start : start + size] for start in range(0, len(ways), size))
