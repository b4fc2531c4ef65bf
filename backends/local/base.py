"""What all local models tell of themselves: their vectors and what they can read. Reads nothing."""

from backends.local.pairs import PairReader
from backends.local.reader import Reader
from backends.local.vectors import Soft


class LocalModel:
    """A model behind its reader. Soft prompts and sub-networks are as of the reader's stacks."""

    def __init__(self, reader: Reader | PairReader) -> None:
        self._words, self._vectors = reader.vocabulary, reader.vectors
        self.max_tokens = reader.max_tokens
        self.has_subnetworks = reader.has_subnetworks

    @property
    def prompt_shape(self) -> tuple[int, int]:
        return self._vectors.shape

    @property
    def embedding_std(self) -> float:
        return self._vectors.std

    def embed(self, text: str) -> Soft:
        return self._vectors.embed(text)

    def nearest_words(self, vectors: Soft) -> list[tuple[str, float]]:
        return self._vectors.nearest(vectors)
