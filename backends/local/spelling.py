"""Which tokens are asked where, so that labels of several tokens are scored in few sequences."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from backends.local.inputs import Pairs
from backends.local.vocabulary import Ids

LONGEST_LABEL = 32  # tokens


@dataclass(frozen=True)
class Spelling:
    """Labels, and for each the line on which it is read: lines are the sequences of one query."""

    labels: tuple[Ids, ...]
    owners: tuple[int, ...]  # label -> its line

    def pairs(self, line: int) -> Pairs:
        """The tokens of all labels of a line, label after label, each at its own place."""
        return tuple(
            pair
            for label, owner in zip(self.labels, self.owners, strict=True)
            if owner == line
            for pair in enumerate(label)
        )

    def totals(self, answers: list[NDArray[np.float64]]) -> list[float]:
        """Sum of each label's log-probabilities, from those of each line's pairs."""
        used = [0] * len(answers)
        sums = []
        for label, line in zip(self.labels, self.owners, strict=True):
            sums.append(float(answers[line][used[line] : used[line] + len(label)].sum()))
            used[line] += len(label)
        return sums


def longest(max_tokens: int) -> int:
    """The most tokens of a label, for a model that reads so many.

    So much room is left free in every text, whatever the labels: all are asked after the same one.
    """
    return min(LONGEST_LABEL, max_tokens // 4)


@lru_cache(1024)
def by_length(labels: tuple[Ids, ...]) -> tuple[tuple[int, ...], Spelling]:
    """Lengths, and labels of one length on one line: what masked models need."""
    lengths = tuple(sorted({len(label) for label in labels}))
    return lengths, Spelling(labels, tuple(lengths.index(len(label)) for label in labels))


@lru_cache(1024)
def by_context(labels: tuple[Ids, ...]) -> tuple[tuple[Ids, ...], Spelling]:
    """What must be read before each label's last token, and labels on the lines that hold it.

    Models that read from left to right tell the tokens after every beginning of a line too, so
    labels of one token need one line in all, the empty one.
    """
    contexts = sorted({label[:-1] for label in labels})
    lines = [
        one
        for one, following in zip(contexts, [*contexts[1:], None], strict=True)
        if following is None or following[: len(one)] != one
    ]
    owners = (next(i for i, line in enumerate(lines) if _begins(label, line)) for label in labels)
    return tuple(lines), Spelling(labels, tuple(owners))


def _begins(label: Ids, line: Ids) -> bool:
    return line[: len(label) - 1] == label[:-1]
