"""An encoder-decoder (T5, BART) that fills the gap of a text, or answers it."""

from collections.abc import Mapping, Sequence
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from backends.base import Query
from backends.local import picks
from backends.local.base import LocalModel
from backends.local.decoding import drafts
from backends.local.gaps import Style, gap_of
from backends.local.inputs import continued
from backends.local.loading import Device, Download, Dtype, check_choice, load, stops
from backends.local.pairs import Pair, PairReader
from backends.local.picks import Pick
from backends.local.spelling import by_context
from backends.local.vocabulary import anchor


class Seq2Seq(LocalModel):
    """Label score: log-probability of the label where the decoder fills the gap, over its tokens.

    T5 is shown a sentinel in the gap and BART its mask (see `gap_of`); with gap="answer", for
    models trained to follow instructions, the label is what the decoder says first, and a text
    after the gap is refused. The sum over the label's tokens, as of `Causal`.

    A soft prompt stands at the start of what the encoder reads, after the first special token if
    there is one. Its row 0 takes the place of word embeddings; row i >= 1 is added to what layer i
    of the encoder reads at the prompt's positions. BART's decoder, which repeats the text, reads
    row 0 too. The model reads `max_tokens` in all: of a longer text the middle is left out (see
    `fit`), never the soft prompt, the gap or what stands next to it.

    The same queries in the same order get the same bits, with any number of threads.
    """

    def __init__(
        self,
        model: str,
        threads: int | None = None,
        dtype: Dtype = "float32",
        device: Device = "auto",
        download: Download = "no",
        gap: Style = "auto",
    ) -> None:
        """Loads the model, which takes seconds; arguments and errors as of `Masked`.

        Args:
            gap: "auto": shown as the tokenizer can; "answer": not shown, the label is an answer.
        """
        check_choice("gap", gap, get_args(Style))
        loaded = load("AutoModelForSeq2SeqLM", model, dtype, device, download)
        self._reader = PairReader(loaded, threads)
        super().__init__(self._reader)
        self._gap = gap_of(loaded.model, self._words, gap)
        self._stops = stops(loaded) | self._gap.closed

    def score(self, queries: Sequence[Query], labels: Sequence[str]) -> NDArray[np.float64]:
        """Log-probabilities, shape (n_queries, n_labels): see the class.

        Raises:
            BackendRefused: labels that this model cannot write or tell apart, a text after the
                gap of a model that answers, or a soft prompt that it cannot read.
        """
        starts = self._starts(queries, self._words.longest)
        written = [by_context(self._words.labels(query.before, labels)) for query in queries]
        asked = [
            Pair(
                start.encoder,
                tuple(
                    continued(start.decoders[0], line, spelling.pairs(number))
                    for number, line in enumerate(lines)
                ),
            )
            for start, (lines, spelling) in zip(starts, written, strict=True)
        ]
        scores = np.empty((len(queries), len(labels)))
        answers = self._reader.read(asked, picks.spelled)
        for row, (found, (_, spelling)) in enumerate(zip(answers, written, strict=True)):
            scores[row] = spelling.totals(found)
        return scores

    def rank(self, queries: Sequence[Query], k: int) -> list[Mapping[str, float]]:
        """Whole words that are one token, with their share of the whole vocabulary."""
        asked = self._starts(queries, self._words.longest)
        gaps = [anchor(query.before) for query in queries]
        return picks.ranked(self._words.words, self._first, asked, gaps, k)

    def hidden(
        self, queries: Sequence[Query], *, padded: bool = False
    ) -> list[NDArray[np.float32]]:
        """What the encoder's layers above the first read, with the gap shown: see `TellsHidden`."""
        asked = [pair.encoder for pair in self._starts(queries, self._words.longest)]
        return self._reader.encoder.hidden(asked, padded)

    def generate(
        self,
        queries: Sequence[Query],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        samples: Sequence[int] | None = None,
    ) -> list[str]:
        """What fills the gap, up to the end that the model gives it: see `Generates`.

        BART goes on with the text behind the gap; where that begins, the answer ends.
        """
        asked = drafts(self._starts(queries, max_tokens), queries, samples)
        said = self._reader.write(asked, temperature, self._stops, max_tokens)
        texts = [self._words.text(ids) for ids in said]
        return [
            text.partition(query.after.strip())[0].strip() if query.after.strip() else text
            for text, query in zip(texts, queries, strict=True)
        ]

    def _first(
        self, asked: Sequence[Pair], pick: Pick[Mapping[str, float]]
    ) -> list[Mapping[str, float]]:
        return [answer for (answer,) in self._reader.read(asked, pick)]

    def _starts(self, queries: Sequence[Query], reserved: int) -> list[Pair]:
        """Every query as it is read before its gap is filled.

        Only a decoder that repeats the text needs so many tokens `reserved` for what it fills in.
        """
        softs = self._vectors.checked(queries)
        most = self.max_tokens - (reserved if self._gap.repeats else 0)
        encoders = [
            self._gap.encoder(*both, self._words, most) for both in zip(queries, softs, strict=True)
        ]
        return [Pair(one, (continued(self._gap.decoder(one)),)) for one in encoders]
