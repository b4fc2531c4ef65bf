"""Reads batches of an encoder-decoder: a text is encoded once for all that is asked of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor

from backends.local import hooks
from backends.local.decoding import Draft, chooser, decode
from backends.local.inputs import Batch, Input, pad
from backends.local.loading import Loaded
from backends.local.picks import Pick, last
from backends.local.reader import Reader, check_alike
from backends.local.vocabulary import Ids
from backends.subnetworks import LastMaps

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Pair:
    """One text for the encoder, and the beginnings that the decoder reads beside it."""

    encoder: Input
    decoders: tuple[Input, ...]

    def __len__(self) -> int:
        return len(self.encoder) + sum(map(len, self.decoders))


class PairReader:
    """As `Reader`, for pairs."""

    def __init__(self, loaded: Loaded, threads: int | None) -> None:
        """Arguments and errors as of `Reader`."""
        self._model = loaded.model
        decoder = self._model.get_decoder()
        self.encoder = Reader(loaded, self._model.get_encoder(), decoder, threads)
        self._embed = decoder.get_input_embeddings()
        self.vocabulary, self.vectors = self.encoder.vocabulary, self.encoder.vectors
        self.max_tokens = loaded.max_tokens
        self._maps = LastMaps(hooks.layers_of(decoder), stack=1)
        self._prove()

    @property
    def has_subnetworks(self) -> bool:
        return self.encoder.has_subnetworks and self._maps.known

    def read(self, pairs: Sequence[Pair], pick: Pick[T]) -> list[list[T]]:
        """What `pick` makes of the logits at the places of each pair's decoder inputs."""
        return self.encoder.workers.map(partial(self._read, pick), pairs)

    def write(
        self, drafts: Sequence[Draft[Pair]], temperature: float, ends: frozenset[int], most: int
    ) -> list[Ids]:
        """What the decoder says after the one beginning of each pair: see `decode`."""
        found: dict[int, Ids] = {}
        lengths = [len(draft.start.decoders[0]) for draft in drafts]
        for length in dict.fromkeys(lengths):
            # decoders count places from the left end of a batch: no padding there
            rows = [row for row, other in enumerate(lengths) if other == length]
            write = partial(self._write, temperature, ends, most)
            said = self.encoder.workers.map(write, [drafts[row] for row in rows])
            found.update(zip(rows, said, strict=True))
        return [found[row] for row in range(len(drafts))]

    @torch.inference_mode()
    def _read(self, pick: Pick[T], pairs: Sequence[Pair]) -> list[list[T]]:
        decoders = [decoder for pair in pairs for decoder in pair.decoders]
        forward = self._encoded(pairs)
        batch = self._padded(decoders)
        with hooks.reading(kept=batch.kept), self._maps.read_by(batch.networks):
            said = forward(decoder_inputs_embeds=batch.vectors, use_cache=False)
        found = iter(pick(said.logits[0], decoders))
        return [[next(found) for _ in pair.decoders] for pair in pairs]

    @torch.inference_mode()
    def _write(
        self, temperature: float, ends: frozenset[int], most: int, asked: Sequence[Draft[Pair]]
    ) -> list[Ids]:
        pairs = [draft.start for draft in asked]
        forward = self._encoded(pairs)
        batch = self._padded([pair.decoders[0] for pair in pairs])
        with hooks.reading(kept=batch.kept), self._maps.read_by(batch.networks):
            said = forward(decoder_inputs_embeds=batch.vectors, use_cache=True)
        past = said.past_key_values

        def step(tokens: Tensor) -> Tensor:
            read = {"decoder_input_ids": tokens[:, None], "past_key_values": past}
            with self._maps.read_by(batch.networks):
                said = forward(**read, use_cache=True)
            logits: Tensor = said.logits[:, -1]
            return logits

        choose = chooser(temperature, [draft.seed for draft in asked])
        return decode(said.logits[0], step, choose, ends, most)

    def _encoded(self, pairs: Sequence[Pair]) -> Callable[..., Any]:
        """The model with every pair's text encoded, once for each of its decoder inputs."""
        from transformers.modeling_outputs import BaseModelOutput

        batch = self.encoder.pad([pair.encoder for pair in pairs])
        with hooks.reading(batch.deep), self.encoder.maps.read_by(batch.networks):
            told = self._model.get_encoder()(
                inputs_embeds=batch.vectors, attention_mask=batch.mask
            ).last_hidden_state
        counts = torch.tensor([len(pair.decoders) for pair in pairs], device=told.device)
        return partial(
            self._model,
            encoder_outputs=BaseModelOutput(told.repeat_interleave(counts, dim=0)),
            attention_mask=batch.mask.repeat_interleave(counts, dim=0),
        )

    def _padded(self, inputs: Sequence[Input]) -> Batch:
        return pad(inputs, self._embed, self.encoder.device)

    @torch.inference_mode()
    def _prove(self) -> None:
        """As `Reader.prove`: in company and as vectors, against alone and as tokens."""
        ids = self.vocabulary.plain(6)
        beginnings = (Input(ids[:1], at=(0,)), Input(ids[3:], at=(2,)))
        pairs = [Pair(Input(ids[:3]), beginnings), Pair(Input(ids), beginnings)]
        found = [one for both in self.read(pairs, last) for one in both]
        known = [
            self._model(
                **self.encoder.alone(pair.encoder.ids),
                decoder_input_ids=self.encoder.alone(one.ids)["input_ids"],
            ).logits[0, -1]
            for pair in pairs
            for one in pair.decoders
        ]
        check_alike(self._model, found, known)
