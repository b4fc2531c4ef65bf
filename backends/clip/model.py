"""A CLIP that scores labels by how alike image and caption are. No training, no task, no network.

`loading` reads the files, `captions` and `images` make what the towers read, `reader` runs them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from backends.base import BackendRefused, Query
from backends.clip.captions import Caption, Captions, SoftPosition
from backends.clip.images import Pixels, Shown, name
from backends.clip.loading import Parts, opened
from backends.clip.machine import check, place
from backends.clip.memory import Memory
from backends.clip.reader import Item, Reader, Tower
from backends.clip.towers import ImageTower, TextTower
from backends.clip.vectors import Vectors, checked
from backends.machine import cores
from backends.words import unit

T = TypeVar("T", bound=Item)

# Numbers between two blocks that a batch should have: below it, Python or the reading of weights
# takes longer than the work. A core needs 29 ms for one caption of ViT-B-32 and 9 for each of 16,
# 105 ms for one image and 70 for each of 3.
_WORK = {"cpu": 2**17, "cuda": 2**22}
_TEXTS_TOGETHER = 16_384  # vectors of texts that are held for one part of a call


class Clip:
    """Label score: exp(logit scale) times the cosine between the image and `before` label `after`.

    So the model's own logits, in nats, ready for a log-softmax over the labels; they are not
    log-probabilities by themselves.

    A soft prompt stands at the text's start or right before the label, a visual one behind the
    image's patches; row 0 takes the place of embeddings, row i >= 1 is added to what layer i reads
    there. Of a text that is too long, words are cut: the right end of what follows the label, then
    of what precedes it.

    A text's vector depends on words and soft prompt alone, an image's on the file and the visual
    prompt: each is computed once for many queries, and remembered. So P prompts that change only
    words cost P * n_labels texts, whatever the number of images.

    The same queries in the same order get the same bits, with any number of threads. In float32 on
    processors where a row's place in a matrix product does not change it (AVX-512 with MKL), that
    holds whatever is remembered or was read beside them; elsewhere they differ by less than 1e-5.
    """

    def __init__(
        self,
        model: str | Parts = "digits-clip",
        soft_position: SoftPosition = "start",
        threads: int | None = None,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        dtype: Literal["float32", "bfloat16", "float16"] = "float32",
        cache_mb: int = 512,
    ) -> None:
        """Loads the model, which takes seconds.

        Args:
            model: "digits-clip", a folder with open_clip_config.json, open_clip_model.safetensors
                and its tokenizer.json if it has one of its own, weights that open_clip knows, as
                "ViT-B-32/laion2b_s34b_b79k", or what `loading` makes of one; it becomes ours.
            soft_position: "start", or "label" for right before the label.
            threads: that read batches side by side; None: one for every core we may use.
            device: "auto": a GPU where there is one.
            dtype: float32 is what finite differences need; halves drown them.
            cache_mb: most memory for vectors and for pixels, half of it each; 0: none are kept.

        Raises:
            ValueError: an option is out of range.
            BackendRefused: the model cannot be read.
        """
        check(threads, cache_mb, soft_position=soft_position, device=device, dtype=dtype)
        where = place(device)
        parts = opened(model) if isinstance(model, str) else model
        self._scale = float(parts.model.logit_scale.detach().float().exp())
        parts.model.to(where, getattr(torch, dtype)).eval().requires_grad_(False)
        half = cache_mb * 2**20 // 2
        self._known: Memory[tuple[Any, ...], NDArray[np.float64]] = Memory(half)
        self._text = _text_tower(parts)
        self._images = ImageTower(parts.model, Pixels(parts.preprocess, half))
        self._whole = parts.words.whole
        self._captions = Captions(parts.words, self._text.context, soft_position)
        self.threads = 1 if where.type == "cuda" else threads or cores()
        self._reader = Reader(self.threads, _WORK[where.type])

    @property
    def prompt_shape(self) -> tuple[int, int]:
        return self._text.shape

    @property
    def visual_shape(self) -> tuple[int, int]:
        """(n_layers, hidden); (0, 0) where the image tower is no vision transformer."""
        return self._images.shape

    @cached_property
    def embedding_std(self) -> float:
        return float(self._text.words.float().std(correction=0))

    @cached_property
    def patch_statistics(self) -> tuple[float, float]:
        return self._images.patch_statistics

    def score(self, queries: Sequence[Query], labels: Sequence[str]) -> NDArray[np.float64]:
        """Scaled cosines, shape (n_queries, n_labels): see the class.

        Raises:
            BackendRefused: no labels, a query without an image that can be read, or a soft prompt
                or label that this model cannot read.
        """
        if not labels:
            raise BackendRefused("no labels were given: at least one label text is wanted")
        if blind := sum(not query.image for query in queries):
            raise BackendRefused(
                f"{blind} of {len(queries)} queries have no image: a CLIP scores texts against one"
            )
        images = self._vectors(self._images, self._shown(queries))
        texts: dict[_Text, list[int]] = {}  # -> the queries that say it
        for row, text in enumerate(self._texts(queries)):
            texts.setdefault(text, []).append(row)
        scores = np.empty((len(queries), len(labels)))
        for part in _parts(list(texts), max(1, _TEXTS_TOGETHER // len(labels))):
            captions = [self._caption(text, label) for text in part for label in labels]
            table = self._vectors(self._text, captions).reshape(len(part), len(labels), -1)
            for text, vectors in zip(part, table, strict=True):
                scores[texts[text]] = self._scale * images[texts[text]] @ vectors.T
        return scores

    def features(self, queries: Sequence[Query]) -> NDArray[np.float64]:
        """Unit vectors, shape (n_queries, dim): of the image, or of the text where there is none.

        Raises:
            BackendRefused: as `score`.
        """
        sighted = [row for row, query in enumerate(queries) if query.image]
        blind = [row for row, query in enumerate(queries) if not query.image]
        texts = self._texts([queries[row] for row in blind])
        vectors = np.empty((len(queries), self._text.dim))
        shown = self._shown([queries[row] for row in sighted])
        vectors[sighted] = self._vectors(self._images, shown)
        vectors[blind] = self._vectors(self._text, [self._caption(text, "") for text in texts])
        return vectors

    def embed(self, text: str) -> NDArray[np.float32]:
        return self._text.words[self._captions.tokens(text)].float().cpu().numpy()

    def nearest_words(self, vectors: NDArray[np.float32]) -> list[tuple[str, float]]:
        wanted, width = np.asarray(vectors, np.float32), self.prompt_shape[1]
        if wanted.ndim != 2 or wanted.shape[1] != width:
            raise BackendRefused(f"vectors {wanted.shape}: (n_tokens, {width}) wanted")
        words, table = self._whole_words
        cosines = unit(wanted) @ table.T
        best = cosines.argmax(axis=1)
        return [(words[i], float(row[i])) for i, row in zip(best, cosines, strict=True)]

    @cached_property
    def _whole_words(self) -> tuple[list[str], NDArray[np.float64]]:
        """Words with a letter or digit, and their unit embeddings, shape (n_words, hidden)."""
        table = self._text.words[list(self._whole.values())]
        return list(self._whole), unit(table.float().cpu().numpy())

    def _vectors(self, tower: Tower[T], items: Sequence[T]) -> NDArray[np.float64]:
        """Unit vectors of the items, shape (n_items, dim); equal ones are read once."""
        wanted = {item.key: item for item in items}
        found = self._known.complete(wanted, partial(self._reader.read, tower))
        vectors = np.empty((len(items), self._text.dim))
        for vector, item in zip(vectors, items, strict=True):
            vector[:] = found[item.key]
        return vectors

    def _texts(self, queries: Sequence[Query]) -> list["_Text"]:
        # a population shares few soft prompts among many queries: check each only once
        given = {id(query.soft): query.soft for query in queries}
        soft = {at: checked(one, "soft", self.prompt_shape) for at, one in given.items()}
        return [_Text(query.before, query.after, soft[id(query.soft)]) for query in queries]

    def _shown(self, queries: Sequence[Query]) -> list[Shown]:
        given = {id(query.visual): query.visual for query in queries}
        visual = {at: checked(one, "visual", self.visual_shape) for at, one in given.items()}
        files = {id(query.image): query.image for query in queries}
        names = {at: name(file) for at, file in files.items()}
        return [Shown(q.image, names[id(q.image)], visual[id(q.visual)]) for q in queries]

    def _caption(self, text: "_Text", label: str) -> Caption:
        return self._captions.of(text.before, label, text.after, text.prompt)


@dataclass(frozen=True)
class _Text:
    """The side of a query that a text tower reads, but for the label."""

    before: str
    after: str
    prompt: Vectors | None


def _parts(texts: list[_Text], size: int) -> Iterator[list[_Text]]:
    for start in range(0, len(texts), size):
        yield texts[start : start + size]


def _text_tower(parts: Parts) -> TextTower:
    try:
        tower = TextTower(parts.model)
    except (ValueError, AttributeError) as error:
        raise BackendRefused(f"this model's text tower is not read: {error}") from error
    words = parts.words
    wanted = words.size - 1 if tower.end is None else tower.end
    if words.end != wanted or words.size > len(tower.words):
        raise BackendRefused(
            f"the tokenizer has {words.size} tokens and ends a text with {words.end}: the model "
            f"reads {len(tower.words)} and looks for {wanted}"
        )
    return tower
