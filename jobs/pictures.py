"""Images as the inputs of a task, and pixel prompts on them. No reading of uploads."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_DECODED = 4096  # images kept decoded


@dataclass(frozen=True)
class Pictures:
    """The image column of a dataset and the files that its values name."""

    column: str = ""  # empty: no column holds images
    files: Mapping[str, bytes] = field(default_factory=dict)  # name -> PNG or JPEG


NO_PICTURES = Pictures()


def painted(image: bytes, values: NDArray[np.float32]) -> bytes:
    """The image with a pixel prompt added, as a PNG file.

    `values`, shape (height, width, 3) in units of full brightness, are stretched to the image's
    size; sums are clipped to what eight bits hold, as any endpoint that takes files does.
    """
    pixels = _pixels(image)
    height, width, _ = pixels.shape
    if values.shape != pixels.shape:
        values = _stretched(values, width, height)
    sums = np.clip(pixels + 255.0 * values, 0, 255).round().astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(sums).save(file, "PNG", compress_level=1)
    return file.getvalue()


@lru_cache(_DECODED)
def _pixels(image: bytes) -> NDArray[np.float32]:
    """Shape (height, width, 3), 0 to 255."""
    with Image.open(io.BytesIO(image)) as opened:
        pixels = np.array(opened.convert("RGB"), np.float32)
    pixels.setflags(write=False)
    return pixels


def _stretched(values: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """Bilinear, each color by itself."""
    planes = [
        Image.fromarray(values[..., color]).resize((width, height), Image.Resampling.BILINEAR)
        for color in range(3)
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=-1)
