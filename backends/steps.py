"""What each layer of a batch reads: sequences end to end, each once that is another one by now."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from backends import branching, sharing, subnetworks
from backends.base import Subnetwork
from backends.branching import Branch
from backends.sharing import Lineage

Run = tuple[int, int]  # (n, length): n neighbors of equal length


@dataclass(frozen=True, eq=False)
class Prompted:
    """One sequence: tokens, and the soft prompt that stands right after the first of them."""

    ids: NDArray[np.int64]  # shape (n_ids,), special tokens included
    soft: NDArray[np.float32] | None = None  # shape (n_layers, n_tokens, hidden)
    subnetwork: Subnetwork | None = None  # what reads it; None: the whole model

    @property
    def n_soft(self) -> int:
        return 0 if self.soft is None else self.soft.shape[1]

    def __len__(self) -> int:
        return len(self.ids) + self.n_soft


@dataclass(frozen=True, eq=False)
class Step:
    """What one layer reads."""

    sequences: Sequence[Prompted]
    runs: Sequence[Run]
    places: Tensor  # int64, shape (n,): where among their tokens the prompts are
    row: Tensor  # its prompts, end to end, shape (n, hidden)
    numbers: Sequence[int]  # of the prompts, in order: equal for equal ones
    take: Tensor | None  # int64: which token of the layer below each of them is; None: the same


def steps(batch: Sequence[tuple[Prompted, Lineage]], hidden: int) -> list[Step]:
    """For each layer that has prompts. Those above them read what the last of these reads."""
    lines = [line for _, line in batch]
    found: list[Step] = []
    below = np.empty(0, np.int64)  # the sequences that the layer below reads
    for layer in range(sharing.depth([sequence.soft for sequence, _ in batch])):
        mine = np.unique(sharing.owners(lines, layer))
        sequences = [batch[row][0] for row in mine]
        row = _row(sequences, layer, hidden)
        numbers = [_number(*batch[one], layer=layer) for one in mine if batch[one][0].n_soft]
        if len(mine) == len(below):
            found.append(replace(found[-1], row=row, numbers=numbers, take=None))
            continue
        take = None
        if found:
            parents = np.searchsorted(below, sharing.owners(lines, layer - 1)[mine])
            take = _tokens(found[-1].sequences, parents)
        runs = [(len(list(same)), n) for n, same in groupby(sequences, key=len)]
        found.append(Step(sequences, runs, _prompt_places(sequences), row, numbers, take))
        below = mine
    return found


def _row(sequences: Sequence[Prompted], layer: int, hidden: int) -> Tensor:
    """Row `layer` of the soft prompts, end to end, and zeros for those without it."""
    rows = [
        s.soft[layer] if layer < len(s.soft) else np.zeros((s.n_soft, hidden), np.float32)
        for s in sequences
        if s.soft is not None
    ]
    return torch.from_numpy(np.concatenate([np.empty((0, hidden), np.float32), *rows]))


def _number(sequence: Prompted, line: Lineage, *, layer: int) -> int:
    """Of row `layer` of the soft prompt; below 0, and one for each length: zeros instead."""
    return line[layer + 1] if layer + 1 < len(line) else -1 - sequence.n_soft


def _tokens(sequences: Sequence[Prompted], chosen: NDArray[np.int64]) -> Tensor:
    """The places of the tokens of these sequences, end to end."""
    ends = np.cumsum([len(sequence) for sequence in sequences])
    parts = [np.arange(ends[one] - len(sequences[one]), ends[one]) for one in chosen]
    return torch.from_numpy(np.concatenate(parts))


def _prompt_places(sequences: Sequence[Prompted]) -> Tensor:
    """Where among the tokens of these sequences the soft prompts are, int64."""
    starts = np.cumsum([0, *(len(sequence) for sequence in sequences)])
    parts = [
        np.arange(start + 1, start + 1 + sequence.n_soft)
        for start, sequence in zip(starts, sequences, strict=False)
    ]
    return torch.from_numpy(np.concatenate(parts))


def stepper(number: int) -> Callable[..., Any]:
    """A hook on layer `number` that takes its step, handed through the model's forward."""

    def take(_: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Any]) -> Any:
        steps, seen = kwargs["steps"], kwargs["seen"]
        step, hidden, branch = steps[min(number, len(steps) - 1)], args[0], None
        if 0 < number < len(steps):
            row = step.row.to(hidden.dtype)
            if step.take is not None:
                trunk, hidden = hidden, hidden.index_select(1, step.take)
                subnetworks.follow(step.take)
                branch = _branch(step, trunk, hidden, row)
            # in place: nobody else reads this tensor
            hidden[0].index_add_(0, step.places, row)
        branching.at(branch)
        if seen is not None:
            seen.append(hidden[0])
        return (hidden, *args[1:]), {**kwargs, "runs": step.runs}

    return take


def _branch(step: Step, trunk: Tensor, hidden: Tensor, row: Tensor) -> Branch:
    assert step.take is not None
    sizes = [sequence.n_soft for sequence in step.sequences if sequence.n_soft]
    rows = torch.split(row, sizes) if sizes else ()
    return Branch(trunk, hidden, step.take, step.places, rows, step.numbers)
