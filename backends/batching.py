"""A transformers encoder that reads many sequences at once, unpadded. Knows no query, no label.

Sequences of any length lie end to end in one row of tokens, so the linear layers see one full
matrix; attention, the only part where tokens meet, is done for each run of equal lengths.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from backends import sharing
from backends.sharing import Lineage
from backends.steps import Prompted, Run, Step, stepper, steps
from backends.subnetworks import LastMaps

# Tokens of one forward: smaller ones leave the cores waiting for Python, the activations of
# larger ones fall out of the caches. Found by benchmark, 256 ... 8192.
TOKEN_BUDGET = 1024


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


def plan_shared(
    lengths: Sequence[int], lines: Sequence[Lineage], token_budget: int
) -> list[list[int]]:
    """As `plan`, but sequences that the first layer reads as one stay together.

    Up to twice the budget: what they share is read once a batch.
    """
    order = sorted(range(len(lines)), key=lambda row: (lengths[row], lines[row]))
    units: list[list[int]] = []
    for (length, _), same in groupby(order, key=lambda row: (lengths[row], lines[row][:2])):
        rows, most = list(same), max(1, 2 * token_budget // length)
        units += [rows[start : start + most] for start in range(0, len(rows), most)]
    batches = plan([len(unit) * lengths[unit[0]] for unit in units], token_budget)
    return [[row for unit in batch for row in units[unit]] for batch in batches]


class PackedEncoder:
    """A frozen BERT-like model: word and position tables below a list of layers."""

    def __init__(self, model: Any, threads: int = 1) -> None:
        """Takes a model loaded with `attn_implementation=register_attention()`.

        Each of `threads` threads reads whole batches by itself. Compared with several threads in
        every matrix product, nobody waits for anybody, however busy the machine is, and a
        batch has the same bits whatever their number.

        Raises:
            ValueError: the model is not built like BERT, or has been given to another one.
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
        if any(layer._forward_pre_hooks for layer in self._layers):
            # its layers would take every step twice
            raise ValueError(f"{type(model).__name__} is read by a PackedEncoder already")
        for number, layer in enumerate(self._layers):
            layer.register_forward_pre_hook(stepper(number), with_kwargs=True)
        self.maps = LastMaps(self._layers)
        self._pool = ThreadPoolExecutor(threads, "encoder", torch.set_num_threads, (1,))
        self._prove_packing()

    def pooled(
        self, sequences: Sequence[Prompted], token_budget: int = TOKEN_BUDGET
    ) -> NDArray[np.float32]:
        """The mean of each sequence's last hidden states, shape (n_sequences, hidden).

        Sequences with the same text and sub-network, and prompts whose lower rows are the same to
        the bit, are read once by the layers below the first row that is not, if they come into
        one batch.
        """
        softs = [sequence.soft for sequence in sequences]
        texts = [(sequence.ids.tobytes(), sequence.subnetwork) for sequence in sequences]
        lines = sharing.lineages(texts, softs)
        rows = plan_shared([len(sequence) for sequence in sequences], lines, token_budget)
        parts = [[(sequences[row], lines[row]) for row in some] for some in rows]
        result = np.empty((len(sequences), self.hidden), np.float32)
        for some, means in zip(rows, self._pool.map(self._means, parts), strict=True):
            result[some] = means
        return result

    @torch.inference_mode()
    def read_by_layers(self, sequence: Prompted) -> list[NDArray[np.float32]]:
        """What each layer but the first reads, shape (n_tokens, hidden)."""
        seen: list[Tensor] = []
        self._forward(steps([(sequence, (0,))], self.hidden), seen)
        return [hidden.float().numpy() for hidden in seen[1:]]

    def flops(self, sequences: Sequence[Prompted]) -> float:
        """Multiplications and additions in matrix products of the real tokens, nothing shared."""
        linear = [m for layer in self._layers for m in layer.modules() if isinstance(m, nn.Linear)]
        per_token = sum(2.0 * m.in_features * m.out_features for m in linear)
        per_pair = 4.0 * self.hidden * self.n_layers  # queries with keys, weights with values
        lengths = [len(sequence) for sequence in sequences]
        return sum(n * (per_token + per_pair * n) for n in lengths)

    @torch.inference_mode()
    def _means(self, batch: Sequence[tuple[Prompted, Lineage]]) -> NDArray[np.float32]:
        taken = steps(batch, self.hidden)
        runs = taken[-1].runs
        hidden: Any = self._forward(taken)
        parts = hidden.split([n * length for n, length in runs])
        means = [
            part.view(*run, self.hidden).mean(dim=1, dtype=torch.float32)
            for part, run in zip(parts, runs, strict=True)
        ]
        found: NDArray[np.float32] = torch.cat(means).numpy()
        owners = sharing.owners([line for _, line in batch], len(taken) - 1)
        return found[np.unique(owners, return_inverse=True)[1]]

    def _forward(self, taken: Sequence[Step], seen: list[Tensor] | None = None) -> Tensor:
        """The last hidden states, (n_tokens, hidden); `seen` is filled with what layers read."""
        first = taken[0]
        places = torch.cat([torch.arange(length).repeat(n) for n, length in first.runs])
        networks = [sequence.subnetwork for sequence in first.sequences]
        with self.maps.read_by(networks, [len(sequence) for sequence in first.sequences]):
            hidden: Tensor = self._model(
                inputs_embeds=self._inputs(first)[None],
                position_ids=places[None] + self._first,
                steps=taken,
                seen=seen,
            ).last_hidden_state[0]
        return hidden

    def _inputs(self, step: Step) -> Tensor:
        """The input vectors of the first layer, shape (n_tokens, hidden)."""
        is_word = np.ones(sum(map(len, step.sequences)), bool)
        is_word[step.places.numpy()] = False
        vectors = self.words.new_empty(len(is_word), self.hidden)
        ids = torch.from_numpy(np.concatenate([sequence.ids for sequence in step.sequences]))
        vectors[torch.from_numpy(is_word)] = self.words[ids]
        vectors[step.places] = step.row.to(self.words.dtype)
        return vectors

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
