"""Files as OpenAI's clients know them: each is a dataset, with the bytes that were uploaded."""

import hashlib
from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import defer
from sqlmodel import Session, col, select

from jobs.catalog import Catalog, NoSuchDataset, Upload
from jobs.conversations import rows_of
from jobs.database import Database
from jobs.datasets import Reading
from jobs.lookup import by_id
from jobs.models import DatasetRow, FileRow


class NoSuchFile(NoSuchDataset):
    """No file has this id."""

    param, code = "file_id", "no_such_file"


class Uploads:
    """Every SQL statement about files."""

    def __init__(self, database: Database, catalog: Catalog) -> None:
        self._database, self._catalog = database, catalog

    def add(self, upload: Upload, reading: Reading, purpose: str) -> FileRow:
        """The file, once its rows are a dataset; the same file again is the same object.

        Raises:
            BadFile, BadDataset: it is refused; nothing is stored.
        """
        id_ = _id(upload, reading)
        rows = Upload(upload.filename, rows_of(upload.filename, upload.data))
        self._catalog.add_dataset(id_, rows, reading)
        with self._database.writing() as session:
            if (known := _by_id(session, id_)) is not None:
                return known
            if by_id(session, DatasetRow, id_) is None:
                raise NoSuchFile(f"file {id_!r} has been deleted meanwhile; upload it again")
            row = FileRow(
                dataset_id=id_,
                filename=upload.filename,
                purpose=purpose,
                size=len(upload.data),
                content=upload.data,
            )
            session.add(row)
        return row

    def files(
        self,
        *,
        after: str | None = None,
        purpose: str | None = None,
        newest_first: bool = True,
        limit: int = 100,
    ) -> Sequence[FileRow]:
        """Without their content; `after` is the id of the last one already seen."""
        age, id_ = col(FileRow.created_at), col(FileRow.dataset_id)
        content: Any = FileRow.content  # SQLModel types a column as its value
        query = select(FileRow).options(defer(content, raiseload=True))
        if purpose is not None:
            query = query.where(FileRow.purpose == purpose)
        if after is not None:
            seen = self.file(after)
            same = age == seen.created_at
            if newest_first:
                query = query.where((age < seen.created_at) | (same & (id_ < after)))
            else:
                query = query.where((age > seen.created_at) | (same & (id_ > after)))
        order = (age.desc(), id_.desc()) if newest_first else (age, id_)
        with self._database.reading() as session:
            return session.exec(query.order_by(*order).limit(limit)).all()

    def file(self, id_: str) -> FileRow:
        """Raises NoSuchFile."""
        with self._database.reading() as session:
            if row := _by_id(session, id_):
                return row
        raise NoSuchFile(f"no file {id_!r}; GET /v1/files lists them all")


def _by_id(session: Session, id_: str) -> FileRow | None:
    return session.exec(select(FileRow).where(FileRow.dataset_id == id_)).first()


def _id(upload: Upload, reading: Reading) -> str:
    """The same for the same file read in the same way, so that a repeated upload adds nothing."""
    name, how = upload.filename.encode(), repr(reading).encode()
    parts = (hashlib.sha256(part).digest() for part in (name, how, upload.data))
    return f"file-{hashlib.sha256(b''.join(parts)).hexdigest()[:24]}"
