"""One image: checked by decoding it, named by its content, made small. No zip, no table."""

import binascii
import hashlib
import io
import re
from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

FILE_BYTES = 20_000_000  # at most, of one file
PIXELS = 50_000_000  # at most, of one image: told by its header, before any is decoded
LONGEST = 100  # times as long as wide: models enlarge the short side before they cut
SCANS = 500  # at most, of a JPEG: a scan of few bytes passes over all its pixels
ALBUM_BYTES = 500_000_000  # at most, of all files of an album
ALBUM_PIXELS = 2_000_000_000

FORMATS = ("PNG", "JPEG", "WEBP")  # the only decoders that are ever tried
ENDINGS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg"}
ORIENTATION = 0x0112  # the EXIF tag; 1: as it is to be seen
SCAN = b"\xff\xda"  # begins every scan of a JPEG; its pixels never spell it
DATA_URL = re.compile(r"data:[^,]{0,200};base64,")


class BadImage(ValueError):
    """A file that is no image, or not one that may be read."""


@dataclass(frozen=True)
class Image:
    """A PNG or JPEG file of one upright frame with eight bits a color: all readers agree on it."""

    name: str  # "sha256:<hex>", of the data
    media_type: str
    width: int
    height: int
    data: bytes


class Album:
    """Images taken in one by one, within limits on each and on all of them together."""

    def __init__(self) -> None:
        self.images: dict[str, Image] = {}  # by name
        self._bytes = self._pixels = 0

    def add(self, data: bytes, ending: str = "") -> Image:
        """The image in a file of PNG, JPEG or WebP, as it came wherever that is a plain image.

        Of an animation the first frame is kept, what EXIF says to turn is turned, sixteen bits
        become eight, and WebP becomes PNG.

        Args:
            ending: of the file's name, such as ".png"; it must agree with the content. Empty:
                there is no name.

        Raises:
            BadImage: it cannot be decoded to its end, is too large, or has another name's ending.
        """
        image = _checked(data, ending)
        self._bytes += max(len(data), len(image.data))
        self._pixels += image.width * image.height
        for name, used, most in (
            ("bytes", self._bytes, ALBUM_BYTES),
            ("pixels", self._pixels, ALBUM_PIXELS),
        ):
            if used > most:
                raise BadImage(f"one too many: all images together have more than {most:,} {name}")
        return self.images.setdefault(image.name, image)


def thumbnail(data: bytes, side: int) -> bytes:
    """An `Image`'s data at most `side` pixels wide and high; itself, where it is no larger."""
    with Pillow.open(io.BytesIO(data), formats=FORMATS) as opened:
        if max(opened.size) <= side:
            return data
        if opened.format == "PNG":
            small = opened.convert("RGBA")
            small.thumbnail((side, side))
            return _saved(small, "PNG")
        opened.thumbnail((side, side))  # of a JPEG before all else: it is decoded small
        return _saved(opened.convert("RGB"), "JPEG")


def from_data_url(url: str) -> bytes:
    """The bytes in "data:image/png;base64,…"; what kind of file they are is for `Album` to see.

    Raises:
        BadImage: it is none, or broken.
    """
    if (head := DATA_URL.match(url)) is None:
        raise BadImage("no 'data:image/png;base64,…'")
    try:
        return binascii.a2b_base64(url[head.end() :], strict_mode=True)
    except ValueError as error:
        raise BadImage(f"not base64: {error}") from None


def _checked(data: bytes, ending: str) -> Image:
    if len(data) > FILE_BYTES:
        raise BadImage(f"larger than {FILE_BYTES:,} bytes")
    try:
        with Pillow.open(io.BytesIO(data), formats=FORMATS) as opened:
            _check_header(opened, data, ending)
            opened.load()
            kind = "JPEG" if opened.format in ("JPEG", "MPO") else "PNG"
            plain = _is_plain(opened)
            seen = opened if plain else _upright(opened)
            kept = data if plain else _saved(seen, kind)
    except BadImage:
        raise
    except UnidentifiedImageError:
        raise BadImage("no PNG, JPEG or WebP image by its content") from None
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning):
        raise BadImage(f"more than {PIXELS:,} pixels") from None
    except Exception as error:  # decoders tell broken files by errors of every type
        raise BadImage(f"cannot be decoded: {error}") from None
    name = f"sha256:{hashlib.sha256(kept).hexdigest()}"
    return Image(name, MEDIA_TYPES[kind], *seen.size, kept)


def _check_header(opened: Pillow.Image, data: bytes, ending: str) -> None:
    """What can be known before anything is decoded."""
    width, height = opened.size
    if width * height > PIXELS:
        raise BadImage(f"{width:,} x {height:,} pixels, at most {PIXELS:,} are wanted")
    if max(width, height) > LONGEST * min(width, height):
        raise BadImage(
            f"{width:,} x {height:,} pixels, at most {LONGEST} times as long as wide is wanted"
        )
    content = "JPEG" if opened.format == "MPO" else opened.format
    if ending and ENDINGS.get(ending.lower()) != content:
        raise BadImage(f"{content} by its content and {ending!r} by its name")
    if content == "JPEG" and data.count(SCAN) > SCANS:
        raise BadImage(f"a JPEG of more than {SCANS} scans")


def _is_plain(opened: Pillow.Image) -> bool:
    """Whether every reader sees the same: MPO is a JPEG with more behind it that none looks at."""
    turned = opened.getexif().get(ORIENTATION, 1) != 1
    animated = opened.format == "PNG" and getattr(opened, "is_animated", False)
    return not (turned or animated or opened.format == "WEBP" or _has_sixteen_bits(opened))


def _has_sixteen_bits(opened: Pillow.Image) -> bool:
    return opened.mode.startswith("I")


def _upright(opened: Pillow.Image) -> Pillow.Image:
    turned = ImageOps.exif_transpose(opened)
    if not _has_sixteen_bits(turned):
        return turned
    return Pillow.fromarray((np.asarray(turned) >> 8).astype(np.uint8))


def _saved(image: Pillow.Image, kind: str) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **({"quality": 95} if kind == "JPEG" else {}))
    return file.getvalue()
