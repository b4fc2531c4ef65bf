"""The whole words of a tokenizer's vocabulary, and the likeliest of them. Knows no model."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

MARKERS = "Ġ▁"  # in front of a token that begins a word: byte-level BPE, SentencePiece


def whole_words(vocabulary: Mapping[str, int]) -> dict[str, int]:
    """Words with a letter or digit that are one token -> its number, in the vocabulary's order."""
    marker = next((m for m in MARKERS if any(word.startswith(m) for word in vocabulary)), "")
    return {
        word.removeprefix(marker): index
        for word, index in sorted(vocabulary.items(), key=lambda item: item[1])
        if word.startswith(marker) and _is_word(word.removeprefix(marker))
    }


def _is_word(token: str) -> bool:
    return token[:1] not in "#[<" and any(map(str.isalnum, token))


def likeliest(
    scores: NDArray[np.floating], words: Sequence[str], k: int
) -> list[Mapping[str, float]]:
    """The `k` best words of each row, best first, with their share of all words as a logarithm.

    Args:
        scores: shape (n_rows, n_words), nats; not normalized.
    """
    scores = np.asarray(scores, np.float64)
    top = scores.max(axis=1, keepdims=True)
    logs = scores - top - np.log(np.exp(scores - top).sum(axis=1, keepdims=True))
    order = np.argsort(-logs, axis=1, kind="stable")[:, :k]
    return [{words[i]: float(row[i]) for i in best} for row, best in zip(logs, order, strict=True)]


def unit(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """The vectors, shape (n, dim), at length 1."""
    wide = vectors.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    divided: NDArray[np.float64] = wide / np.maximum(lengths, 1e-12)
    return divided
