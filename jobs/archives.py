"""An uploaded zip: its files by their paths, read under limits. Nothing of it is ever extracted."""

import io
import stat
from typing import TypeAlias
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from jobs.readers import BadFile

MEMBERS = 20_000  # at most, folders included
ENTRY = b"PK\x01\x02"  # begins every entry of a zip's table of contents
PLAIN = (0, stat.S_IFREG, stat.S_IFDIR)  # types of files; 0: made on a system without types
JUNK = ("__MACOSX", "Thumbs.db", "desktop.ini")

Path: TypeAlias = tuple[str, ...]  # folders, then the file


class Archive:
    """The files of a zip; what systems leave in folders for themselves is passed over.

    Raises:
        BadFile: it is no zip, or a member is a link, is encrypted, is compressed in an unusual
            way, has a name that leads out of the zip, or the name of another.
    """

    def __init__(self, data: bytes) -> None:
        if data.count(ENTRY) > MEMBERS:  # counted before any of them takes memory
            raise BadFile(f"the zip has more than {MEMBERS:,} members; upload a part of them")
        try:
            self._zip = ZipFile(io.BytesIO(data))
        except Exception as error:  # zipfile tells broken files by errors of every type
            raise BadFile(f"the file is no zip, or a broken one: {error}") from None
        self._members: dict[Path, ZipInfo] = {}
        for member in self._zip.infolist():
            path = _checked_path(member)
            if path in self._members:
                raise BadFile(f"{shown(path)}: two members of the zip have this name")
            self._members[path] = member

    @property
    def files(self) -> list[Path]:
        """Paths in order, whoever wrote the zip: the same folder gives the same rows."""
        return sorted(
            path
            for path, member in self._members.items()
            if path and not member.is_dir() and not any(map(_is_junk, path))
        )

    def read(self, path: Path, most: int) -> bytes:
        """The file's bytes, counted as they come: what its header says of them is not believed.

        Raises:
            BadFile: they are broken, or more than `most`.
        """
        try:
            with self._zip.open(self._members[path]) as file:
                data = file.read(most + 1)
        except Exception as error:
            raise BadFile(f"{shown(path)}: cannot be unpacked: {error}") from None
        if len(data) > most:
            raise BadFile(f"{shown(path)}: larger than {most:,} bytes")
        return data


def shown(path: Path) -> str:
    """A member's name for a message."""
    return repr("/".join(path)[:200])


def _checked_path(member: ZipInfo) -> Path:
    name = member.orig_filename
    path = tuple(part for part in name.removesuffix("/").split("/") if part != ".")
    reason = ""
    if any(sign in name for sign in "\\\0") or name[1:2] == ":":
        reason = "wanted / between folders, and no drive"
    elif ".." in path or "" in path:
        reason = "its name leads out of the zip, or nowhere"
    elif stat.S_IFMT(member.external_attr >> 16) not in PLAIN:
        reason = "it is a link or a device; wanted files and folders"
    elif member.flag_bits & 1:
        reason = "it is encrypted; make the zip without a password"
    elif member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        reason = f"compression {member.compress_type}; wanted a zip of stored or deflated files"
    if reason:
        raise BadFile(f"{shown((name,))}: {reason}")
    return path


def _is_junk(part: str) -> bool:
    return part in JUNK or part.startswith(".")
