"""Batches read side by side, each by one thread. Knows no model."""

from collections.abc import Callable, Sequence, Sized
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from backends.machine import cores, keep_heap
from backends.planning import plan

S = TypeVar("S", bound=Sized)
T = TypeVar("T")

# Tokens of one batch: on a processor, more fall out of its caches; a GPU wants many at once
TOKEN_BUDGETS = {"cpu": 1024, "cuda": 16_384}


class Workers:
    """On a processor one thread a batch: the bits of an answer do not depend on their number."""

    def __init__(self, threads: int | None, device: str) -> None:
        """Raises ValueError for a number of threads below 1."""
        if threads is not None and threads < 1:
            raise ValueError(f"threads {threads}: a whole number above 0 is wanted")
        n = 1 if device != "cpu" else threads or cores()
        keep_heap()
        self._budget = TOKEN_BUDGETS[device]
        self._pool = ThreadPoolExecutor(n, "local", torch.set_num_threads, (1,))

    def map(self, read: Callable[[Sequence[S]], Sequence[T]], inputs: Sequence[S]) -> list[T]:
        """One answer for each input, in order, from `read` on batches of like length."""
        batches = plan([len(one) for one in inputs], self._budget)
        parts = [[inputs[row] for row in rows] for rows in batches]
        answers: dict[int, T] = {}
        for rows, found in zip(batches, self._pool.map(read, parts), strict=True):
            answers.update(zip(rows, found, strict=True))
        return [answers[row] for row in range(len(inputs))]
