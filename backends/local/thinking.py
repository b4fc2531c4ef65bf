"""Demonstrations that a causal model goes over again and again, and texts behind them."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import sqrt
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor

from backends.base import BackendRefused, Query, Thinking
from backends.local.inputs import Input, fit
from backends.local.picks import Pick
from backends.local.prefix import KeysValues, PrefixReader, Rest
from backends.local.reader import Reader
from backends.local.vocabulary import Ids

T = TypeVar("T")
Flat: TypeAlias = tuple[Tensor, ...]  # keys and values in turn, layer after layer, float32

KEPT = 4  # recipes whose keys and values stay in memory: those that were used last


@dataclass(frozen=True, eq=False)
class Behind(Input):
    """A text that is read behind demonstrations; its places are counted in the text alone."""

    thinking: Thinking = field(kw_only=True)


@dataclass(frozen=True, eq=False)
class Thought:
    """What the passes so far have come to. float32 always: halves lose the small steps."""

    keys_values: Flat  # each of shape (1, n_heads, n_tokens, size)
    steps: Flat  # the last ones, momentum included
    moved: float  # as `Thinks.think`

    @property
    def layers(self) -> list[KeysValues]:
        return list(zip(self.keys_values[::2], self.keys_values[1::2], strict=True))


class Thinker:
    """As `PrefixReader`, but texts behind demonstrations are read against their keys and values.

    Those are found by iterative forward tuning (Yang et al. 2023, arXiv:2305.13016, as released,
    `models/meta_optimizer.py`). KV_0 is what the model makes of the demonstrations' tokens. Pass t
    reads the same tokens behind KV_{t-1}; with KV' what it makes of them this time, at every layer

        g_t = KV' - KV_{t-1},  m_t = g_t + momentum m_{t-1},  KV_t = KV_{t-1} + step_size m_t.

    As in the paper a pass reads its n tokens at the positions n to 2n - 1, and texts follow from n
    on: so where keys depend on positions, the steps tell of that shift too, and the model must
    have room for the demonstrations twice. Texts are cut off from the demonstrations as tokens, so
    that these are read once. The last few recipes are kept, and more passes go on from fewer.
    """

    def __init__(self, reader: Reader, prefixes: PrefixReader) -> None:
        self._reader, self._prefixes = reader, prefixes
        self._thoughts: OrderedDict[Thinking, Thought] = OrderedDict()

    def start(self, query: Query, ids: Ids, reserved: int) -> Input:
        """What is read of a query behind its demonstrations, with so many tokens left free.

        Raises:
            BackendRefused: they are no demonstrations for this model, or leave no room.
        """
        assert query.thinking is not None
        if query.soft is not None or query.subnetwork is not None:
            raise BackendRefused("demonstrations go with no soft prompt and with no sub-network")
        room = self._reader.room(len(self._tokens(query.thinking)), reserved)
        return Behind(fit(ids, (), room)[0], thinking=query.thinking)

    def read(self, inputs: Sequence[Input], pick: Pick[T]) -> list[T]:
        """What `pick` makes of the logits at each input's places."""
        rows: dict[Thinking, list[int]] = {}
        plain: list[int] = []
        for row, one in enumerate(inputs):
            (rows.setdefault(one.thinking, []) if isinstance(one, Behind) else plain).append(row)
        found = self._prefixes.read([inputs[row] for row in plain], pick)
        answers = dict(zip(plain, found, strict=True))
        for thinking in sorted(rows, key=_passes):  # so that each goes on from the one before
            mine = rows[thinking]
            found = self._behind(thinking, [inputs[row] for row in mine], pick)
            answers.update(zip(mine, found, strict=True))
        return [answers[row] for row in range(len(inputs))]

    def moved(self, thinking: Thinking) -> float:
        """As `Thinks.think`, of one recipe."""
        return self._thought(thinking).moved

    def _behind(self, thinking: Thinking, inputs: Sequence[Input], pick: Pick[T]) -> list[T]:
        layers = self._thought(thinking).layers
        n_read = layers[0][0].shape[-2]
        return self._prefixes.behind(layers, [Rest(one, 0, n_read) for one in inputs], pick)

    def _thought(self, thinking: Thinking) -> Thought:
        """With as many passes as wanted, gone on from what is kept of the recipe with fewer."""
        text, kept = Input(self._tokens(thinking)), self._thoughts
        begun = [one for one in kept if replace(one, passes=thinking.passes) == thinking]
        fewer = [one for one in begun if one.passes <= thinking.passes]
        last = max(fewer, key=_passes, default=None)
        done, thought = (-1, None) if last is None else (last.passes, kept[last])
        for _ in range(done, thinking.passes):
            [thought] = self._reader.workers.map(partial(self._pass, thinking, thought), [text])
        assert thought is not None  # passes are 0 or more
        kept[thinking] = thought
        kept.move_to_end(thinking)
        if len(kept) > KEPT:
            kept.popitem(last=False)
        return thought

    @torch.inference_mode()
    def _pass(
        self, thinking: Thinking, last: Thought | None, texts: Sequence[Input]
    ) -> list[Thought]:
        """The demonstrations read for the first time, or once more behind what is known of them."""
        [layers] = self._prefixes.remember(texts, last.layers if last else ())
        read = [one[None].float() for layer in layers for one in layer]
        if last is None:
            return [Thought(tuple(read), tuple(map(torch.zeros_like, read)), 0.0)]
        old = last.keys_values
        gaps = [new - known for new, known in zip(read, old, strict=True)]
        steps = [
            gap + thinking.momentum * before for gap, before in zip(gaps, last.steps, strict=True)
        ]
        moved = [known + thinking.step_size * step for known, step in zip(old, steps, strict=True)]
        return [Thought(tuple(moved), tuple(steps), _length(gaps) / _length(old))]

    def _tokens(self, thinking: Thinking) -> Ids:
        """The demonstrations as this model reads them, or BackendRefused if it cannot."""
        words, most = self._reader.vocabulary, self._reader.max_tokens
        ids = (*words.start, *words.ids(thinking.demonstrations))
        if not self._prefixes.shares:
            raise BackendRefused("this model keeps no keys and values that could be moved")
        if not ids or thinking.passes < 0:
            raise BackendRefused(f"{thinking}: some words and 0 passes or more are wanted")
        if thinking.passes and 2 * len(ids) > most:
            raise BackendRefused(
                f"the demonstrations are {len(ids):,} tokens: a pass reads them behind themselves, "
                f"so at most {most // 2:,} are wanted; take fewer, or shorter ones"
            )
        return ids


def unthinking(queries: Sequence[Query]) -> None:
    """Nothing, if no query stands behind demonstrations: what is asked knows only whole texts.

    Raises:
        BackendRefused: one does.
    """
    if any(query.thinking is not None for query in queries):
        raise BackendRefused("behind demonstrations only labels and words can be scored")


def _passes(thinking: Thinking) -> int:
    return thinking.passes


def _length(tensors: Sequence[Tensor]) -> float:
    return sqrt(sum(float(one.double().square().sum()) for one in tensors))
