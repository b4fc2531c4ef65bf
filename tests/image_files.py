"""Image files and zips of them, made for tests."""

import io
import struct
import zlib
from collections.abc import Mapping
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from PIL import Image

COLORS = {"blue": 2, "red": 0}  # label -> the channel that its images have most of
SIZES = {"train": 2, "dev": 2, "test": 3}  # images of each label


def saved(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def picture(
    kind: str = "PNG",
    color: Any = (200, 10, 10),
    size: tuple[int, int] = (8, 6),
    mode: str = "RGB",
    **options: Any,
) -> bytes:
    return saved(Image.new(mode, size, color), kind, **options)


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def png_of_header(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG that says how large it is, and has no pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )


def zipped(files: Mapping[str, bytes], method: int = ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with ZipFile(file, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def shade(label: str, number: int) -> tuple[int, ...]:
    return tuple(150 + number if each == COLORS[label] else 0 for each in range(3))


def in_splits(kind: str = "PNG") -> dict[str, bytes]:
    """`train/red/0.png` and so on: no two images are the same."""
    numbers = iter(range(100))
    return {
        f"{split}/{label}/{number}.{kind.lower()}": picture(kind, shade(label, next(numbers)))
        for split, n in SIZES.items()
        for label in COLORS
        for number in range(n)
    }


def in_classes(n: int = 5) -> dict[str, bytes]:
    """`red/0.png` and so on."""
    return {
        f"{label}/{number}.png": picture(color=shade(label, number))
        for label in COLORS
        for number in range(n)
    }
