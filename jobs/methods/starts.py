"""Where a soft prompt starts: the vectors of some words, or zeros."""

import numpy as np
from numpy.typing import NDArray

from backends.base import TakesSoftPrompts


def started(backend: TakesSoftPrompts, text: str, n_tokens: int) -> NDArray[np.float32]:
    """The text's embeddings, shape (n_tokens, hidden); zeros where there is no text.

    Unlike the papers, a text of another length is repeated or cut to `n_tokens`.
    """
    words = backend.embed(text) if text.strip() else None
    if words is None or len(words) == 0:
        return np.zeros((n_tokens, backend.prompt_shape[1]), dtype=np.float32)
    return words[np.arange(n_tokens) % len(words)].astype(np.float32)
