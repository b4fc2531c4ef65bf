"""Sub-networks: units left out of what attentions and feed-forwards add. Knows no query, no batch.

A hook on the last linear map of each of them multiplies what it gives, so no model's code is
copied; it is bound to one forward in one thread, so batches may be read side by side.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from backends.base import BackendRefused, Subnetwork

# how the last linear map of an attention or a feed-forward is called in a layer of transformers
LAST_MAPS = (
    *("output.dense", "attention.dense", "ffn_output"),  # BERT and its like, ALBERT
    *("out_lin", "lin2"),  # DistilBERT
    *("attn.c_proj", "mlp.c_proj"),  # GPT-2
    *("out_proj", "fc2"),  # OPT, BART
    *("o_proj", "down_proj"),  # Llama, Qwen, Mistral
    *("Attention.o", "DenseReluDense.wo"),  # T5
)
_FACTORS_KEPT = 1024  # of a few hundred numbers each, or thousands in large models


@dataclass(eq=False)
class _Reading:
    """One forward under way."""

    networks: Sequence[Subnetwork | None]  # the different ones
    rows: Tensor  # int64, shape (n_rows,): which of them reads each row
    passed: int = 0  # last maps so far; ALBERT passes the same ones again and again


_READING: ContextVar[_Reading | None] = ContextVar("subnetworks", default=None)


class LastMaps:
    """Where one stack of layers can be thinned: after each attention and each feed-forward."""

    def __init__(self, layers: Iterable[nn.Module], stack: int = 0) -> None:
        """Hooks the layers' last maps, if each has those of two or three parts.

        Args:
            stack: which of the model's, so that a decoder is not thinned as its encoder.
        """
        maps = [
            [module for name, module in layer.named_modules() if name.endswith(LAST_MAPS)]
            for layer in layers
        ]
        self._stack = stack
        self.known = bool(maps) and all(len(some) in (2, 3) for some in maps)
        for some in maps if self.known else ():
            for module in some:
                module.register_forward_hook(self._thin)

    @contextmanager
    def read_by(
        self, networks: Sequence[Subnetwork | None], lengths: Sequence[int] = (1,)
    ) -> Iterator[None]:
        """Within it, one forward is read row by row by these networks; None: the whole model.

        Args:
            lengths: how many neighboring rows each network reads, where it is not one.

        Raises:
            BackendRefused: a sub-network is asked for, of layers that are not known.
        """
        if not any(networks):
            yield
            return
        if not self.known:
            raise BackendRefused("this model's layers are not known: it has no sub-networks")
        numbers = {network: number for number, network in enumerate(dict.fromkeys(networks))}
        rows = torch.tensor([numbers[network] for network in networks])
        token = _READING.set(_Reading(list(numbers), rows.repeat_interleave(torch.tensor(lengths))))
        try:
            yield
        finally:
            _READING.reset(token)

    def _thin(self, _: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
        now = _READING.get()
        if now is None:
            return
        place, width = (self._stack, now.passed), output.shape[-1]
        now.passed += 1
        table = torch.from_numpy(np.stack([factors(one, place, width) for one in now.networks]))
        each = table.to(output) if len(table) == 1 else table.to(output)[now.rows]
        # in place: nobody else reads this tensor
        output.view(len(now.rows), -1, width).mul_(each[:, None])


def follow(take: Tensor) -> None:
    """From here on, the rows of the forward under way are these of those it has had so far."""
    now = _READING.get()
    if now is not None:
        now.rows = now.rows[take.to(now.rows.device)]


@lru_cache(_FACTORS_KEPT)
def factors(network: Subnetwork | None, place: tuple[int, int], width: int) -> NDArray[np.float32]:
    """What the units at a place are multiplied by, shape (width,): 0, or 1 / (1 - rate).

    Args:
        place: the stack, and how many last maps of it have been passed before.
    """
    if network is None:
        return np.ones(width, np.float32)
    drawn = np.random.default_rng((network.seed, *place)).random(width)
    return np.where(drawn < network.rate, 0, 1 / (1 - network.rate)).astype(np.float32)
