"""How a model's tokenizer cuts texts and label words. Knows no weights, no batch.

What stands in a text is text: the spelling of a special token in it is read letter by letter.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from backends.base import BackendRefused
from backends.remote.asking import gap
from backends.words import whole_words

Ids = tuple[int, ...]
Anchor = tuple[str, str]  # (tail, lead): the end of a text, and what parts it from a label

_CACHED_TEXTS = 65_536
_CACHED_GAPS = 16  # their tables of words take some MB each


class Vocabulary:
    """A fast tokenizer, asked without and with its special tokens."""

    def __init__(self, tokenizer: Any, n_rows: int, longest: int) -> None:
        """Takes it as AutoTokenizer gives it.

        Args:
            n_rows: how many tokens the model has embeddings for.
            longest: the most tokens of a label.

        Raises:
            BackendRefused: it is no fast tokenizer.
        """
        fast: Any = getattr(tokenizer, "backend_tokenizer", None)
        if fast is None:
            raise BackendRefused("the model's tokenizer is not one of the tokenizers library")
        self._wide, self._fast = tokenizer, fast
        self._fast.no_truncation()
        self._fast.no_padding()
        self._fast.encode_special_tokens = True
        self._n_rows, self.longest = n_rows, longest
        self._special = frozenset(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
        self.start, self.end = self._specials()
        self.ids = lru_cache(_CACHED_TEXTS)(self._ids)
        self.label = lru_cache(_CACHED_TEXTS)(self._label)
        self.words = lru_cache(_CACHED_GAPS)(self._words)

    def special(self, name: str) -> int | None:
        """The number of a special token, by transformers' name for it: "mask_token"."""
        number: int | None = getattr(self._wide, f"{name}_id")
        return number

    def number(self, token: str) -> int | None:
        found: int | None = self._fast.token_to_id(token)
        return found

    def labels(self, before: str, labels: Sequence[str]) -> tuple[Ids, ...]:
        """The tokens of each label as they would go on after `before`.

        Raises:
            BackendRefused: no labels, or one that this tokenizer cannot write or tell apart.
        """
        if not labels:
            raise BackendRefused("no labels were given: at least one label word is wanted")
        behind = anchor(before)
        found = tuple(self.label(behind, label) for label in labels)
        first: dict[Ids, str] = {}
        for ids, label in zip(found, labels, strict=True):
            if first.setdefault(ids, label) != label:
                raise BackendRefused(
                    f"the labels {first[ids]!r} and {label!r} are the same tokens to this model"
                )
        return found

    def text(self, ids: Sequence[int]) -> str:
        """What these tokens spell, without special ones and surrounding white space."""
        return str(self._wide.decode(list(ids), skip_special_tokens=True)).strip()

    def plain(self, n: int) -> Ids:
        """Any `n` tokens that mean nothing special to the model."""
        return tuple(islice((i for i in range(self._n_rows) if i not in self._special), n))

    def whole(self) -> dict[str, int]:
        """Words with a letter or digit that are one token -> its number."""
        words = whole_words(self._fast.get_vocab())
        return {word: index for word, index in words.items() if index < self._n_rows}

    def _ids(self, text: str) -> Ids:
        found = self._fast.encode(text, add_special_tokens=False)
        for token, (first, end) in zip(found.ids, found.offsets, strict=True):
            # SentencePiece has special tokens among its plain pieces too: spell them in two parts
            if token in self._special and end - first > 1:
                return self._ids(text[: first + 1]) + self._ids(text[first + 1 :])
        return tuple(found.ids)

    def _label(self, behind: Anchor, label: str) -> Ids:
        """Cut as part of a text: SentencePiece writes a first word otherwise than a later one."""
        tail, lead = behind
        start, whole = self.ids(tail), self.ids(tail + lead + label)
        ids = whole[len(start) :] if whole[: len(start)] == start else self.ids(lead + label)
        if not ids or self.special("unk_token") in ids:
            raise BackendRefused(f"the label {label!r} has no tokens in this model's vocabulary")
        if len(ids) > self.longest:
            raise BackendRefused(
                f"the label {label!r} is {len(ids)} tokens: at most {self.longest} are wanted"
            )
        return ids

    def _words(self, behind: Anchor) -> dict[str, int]:
        """Whole words that are one token in such a gap -> that token's number."""
        tail, lead = behind
        start, words = self.ids(tail), list(self.whole())
        texts = [tail + lead + word for word in words]
        cut = [tuple(e.ids) for e in self._fast.encode_batch(texts, add_special_tokens=False)]
        return {
            word: ids[-1]
            for word, ids in zip(words, cut, strict=True)
            if ids[:-1] == start and ids[-1] < self._n_rows
        }

    def _specials(self) -> tuple[Ids, Ids]:
        """The special tokens that the tokenizer puts before and after a text."""
        plain, marked = self._ids("a"), tuple(self._fast.encode("a").ids)
        for start in range(len(marked)):
            if plain and marked[start : start + len(plain)] == plain:
                return marked[:start], marked[start + len(plain) :]
        raise BackendRefused("the tokenizer does not keep a text between its special tokens")


def anchor(before: str) -> Anchor:
    """What of a text decides how a label behind it is cut.

    A space always begins a new token, so any word may stand before it.
    """
    head, lead = gap(before)
    return ("a", lead) if lead else (head[-1:], "")


def head(before: str) -> str:
    """The text before a gap, without the space that belongs to the label."""
    return gap(before)[0]
