"""Which sequences of a batch are still the same at a layer, and so are read once. No model."""

from collections.abc import Hashable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Soft: TypeAlias = NDArray[np.float32] | None  # shape (n_layers, n_tokens, hidden)
Lineage: TypeAlias = tuple[
    int, ...
]  # a number for the text, and one for each row of the soft prompt


def lineages(texts: Sequence[Hashable], softs: Sequence[Soft]) -> list[Lineage]:
    """Equal numbers for equal texts, and at each place for rows of equal shape and bytes."""
    numbers: dict[Hashable, int] = {}
    rows: dict[int, Lineage] = {id(None): ()}
    for soft in softs:
        # a population shares few soft prompts among many texts: look at each only once
        if soft is not None and id(soft) not in rows:
            keys = [(row.shape, row.tobytes()) for row in soft]
            rows[id(soft)] = tuple(numbers.setdefault(key, len(numbers)) for key in keys)
    return [
        (numbers.setdefault((None, text), len(numbers)), *rows[id(soft)])
        for text, soft in zip(texts, softs, strict=True)
    ]


def depth(softs: Sequence[Soft]) -> int:
    """How many layers have prompts; at least 1, the input."""
    return max([1, *(len(soft) for soft in softs if soft is not None and soft.shape[1])])


def owners(lines: Sequence[Lineage], layer: int) -> NDArray[np.int64]:
    """For each sequence, the place of the first one that is the same up to this layer.

    What a layer makes of a sequence depends on its text and on the prompts of this layer and of
    those below it.
    """
    first: dict[Lineage, int] = {}
    found = [first.setdefault(line[: layer + 2], place) for place, line in enumerate(lines)]
    return np.array(found, np.int64)


def first_branch(lines: Sequence[Lineage]) -> int:
    """The first layer that reads more of these than the one below it; 0: none but the first."""
    below = len({line[:2] for line in lines})
    for layer in range(1, max(map(len, lines)) - 1):
        if len({line[: layer + 2] for line in lines}) > below:
            return layer
    return 0
