"""A model of arithmetic that looks at images: for tests of everything around it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backends.base import BackendRefused, Query
from tests.image_files import COLORS, opened
from tests.toy import ToyBackend, confidence


class ImageToy(ToyBackend):
    """Sees which color an image has most of, and believes it as far as the prompt is all ones."""

    def score(self, queries: Sequence[Query], labels: Sequence[str]) -> NDArray[np.float64]:
        self.calls.append(list(queries))
        return np.array([[_score(query, label) for label in labels] for query in queries])


def _score(query: Query, label: str) -> float:
    if not query.image:
        raise BackendRefused("a query without an image")
    seen = np.asarray(opened(query.image).convert("RGB")).mean((0, 1))
    return confidence(query.soft) * float(seen.argmax() == COLORS[label])
