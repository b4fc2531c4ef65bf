"""Queries, keys and values where prompts begin to differ. Knows no query, no batch, no text.

They are linear in what a layer reads, and that is a sum: what the layer below made of a text, and
a prompt. So each text and each prompt is multiplied once, and not each pair of them.
"""

from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

# one prompt's row multiplied by one map, by the map and the row's number
Products: TypeAlias = MutableMapping[tuple[nn.Module, int], Tensor]

_NAMES = ("query", "key", "value")  # how BERT and its like call them
_MOST_KEPT = 1024  # products of one call: three for each prompt, some 100 kB each


@dataclass(frozen=True, eq=False)
class Branch:
    """What a layer reads: `trunk[take]`, and at some places a prompt on top."""

    trunk: Tensor  # shape (1, n_below, hidden)
    read: Tensor  # shape (1, n_tokens, hidden): the sum
    take: Tensor  # int64, shape (n_tokens,)
    places: Tensor  # int64, shape (n,): where among the tokens read the prompts are
    rows: Sequence[Tensor]  # the prompts, in order, each of shape (n_prompt, hidden)
    numbers: Sequence[int]  # of the prompts: equal for equal ones


@dataclass(eq=False)
class _Reading:
    """One forward under way."""

    products: Products
    branch: Branch | None = None  # of the layer that reads just now


_READING: ContextVar[_Reading | None] = ContextVar("branching", default=None)


@contextmanager
def kept_in(products: Products) -> Iterator[None]:
    """Within it, one forward may branch; forwards of one call share `products`."""
    token = _READING.set(_Reading(products))
    try:
        yield
    finally:
        _READING.reset(token)


def at(branch: Branch | None) -> None:
    """The next layer reads this; None: nothing that branches."""
    now = _READING.get()
    if now is not None:
        now.branch = branch


def hook(layers: Iterable[nn.Module]) -> None:
    """From here on, these layers' queries, keys and values take the short way at a branch."""
    for layer in layers:
        for name, module in layer.named_modules():
            if name.endswith(_NAMES) and isinstance(module, nn.Linear):
                module.register_forward_pre_hook(_shorten)
                module.register_forward_hook(_lengthen)


def _shorten(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor] | None:
    """The trunk instead of what is read, unless the layer has changed that before."""
    now = _READING.get()
    if now is None or now.branch is None or args[0] is not now.branch.read:
        return None
    return (now.branch.trunk,)


def _lengthen(module: nn.Linear, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
    now = _READING.get()
    if now is None or (branch := now.branch) is None or args[0] is not branch.trunk:
        return output
    prompts = [
        _product(now.products, module, number, row)
        for number, row in zip(branch.numbers, branch.rows, strict=True)
    ]
    found = output.index_select(1, branch.take)  # plain indexing takes three times as long
    found[0].index_add_(0, branch.places, torch.cat(prompts))
    return found


def _product(products: Products, module: nn.Linear, number: int, row: Tensor) -> Tensor:
    """Two threads may both make it: it has the same bits."""
    made = products.get((module, number))
    if made is None:
        made = linear(row, module.weight)
        if len(products) < _MOST_KEPT:
            products[module, number] = made
    return made
