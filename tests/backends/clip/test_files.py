"""Odd images are read as one sees them, hostile ones are refused with a sentence."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from backends.base import BackendRefused, Query
from backends.clip.files import picture
from tests.backends.clip.tiny import LABELS, file_of

RANDOM = np.random.default_rng(3)
PIXELS = RANDOM.integers(0, 256, (6, 9, 3), dtype=np.uint8)
GRAY = PIXELS[..., 0]


def seen(file: bytes) -> np.ndarray:
    image = picture(file)
    assert image.mode == "RGB"
    return np.asarray(image)


def test_rgb_is_read_as_it_is():
    assert np.array_equal(seen(file_of(Image.fromarray(PIXELS))), PIXELS)


def test_gray_of_8_and_16_bits_and_black_and_white_are_three_alike():
    wanted = np.stack([GRAY] * 3, axis=-1)
    wide = Image.fromarray(GRAY.astype(np.uint16) * 256 + 7)
    for image in (Image.fromarray(GRAY), wide):
        assert np.array_equal(seen(file_of(image)), wanted)
    bits = Image.fromarray(GRAY > 127)
    assert bits.mode == "1"
    assert np.array_equal(seen(file_of(bits)), np.where(wanted > 127, 255, 0))


def test_transparency_is_left_out():
    alpha = RANDOM.integers(0, 256, (6, 9, 1), dtype=np.uint8)
    image = Image.fromarray(np.concatenate([PIXELS, alpha], axis=2))
    assert image.mode == "RGBA"
    assert np.array_equal(seen(file_of(image)), PIXELS)


def test_palettes_are_looked_up_with_and_without_transparency():
    image = Image.fromarray(PIXELS).quantize(16)
    wanted = np.asarray(image.convert("RGB"))
    for options in ({}, {"transparency": 3}, {"transparency": bytes(range(16))}):
        assert np.array_equal(seen(file_of(image, **options)), wanted)


def test_a_photo_is_turned_as_its_exif_says():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    image = Image.fromarray(PIXELS).resize((32, 16))
    upright = seen(file_of(image, "JPEG", exif=exif, quality=95, subsampling=0))
    assert upright.shape == (32, 16, 3)
    difference = upright.astype(int) - np.rot90(np.asarray(image), -1)
    assert np.abs(difference).mean() < 8


def test_cmyk_is_read_and_an_animation_by_its_first_frame():
    assert seen(file_of(Image.fromarray(PIXELS).convert("CMYK"), "JPEG")).shape == (6, 9, 3)
    first, second = Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)
    file = file_of(first, save_all=True, append_images=[second])
    assert np.array_equal(seen(file), PIXELS)


@pytest.mark.parametrize("size", [(1, 1), (1, 60), (100, 1), (3000, 2000)])
def test_any_size_is_scored(clip, size):
    image = Image.new("RGB", size, (200, 30, 90))
    wanted = clip.score(
        [Query("a ", image=file_of(Image.new("RGB", (32, 32), (200, 30, 90))))], LABELS
    )
    assert clip.score([Query("a ", image=file_of(image))], LABELS) == pytest.approx(
        wanted, abs=1e-4
    )


def png_that_claims(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


PLAIN = file_of(Image.fromarray(PIXELS).resize((60, 40)))
PHOTO = file_of(Image.fromarray(PIXELS).resize((60, 40)), "JPEG")
HOSTILE = {
    "text": (b"not an image", "file of 12 bytes cannot be read: a whole PNG or JPEG is wanted"),
    "cut PNG": (PLAIN[:-60], "a whole PNG or JPEG is wanted"),
    "cut JPEG": (PHOTO[: len(PHOTO) // 2], "a whole PNG or JPEG is wanted"),
    "damaged PNG": (PLAIN[:50] + b"\0" * 20 + PLAIN[70:], "a whole PNG or JPEG is wanted"),
    "GIF": (file_of(Image.fromarray(GRAY), "GIF"), "a whole PNG or JPEG is wanted"),
    "60,000 x 60,000": (png_that_claims(60_000, 60_000), "a whole PNG or JPEG is wanted"),
    "10,000 x 9,500": (png_that_claims(10_000, 9_500), "a whole PNG or JPEG is wanted"),
    "8,000 x 8,000": (png_that_claims(8_000, 8_000), "8,000 x 8,000 pixels: at most 50,000,000"),
    "1 x 1,000": (png_that_claims(1, 1_000), "at most 100 times as long as wide"),
    "0 x 10": (png_that_claims(0, 10), "a whole PNG or JPEG is wanted"),
}


@pytest.mark.parametrize("file, message", HOSTILE.values(), ids=HOSTILE)
def test_files_that_cannot_be_read_are_refused(clip, file, message):
    with pytest.raises(BackendRefused, match=message):
        clip.score([Query("a ", image=file)], LABELS)


def test_a_refusal_leaves_the_backend_in_order(clip, queries):
    wanted = clip.score(queries, LABELS)
    with pytest.raises(BackendRefused):
        clip.score([*queries, Query("a ", image=b"nothing")], LABELS)
    assert clip.score(queries, LABELS).tobytes() == wanted.tobytes()


def test_a_preprocessing_of_its_own_is_that_of_open_clip(reference, files):
    wanted = [reference[1](Image.open(io.BytesIO(file))).numpy() for file in files]
    found = [reference[1](picture(file)).numpy() for file in files]
    assert all(np.array_equal(*pair) for pair in zip(found, wanted, strict=True))
