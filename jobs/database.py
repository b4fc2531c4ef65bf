"""The engine: how SQLite is opened, how a transaction begins, how the schema is brought up."""

import copy
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from jobs import backups, schema
from jobs.scope import narrow

logger = logging.getLogger(__name__)

CONNECTIONS = 40  # kept open: as many as the service has threads for requests
BUSY_TIMEOUT = 30_000  # milliseconds a writer waits for another one


class Database:
    """One engine and its two ways to begin: reading, or reading and then writing.

    On SQLite a transaction that reads first and writes later fails at once when somebody
    else wrote in between, whatever the busy timeout; so every transaction that may write
    takes the write lock at its beginning.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.project: str | None = None  # whose rows its sessions see; None: everybody's
        # The one used last is used next: its pages are still in memory, and few others fill up.
        self._engine = create_engine(url, pool_size=CONNECTIONS, pool_use_lifo=True)
        self._writing = self._engine
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _tune)
            event.listen(self._engine, "begin", _begin)
            self._writing = self._engine.execution_options(immediate=True)

    def of(self, project: str) -> "Database":
        """The same database as one project sees it."""
        narrowed = copy.copy(self)
        narrowed.project = project
        return narrowed

    @property
    def engine(self) -> Engine:
        return self._engine

    def migrate(self) -> None:
        """Brings the schema to the newest version; does nothing where it is.

        All versions in one transaction, so one that fails leaves the database as it was; before
        the first a copy of an SQLite file is laid beside it, named after its revision.

        Raises:
            TooNew: the schema is of a newer Gradless.
        """
        with self._writing.connect() as connection:
            revision = schema.revision_of(connection)
            schema.check_known(revision)
            if revision == schema.revisions()[0]:
                return
            if revision is not None:
                self._copy_aside(revision)
            schema.upgrade(connection)

    def _copy_aside(self, revision: str) -> None:
        if not (file := self._engine.url.database) or self._engine.dialect.name != "sqlite":
            return
        aside = Path(f"{file}.{revision}.bak")
        backups.copy(Path(file), aside)
        logger.info("the schema is brought up from %s; a copy of it as it was: %s", revision, aside)

    def is_writable(self) -> bool:
        """Whether a transaction that writes can begin."""
        try:
            with self._writing.connect() as connection, connection.begin():
                return True
        except DBAPIError:
            return False

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads: it neither waits for a writer nor holds one up."""
        with self._session(self._engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction: committed at the end, or undone whole by any exception."""
        with self._session(self._writing) as session, session.begin():
            yield session

    def _session(self, engine: Engine) -> Session:
        session = Session(engine, expire_on_commit=False)
        if self.project is not None:
            narrow(session, self.project)
        return session

    def close(self) -> None:
        self._engine.dispose()


def _tune(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
