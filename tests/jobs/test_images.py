import base64
import hashlib
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow

import jobs.images
from jobs.images import FILE_BYTES, Album, BadImage, from_data_url, thumbnail
from tests.image_files import opened, picture, png_of_header, saved

RED, BLUE = Pillow.new("RGB", (8, 6), "red"), Pillow.new("RGB", (8, 6), "blue")
NOISE = Pillow.fromarray(np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8))
JPEG = saved(NOISE, "JPEG")


def add(data, ending=""):
    return Album().add(data, ending)


@pytest.mark.parametrize(
    ("data", "ending", "media_type"),
    [
        (picture(), ".png", "image/png"),
        (picture("JPEG"), ".JPEG", "image/jpeg"),
        (picture("JPEG"), ".jpg", "image/jpeg"),
        (picture("JPEG"), "", "image/jpeg"),
        (saved(RED, "MPO", save_all=True, append_images=[BLUE]), ".jpg", "image/jpeg"),
    ],
)
def test_a_plain_image_is_kept_byte_for_byte(data, ending, media_type):
    image = add(data, ending)
    assert image.data == data
    assert image.name == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert (image.media_type, image.width, image.height) == (media_type, 8, 6)


@pytest.mark.parametrize(
    "data",
    [
        saved(RED, save_all=True, append_images=[BLUE]),
        saved(RED, "WEBP", lossless=True),
        saved(RED, "WEBP", lossless=True, save_all=True, append_images=[BLUE]),
    ],
)
def test_of_an_animation_or_webp_the_first_frame_is_a_png(data):
    image = add(data)
    kept = opened(image.data)
    assert (image.media_type, kept.format, getattr(kept, "n_frames", 1)) == ("image/png", "PNG", 1)
    assert kept.convert("RGB").getcolors() == [(48, (255, 0, 0))]
    assert image.name == f"sha256:{hashlib.sha256(image.data).hexdigest()}"
    assert add(data) == image


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_what_exif_says_to_turn_is_turned(kind):
    pixels = np.zeros((16, 48, 3), np.uint8)
    pixels[:, 24:] = 255  # dark left, bright right
    exif = Pillow.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    image = add(saved(Pillow.fromarray(pixels), kind, exif=exif))
    kept = opened(image.data)
    assert (image.width, image.height, kept.format) == (16, 48, kind)
    assert kept.getexif().get(0x0112, 1) == 1
    shown = np.asarray(kept.convert("L"))
    assert shown[:20].mean() < 10 and shown[-20:].mean() > 245


def test_sixteen_bits_become_eight():
    deep = saved(Pillow.fromarray(np.array([[0, 0x7FFF, 0xFFFF]], np.uint16)))
    assert np.asarray(opened(add(deep).data)).tolist() == [[0, 127, 255]]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_every_usual_mode_is_taken(mode):
    kind = "JPEG" if mode == "CMYK" else "PNG"
    data = saved(Pillow.new("RGB", (90, 60), "white").convert(mode), kind)
    assert add(data).data == data
    small = opened(thumbnail(data, 64))
    assert (small.format, small.size) == (kind, (64, 43))
    assert min(small.convert("L").getextrema()) > 250


def zipped_text():
    """A text chunk that unpacks to 200 MB."""
    text = b"k\0\0" + zlib.compress(bytes(200_000_000), 9)
    return png_of_header(8, 6, (b"zTXt", text))


def webp_of_header(width, height):
    side = [struct.pack("<I", size - 1)[:3] for size in (width, height)]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + b"".join(side)
    body += b"ANIM" + struct.pack("<IIH", 6, 0, 0)
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no PNG, JPEG or WebP"),
        (b"text,label\n", "no PNG, JPEG or WebP"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no PNG, JPEG or WebP"),
        (picture("GIF"), "no PNG, JPEG or WebP"),
        (picture("TIFF"), "no PNG, JPEG or WebP"),
        (picture()[:20], "cannot be decoded"),
        (JPEG[: len(JPEG) // 2], "cannot be decoded: .*truncated"),
        (picture("PNG", size=(300, 300))[:-60], "cannot be decoded"),
        (png_of_header(8, 6), "cannot be decoded"),
        (png_of_header(60_000, 60_000), "more than 50,000,000 pixels"),
        (png_of_header(10_000, 10_000), "more than 50,000,000 pixels"),
        (png_of_header(8_000, 8_000), "8,000 x 8,000 pixels, at most 50,000,000"),
        (png_of_header(50_000_001, 1), "50,000,001 x 1 pixels"),
        (png_of_header(101, 1), "101 x 1 pixels, at most 100 times as long as wide"),
        (webp_of_header(2**24, 2**8), "more than 50,000,000 pixels"),
        (zipped_text(), "cannot be decoded: .*too large"),
        (picture("JPEG") + b"\xff\xda" * 500, "more than 500 scans"),
        (picture() + bytes(FILE_BYTES), "larger than 20,000,000 bytes"),
    ],
)
def test_what_is_no_image_or_too_much_of_one(data, words):
    with pytest.raises(BadImage, match=words):
        add(data)


@pytest.mark.parametrize(
    ("data", "ending", "content"),
    [
        (picture(), ".jpg", "PNG"),
        (picture("JPEG"), ".png", "JPEG"),
        (picture("WEBP"), ".png", "WEBP"),
        (picture(), ".gif", "PNG"),
    ],
)
def test_a_name_that_disagrees_with_the_content(data, ending, content):
    with pytest.raises(BadImage, match=f"{content} by its content and '{ending}' by its name"):
        add(data, ending)


def test_an_album_has_limits_of_its_own(monkeypatch):
    monkeypatch.setattr(jobs.images, "ALBUM_PIXELS", 3 * 48)
    album = Album()
    for color in ("red", "blue", "red"):
        album.add(picture(color=color))
    assert len(album.images) == 2
    with pytest.raises(BadImage, match=r"one too many: .* more than 144 pixels"):
        album.add(picture(color="red"))  # looking again costs again
    monkeypatch.setattr(jobs.images, "ALBUM_BYTES", len(picture()))
    album = Album()
    album.add(picture())
    with pytest.raises(BadImage, match=r"one too many: .* bytes"):
        album.add(picture())


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_thumbnails(kind):
    data = picture(kind, size=(600, 300), color="red")
    small = opened(thumbnail(data, 128))
    assert (small.format, small.size) == (kind, (128, 64))
    assert small.convert("RGB").getpixel((64, 32))[0] > 250
    assert thumbnail(data, 600) is data


def test_data_urls():
    url = f"data:image/png;base64,{base64.b64encode(picture()).decode()}"
    assert from_data_url(url) == picture()
    for wrong, words in [("x.png", "no 'data:"), (url[:-2], "not base64"), (url + "é", "base64")]:
        with pytest.raises(BadImage, match=words):
            from_data_url(wrong)


def test_noise_never_gets_another_error():
    rng, n_kept = np.random.default_rng(0), 0
    for kind in ("PNG", "JPEG", "WEBP"):
        good = saved(NOISE, kind)
        for _ in range(150):
            bad = bytearray(good)
            for place in rng.integers(0, len(good), 4):
                bad[place] = rng.integers(256)
            try:
                kept = add(bytes(bad))
            except BadImage:
                continue
            n_kept += opened(kept.data).size == (kept.width, kept.height)
    assert 0 < n_kept < 450
