"""Prompts as vectors: built from a model's own embedding table, and written as vLLM reads them.

The only file of this backend that needs torch, and only to write: `torch.save` is the wire format
of `prompt_embeds`, and nothing that it has written is ever loaded here.
"""

import base64
import json
from collections.abc import Sequence
from functools import cached_property, lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import BackendRefused
from backends.remote.asking import Embedded
from backends.words import unit

TABLES = (
    "embed_tokens.weight",  # Llama, Qwen, Mistral, Gemma, Phi
    "wte.weight",  # GPT-2
    "embed_in.weight",  # GPT-NeoX
    "word_embeddings.weight",  # BLOOM, Falcon
)  # how the names of embedding tables end


class Embeddings:
    """A tokenizer and an embedding table, from a folder in transformers' format.

    Only these are read, never the rest of the weights. A model that changes its embeddings before
    the first layer (Gemma scales them) answers otherwise than to text; the probe compares.
    """

    def __init__(self, folder: str) -> None:
        """Reads both, which takes seconds.

        Raises:
            BackendRefused: the folder has no tokenizer, or no embedding table in safetensors.
        """
        self._folder = Path(folder)
        self._tokenizer = _tokenizer(self._folder)
        self.table = _table(self._folder)
        self.ids = lru_cache(65_536)(self._ids)

    @property
    def hidden(self) -> int:
        return int(self.table.shape[1])

    def _ids(self, text: str) -> tuple[int, ...]:
        """The tokens of a text, without special ones."""
        return tuple(self._tokenizer.encode(text, add_special_tokens=False))

    @cached_property
    def start(self) -> tuple[int, ...]:
        """The special tokens that the server puts before a text."""
        plain, marked = self.ids("a"), self._tokenizer.encode("a")
        return tuple(marked[: marked.index(plain[0])])

    def embed(self, text: str) -> NDArray[np.float32]:
        """Shape (n_tokens, hidden)."""
        return self.vectors(self.ids(text))

    def vectors(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Shape (n_ids, hidden)."""
        rows: NDArray[np.float32] = self.table[np.array(ids, np.int64)]
        return rows

    def prompt(
        self, text: str, soft: NDArray[np.float32] | None = None, more: Sequence[int] = ()
    ) -> Embedded:
        """[special tokens, soft prompt, text, further tokens] in one sequence of vectors.

        Nothing but vectors is ever sent: text and vectors in one request have been answered
        with another request's output (vLLM issue 56655).
        """
        parts = [self.vectors(self.start)] + ([] if soft is None else [soft])
        sequence = np.concatenate([*parts, self.vectors((*self.ids(text), *more))])
        return Embedded(written(sequence), len(sequence))

    def nearest(self, vectors: NDArray[np.float32]) -> list[tuple[str, float]]:
        """The word nearest to each vector (n_tokens, hidden), and their cosine.

        Raises:
            BackendRefused: vectors of another width.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.hidden:
            raise BackendRefused(f"vectors {vectors.shape}: (n_tokens, {self.hidden}) wanted")
        words, table = self._words
        cosines = unit(np.asarray(vectors, np.float32)) @ table.T
        best = cosines.argmax(axis=1)
        return [(words[i], float(row[i])) for i, row in zip(best, cosines, strict=True)]

    @cached_property
    def _words(self) -> tuple[list[str], NDArray[np.float32]]:
        """Tokens with a letter or digit, and their unit embeddings, shape (n_words, hidden)."""
        n_tokens = min(len(self.table), len(self._tokenizer))
        texts = self._tokenizer.batch_decode([[token] for token in range(n_tokens)])
        special = set(self._tokenizer.all_special_ids)
        kept = [
            token
            for token in range(n_tokens)
            if token not in special and any(map(str.isalnum, texts[token]))
        ]
        return [texts[token].strip() for token in kept], unit(self.table[kept]).astype(np.float32)


def written(sequence: NDArray[np.float32]) -> str:
    """A 2-D float32 tensor as `torch.save` writes it, in base64; equal vectors, equal text."""
    import torch

    buffer = BytesIO()
    torch.save(torch.from_numpy(np.ascontiguousarray(sequence, np.float32)), buffer)
    return base64.b64encode(buffer.getvalue()).decode()


def _tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    if not folder.is_dir():
        raise BackendRefused(f"embeddings={str(folder)!r}: a folder with the model is wanted")
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise BackendRefused(f"cannot read the tokenizer in {folder}: {error}") from error


def _table(folder: Path) -> NDArray[np.float32]:
    """The embedding table, float32, shape (n_vocabulary, hidden)."""
    from safetensors import SafetensorError, safe_open

    for path in _shards(folder):
        try:
            with safe_open(path, "pt") as weights:  # numpy knows no bfloat16
                for name in weights.keys():  # noqa: SIM118 - it is no dict
                    if name.endswith(TABLES):
                        table: NDArray[np.float32] = weights.get_tensor(name).float().numpy()
                        return table
        except (OSError, SafetensorError) as error:
            raise BackendRefused(f"cannot read {path}: {error}") from error
    raise BackendRefused(f"no embedding table in the safetensors of {folder}: {', '.join(TABLES)}")


def _shards(folder: Path) -> list[Path]:
    """The files that may hold the table; one, where an index tells which."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        places = json.loads(index.read_text())["weight_map"]
        return [folder / places[name] for name in places if name.endswith(TABLES)]
    return sorted(folder.glob("*.safetensors"))
