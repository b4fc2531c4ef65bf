"""A transformers encoder that reads many sequences at once, unpadded. Knows no query, no label.

Sequences of any length lie end to end in one row of tokens, so the linear layers see one full
matrix; attention, the only part where tokens meet, is done for each run of equal lengths.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

# Tokens of one forward: smaller ones leave the cores waiting for Python, the activations of
# larger ones fall out of the caches. Found by benchmark, 256 ... 8192.
TOKEN_BUDGET = 1024

Run = tuple[int, int]  # (n, length): n neighbors of equal length


@dataclass(frozen=True, eq=False)
class Prompted:
    """One sequence: tokens, and the soft prompt that stands right after the first of them."""

    ids: NDArray[np.int64]  # shape (n_ids,), special tokens included
    soft: NDArray[np.float32] | None = None  # shape (n_layers, n_tokens, hidden)

    @property
    def n_soft(self) -> int:
        return 0 if self.soft is None else self.soft.shape[1]

    def __len__(self) -> int:
        return len(self.ids) + self.n_soft


@dataclass(frozen=True, eq=False)
class DeepPrompts:
    """One batch's vectors for the layers above the first."""

    places: Tensor  # int64, shape (n,): where among the batch's tokens the prompts are
    rows: Mapping[int, Tensor]  # layer -> vectors, shape (n, hidden)


def plan(lengths: Sequence[int], token_budget: int) -> list[list[int]]:
    """Indices of the sequences, shortest first, in batches of at most `token_budget` tokens.

    A sequence longer than the budget is a batch of its own.
    """
    batches: list[list[int]] = []
    room = 0
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if lengths[row] > room:
            batches.append([])
            room = token_budget
        batches[-1].append(row)
        room -= lengths[row]
    return batches


class PackedEncoder:
    """A frozen BERT-like model: word and position tables below a list of layers."""

    def __init__(self, model: Any, threads: int = 1) -> None:
        """Takes a model loaded with `attn_implementation=register_attention()`.

        Each of `threads` threads reads whole batches by itself. Compared with several threads in
        every matrix product, nobody waits for anybody, however busy the machine is, and a
        batch has the same bits whatever their number.

        Raises:
            ValueError: the model is not built like BERT.
        """
        try:
            self._layers = list(model.encoder.layer)
            self.words: Tensor = model.embeddings.word_embeddings.weight  # (n_words, hidden)
            positions = model.embeddings.position_embeddings
        except AttributeError as error:
            raise ValueError(f"{type(model).__name__} is not built like BERT: {error}") from None
        self._model = model
        # RoBERTa counts positions from the padding token on, BERT from 0
        self._first = 0 if positions.padding_idx is None else positions.padding_idx + 1
        self.n_positions: int = positions.num_embeddings - self._first
        self.n_layers = len(self._layers)
        self.hidden: int = self.words.shape[1]
        for number, layer in enumerate(self._layers[1:], start=1):
            layer.register_forward_pre_hook(_deepener(number), with_kwargs=True)
        self._pool = ThreadPoolExecutor(threads, "encoder", torch.set_num_threads, (1,))
        self._prove_packing()

    def pooled(
        self, sequences: Sequence[Prompted], token_budget: int = TOKEN_BUDGET
    ) -> NDArray[np.float32]:
        """The mean of each sequence's last hidden states, shape (n_sequences, hidden)."""
        result = np.empty((len(sequences), self.hidden), np.float32)
        batches = plan([len(sequence) for sequence in sequences], token_budget)
        parts = [[sequences[row] for row in rows] for rows in batches]
        for rows, means in zip(batches, self._pool.map(self._forward, parts), strict=True):
            result[rows] = means
        return result

    def flops(self, sequences: Sequence[Prompted]) -> float:
        """Multiplications and additions in matrix products of the real tokens, nothing else."""
        linear = [m for layer in self._layers for m in layer.modules() if isinstance(m, nn.Linear)]
        per_token = sum(2.0 * m.in_features * m.out_features for m in linear)
        per_pair = 4.0 * self.hidden * self.n_layers  # queries with keys, weights with values
        lengths = [len(sequence) for sequence in sequences]
        return sum(n * (per_token + per_pair * n) for n in lengths)

    @torch.inference_mode()
    def _forward(self, batch: Sequence[Prompted]) -> NDArray[np.float32]:
        runs = [(len(list(same)), n) for n, same in groupby(batch, key=len)]
        parts = [n * length for n, length in runs]
        places = torch.cat([torch.arange(length).repeat(n) for n, length in runs])
        vectors, prompt = self._inputs(batch)
        hidden = self._model(
            inputs_embeds=vectors[None],
            position_ids=places[None] + self._first,
            runs=runs,
            deep=self._deep_prompts(batch, prompt),
        ).last_hidden_state[0]
        means = [
            part.view(*run, self.hidden).mean(dim=1, dtype=torch.float32)
            for part, run in zip(hidden.split(parts), runs, strict=True)
        ]
        return torch.cat(means).numpy()

    def _inputs(self, batch: Sequence[Prompted]) -> tuple[Tensor, Tensor]:
        """The input vectors (n_tokens, hidden), and where among them the soft prompts are."""
        ends = np.cumsum([len(sequence) for sequence in batch])
        starts = ends - [len(sequence) for sequence in batch]
        prompt = [
            np.arange(start + 1, start + 1 + sequence.n_soft)
            for start, sequence in zip(starts, batch, strict=True)
        ]
        is_word = np.ones(ends[-1], bool)
        is_word[np.concatenate(prompt)] = False
        vectors = self.words.new_empty(len(is_word), self.hidden)
        ids = torch.from_numpy(np.concatenate([sequence.ids for sequence in batch]))
        vectors[torch.from_numpy(is_word)] = self.words[ids]
        places = torch.from_numpy(np.concatenate(prompt))
        if len(places):
            vectors[places] = self._row(batch, 0)
        return vectors, places

    def _row(self, batch: Sequence[Prompted], layer: int) -> Tensor:
        """Row `layer` of the soft prompts, end to end, and zeros for those without it."""
        rows = [
            s.soft[layer] if layer < len(s.soft) else np.zeros((s.n_soft, self.hidden), np.float32)
            for s in batch
            if s.soft is not None
        ]
        return torch.from_numpy(np.concatenate(rows)).to(self.words.dtype)

    def _deep_prompts(self, batch: Sequence[Prompted], places: Tensor) -> "DeepPrompts":
        """What layer i adds to its input at the prompts' positions, i >= 1."""
        deepest = max((len(s.soft) for s in batch if s.soft is not None and s.n_soft), default=1)
        return DeepPrompts(places, {i: self._row(batch, i) for i in range(1, deepest)})

    def _prove_packing(self) -> None:
        """A model that does its own attention would let strangers meet: better not to start."""
        one, two = Prompted(np.arange(3)), Prompted(np.arange(1, 6))
        together = self.pooled([one, two])
        apart = np.concatenate([self.pooled([one]), self.pooled([two])])
        if not np.allclose(together, apart, atol=0.01):
            raise ValueError(f"{type(self._model).__name__} does not use the attention it is given")


def register_attention() -> str:
    """Makes `packed_attention` known to transformers, and returns its name there."""
    from transformers import AttentionInterface

    AttentionInterface.register("gradless_packed", packed_attention)
    return "gradless_packed"


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    runs: Sequence[Run],
    scaling: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention inside each sequence only: no padding, so no mask.

    Args:
        query, key, value: (1, n_heads, n_tokens, head_size), sequences end to end.
        runs: how the sequences lie, in order.

    Returns:
        (1, n_tokens, n_heads, head_size), and no weights.
    """
    out = torch.empty_like(query.transpose(1, 2), memory_format=torch.contiguous_format)
    start = 0
    for n, length in runs:
        end = start + n * length
        q, k, v = (
            x[0, :, start:end].view(-1, n, length, x.shape[-1]).transpose(0, 1)
            for x in (query, key, value)
        )
        answer = scaled_dot_product_attention(q, k, v, scale=scaling)
        out[0, start:end].view(n, length, *out.shape[2:]).copy_(answer.transpose(1, 2))
        start = end
    return out, None


def load(folder: Path, dtype: str) -> Any:
    """The model of a folder, frozen: its own files only, safetensors only, none of its code.

    Raises:
        ValueError: weights are missing, and transformers would have drawn them at random.
        OSError, RuntimeError: the files are not there or not readable.
    """
    from transformers import AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    model, report = AutoModel.from_pretrained(
        folder,
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        dtype=getattr(torch, dtype),
        attn_implementation=register_attention(),
        output_loading_info=True,
    )
    missing = sorted(key for key in report["missing_keys"] if not key.startswith("pooler."))
    if missing:
        raise ValueError(f"no weights for {', '.join(missing[:3])} ({len(missing)} in all)")
    model.pooler = None  # we pool by ourselves, and it would only cost time
    return model.eval().requires_grad_(False)


def _deepener(number: int) -> Callable[..., None]:
    """A hook on layer `number` that adds the deep prompts handed through its forward."""

    def add(_: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Any]) -> None:
        deep: DeepPrompts = kwargs["deep"]
        if number in deep.rows:  # in place: nobody else reads this tensor
            args[0][0].index_add_(0, deep.places, deep.rows[number])

    return add
