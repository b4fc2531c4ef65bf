"""Two frozen models and a linear map between them. Tunes nothing, knows no task, no network.

A CLIP makes features of an image; a language model reads them as soft tokens before the words.
"""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from backends.base import BackendRefused, GivesFeatures, Query, TakesSoftPrompts
from backends.registry import open_backend


@runtime_checkable
class TakesAdapters(Protocol):
    """A backend that reads `Query.soft` as an adapter: what is tuned between two black boxes.

    An adapter has shape (1, n_features + 1, width): the rows of the matrix, in the features' order,
    and last the bias. One of shape (1, 1, width) is a bias alone, the same for every input.
    """

    @property
    def adapter_shape(self) -> tuple[int, int]:
        """(n_features + 1, width); `width` numbers are what one input becomes."""
        ...

    @property
    def embedding_std(self) -> float:
        """Standard deviation of what stands where the map's outputs go, all entries pooled."""
        ...


class Bridge:
    """Label score: the reader's, of the words behind `n_tokens` vectors that tell of the image.

    The vectors are f W + b for the source's features f, unit vectors of the image or, where there
    is none, of the words (as the linear projector of LLaVA, Liu et al. 2023, arXiv:2304.08485).
    A query without an adapter shows the words alone: the reader is then blind.
    """

    def __init__(
        self,
        model: str = "minilm",
        reader: str = "encoder",
        source: str = "digits-clip",
        n_tokens: int = 1,
        threads: int | None = None,
    ) -> None:
        """Loads both models, which takes seconds.

        Args:
            model: the reader's, as its own kind names it.
            reader: the kind of the model that reads: one on this machine, with soft prompts.
            source: the CLIP's, as the kind "clip" names it.
            n_tokens: vectors that one image becomes.
            threads: of each model that read batches side by side; None: one for every core.

        Raises:
            ValueError: an option is out of range.
            BackendRefused: a model cannot be read.
        """
        if n_tokens < 1:
            raise ValueError(f"n_tokens {n_tokens}: a whole number above 0 is wanted")
        self._n_tokens = n_tokens
        self._source: Any = open_backend("clip", source, threads=threads)
        self._reader: Any = open_backend(reader, model, threads=threads)
        assert isinstance(self._source, GivesFeatures)
        assert isinstance(self._reader, TakesSoftPrompts)
        n_features = self._source.features([Query("")]).shape[1]
        self.adapter_shape = (n_features + 1, n_tokens * self._reader.prompt_shape[1])

    @property
    def embedding_std(self) -> float:
        return float(self._reader.embedding_std)

    def features(self, queries: Sequence[Query]) -> NDArray[np.float64]:
        """Unit vectors of the source, shape (n_queries, n_features).

        Raises:
            BackendRefused: an image cannot be read.
        """
        shown = [Query(query.before + query.after, image=query.image) for query in queries]
        vectors: NDArray[np.float64] = self._source.features(shown)
        return vectors

    def score(self, queries: Sequence[Query], labels: Sequence[str]) -> NDArray[np.float64]:
        """The reader's scores, shape (n_queries, n_labels): see the class.

        Raises:
            BackendRefused: as the reader, or an image or an adapter that cannot be read.
        """
        shown = [
            Query(query.before, query.after, soft)
            for query, soft in zip(queries, self._tokens(queries), strict=True)
        ]
        scores: NDArray[np.float64] = self._reader.score(shown, labels)
        return scores

    def _tokens(self, queries: Sequence[Query]) -> list[NDArray[np.float32] | None]:
        """What the reader is shown before the words of each query, shape (1, n_tokens, hidden)."""
        asked: dict[int, list[int]] = {}  # an adapter is shared by many queries: read each once
        for row, query in enumerate(queries):
            asked.setdefault(id(query.soft), []).append(row)
        tokens: list[NDArray[np.float32] | None] = [None] * len(queries)
        for rows in asked.values():
            adapter = self._checked(queries[rows[0]].soft)
            if adapter is None:
                continue
            outputs = np.repeat(adapter[-1:], len(rows), axis=0)
            if len(adapter) > 1:
                inputs = self.features([queries[row] for row in rows]).astype(np.float32)
                outputs += inputs @ adapter[:-1]
            for row, output in zip(rows, outputs, strict=True):
                tokens[row] = output.reshape(1, self._n_tokens, -1)
        return tokens

    def _checked(self, given: Any) -> NDArray[np.float32] | None:
        """The adapter, shape (n_rows, width), or BackendRefused with what is wrong with it."""
        if given is None:
            return None
        with np.errstate(over="ignore"):  # becomes infinite, which is refused below
            adapter = np.asarray(given, np.float32)
        n_rows, width = self.adapter_shape
        said = f"adapter of shape {adapter.shape}"
        if adapter.shape not in ((1, n_rows, width), (1, 1, width)):
            raise BackendRefused(f"{said}: (1, {n_rows}, {width}) is wanted, the bias last")
        if not np.isfinite(adapter).all():
            raise BackendRefused(f"{said}: some of its numbers are not finite")
        flat: NDArray[np.float32] = adapter[0]
        return flat
