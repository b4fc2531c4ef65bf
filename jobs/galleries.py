"""A zip of images to rows: labels by its folders, or columns by its manifest. No splitting."""

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import TypeAlias

from jobs.archives import Archive, Path, shown
from jobs.datasets import SPLITS
from jobs.images import FILE_BYTES, Album, BadImage
from jobs.readers import BadFile, Row, Table, read_table

IMAGE = "image"  # the column: a path in the manifest, and then the image's name
MANIFESTS = ("manifest.csv", "manifest.jsonl")

Listed: TypeAlias = tuple[Path, Row]  # a file in the zip, and its row
Files: TypeAlias = Mapping[Path, Path]  # path as a reader sees it -> path in the zip


def read_gallery(data: bytes) -> Table:
    """The rows of a zip of PNG, JPEG or WebP files.

    Where `manifest.csv` or `manifest.jsonl` stands at the top, its rows are the rows, and its
    column `image` names files of the zip. Otherwise the label of `cat/1.png` is `cat`, and
    `train/cat/1.png` is in the split `train` as well. One folder around everything is looked into.

    Raises:
        BadFile: the zip or an image is refused; the message names the member.
    """
    archive, album = Archive(data), Album()
    files = _unwrapped(archive.files)
    rows = []
    names: dict[Path, str] = {}  # of files that have been read
    for path, row in _listed(archive, files):
        if path not in names:
            names[path] = _taken_in(archive, path, album)
        rows.append({IMAGE: names[path], **{c: v for c, v in row.items() if c != IMAGE}})
    if not rows:
        raise BadFile("the zip has no images; wanted some in a folder for each label")
    return Table(tuple(rows[0]), tuple(rows), IMAGE, album.images)


def _taken_in(archive: Archive, path: Path, album: Album) -> str:
    data = archive.read(path, FILE_BYTES)
    try:
        return album.add(data, PurePath(path[-1]).suffix).name
    except BadImage as error:
        raise BadFile(f"{shown(path)}: {error}") from None


def _unwrapped(paths: list[Path]) -> Files:
    """Without the one folder that packing a folder puts around all files."""
    tops = {path[0] for path in paths}
    inner = {path[1:]: path for path in paths}
    whole = all(len(path) > 1 for path in inner) or any((name,) in inner for name in MANIFESTS)
    wrapped = len(tops) == 1 and not tops & set(SPLITS) and whole
    return inner if wrapped else {path: path for path in paths}


def _listed(archive: Archive, files: Files) -> Iterator[Listed]:
    found = [name for name in MANIFESTS if (name,) in files]
    if len(found) > 1:
        raise BadFile(f"the zip has {' and '.join(found)}; wanted one manifest")
    return _by_manifest(archive, files, found[0]) if found else _by_folders(files)


def _by_manifest(archive: Archive, files: Files, name: str) -> Iterator[Listed]:
    data = archive.read(files[name,], FILE_BYTES)
    try:
        table = read_table(name, data)
    except BadFile as error:
        raise BadFile(f"{name}: {error}") from None
    if IMAGE not in table.columns:
        raise BadFile(f"{name}: no column {IMAGE!r}; there are: {', '.join(table.columns)}")
    for number, row in enumerate(table.rows, start=1):
        path = tuple(row[IMAGE].strip().split("/"))
        if path not in files:
            raise BadFile(
                f"{name}, row {number}: the zip has no file {shown(path)}; wanted a path as it "
                "is in the zip, from the manifest's folder on"
            )
        yield files[path], row


def _by_folders(files: Files) -> Iterator[Listed]:
    rows = {member: _row_of_folders(path, member) for path, member in files.items()}
    outside = [member for member, row in rows.items() if "split" not in row]
    if outside and len(outside) < len(rows):
        raise BadFile(f"{shown(outside[0])}: is in no split, and other files are")
    yield from rows.items()


def _row_of_folders(path: Path, member: Path) -> Row:
    if len(path) == 2:
        return {"label": path[0]}
    if len(path) == 3 and path[0] in SPLITS:
        return {"label": path[1], "split": path[0]}
    raise BadFile(
        f"{shown(member)}: wanted label/file or split/label/file with the splits "
        f"{', '.join(SPLITS)}, or a {MANIFESTS[0]} at the top"
    )
