"""Unit vectors of many items from one tower, batch by batch on some threads. Knows no model."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backends.words import unit


class Item(Protocol):
    """What a tower reads: items of one layout together, items of one key alike."""

    @property
    def layout(self) -> tuple[int, ...]: ...

    @property
    def key(self) -> tuple[object, ...]: ...


T = TypeVar("T", bound=Item)
U = TypeVar("U", contravariant=True)


class Tower(Protocol[U]):
    def work(self, item: U, /) -> int: ...

    def features(self, items: Sequence[U], size: int, /) -> Tensor: ...


class Reader:
    """Each thread reads whole batches by itself, so that nobody waits for anybody.

    A batch's shape depends on the layout of its items alone: where there are too few of them it
    is filled up. So an item's bits do not depend on what else is read, nor on what was before.
    """

    def __init__(self, threads: int, work: int) -> None:
        """`work`: the numbers between two blocks that keep a thread, or a GPU, busy."""
        self._work = work
        self._pool = ThreadPoolExecutor(threads, "clip", torch.set_num_threads, (1,))

    def read(self, tower: Tower[T], items: Sequence[T]) -> list[NDArray[np.float64]]:
        """One unit vector, shape (dim,), for each item."""

        def features(rows: list[int], size: int) -> NDArray[np.float64]:
            with torch.inference_mode():
                found = tower.features([items[row] for row in rows], size)
            return unit(found[: len(rows)].double().cpu().numpy())

        batches = self._batches(tower, items)
        result: list[NDArray[np.float64]] = [np.empty(0)] * len(items)
        for (rows, _), vectors in zip(
            batches, self._pool.map(features, *zip(*batches, strict=True)), strict=True
        ):
            for row, vector in zip(rows, vectors, strict=True):
                result[row] = vector.copy()  # a view would keep the whole batch
        return result

    def _batches(self, tower: Tower[T], items: Sequence[T]) -> list[tuple[list[int], int]]:
        """The items of each batch, and how many it takes; all of a batch have one layout."""
        alike: dict[tuple[int, ...], list[int]] = {}
        for row, item in enumerate(items):
            alike.setdefault(item.layout, []).append(row)
        batches = []
        for rows in alike.values():
            size = max(1, self._work // tower.work(items[rows[0]]))
            batches += [(rows[start : start + size], size) for start in range(0, len(rows), size)]
        return batches
