"""A BERT-like model cut between two layers, so that what many share is read apart. No batch."""

from copy import copy
from functools import cache
from typing import Any

from torch import nn


class Parts:
    """Views on a model: layers, tables and hooks are the model's own."""

    def __init__(self, model: Any) -> None:
        """`model.encoder.layer` is its list of layers."""
        self._model = model
        self.below = cache(self._below)
        self.above = cache(self._above)

    def _below(self, layer: int) -> nn.Module:
        """The model without the layers from this one on."""
        return _with(self._model, "encoder", self._slice(None, layer))

    def _above(self, layer: int) -> nn.Module:
        """The layers from this one on: called with hidden states, and what the layers take."""
        return self._slice(layer, None)

    def _slice(self, start: int | None, end: int | None) -> nn.Module:
        encoder = self._model.encoder
        return _with(encoder, "layer", nn.ModuleList(list(encoder.layer)[start:end]))


def _with(module: nn.Module, name: str, child: nn.Module) -> nn.Module:
    """A copy that shares all but one of the module's children."""
    made = copy(module)
    made._modules = {**module._modules, name: child}
    return made
