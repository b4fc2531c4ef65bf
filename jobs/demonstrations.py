"""One train row shown as an example in the words a prompt starts from: its text, its choice."""

from collections.abc import Sequence

import numpy as np

from jobs.answering import NO_WORDS
from jobs.objective import Objective
from jobs.prompts import Prompt
from jobs.search import NothingScored
from jobs.task import Example, Task, slots
from optimizers.base import mean_losses


def instruction(task: Task) -> str:
    """What is asked for and that an example follows, in words."""
    *others, last = task.words
    return f"Say which fits: {', '.join(others)} or {last}. For example:"


def shown(task: Task, row: Example) -> str:
    """The row as the template shows it, with its label's word in the gap, or behind it."""
    query, word = task.query(NO_WORDS, row.inputs), task.verbalizer[row.label]
    gap = "" if "label" in slots(task.template) else " "
    return f"{query.before}{gap}{word}{query.after}"


def tried(n_rows: int, most: int | None, seed: int) -> tuple[int, ...]:
    """The rows that are tried: drawn, where `most` is less than all of them, and in their order."""
    drawn = np.random.default_rng((seed, n_rows)).permutation(n_rows)
    return tuple(sorted(drawn[:most].tolist()))


def n_queries(n_rows: int, most: int | None) -> int:
    """What `best` costs: each tried row on all the others; a single one needs no choice."""
    n_tried = n_rows if most is None else min(most, n_rows)
    return n_tried * (n_rows - 1) if n_tried > 1 else 0


def best(train: Objective, rows: Sequence[int], prompts: Sequence[Prompt]) -> int:
    """The position among `prompts` of the one with the lowest mean loss.

    (Sun et al. 2024, arXiv:2305.08088.) Unlike the paper, each is scored on the train rows other
    than the one that it shows, not on dev, which picks the incumbent later.

    Args:
        rows: of the train split, the one that each prompt shows.

    Raises:
        NothingScored: of each prompt a query has failed.
        BackendError, BudgetSpent: as of the objective.
    """
    if len(prompts) == 1:
        return 0
    everything = range(len(train.examples))
    asked = [
        (prompt, tuple(other for other in everything if other != row))
        for prompt, row in zip(prompts, rows, strict=True)
    ]
    means = mean_losses([scored.losses for scored in train.score(asked)])
    if np.isinf(means).all():
        raise NothingScored(f"all {len(prompts)} demonstrations failed")
    return int(means.argmin())
