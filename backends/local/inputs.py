"""What a model reads: one sequence, and many of them padded into a batch. Knows no query."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backends.base import BackendRefused, Subnetwork
from backends.local.vocabulary import Ids

Pairs = tuple[tuple[int, int], ...]  # (index of a place that is read, token)


@dataclass(frozen=True, eq=False)
class Input:
    """One sequence of tokens with a soft prompt among them."""

    ids: Ids  # special tokens included
    soft: NDArray[np.float32] | None = None  # shape (n_layers, n_tokens, hidden)
    place: int = 0  # so many tokens stand before the soft prompt
    at: Ids = ()  # where logits are read, counted in the whole sequence
    spelled: Pairs = ()  # and of which tokens
    subnetwork: Subnetwork | None = None  # what reads it; None: the whole model

    @property
    def n_soft(self) -> int:
        return 0 if self.soft is None else self.soft.shape[1]

    def __len__(self) -> int:
        return len(self.ids) + self.n_soft


def continued(start: Input, line: Ids = (), asked: Pairs = ()) -> Input:
    """`start` and these tokens behind it, read from its last one on."""
    at = tuple(range(len(start) - 1, len(start) + len(line)))
    return replace(start, ids=(*start.ids, *line), at=at, spelled=asked)


@dataclass(frozen=True, eq=False)
class DeepPrompts:
    """One batch's vectors for the layers above the first."""

    rows: Tensor  # int64, shape (n,): the sequences that have prompts
    columns: Tensor  # int64, shape (n,): and where in them
    vectors: Sequence[Tensor]  # for each layer, shape (n, hidden); the first is read at the input


@dataclass(frozen=True, eq=False)
class Batch:
    """Sequences of unlike lengths, side by side."""

    vectors: Tensor  # shape (n, width, hidden)
    mask: Tensor  # int64, shape (n, width): 1 for tokens, 0 for padding
    kept: tuple[Tensor, Tensor]  # rows and columns at which logits are read, each (n_at,)
    deep: DeepPrompts | None
    networks: Sequence[Subnetwork | None]  # what reads each of them


def pad(
    inputs: Sequence[Input], embed: Callable[[Tensor], Tensor], device: str, *, left: bool = False
) -> Batch:
    """One batch of these sequences, padded on the right, or on the `left`."""
    lengths = np.array([len(one) for one in inputs])
    width = int(lengths.max())
    shifts = width - lengths if left else np.zeros_like(lengths)
    columns = np.arange(width)[None] - shifts[:, None]  # of each place within its own sequence
    real = (columns >= 0) & (columns < lengths[:, None])
    begin = np.array([one.place for one in inputs])[:, None]
    n_soft = np.array([one.n_soft for one in inputs])[:, None]
    prompt = real & (columns >= begin) & (columns < begin + n_soft)
    ids = np.zeros(real.shape, np.int64)
    ids[real & ~prompt] = np.concatenate([one.ids for one in inputs])
    vectors = embed(torch.from_numpy(ids).to(device))
    deep = _deep(inputs, prompt, vectors)
    if deep is not None:
        vectors[deep.rows, deep.columns] = deep.vectors[0]
    return Batch(
        vectors,
        torch.from_numpy(real.astype(np.int64)).to(device),
        _places(inputs, shifts, device),
        deep,
        [one.subnetwork for one in inputs],
    )


def _places(
    inputs: Sequence[Input], shifts: NDArray[np.int64], device: str
) -> tuple[Tensor, Tensor]:
    rows = np.repeat(np.arange(len(inputs)), [len(one.at) for one in inputs])
    columns = np.array([at for one in inputs for at in one.at], np.int64) + shifts[rows]
    return torch.from_numpy(rows).to(device), torch.from_numpy(columns).to(device)


def _deep(inputs: Sequence[Input], prompt: NDArray[np.bool_], like: Tensor) -> DeepPrompts | None:
    if not prompt.any():
        return None
    rows, columns = (torch.from_numpy(x).to(like.device) for x in prompt.nonzero())
    softs = [one.soft for one in inputs if one.soft is not None]
    layers = []
    for number in range(max(map(len, softs))):
        parts = [soft[number] if number < len(soft) else np.zeros_like(soft[0]) for soft in softs]
        layers.append(torch.from_numpy(np.concatenate(parts)).to(like))
    return DeepPrompts(rows, columns, layers)


def fit(before: Ids, after: Ids, room: int) -> tuple[Ids, Ids]:
    """The two texts around a gap in at most `room` tokens.

    Of the longer text the middle is left out, and of both if the shorter one alone takes more
    than half: what stands next to the gap and at the far ends is mostly the template's.

    Raises:
        BackendRefused: there is no room for any text.
    """
    if room < 1:
        raise BackendRefused(f"the prompt leaves {room} tokens for the text: at least 1 is wanted")
    if len(before) + len(after) <= room:
        return before, after
    n_after = min(len(after), max(room // 2, room - len(before)))
    return _without_middle(before, room - n_after), _without_middle(after, n_after)


def _without_middle(ids: Ids, n: int) -> Ids:
    """`n` of the tokens at most: the first half of them from the left, the rest from the right."""
    return ids if len(ids) <= n else ids[: n // 2] + ids[len(ids) - (n - n // 2) :]
