"""A transformers encoder that reads many sequences at once, unpadded. Knows no query, no label.

Sequences of any length lie end to end in one row of tokens, so the linear layers see one full
matrix; attention, the only part where tokens meet, is done for each run of equal lengths.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from backends import branching, sharing
from backends.parts import Parts
from backends.planning import TOKEN_BUDGET, plan_shared
from backends.sharing import Lineage
from backends.steps import Prompted, Run, Step, stepper, steps
from backends.subnetworks import LastMaps

Batch: TypeAlias = Sequence[tuple[Prompted, Lineage]]


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
        branching.hook(self._layers)
        self.maps = LastMaps(self._layers)
        self._parts = Parts(model)
        self._pool = ThreadPoolExecutor(threads, "encoder", torch.set_num_threads, (1,))
        self._prove_packing()
        self._has_parts = self.n_layers > 1 and self._prove_parts()

    def pooled(
        self, sequences: Sequence[Prompted], token_budget: int = TOKEN_BUDGET
    ) -> NDArray[np.float32]:
        """The mean of each sequence's last hidden states, shape (n_sequences, hidden).

        Sequences with the same text and sub-network, and prompts whose lower rows are the same to
        the bit, are read once by the layers below the first row that is not, if they come into
        one group of batches.
        """
        softs = [sequence.soft for sequence in sequences]
        texts = [(sequence.ids.tobytes(), sequence.subnetwork) for sequence in sequences]
        lines = sharing.lineages(texts, softs)
        groups = plan_shared([len(sequence) for sequence in sequences], lines, token_budget)
        parts = [[[(sequences[row], lines[row]) for row in some] for some in g] for g in groups]
        result = np.empty((len(sequences), self.hidden), np.float32)
        read = partial(self._read, products={})
        for group, means in zip(groups, self._pool.map(read, parts), strict=True):
            result[[row for some in group for row in some]] = means
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
    def _read(self, group: Sequence[Batch], products: branching.Products) -> NDArray[np.float32]:
        """The means of all sequences of some batches, in order."""
        with branching.kept_in(products):
            layer = self._cut(group)
            if layer == 0:
                return np.concatenate([self._whole(batch) for batch in group])
            return self._in_parts(group, layer)

    def _cut(self, group: Sequence[Batch]) -> int:
        """The layer below which the batches of a group are read together; 0: they are not."""
        if len(group) == 1 or not self._has_parts:
            return 0
        if any(one.subnetwork for batch in group for one, _ in batch):
            return 0  # what thins a sub-network counts the layers of one forward
        return sharing.first_branch([line for batch in group for _, line in batch])

    def _whole(self, batch: Batch) -> NDArray[np.float32]:
        taken = steps(batch, self.hidden)
        return self._means(batch, taken, self._forward(taken))

    def _in_parts(self, group: Sequence[Batch], layer: int) -> NDArray[np.float32]:
        """As `_whole` of each batch; the layers below that one read what all share at once."""
        together = [one for batch in group for one in batch]
        owners = sharing.owners([line for _, line in together], layer - 1)
        mine = np.unique(owners)
        taken = steps([together[row] for row in mine], self.hidden)
        hidden = self._forward(taken, model=self._parts.below(layer))
        lengths = [len(together[row][0]) for row in mine]
        read = dict(zip(mine, torch.split(hidden, lengths), strict=True))
        found, start = [], 0
        for batch in group:
            of_batch = dict.fromkeys(owners[start : start + len(batch)])  # in its own order
            trunk = torch.cat([read[row] for row in of_batch])
            taken = steps(batch, self.hidden)
            found.append(self._means(batch, taken, self._above(layer, trunk, taken)))
            start += len(batch)
        return np.concatenate(found)

    def _above(self, layer: int, hidden: Tensor, taken: Sequence[Step]) -> Tensor:
        """The last hidden states, from what the layer below that one gave."""
        above = self._parts.above(layer)
        found: Tensor = above(hidden[None], steps=taken, seen=None).last_hidden_state[0]
        return found

    def _means(self, batch: Batch, taken: Sequence[Step], hidden: Tensor) -> NDArray[np.float32]:
        runs = taken[-1].runs
        parts = torch.split(hidden, [n * length for n, length in runs])
        means = [
            part.view(*run, self.hidden).mean(dim=1, dtype=torch.float32)
            for part, run in zip(parts, runs, strict=True)
        ]
        found: NDArray[np.float32] = torch.cat(means).numpy()
        owners = sharing.owners([line for _, line in batch], len(taken) - 1)
        return found[np.unique(owners, return_inverse=True)[1]]

    def _forward(
        self, taken: Sequence[Step], seen: list[Tensor] | None = None, model: Any = None
    ) -> Tensor:
        """The last hidden states, (n_tokens, hidden); `seen` is filled with what layers read."""
        first = taken[0]
        places = torch.cat([torch.arange(length).repeat(n) for n, length in first.runs])
        networks = [sequence.subnetwork for sequence in first.sequences]
        with self.maps.read_by(networks, [len(sequence) for sequence in first.sequences]):
            hidden: Tensor = (model or self._model)(
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

    @torch.inference_mode()
    def _prove_parts(self) -> bool:
        """Whether the layers are all there is between the tables and the last hidden states."""
        taken = steps([(Prompted(np.arange(3)), (0,))], self.hidden)
        whole = self._forward(taken)
        below = self._forward(taken, model=self._parts.below(1))
        return torch.equal(self._above(1, below, taken), whole)


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
