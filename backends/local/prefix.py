"""Soft prompts of a causal model, read once for all the texts behind them. Knows no label."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from inspect import signature
from typing import Any, TypeAlias, TypeVar

import torch
from torch import Tensor

from backends.base import BackendRefused, Subnetwork
from backends.local import hooks, picks
from backends.local.inputs import Batch, Input
from backends.local.picks import Pick
from backends.local.reader import Reader, check_alike
from backends.local.vocabulary import Ids

T = TypeVar("T")
KeysValues: TypeAlias = tuple[Tensor, Tensor]  # of one layer, each (n, n_heads, n_tokens, size)
# the tokens before a soft prompt, its identity, and what reads them
Prefix: TypeAlias = tuple[Ids, int, Subnetwork | None]

TOGETHER = 32  # prefixes whose keys and values are in memory at once
ATTENTION = {"full_attention", "sliding_attention"}  # layers that remember all they have read


@dataclass(frozen=True, eq=False)
class Rest:
    """What stands behind a prefix, and which prefix that is."""

    input: Input
    prefix: int
    weight: int = 0  # tokens of the prefix that count where a batch is made: each text has a copy

    def __len__(self) -> int:
        return len(self.input) + self.weight


class PrefixReader:
    """As `Reader`, but a prefix that several inputs begin with is read once in a call.

    A prefix is a soft prompt and what stands before it. What a causal model makes of it does not
    depend on the text behind it: its keys and values are kept, of every layer, and the texts are
    read against them. Answers differ from those of the plain way by rounding.
    """

    def __init__(self, reader: Reader) -> None:
        """Without a remembering attention, or if it answers otherwise, all is read plainly."""
        self._reader = reader
        self._parameters = signature(reader.model.forward).parameters
        self.shares = self._remembers() and self._agrees()

    def read(self, inputs: Sequence[Input], pick: Pick[T]) -> list[T]:
        """What `pick` makes of the logits at each input's places."""
        answers: dict[int, T] = {}
        for rows in self._groups(inputs) if self.shares else ():
            found = self._together([inputs[row] for row in rows], pick)
            answers.update(zip(rows, found, strict=True))
        plain = [row for row in range(len(inputs)) if row not in answers]
        found = self._reader.read([inputs[row] for row in plain], pick)
        answers.update(zip(plain, found, strict=True))
        return [answers[row] for row in range(len(inputs))]

    def _groups(self, inputs: Sequence[Input]) -> Iterator[list[int]]:
        """Rows of inputs with shared prefixes: of one length, and of `TOGETHER` at most."""
        rows: dict[Prefix, list[int]] = {}
        for row, one in enumerate(inputs):
            if one.n_soft and min(one.at, default=0) >= _end(one):
                rows.setdefault(_prefix(one), []).append(row)
        by_length: dict[int, list[list[int]]] = {}
        for some in rows.values():
            if len(some) > 1:
                by_length.setdefault(_end(inputs[some[0]]), []).append(some)
        for shared in by_length.values():
            for start in range(0, len(shared), TOGETHER):
                yield [row for some in shared[start : start + TOGETHER] for row in some]

    def _together(self, inputs: Sequence[Input], pick: Pick[T]) -> list[T]:
        """As `read`, of inputs that all begin with prefixes of one length."""
        firsts = {_prefix(one): one for one in inputs}
        starts = [replace(one, ids=one.ids[: one.place], at=()) for one in firsts.values()]
        remembered = self._reader.workers.map(self.remember, starts)
        layers = [
            (torch.stack([keys for keys, _ in layer]), torch.stack([values for _, values in layer]))
            for layer in zip(*remembered, strict=True)
        ]
        numbers = {prefix: number for number, prefix in enumerate(firsts)}
        rests = [Rest(_rest(one), numbers[_prefix(one)]) for one in inputs]
        return self.behind(layers, rests, pick)

    def behind(self, layers: Sequence[KeysValues], rests: Sequence[Rest], pick: Pick[T]) -> list[T]:
        """As `read`, of texts behind prefixes that are remembered already, of one length."""
        return self._reader.workers.map(partial(self._read, layers, pick), rests)

    @torch.inference_mode()
    def remember(
        self, starts: Sequence[Input], past: Sequence[KeysValues] = ()
    ) -> list[list[KeysValues]]:
        """The keys and values of each of these, layer after layer, read behind the one `past`."""
        batch = self._reader.pad(starts)
        with hooks.reading(batch.deep, batch.kept):
            said = self._forward(batch, past, [0] * len(starts))
        width = batch.mask.shape[1]
        return [
            [
                (layer.keys[row, :, -width:], layer.values[row, :, -width:])
                for layer in said.past_key_values.layers
            ]
            for row in range(len(starts))
        ]

    @torch.inference_mode()
    def _read(self, layers: Sequence[KeysValues], pick: Pick[T], rests: Sequence[Rest]) -> list[T]:
        inputs = [rest.input for rest in rests]
        batch = self._reader.pad(inputs)
        with hooks.reading(kept=batch.kept):
            said = self._forward(batch, layers, [rest.prefix for rest in rests])
        return pick(said.logits[0], inputs)

    def _forward(self, batch: Batch, past: Sequence[KeysValues], prefixes: Sequence[int]) -> Any:
        """One forward of a batch, each of its texts behind its own of the prefixes in `past`."""
        from transformers import DynamicCache

        cache, device = DynamicCache(), batch.mask.device
        rows = torch.tensor(prefixes, device=device)
        for number, (keys, values) in enumerate(past):
            cache.update(keys[rows].to(batch.vectors), values[rows].to(batch.vectors), number)
        n, width = batch.mask.shape
        n_read = past[0][0].shape[-2] if past else 0
        read: dict[str, Any] = {"inputs_embeds": batch.vectors, "past_key_values": cache}
        if "position_ids" in self._parameters:
            read["position_ids"] = torch.arange(n_read, n_read + width, device=device)[None]
        mask = torch.cat([batch.mask.new_ones(n, n_read), batch.mask], dim=1)
        with self._reader.maps.read_by(batch.networks):
            return self._reader.model(attention_mask=mask, use_cache=True, **read)

    def _remembers(self) -> bool:
        """Whether the model's layers keep keys and values, and nothing else."""
        model: Any = self._reader.model
        kinds = getattr(model.config, "layer_types", None) or ATTENTION
        return (
            "past_key_values" in self._parameters
            and not getattr(model, "_is_stateful", False)
            and set(kinds) <= ATTENTION
        )

    def _agrees(self) -> bool:
        """Whether two texts behind one prefix are answered as they are plainly."""
        ids = self._reader.vocabulary.plain(6)
        rows = self._reader.embed(torch.tensor(ids[:3], device=self._reader.device))
        soft = rows.detach().float().cpu().numpy()[None]
        inputs = [Input(ids[:n], soft, 1, at=(n + 2,)) for n in (3, 6)]
        plainly = self._reader.read(inputs, picks.last)
        try:
            check_alike(self._reader.model, self._together(inputs, picks.last), plainly)
        except BackendRefused:
            return False
        return True


def _end(one: Input) -> int:
    """How many tokens the prefix has."""
    return one.place + one.n_soft


def _prefix(one: Input) -> Prefix:
    return one.ids[: one.place], id(one.soft), one.subnetwork


def _rest(one: Input) -> Input:
    """What is behind the prefix, read at the same places."""
    at = tuple(place - _end(one) for place in one.at)
    return replace(one, ids=one.ids[one.place :], soft=None, place=0, at=at)
