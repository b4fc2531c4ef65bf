"""Who asked for which change, and how it ended: added to and read, never changed.

What is older than the operator wants it kept is deleted, by `jobs/retention.py`.
"""

from collections.abc import Sequence

from sqlmodel import col, select

from jobs.access_rows import AuditRow
from jobs.database import Database


class Audit:
    """The audit log of a project."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, row: AuditRow) -> None:
        with self._database.writing() as session:
            session.add(row)

    def entries(self, *, before: int | None = None, limit: int = 100) -> Sequence[AuditRow]:
        """The newest first; `before` is the id of the last one already seen."""
        query = select(AuditRow).order_by(col(AuditRow.id).desc()).limit(limit)
        if before is not None:
            query = query.where(col(AuditRow.id) < before)
        with self._database.reading() as session:
            return session.exec(query).all()
