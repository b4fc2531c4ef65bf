"""Label words from the model itself: found on train rows, several a label. Tunes no prompt."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from jobs.meter import Meter
from jobs.prompts import LabelWords, Prompt
from jobs.task import Example, Task
from optimizers import samme

TOLD = 10_000  # likeliest words asked of each row
TOGETHER = 16  # rows asked in one call: each is told thousands of words


def searched(
    meter: Meter, task: Task, rows: Sequence[Example], prompt: Prompt, n: int
) -> LabelWords:
    """`n` words for each label, by what the model would put into the gap: one query a row.

    Raises:
        BackendError, BudgetSpent: as of the meter.
    """
    meter.afford(len(rows))
    labels = [task.labels.index(row.label) for row in rows]
    return best_words(_told(meter, task, rows, prompt), labels, task.words, n)


def best_words(
    told: Iterable[Mapping[str, float]], labels: Sequence[int], own: Sequence[str], n: int
) -> LabelWords:
    """The task's own word for each label, and the `n` - 1 that tell it best from the others.

    Those of the largest mean log-probability on the label's rows, less its mean over all labels,
    where that is above 0: each label weighs the same. (After the automatic label search of Gao
    et al. 2021, arXiv:2012.15723, section 5.1, which BBT-RGB takes its words from.)

    Unlike the paper, words are chosen one by one, not in combinations by their accuracy: on 16
    rows a label many combinations make no error by chance. The task's own word is always one of
    them, and dev rows are not used.

    Args:
        told: for each row the likeliest words and their log-probabilities, nats; a word that is
            not told counts as the least likely one that is. A row of none, which failed, is left
            out.
        labels: index of each row's label; a label without rows keeps its own word alone.
    """
    words, logs = _table(told, own)
    answered = ~np.isnan(logs).any(axis=1)
    targets = np.where(answered, labels, -1)
    present = [label for label in range(len(own)) if label in targets]
    if len(present) < 2 or not words:
        return tuple((word,) for word in own)
    means = np.stack([logs[targets == label].mean(axis=0) for label in present])
    ahead = means - means.mean(axis=0)
    found = {
        label: [words[place] for place in places if mine[place] > 0]
        for label, places, mine in zip(present, samme.shortlists(ahead, n - 1), ahead, strict=True)
    }
    return tuple((word, *found.get(label, ())) for label, word in enumerate(own))


def _told(
    meter: Meter, task: Task, rows: Sequence[Example], prompt: Prompt
) -> Iterator[Mapping[str, float]]:
    queries = [task.query(prompt, row.inputs) for row in rows]
    for start in range(0, len(queries), TOGETHER):
        yield from meter.rank(queries[start : start + TOGETHER], TOLD)


def _table(
    told: Iterable[Mapping[str, float]], own: Sequence[str]
) -> tuple[list[str], NDArray[np.float32]]:
    """All words told, but for the labels' own, and their logs, shape (n_rows, n_words).

    A row of which nothing is told is nan.
    """
    places: dict[str, int] = {}
    rows = []
    for answer in told:
        new = {word: log for word, log in answer.items() if word.strip() and word not in own}
        columns = np.array([places.setdefault(word, len(places)) for word in new], np.intp)
        rows.append((columns, np.array(list(new.values()), np.float32)))
    logs = np.full((len(rows), len(places)), np.nan, np.float32)
    for row, (columns, values) in enumerate(rows):
        logs[row] = values.min() if len(values) else np.nan
        logs[row, columns] = values
    return list(places), logs
