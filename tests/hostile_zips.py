"""Zips that nobody should take, each with what its refusal must say."""

import io
import stat
import struct
import warnings
from collections.abc import Mapping
from zipfile import ZIP_BZIP2, ZipFile, ZipInfo

from jobs.archives import MEMBERS
from jobs.images import FILE_BYTES
from tests.image_files import in_classes, in_splits, picture, png_of_header, zipped

GOOD = in_splits()
ONE = "train/red/0.png"


def with_one(name: str, data: bytes = b"") -> bytes:
    return zipped({**GOOD, name: data or picture()})


def of_members(*members: tuple[ZipInfo, bytes]) -> bytes:
    file = io.BytesIO()
    with ZipFile(file, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that stand twice
        for name, data in GOOD.items():
            archive.writestr(name, data)
        for member, data in members:
            archive.writestr(member, data)
    return file.getvalue()


def linked() -> bytes:
    link = ZipInfo("train/red/link.png")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return of_members((link, b"/etc/passwd"))


def encrypted() -> bytes:
    """As zip -e marks it: bit 0 of the flags, in both headers."""
    data = bytearray(zipped(GOOD))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    return bytes(data)


def lying(name: str, size: int) -> bytes:
    """A member that is larger than `FILE_BYTES`, and says that it is `size`."""
    honest = zipped({**GOOD, name: picture() + bytes(FILE_BYTES)})
    true = struct.pack("<I", len(picture()) + FILE_BYTES)
    return honest.replace(true, struct.pack("<I", size))


def damaged() -> bytes:
    data = bytearray(zipped(GOOD, method=0))
    data[data.index(b"IDAT") + 6] ^= 0xFF
    return bytes(data)


def many() -> bytes:
    return zipped({f"red/{number}.png": b"" for number in range(MEMBERS + 1)}, method=0)


def manifest(text: str, name: str = "manifest.csv", **more: bytes) -> bytes:
    return zipped({name: text.encode(), "a.png": picture(), **more})


BOMB = {**GOOD, ONE: bytes(1_000_000_000)}
HOSTILE: Mapping[str, tuple[bytes, list[str]]] = {
    "no zip": (b"PK\x03\x04 and nothing", ["no zip"]),
    "half a zip": (zipped(GOOD)[:-40], ["no zip"]),
    "nothing in it": (zipped({}), ["no images"]),
    "junk alone": (zipped({"__MACOSX/._a.png": b"x", ".DS_Store": b"x"}), ["no images"]),
    "a way out": (with_one("../../etc/cron.d/x.png"), ["'../../etc/cron.d/x.png'", "out of"]),
    "a way out of a folder": (with_one("train/red/../../../x.png"), ["'train/red/..", "out of"]),
    "an absolute path": (with_one("/etc/x.png"), ["'/etc/x.png'", "out of"]),
    "a drive": (with_one("C:/x.png"), ["'C:/x.png'", "drive"]),
    "backslashes": (with_one("..\\..\\x.png"), ["'..", "wanted /"]),
    "an empty folder name": (with_one("train//x.png"), ["'train//x.png'", "nowhere"]),
    "a link": (linked(), ["'train/red/link.png'", "a link or a device"]),
    "a password": (encrypted(), [f"'{next(iter(GOOD))}'", "without a password"]),
    "an unusual compression": (zipped(GOOD, ZIP_BZIP2), ["compression 12", "deflated"]),
    "a name that stands twice": (
        of_members((ZipInfo("train/red/0.png"), picture())),
        ["'train/red/0.png'", "two members"],
    ),
    "a file in a file": (
        of_members((ZipInfo("./train/red/0.png"), picture())),
        ["'train/red/0.png'", "two members"],
    ),
    "a zip in the zip": (
        with_one("train/red/x.zip", zipped(GOOD)),
        ["'train/red/x.zip'", "no PNG"],
    ),
    "a text": (with_one("train/red/notes.txt", b"hello"), ["'train/red/notes.txt'", "no PNG"]),
    "a text called an image": (with_one("train/red/x.png", b"hello"), ["x.png'", "no PNG"]),
    "a wrong ending": (
        with_one("train/red/x.png", picture("JPEG")),
        ["'train/red/x.png'", "JPEG by its content", "'.png' by its name"],
    ),
    "half an image": (
        with_one("train/red/x.jpg", picture("JPEG", size=(64, 64))[:-300]),
        ["'train/red/x.jpg'", "cannot be decoded"],
    ),
    "60,000 x 60,000 pixels": (
        with_one("train/red/x.png", png_of_header(60_000, 60_000)),
        ["'train/red/x.png'", "50,000,000 pixels"],
    ),
    "a gigabyte of zeros": (zipped(BOMB), [f"'{ONE}'", "larger than 20,000,000 bytes"]),
    "a gigabyte that says it is small": (lying(ONE, 100), [f"'{ONE}'", "cannot be unpacked"]),
    "a wrong checksum": (damaged(), ["cannot be unpacked", "CRC"]),
    "more members than are read": (many(), ["more than 20,000 members"]),
    "an image in no folder": (with_one("x.png"), ["'x.png'", "label/file"]),
    "a folder too deep": (with_one("train/red/deep/x.png"), ["'train/red/deep/x.png'", "label/"]),
    "an unknown split": (with_one("trian/red/x.png"), ["'trian/red/x.png'", "train, dev, test"]),
    "splits for some": (zipped({**GOOD, **in_classes()}), ["'blue/0.png'", "no split"]),
    "two manifests": (
        manifest("image,label\n", **{"manifest.jsonl": b"{}"}),
        ["manifest.csv and manifest.jsonl", "one"],
    ),
    "a manifest without images": (manifest("file,label\na.png,x\n"), ["'image'", "file, label"]),
    "a manifest of what is not there": (
        manifest("image,label\na.png,x\nb.png,y\n"),
        ["manifest.csv, row 2", "'b.png'"],
    ),
    "a manifest that leads out": (
        manifest("image,label\n../a.png,x\n"),
        ["manifest.csv, row 1", "'../a.png'"],
    ),
    "a manifest of 20 MB": (
        manifest("image,label\na.png,x\n" + "\n" * FILE_BYTES),
        ["'manifest.csv'", "larger than 20,000,000 bytes"],
    ),
    "a broken manifest": (manifest('image,label\n"a.png,x\n'), ["manifest.csv", "quote"]),
}
