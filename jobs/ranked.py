"""What a model would write into each gap: of one template, the words worth trying, on every row."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from optimizers import samme


@dataclass(frozen=True, eq=False)
class Ranked:
    """Words and their log-probabilities on every row; part of a checkpoint.

    Two bytes a number: ten templates on 192 rows with 1,000 words each are 3.8 MB.
    """

    words: tuple[str, ...]
    logs: NDArray[np.float16]  # nats, shape (n_rows, n_words); -inf: the model has not told

    @cached_property
    def places(self) -> Mapping[str, int]:
        return {word: place for place, word in enumerate(self.words)}

    def table(self, words: Sequence[str]) -> NDArray[np.float32]:
        """Log-probabilities of these words, shape (n_rows, n_words); of unknown ones -inf."""
        table = np.full((len(self.logs), len(words)), -np.inf, np.float32)
        for column, word in enumerate(words):
            if (place := self.places.get(word)) is not None:
                table[:, column] = self.logs[:, place]
        return table


def ranked(
    told: Iterable[Mapping[str, float]], targets: NDArray[np.intp], own: Sequence[str], size: int
) -> Ranked:
    """The words that tell the labels apart, `size` or fewer, and the job's own words if known.

    Each label has an equal part: the words of the largest S_c(v), all rows weighing the same.
    What a row's answer does not hold is unknown; a failed query's may be empty.

    Args:
        told: for every row, train rows first, the likeliest words and their log-probabilities.
        targets: index of the label of each train row, shape (n_train,).
        own: the job's word for each label.
    """
    places: dict[str, int] = {}
    rows = []
    for row, answer in enumerate(told):
        if row < len(targets):  # words of white space could not be asked for as labels
            for word in filter(str.strip, answer):
                places.setdefault(word, len(places))
        known = [(places[word], log) for word, log in answer.items() if word in places]
        rows.append(np.array(known, np.float32).reshape(-1, 2))
    scores = samme.word_scores(
        _shares(rows[: len(targets)], len(places)),
        targets,
        np.full(len(targets), 1 / len(targets)),
        len(own),
    )
    best = samme.shortlists(scores, max(1, size // len(own)))
    mine = [places[word] for word in own if word in places]
    kept = np.unique(np.concatenate([*best, mine]).astype(np.intp))
    words = list(places)
    return Ranked(tuple(words[place] for place in kept), _logs(rows, len(places), kept))


def _shares(rows: Sequence[NDArray[np.float32]], n_words: int) -> csr_array:
    """Probabilities, shape (n_rows, n_words), 0 where unknown; rows are pairs (place, log)."""
    ends = np.cumsum([0, *(len(row) for row in rows)])
    pairs = np.concatenate(rows)
    return csr_array(
        (np.exp(pairs[:, 1]), pairs[:, 0].astype(np.int32), ends), (len(rows), n_words)
    )


def _logs(
    rows: Sequence[NDArray[np.float32]], n_words: int, kept: NDArray[np.intp]
) -> NDArray[np.float16]:
    column = np.full(n_words, -1)
    column[kept] = np.arange(len(kept))
    logs = np.full((len(rows), len(kept)), -np.inf, np.float16)
    for row, pairs in enumerate(rows):
        columns = column[pairs[:, 0].astype(np.intp)]
        logs[row, columns[columns >= 0]] = pairs[columns >= 0, 1]
    return logs
