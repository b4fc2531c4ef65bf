"""How an encoder-decoder is shown a gap, and what its decoder has said when it comes to it."""

from dataclasses import dataclass
from typing import Any, Literal

from backends.base import BackendRefused, Query
from backends.local.inputs import Input, fit
from backends.local.vectors import Soft
from backends.local.vocabulary import Ids, Vocabulary, head

Style = Literal["auto", "answer"]

_SENTINELS = ("<extra_id_0>", "<extra_id_1>")  # T5: opens the first gap, and ends it


@dataclass(frozen=True)
class Gap:
    """The tokens around a gap. A model that repeats the text says all of it up to the gap."""

    shown: Ids  # what stands in the gap for the encoder; empty: it reads no text behind it
    opened: Ids  # what the decoder reads before it fills the gap
    closed: frozenset[int]  # what ends the filling, beside the end of the text
    repeats: bool = False

    def encoder(self, query: Query, soft: Soft | None, words: Vocabulary, room: int) -> Input:
        """The text with its gap, in at most `room` tokens, the soft prompt's among them."""
        if query.after.strip() and not self.shown:
            raise BackendRefused("a model that answers reads no text after the gap")
        after = words.ids(query.after) if self.shown else ()
        n_soft = 0 if soft is None else soft.shape[1]
        around = n_soft + len(words.start) + len(self.shown) + len(words.end)
        before, after = fit(words.ids(head(query.before)), after, room - around)
        ids = (*words.start, *before, *self.shown, *after, *words.end)
        return Input(ids, soft, place=len(words.start), subnetwork=query.subnetwork)

    def decoder(self, encoder: Input) -> Input:
        """What is read before the gap is filled; what repeats the text repeats its prompt too."""
        network = encoder.subnetwork
        if not self.repeats:
            return Input(self.opened, subnetwork=network)
        said = encoder.ids[: encoder.ids.index(self.shown[0])]
        soft = None if encoder.soft is None else encoder.soft[:1]
        place = len(self.opened) + encoder.place
        return Input((*self.opened, *said), soft, place, subnetwork=network)


def gap_of(model: Any, words: Vocabulary, style: Style) -> Gap:
    """T5 is shown a sentinel, BART its mask; others, and by "answer" all, answer the text.

    T5 then writes the sentinel and what belongs there (Raffel et al. 2020, arXiv 1910.10683,
    section 3.1.4); BART writes the whole text anew (Lewis et al. 2020, arXiv 1910.13461, section
    2.2), so it is asked after the text before the gap.
    """
    start = model.config.decoder_start_token_id
    first, second = (words.number(token) for token in _SENTINELS)
    mask = words.special("mask_token")
    if style == "auto" and first is not None and second is not None:
        return Gap((first,), (start, first), frozenset({second}))
    if style == "auto" and mask is not None:
        return Gap((mask,), (start,), frozenset(), repeats=True)
    forced = getattr(model.generation_config, "forced_bos_token_id", None)
    return Gap((), (start,) if forced is None else (start, forced), frozenset())
