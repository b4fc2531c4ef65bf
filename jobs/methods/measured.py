"""How widely what each layer reads is spread: measured on train rows, before a search."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import TellsHidden
from jobs.layers import clipped_statistics
from jobs.meter import Meter
from jobs.methods.base import Problem
from jobs.prompts import SoftPrompt
from jobs.search import Searching

MEASURED = 32  # train rows, the most that are read for their spread: all in memory at once


def spreads(
    problem: Problem, start: NDArray[np.float32], n_rows: int, *, padded: bool = False
) -> list[float]:
    """The clipped standard deviation of what each layer reads, from the second layer on.

    Measured with the prompt `start`, shape (n_tokens, hidden), on the first `n_rows` train rows.
    """
    backend: Any = problem.backend
    assert isinstance(backend, TellsHidden)  # the job was admitted for it
    prompt = SoftPrompt(start[None])
    queries = [problem.task.query(prompt, row.inputs) for row in problem.split.train[:n_rows]]
    read = backend.hidden(queries, padded=padded)
    return [clipped_statistics(layer)[1] for layer in read]


def paid(meter: Meter, n_rows: int, make: Callable[[], Searching]) -> Searching:
    """The search that `make` measures so many rows for, a query each.

    A job that goes on measures them again: what it has spent is then taken from its checkpoint,
    where they are counted already.

    Raises:
        BudgetSpent: the budget has no room for them.
    """
    meter.afford(n_rows)
    search = make()
    meter.spent += n_rows
    return search
