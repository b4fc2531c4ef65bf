"""A frozen transformers model that reads batches of sequences. Knows no query, no label."""

from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from backends.base import BackendRefused
from backends.local import hooks, picks, reuse
from backends.local.inputs import Batch, Input, pad
from backends.local.loading import Loaded
from backends.local.picks import Pick
from backends.local.reuse import Lined
from backends.local.spelling import longest
from backends.local.vectors import Vectors
from backends.local.vocabulary import Ids, Vocabulary
from backends.local.workers import Workers
from backends.subnetworks import LastMaps

T = TypeVar("T")

_NEAR = {torch.float32: 0.01, torch.bfloat16: 0.5, torch.float16: 0.5}  # nats of mean rounding


class Reader:
    """Every sequence is read as vectors, with or without a soft prompt: there is one way only."""

    def __init__(self, loaded: Loaded, stack: Any, body: nn.Module, threads: int | None) -> None:
        """Takes the model apart by its own structure.

        Args:
            stack: what reads the input and has the layers that soft prompts may stand at.
            body: what the vocabulary head sits on; the same, but for encoder-decoders.

        Raises:
            ValueError: less than one thread.
            BackendRefused: the model is not built like those this backend knows.
        """
        self.model, self.max_tokens = loaded.model, loaded.max_tokens
        self.model.config.use_cache = False  # what is written token by token asks for it
        self.device = self.model.device.type
        self.workers = Workers(threads, self.device)
        self.embed: nn.Embedding = stack.get_input_embeddings()
        rows = self.embed.num_embeddings
        self.vocabulary = Vocabulary(loaded.tokenizer, rows, longest(self.max_tokens))
        layers = hooks.layers_of(stack)
        if body is self.model or not layers:
            raise BackendRefused(f"{type(self.model).__name__}: no layers below a head were found")
        hooks.prompt_layers(layers)
        hooks.narrow_head(body)
        self.maps, self._stack = LastMaps(layers), stack
        self.vectors = Vectors(self.embed, self.vocabulary, self._n_layers())

    @property
    def has_subnetworks(self) -> bool:
        return self.maps.known

    def room(self, n_soft: int, reserved: int) -> int:
        """Tokens left for a text beside a soft prompt and what is `reserved`."""
        return self.max_tokens - n_soft - reserved

    def pad(self, inputs: Sequence[Input], *, left: bool = False) -> Batch:
        return pad(inputs, self.embed, self.device, left=left)

    def read(self, inputs: Sequence[Input], pick: Pick[T]) -> list[T]:
        """What `pick` makes of the logits at each input's places.

        Inputs with the same tokens and sub-network, and prompts whose lower rows are the same to
        the bit, are read once by the layers below the first row that is not, if they come into
        one batch.
        """
        order, lined = reuse.lined_up(inputs)
        found = self.workers.map(partial(self._read, pick), lined)
        answers = dict(zip(order, found, strict=True))
        return [answers[row] for row in range(len(inputs))]

    @torch.inference_mode()
    def _read(self, pick: Pick[T], lined: Sequence[Lined]) -> list[T]:
        inputs = [one.input for one in lined]
        batch = reuse.shared(lined, self.pad(inputs))
        with hooks.reading(batch.deep, batch.kept, batch.stages), self.maps.read_by(batch.networks):
            said = self.model(inputs_embeds=batch.vectors, attention_mask=batch.mask)
        return pick(said.logits[0], inputs)

    def hidden(self, inputs: Sequence[Input], padded: bool) -> list[NDArray[np.float32]]:
        """What the layers above the first read, as of `TellsHidden`."""
        see = partial(self._see, padded)
        read = see(inputs) if padded else self.workers.map(see, inputs)
        return [np.concatenate(layer) for layer in zip(*read, strict=True)]

    @torch.inference_mode()
    def _see(self, padded: bool, inputs: Sequence[Input]) -> list[list[NDArray[np.float32]]]:
        """What each layer reads of each input, shape (n_places, hidden)."""
        batch, seen = self.pad(inputs), list[Tensor]()
        with hooks.reading(batch.deep, seen=seen), self.maps.read_by(batch.networks):
            self._stack(inputs_embeds=batch.vectors, attention_mask=batch.mask)
        layers = [one.float().cpu().numpy() for one in seen[1 : self.vectors.shape[0]]]
        real = batch.mask.bool().cpu().numpy() | padded
        return [[layer[row, real[row]] for layer in layers] for row in range(len(inputs))]

    @torch.inference_mode()
    def _n_layers(self) -> int:
        """How many run, or 1 where they are wider than word vectors: a prompt has one width."""
        vectors = self.embed(torch.tensor([[1, 2]], device=self.device))
        with hooks.reading() as seen:
            self._stack(inputs_embeds=vectors)
        return seen.depth if seen.width == vectors.shape[-1] else 1

    def alone(self, ids: Ids) -> dict[str, Tensor]:
        """One sequence as tokens, as transformers is usually called."""
        tokens = torch.tensor([ids], device=self.device)
        return {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}

    def prove(self, causal: bool) -> None:
        """Two sequences side by side, as vectors, against one alone, as tokens.

        A model that also needs the tokens themselves, or lets padding or (of a causal model)
        later tokens change earlier ones, would answer wrongly without a word.

        Raises:
            BackendRefused: the answers differ.
        """
        ids = self.vocabulary.plain(6)
        short = ids[:3]
        company = [Input(short, at=(2,)), Input(ids, at=(2 if causal else 5,))]
        with torch.inference_mode():
            known = [
                self.model(**self.alone(one)).logits[0, -1]
                for one in (short, short if causal else ids)
            ]
        check_alike(self.model, self.read(company, picks.last), known)


def check_alike(model: nn.Module, found: Sequence[Tensor], known: Sequence[Tensor]) -> None:
    """Nothing, if these logits tell the same but for rounding; as of `Reader.prove` if not."""
    for one, other in zip(found, known, strict=True):
        apart = float((one.float().log_softmax(-1) - other.float().log_softmax(-1)).abs().mean())
        if not apart < _NEAR[one.dtype]:
            raise BackendRefused(
                f"{type(model).__name__} does not answer alike to tokens and to vectors, or alone "
                f"and in company: {apart:.3f} nats apart"
            )
