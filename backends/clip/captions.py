"""Texts around a label, cut to what a text tower reads. No model."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from backends.base import BackendRefused
from backends.clip.vectors import Vectors
from backends.clip.words import Words

SoftPosition: TypeAlias = Literal["start", "label"]

_CACHED_TEXTS = 65_536


@dataclass(frozen=True, eq=False)
class Caption:
    """One text, and where among its tokens a soft prompt is put in."""

    ids: NDArray[np.int64]  # shape (n_ids,), with the special tokens at both ends
    place: int  # of the prompt's first vector
    prompt: Vectors | None

    @property
    def layout(self) -> tuple[int, ...]:
        """What captions have in common that are read together."""
        return (len(self.ids), *((self.place, *self.prompt.rows.shape) if self.prompt else ()))

    @property
    def key(self) -> tuple[object, ...]:
        """The same for what a tower makes the same of."""
        return self.ids.tobytes(), self.place, self.prompt and self.prompt.key

    def __len__(self) -> int:
        return len(self.ids) + (self.prompt.n_tokens if self.prompt else 0)


class Captions:
    """Makes captions of at most `context` tokens, the soft prompt's and special ones counted.

    Of a longer text, the right end of what follows the label is cut, then the right end of what
    precedes it: never the label, a soft prompt, or the end token that the vector is read from.
    """

    def __init__(self, words: Words, context: int, soft_position: SoftPosition) -> None:
        self._words = words
        self._context = context
        self._soft_position = soft_position
        self._ids = lru_cache(_CACHED_TEXTS)(words.encode)
        self._fitted = lru_cache(_CACHED_TEXTS)(self._fit)

    def of(self, before: str, label: str, after: str, prompt: Vectors | None) -> Caption:
        """The caption of a text.

        Raises:
            BackendRefused: label and soft prompt leave no room for each other.
        """
        n_soft = prompt.n_tokens if prompt else 0
        ids, label_place = self._fitted(before, label, after, n_soft)
        return Caption(ids, 1 if self._soft_position == "start" else label_place, prompt)

    def tokens(self, text: str) -> list[int]:
        """Of a text, none of them special, uncut."""
        return self._ids(text)

    def _fit(
        self, before: str, label: str, after: str, n_soft: int
    ) -> tuple[NDArray[np.int64], int]:
        """The tokens that are read, and the place of the label's first."""
        whole = self._ids(before + label + after)
        start = _common(whole, self._ids(before))
        stop = len(whole) - _common(whole[start:][::-1], self._ids(after)[::-1])
        room = self._context - 2 - n_soft - (stop - start)
        if room < 0:
            raise BackendRefused(
                f"the label {label!r} takes {stop - start} tokens and the soft prompt {n_soft}: "
                f"at most {self._context - 2} are wanted together, since the model reads "
                f"{self._context}, two of them special"
            )
        head = whole[:start][:room]
        tail = whole[stop:][: room - len(head)]
        ids = [self._words.start, *head, *whole[start:stop], *tail, self._words.end]
        array = np.array(ids, np.int64)
        array.setflags(write=False)
        return array, 1 + len(head)


def _common(one: list[int], other: list[int]) -> int:
    """How many of their first tokens are the same."""
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
