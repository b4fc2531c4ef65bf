"""Images as an image tower reads them: which files, with which prompts, as which pixels."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from backends.clip.files import picture
from backends.clip.memory import Memory
from backends.clip.vectors import Vectors

Preprocess = Callable[[Image.Image], Tensor]


@dataclass(frozen=True, eq=False)
class Shown:
    """An image file and the soft prompt it is read with."""

    file: bytes
    name: bytes  # the same for the same file
    prompt: Vectors | None

    @property
    def layout(self) -> tuple[int, ...]:
        """What images have in common that are read together."""
        return self.prompt.rows.shape if self.prompt else ()

    @property
    def key(self) -> tuple[object, ...]:
        """The same for what a tower makes the same of."""
        return self.name, self.prompt and self.prompt.key


def name(file: bytes) -> bytes:
    return blake2b(file).digest()


class Pixels:
    """Decodes and preprocesses; remembers the pixels of images that are read with soft prompts.

    Of the others, the features are remembered, so nobody asks for their pixels again.
    """

    def __init__(self, preprocess: Preprocess, limit: int) -> None:
        self._preprocess = preprocess
        self._memory: Memory[bytes, NDArray[np.float32]] = Memory(limit)

    def of(self, shown: Shown) -> NDArray[np.float32]:
        """float32, shape (3, height, width).

        Raises:
            BackendRefused: the file cannot be read.
        """
        pixels = self._memory.get(shown.name)
        if pixels is None:
            pixels = self._preprocess(picture(shown.file)).numpy()
            if shown.prompt is not None:
                self._memory.put(shown.name, pixels)
        return pixels
