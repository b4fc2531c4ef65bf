"""Sequences that are the same up to a layer go through it as one. Knows no head, no query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backends import sharing
from backends.base import Subnetwork
from backends.local.inputs import Batch, DeepPrompts, Input
from backends.sharing import Lineage


@dataclass(frozen=True, eq=False)
class Lined:
    """A sequence and what tells up to which layer others are the same."""

    input: Input
    line: Lineage

    def __len__(self) -> int:
        return len(self.input)


@dataclass(frozen=True, eq=False)
class Stage:
    """From one layer on: more sequences than below, since their prompts are no longer the same."""

    take: Tensor  # int64, shape (n,): which row of the layer below each of them is
    origin: Tensor  # int64, shape (n,): and which of the `n_first` rows of the input
    n_first: int
    deep: DeepPrompts | None


@dataclass(frozen=True, eq=False)
class Shared:
    """One batch, each sequence once that is another one by then."""

    vectors: Tensor  # shape (n_first, width, hidden)
    mask: Tensor  # int64, shape (n_first, width)
    deep: DeepPrompts | None
    stages: Mapping[int, Stage]  # by layer
    kept: tuple[Tensor, Tensor]  # of all sequences, rows and columns among those of the last layer
    networks: Sequence[Subnetwork | None]  # what reads each of the `n_first`


def lined_up(inputs: Sequence[Input]) -> tuple[list[int], list[Lined]]:
    """Where each stood, and the sequences: those that are long the same are neighbors."""
    texts = [(one.ids, one.place, one.subnetwork) for one in inputs]
    lines = sharing.lineages(texts, [one.soft for one in inputs])
    order = sorted(range(len(inputs)), key=lambda row: (len(inputs[row]), lines[row]))
    return order, [Lined(inputs[row], lines[row]) for row in order]


def shared(batch: Sequence[Lined], whole: Batch) -> Shared:
    """The batch that `whole` is the padded form of, with what is alike taken together."""
    lines, device = [one.line for one in batch], whole.vectors.device
    owners = sharing.owners(lines, 0)
    first = below = np.unique(owners)
    below_owners, stages = owners, {}
    for layer in range(1, sharing.depth([one.input.soft for one in batch])):
        owners = sharing.owners(lines, layer)
        mine = np.unique(owners)
        if len(mine) > len(below):
            stages[layer] = Stage(
                _placed(below, below_owners[mine], device),
                _placed(first, sharing.owners(lines, 0)[mine], device),
                len(first),
                _of(whole.deep, mine, len(batch)),
            )
        below, below_owners = mine, owners
    chosen = torch.from_numpy(first).to(device)
    rows = _placed(below, below_owners, device)[whole.kept[0]]
    return Shared(
        whole.vectors[chosen],
        whole.mask[chosen],
        _of(whole.deep, first, len(batch)),
        stages,
        (rows, whole.kept[1]),
        [whole.networks[row] for row in first],
    )


def _placed(among: NDArray[np.int64], rows: NDArray[np.int64], device: torch.device) -> Tensor:
    """The places of `rows` in `among`, which is in order."""
    return torch.from_numpy(np.searchsorted(among, rows)).to(device)


def _of(deep: DeepPrompts | None, rows: NDArray[np.int64], n: int) -> DeepPrompts | None:
    """The prompts of some rows of a batch of `n`, counted anew."""
    if deep is None or len(rows) == n:
        return deep
    places = torch.full((n,), -1, device=deep.rows.device)
    places[torch.from_numpy(rows).to(places.device)] = torch.arange(len(rows), device=places.device)
    mine = places[deep.rows] >= 0
    vectors = [layer[mine] for layer in deep.vectors]
    return DeepPrompts(places[deep.rows][mine], deep.columns[mine], vectors)
