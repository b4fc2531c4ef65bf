"""A causal language model (GPT-2, OPT, Llama, Qwen, Mistral) that continues the text."""

from collections.abc import Mapping, Sequence
from functools import partial
from inspect import signature
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backends.base import BackendRefused, Query, Subnetwork, Thinking
from backends.local import hooks, picks
from backends.local.base import LocalModel
from backends.local.decoding import Draft, chooser, decode, drafts
from backends.local.inputs import Input, continued, fit
from backends.local.loading import Device, Download, Dtype, load, stops
from backends.local.prefix import PrefixReader
from backends.local.reader import Reader
from backends.local.spelling import by_context
from backends.local.thinking import Thinker, unthinking
from backends.local.vectors import Soft
from backends.local.vocabulary import Ids, Vocabulary, anchor, head


class Causal(LocalModel):
    """Label score: log-probability of the label after `before`, the sum over its tokens.

    That is the probability that exactly these tokens follow, as language models are compared
    (Brown et al. 2020, arXiv 2005.14165, section 2.4, without its division by the length) and as
    servers tell it by an echo. Longer labels are less likely in themselves, so labels of like
    length are best. A query with a text after the gap is refused: nothing can read it.

    A soft prompt stands at the start, after the beginning-of-text token where the tokenizer puts
    one. Its row 0 takes the place of word embeddings; row i >= 1 is added to what layer i reads
    at the prompt's positions. The model reads `max_tokens` in all: of a longer text the middle is
    left out (see `fit`), never the soft prompt or the text's end. Texts behind one soft prompt
    are read against its keys and values, which are computed once in a call. Behind demonstrations
    (`Query.thinking`) scores and ranks can be asked, without a soft prompt.

    The same queries in the same order get the same bits, with any number of threads.
    """

    def __init__(
        self,
        model: str,
        threads: int | None = None,
        dtype: Dtype = "float32",
        device: Device = "auto",
        download: Download = "no",
    ) -> None:
        """Loads the model, which takes seconds; arguments and errors as of `Masked`."""
        loaded = load("AutoModelForCausalLM", model, dtype, device, download)
        body = loaded.model.get_decoder()
        self._reader = Reader(loaded, body, body, threads)
        self._reader.prove(causal=True)
        self._prefixes = PrefixReader(self._reader)
        self._thinker = Thinker(self._reader, self._prefixes)
        super().__init__(self._reader)
        self._stops = stops(loaded)
        self._outset = outset(self._words)
        self._takes_places = "position_ids" in signature(loaded.model.forward).parameters

    def think(self, recipes: Sequence[Thinking]) -> NDArray[np.float64]:
        """As of `Thinks`: see `Thinker`."""
        return np.array([self._thinker.moved(recipe) for recipe in recipes], np.float64)

    def score(self, queries: Sequence[Query], labels: Sequence[str]) -> NDArray[np.float64]:
        """Log-probabilities, shape (n_queries, n_labels): see the class.

        Raises:
            BackendRefused: labels that this model cannot write or tell apart, a text after the
                gap, or a soft prompt that the model cannot read.
        """
        starts = self._starts(queries, self._words.longest)
        written = [by_context(self._words.labels(query.before, labels)) for query in queries]
        asked = [
            continued(start, line, spelling.pairs(number))
            for start, (lines, spelling) in zip(starts, written, strict=True)
            for number, line in enumerate(lines)
        ]
        answers = iter(self._thinker.read(asked, picks.spelled))
        scores = np.empty((len(queries), len(labels)))
        for row, (lines, spelling) in enumerate(written):
            scores[row] = spelling.totals([next(answers) for _ in lines])
        return scores

    def rank(self, queries: Sequence[Query], k: int) -> list[Mapping[str, float]]:
        """Whole words that are one token, with their share of the whole vocabulary."""
        asked = [continued(start) for start in self._starts(queries, self._words.longest)]
        gaps = [anchor(query.before) for query in queries]
        return picks.ranked(self._words.words, self._thinker.read, asked, gaps, k)

    def hidden(
        self, queries: Sequence[Query], *, padded: bool = False
    ) -> list[NDArray[np.float32]]:
        """What the layers above the first read, up to the gap: see `TellsHidden`."""
        unthinking(queries)
        asked = [continued(start) for start in self._starts(queries, self._words.longest)]
        return self._reader.hidden(asked, padded)

    def generate(
        self,
        queries: Sequence[Query],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        samples: Sequence[int] | None = None,
    ) -> list[str]:
        """What follows each query, up to the model's own end of text: see `Generates`."""
        unthinking(queries)
        starts = [continued(start) for start in self._starts(queries, max_tokens)]
        write = partial(self._write, temperature, max_tokens)
        asked = drafts(starts, queries, samples)
        return [self._words.text(ids) for ids in self._reader.workers.map(write, asked)]

    @torch.inference_mode()
    def _write(self, temperature: float, most: int, asked: Sequence[Draft[Input]]) -> list[Ids]:
        batch = self._reader.pad([one.start for one in asked], left=True)
        mask, forward = batch.mask, partial(self._forward, batch.networks)
        with hooks.reading(batch.deep, batch.kept):
            said = forward(mask, mask.cumsum(-1) - 1, inputs_embeds=batch.vectors)

        def step(tokens: Tensor) -> Tensor:
            nonlocal said, mask
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
            places = mask.sum(-1, keepdim=True) - 1
            past = said.past_key_values
            said = forward(mask, places, input_ids=tokens[:, None], past_key_values=past)
            logits: Tensor = said.logits[:, -1]
            return logits

        choose = chooser(temperature, [one.seed for one in asked])
        return decode(said.logits[0], step, choose, self._stops, most)

    def _forward(
        self,
        networks: Sequence[Subnetwork | None],
        mask: Tensor,
        places: Tensor,
        **read: Any,
    ) -> Any:
        # padding on the left is no part of the text, and most models cannot know that
        if self._takes_places:
            read["position_ids"] = places.clamp(min=0)
        with self._reader.maps.read_by(networks):
            return self._reader.model(attention_mask=mask, use_cache=True, **read)

    def _starts(self, queries: Sequence[Query], reserved: int) -> list[Input]:
        """What is read before each gap, with so many tokens left free behind it."""
        softs = self._vectors.checked(queries)
        return [self._start(*both, reserved) for both in zip(queries, softs, strict=True)]

    def _start(self, query: Query, soft: Soft | None, reserved: int) -> Input:
        if query.after.strip():
            raise BackendRefused("a causal model reads no text after the gap: put it before")
        n_soft = 0 if soft is None else soft.shape[1]
        start, ids = self._words.start, self._words.ids(head(query.before))
        if query.thinking is not None:
            return self._thinker.start(query, ids or self._outset, reserved)
        if not (start or ids or n_soft):
            start = self._outset
        before, _ = fit(ids, (), self._reader.room(n_soft, len(start) + reserved))
        ids = (*start, *before)
        return Input(ids, soft, place=len(start), subnetwork=query.subnetwork)


def outset(words: Vocabulary) -> Ids:
    """What is read where there is no text at all: models begin after the end of another text.

    Raises:
        BackendRefused: the tokenizer has no such token.
    """
    token = words.special("bos_token")
    token = words.special("eos_token") if token is None else token
    if token is None:
        raise BackendRefused("the tokenizer has no token for the beginning or end of a text")
    return (token,)
