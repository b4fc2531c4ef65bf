"""An image file as eight-bit RGB: PNG or JPEG, and nothing else. No model, no torch."""

import io

import numpy as np
from PIL import Image, ImageOps

from backends.base import BackendRefused

FORMATS = ("PNG", "JPEG")  # the only decoders that are ever tried
MOST_PIXELS = 50_000_000  # of a file, by its header: 150 MB when decoded
LONGEST = 100  # times as long as wide: preprocessing enlarges the short side first


def picture(file: bytes) -> Image.Image:
    """The image as one sees it: its first frame, turned as its EXIF says, in RGB.

    Transparency is left out, as open_clip does; of 16 bits of gray the upper eight are kept.

    Raises:
        BackendRefused: it cannot be decoded whole, or is far too large or too narrow.
    """
    try:
        with Image.open(io.BytesIO(file), formats=FORMATS) as image:
            _check(*image.size)
            return _rgb(ImageOps.exif_transpose(image))
    except BackendRefused:
        raise
    except Exception as error:  # decoders tell broken files by errors of every type
        raise BackendRefused(
            f"an image file of {len(file):,} bytes cannot be read: a whole PNG or JPEG is wanted"
        ) from error


def _check(width: int, height: int) -> None:
    given = f"an image of {width:,} x {height:,} pixels"
    if width * height > MOST_PIXELS:
        raise BackendRefused(f"{given}: at most {MOST_PIXELS:,} are wanted")
    if max(width, height) > LONGEST * min(width, height):
        raise BackendRefused(f"{given}: at most {LONGEST} times as long as wide is wanted")


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # convert() would turn all above 255 white
        image = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    elif image.mode == "P":  # convert("RGB") warns of palettes with transparency
        image = image.convert("RGBA")
    return image.convert("RGB")
