"""Soft prompts as vectors: what they may be, and which words they resemble."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from backends.base import BackendRefused, Query
from backends.local.vocabulary import Vocabulary
from backends.words import unit

Soft = NDArray[np.float32]


class Vectors:
    """A model's embedding table, read as the model itself reads it."""

    def __init__(self, table: nn.Embedding, vocabulary: Vocabulary, n_layers: int) -> None:
        self._embed, self._vocabulary, self._n_layers = table, vocabulary, n_layers
        self._weight = table.weight
        # BART multiplies its word vectors before anything reads them
        self._scale = float(getattr(table, "embed_scale", 1.0))

    @property
    def shape(self) -> tuple[int, int]:
        return self._n_layers, int(self._weight.shape[1])

    @cached_property
    def std(self) -> float:
        return self._scale * float(self._weight.float().std(correction=0))

    def embed(self, text: str) -> Soft:
        return self._rows(self._vocabulary.ids(text))

    def nearest(self, vectors: Soft) -> list[tuple[str, float]]:
        """As `TakesSoftPrompts.nearest_words`; vectors of another width are refused."""
        wanted = np.asarray(vectors, np.float32)
        if wanted.ndim != 2 or wanted.shape[1] != self.shape[1]:
            raise BackendRefused(f"vectors {wanted.shape}: (n_tokens, {self.shape[1]}) wanted")
        words, table = self._words
        cosines = unit(wanted) @ table.T
        best = cosines.argmax(axis=1)
        return [(words[i], float(row[i])) for i, row in zip(best, cosines, strict=True)]

    def checked(self, queries: Sequence[Query]) -> list[Soft | None]:
        """The soft prompt of each query as it will be read.

        Raises:
            BackendRefused: with what is wrong with one.
        """
        # a population shares few soft prompts among many texts: check each only once
        known = {id(query.soft): self._checked(query.soft) for query in queries}
        return [known[id(query.soft)] for query in queries]

    def _checked(self, soft: Any) -> Soft | None:
        if soft is None:
            return None
        layers, hidden = self.shape
        with np.errstate(over="ignore"):  # becomes infinite, which is refused below
            prompt: Soft = np.asarray(soft, np.float32)
        given = f"soft prompt of shape {prompt.shape}"
        if prompt.ndim != 3 or prompt.shape[2] != hidden or not 1 <= prompt.shape[0] <= layers:
            raise BackendRefused(f"{given}: (1 to {layers}, n_tokens, {hidden}) is wanted")
        if not np.isfinite(prompt).all():
            raise BackendRefused(f"{given}: some of its numbers are not finite")
        return prompt

    @cached_property
    def _words(self) -> tuple[list[str], Soft]:
        words = self._vocabulary.whole()
        return list(words), unit(self._rows(tuple(words.values()))).astype(np.float32)

    def _rows(self, ids: Sequence[int]) -> Soft:
        numbers = torch.tensor(ids, dtype=torch.int64, device=self._weight.device)
        with torch.inference_mode():
            rows: Soft = self._embed(numbers).float().cpu().numpy()
        return rows
