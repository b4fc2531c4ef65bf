"""The tokenizers that CLIPs come with, as one: words to numbers. No tensors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer

from backends.words import whole_words


@dataclass(frozen=True)
class Words:
    """How a model reads words, and the two special tokens it puts around them."""

    encode: Callable[[str], list[int]]  # without special tokens, even where the text names them
    start: int
    end: int
    whole: Mapping[str, int]  # words with a letter or digit that are one token
    size: int  # of the vocabulary


def from_bpe(tokenizer: Any) -> Words:
    """open_clip's own tokenizer, the one of OpenAI's CLIP."""
    start, end = tokenizer.sot_token_id, tokenizer.eot_token_id
    return Words(
        _without({start, end}, tokenizer.encode),
        start,
        end,
        _ended(tokenizer),
        tokenizer.vocab_size,
    )


def from_json(tokenizer: Tokenizer, clean: Callable[[str], str]) -> Words:
    """A Hugging Face tokenizer, its texts cleaned first as open_clip does.

    Raises:
        ValueError: it does not put one token before and one after a text.
    """
    tokenizer.no_truncation()
    tokenizer.no_padding()
    around = tokenizer.encode("").ids
    if len(around) != 2:
        raise ValueError("its tokenizer does not put one token before and one after a text")

    def encode(text: str) -> list[int]:
        return list(tokenizer.encode(clean(text), add_special_tokens=False).ids)

    start, end = around
    return Words(
        _without({start, end}, encode),
        start,
        end,
        whole_words(tokenizer.get_vocab()),
        tokenizer.get_vocab_size(),
    )


def _without(special: set[int], encode: Callable[[str], list[int]]) -> Callable[[str], list[int]]:
    """Keeps a user's text from ending a caption by naming the token that does."""
    return lambda text: [token for token in encode(text) if token not in special]


def _ended(tokenizer: Any) -> dict[str, int]:
    """Tokens with a letter or digit that end a word, as text."""
    found = {}
    for token, number in tokenizer.encoder.items():
        if token.endswith("</w>"):
            raw = bytes(tokenizer.byte_decoder[c] for c in token.removesuffix("</w>"))
            found[raw.decode(errors="ignore")] = number
    return {word: number for word, number in found.items() if any(map(str.isalnum, word))}
