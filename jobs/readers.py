"""Uploaded bytes to rows of text, or a refusal that names the line. No splitting, no storing."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePath
from typing import Any, NoReturn, TypeAlias

from jobs.images import Image

MAX_ROWS = 100_000
MAX_FIELD = 20_000  # characters
ZIP = ".zip"  # of images; `jobs.galleries` reads it
NOT_TEXT = re.compile("[\x00\ud800-\udfff]")  # no file and no database takes these

Row: TypeAlias = Mapping[str, str]


class BadFile(ValueError):
    """The file cannot be used; the message says where and why."""


@dataclass(frozen=True)
class Table:
    """Rows of text under one header, and the images that one of the columns may name."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    image_column: str = ""  # empty: no column holds images
    images: Mapping[str, Image] = field(default_factory=dict)  # by name


def read_table(filename: str, data: bytes) -> Table:
    """The rows of a CSV, TSV or JSONL file; the ending of its name says which.

    CSV follows RFC 4180, with broken quoting refused; in TSV a quote is a letter like any
    other; JSONL has one flat object of texts a line.

    Raises:
        BadFile: another kind of file, not UTF-8, malformed, empty, or too large.
    """
    ending = PurePath(filename).suffix.lower()
    if ending not in READERS:
        wanted = ", ".join([*READERS, ZIP])
        raise BadFile(f"{filename!r} ends in {ending or 'nothing'!r}; wanted one of {wanted}")
    rows = list(islice(READERS[ending](_decode(data)), MAX_ROWS + 1))
    if len(rows) > MAX_ROWS:
        raise BadFile(f"more than {MAX_ROWS:,} rows; upload a part of them")
    if not rows:
        raise BadFile(f"{filename!r} has no rows; wanted a header or keys, and at least one row")
    return Table(tuple(rows[0]), tuple(rows))


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        byte = data[error.start]
        raise BadFile(
            f"line {line}: byte 0x{byte:02x} is not UTF-8; save the file as UTF-8"
        ) from None


def _read_csv(text: str) -> Iterator[Row]:
    return _records(csv.reader(io.StringIO(text, newline=""), strict=True))


def _read_tsv(text: str) -> Iterator[Row]:
    lines = io.StringIO(text, newline="")
    return _records(csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE, strict=True))


def _records(reader: Any) -> Iterator[Row]:
    try:
        header = _checked_header(next(reader, []))
        for fields in reader:
            if not fields:
                continue  # an empty line
            if len(fields) != len(header):
                raise BadFile(
                    f"line {reader.line_num}: {len(fields)} fields, wanted {len(header)} "
                    f"({', '.join(header)}); is a quote or a separator missing?"
                )
            yield _checked(dict(zip(header, fields, strict=True)), reader.line_num)
    except csv.Error as error:
        raise BadFile(f"line {reader.line_num}: {error}; is a quote not closed?") from None


def _checked_header(header: list[str]) -> list[str]:
    names = [name.strip() for name in header]
    if any(not name for name in names) or len(set(names)) < len(names):
        raise BadFile(f"line 1: wanted different, non-empty column names, got {header}")
    return names


def _read_jsonl(text: str) -> Iterator[Row]:
    first: Row | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        row = _checked(_flat_object(line, number), number)
        first = row if first is None else first
        if row.keys() != first.keys():
            raise BadFile(f"line {number}: keys {sorted(row)}, wanted {sorted(first)}")
        yield row


def _flat_object(line: str, number: int) -> dict[str, str]:
    try:
        value = json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadFile(f"line {number}: not JSON: {error}") from None
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise BadFile(f"line {number}: wanted one flat object of texts, got {line[:80]!r}")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _checked(row: dict[str, str], number: int) -> Row:
    for column, value in row.items():
        if len(value) > MAX_FIELD:
            raise BadFile(
                f"line {number}, {column!r}: {len(value):,} characters, at most {MAX_FIELD:,}"
            )
        if (wrong := NOT_TEXT.search(column + value)) is not None:
            what = "NUL" if wrong[0] == "\x00" else "lone surrogate"
            raise BadFile(f"line {number}, {column!r}: a {what} character; wanted text")
    return row


READERS: Mapping[str, Callable[[str], Iterator[Row]]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_jsonl,
}
