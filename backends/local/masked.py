"""A masked language model (BERT, RoBERTa, ALBERT, ELECTRA, DistilBERT) that fills the gap."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from backends.base import BackendRefused, Query
from backends.local import picks
from backends.local.base import LocalModel
from backends.local.inputs import Input, Pairs, fit
from backends.local.loading import Device, Download, Dtype, load
from backends.local.reader import Reader
from backends.local.spelling import by_length
from backends.local.vectors import Soft
from backends.local.vocabulary import anchor, head


class Masked(LocalModel):
    """Label score: mean log-probability of the label's tokens at as many masks in the gap.

    A label of one token has its plain log-probability. Labels of several tokens are each scored
    at their own number of masks, all filled at once, and the mean lets lengths be compared.

    A soft prompt stands right after the first special token. Its row 0 takes the place of word
    embeddings; row i >= 1 is added to what layer i reads at the prompt's positions. The model
    reads `max_tokens` in all: of a longer text the middle is left out (see `fit`), never the
    soft prompt, the mask or what stands next to it.

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
        """Loads the model, which takes seconds.

        Args:
            model: a folder with config, safetensors and tokenizer, or a name on the hub.
            threads: that read batches side by side; None: one for every core we may use.
            dtype: of the weights and of what is computed with them.
            device: "auto": a GPU if there is one.
            download: "yes": a model that is not on this machine is fetched from the hub.

        Raises:
            ValueError: an option is out of range.
            BackendRefused: the model cannot be read, or is no masked language model.
        """
        loaded = load("AutoModelForMaskedLM", model, dtype, device, download)
        mask = loaded.tokenizer.mask_token_id
        if mask is None or loaded.model.config.is_encoder_decoder:
            raise BackendRefused(f"{model!r} is no encoder with a mask token")
        body = loaded.model.base_model
        self._reader = Reader(loaded, body, body, threads)
        self._reader.prove(causal=False)
        self._mask: int = mask
        super().__init__(self._reader)

    def score(self, queries: Sequence[Query], labels: Sequence[str]) -> NDArray[np.float64]:
        """Mean log-probabilities, shape (n_queries, n_labels): see the class.

        Raises:
            BackendRefused: labels that this model cannot write or tell apart, or a soft prompt
                that it cannot read.
        """
        softs = self._vectors.checked(queries)
        written = [by_length(self._words.labels(query.before, labels)) for query in queries]
        asked = [
            self._input(query, soft, n_masks, spelling.pairs(line))
            for query, soft, (lengths, spelling) in zip(queries, softs, written, strict=True)
            for line, n_masks in enumerate(lengths)
        ]
        answers = iter(self._reader.read(asked, picks.spelled))
        scores = np.empty((len(queries), len(labels)))
        for row, (lengths, spelling) in enumerate(written):
            scores[row] = spelling.totals([next(answers) for _ in lengths])
            scores[row] /= [len(label) for label in spelling.labels]
        return scores

    def rank(self, queries: Sequence[Query], k: int) -> list[Mapping[str, float]]:
        """Whole words that are one token, with their share of the whole vocabulary."""
        softs = self._vectors.checked(queries)
        asked = [self._input(query, soft, 1) for query, soft in zip(queries, softs, strict=True)]
        gaps = [anchor(query.before) for query in queries]
        return picks.ranked(self._words.words, self._reader.read, asked, gaps, k)

    def hidden(
        self, queries: Sequence[Query], *, padded: bool = False
    ) -> list[NDArray[np.float32]]:
        """What the layers above the first read, with one mask in the gap: see `TellsHidden`."""
        softs = self._vectors.checked(queries)
        asked = [self._input(query, soft, 1) for query, soft in zip(queries, softs, strict=True)]
        return self._reader.hidden(asked, padded)

    def _input(self, query: Query, soft: Soft | None, n_masks: int, asked: Pairs = ()) -> Input:
        start, end = self._words.start, self._words.end
        n_soft = 0 if soft is None else soft.shape[1]
        reserved = len(start) + len(end) + self._words.longest
        before, after = fit(
            self._words.ids(head(query.before)),
            self._words.ids(query.after),
            self._reader.room(n_soft, reserved),
        )
        masks = (self._mask,) * n_masks
        first = n_soft + len(start) + len(before)
        return Input(
            (*start, *before, *masks, *after, *end),
            soft,
            place=len(start),
            at=tuple(range(first, first + n_masks)),
            spelled=asked,
            subnetwork=query.subnetwork,
        )
