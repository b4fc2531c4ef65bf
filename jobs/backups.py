"""The SQLite file, copied while it is in use, and put back. No table is known here."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import make_url

from jobs.schema import check_known

PAGES = 1000  # copied at once; between two such steps others may write


class BadBackup(Exception):
    """The file cannot be backed up, or put in place of the database; the message says why."""


def database_file(url: str) -> Path:
    """The file behind a database's URL.

    Raises:
        BadBackup: it is not SQLite, or has no file.
    """
    parts = make_url(url)
    if parts.get_backend_name() != "sqlite" or parts.database in (None, "", ":memory:"):
        kind = parts.get_backend_name()
        raise BadBackup(f"the database is {kind}, not an SQLite file; use the tools of {kind}")
    return Path(str(parts.database))


def copy(source: Path, target: Path) -> None:
    """One consistent copy, whoever writes meanwhile; the target is there whole, or not at all."""
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    try:
        with closing(_opened(source)) as old, closing(sqlite3.connect(part)) as new:
            old.backup(new, pages=PAGES)
            new.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def check(file: Path) -> str:
    """The revision of a whole and sound database of ours.

    Raises:
        BadBackup: it is none, or damaged.
        TooNew: it was written by a newer Gradless.
    """
    try:
        with closing(_opened(file)) as connection:
            [[found], *_] = connection.execute("PRAGMA integrity_check").fetchall()
            loose = connection.execute("PRAGMA foreign_key_check").fetchall()
            [[revision]] = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    except (sqlite3.Error, ValueError) as error:
        raise BadBackup(f"{file} is not a database of Gradless: {error}") from None
    if found != "ok" or loose:
        what = found if found != "ok" else f"{len(loose)} rows that point at nothing"
        raise BadBackup(f"{file} is damaged: {what}")
    check_known(revision)
    return str(revision)


def backup(url: str, target: Path) -> str:
    """Copies the database to a new file, checks the copy and tells its revision.

    Raises:
        BadBackup: there is no database, the target exists, or the copy is not sound.
    """
    source = database_file(url)
    if not source.is_file():
        raise BadBackup(f"there is no database {source}; say where it is with --data")
    if target.exists():
        raise BadBackup(f"{target} exists already; name a new file")
    try:
        copy(source, target)
    except (sqlite3.Error, OSError) as error:
        raise BadBackup(f"{source} could not be copied to {target}: {error}") from None
    return check(target)


def restore(url: str, source: Path) -> Path | None:
    """Puts a backup in the database's place; where the replaced database is now, if there was one.

    Raises:
        BadBackup: the backup is not sound, or a service or runner has the database open.
        TooNew: the backup was written by a newer Gradless.
    """
    target = database_file(url)
    if not source.is_file():
        raise BadBackup(f"there is no file {source}")
    check(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        _close_log(target)
    part = target.with_name(f"{target.name}.restored")
    copy(source, part)
    kept = _put_aside(target)
    part.replace(target)
    return kept


def _put_aside(file: Path) -> Path | None:
    """Where the file is then; what is left of its log goes with it, or it would be replayed."""
    if not file.exists():
        return None
    at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    kept = file.with_name(f"{file.name}.replaced-{at}")
    for end in ("-wal", "-shm", ""):
        part = file.with_name(file.name + end)
        if part.exists():
            part.replace(kept.with_name(kept.name + end))
    return kept


def _close_log(file: Path) -> None:
    """Moves the write-ahead log into the file: SQLite refuses that while somebody has it open."""
    try:
        with closing(sqlite3.connect(file, timeout=1)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE").fetchall()
    except sqlite3.OperationalError as error:
        raise BadBackup(f"{file} is in use: stop the service first ({error})") from None
    except sqlite3.DatabaseError:
        return  # damaged, and so to be replaced: kept as it is


def _opened(file: Path) -> sqlite3.Connection:
    """Read only, and never made by looking for it."""
    return sqlite3.connect(f"file:{quote(str(file.resolve()))}?mode=ro", uri=True, timeout=30)
