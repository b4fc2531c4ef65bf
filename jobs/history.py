"""What has happened to jobs: their log, and backwards, as OpenAI's clients ask for it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from jobs.database import Database
from jobs.models import EventRow, GenerationRow, JobRow
from jobs.store import get_job


class Happening(NamedTuple):
    """An event, and the generation it is about."""

    event: EventRow
    generation: GenerationRow | None


class History:
    """Reads jobs and events."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def jobs(
        self, metadata: Mapping[str, str], *, after: str | None = None, limit: int = 20
    ) -> Sequence[JobRow]:
        """Jobs that have all of this metadata; `after` is the id of the last one already seen."""
        query = select(JobRow).order_by(col(JobRow.id).desc()).limit(limit)
        if after is not None:
            query = query.where(col(JobRow.id) < after)
        for key, value in metadata.items():
            query = query.where(col(JobRow.spec)["metadata"][key].as_string() == value)
        with self._database.reading() as session:
            return session.exec(query).all()

    def events(self, job_id: str, *, before: int | None = None, limit: int = 20) -> list[Happening]:
        """The newest first; raises NoSuchJob."""
        query = select(EventRow).order_by(col(EventRow.id).desc()).limit(limit)
        if before is not None:
            query = query.where(col(EventRow.id) < before)
        return self._happenings(job_id, query)

    def log(self, job_id: str, *, after: int = 0, limit: int = 100) -> list[Happening]:
        """The oldest first; raises NoSuchJob."""
        query = select(EventRow).where(col(EventRow.id) > after)
        return self._happenings(job_id, query.order_by(col(EventRow.id)).limit(limit))

    def _happenings(self, job_id: str, query: SelectOfScalar[EventRow]) -> list[Happening]:
        with self._database.reading() as session:
            get_job(session, job_id)
            events = session.exec(query.where(EventRow.job_id == job_id)).all()
            numbers = [row.data["number"] for row in events if row.type == "generation"]
            about = select(GenerationRow).where(
                GenerationRow.job_id == job_id, col(GenerationRow.number).in_(numbers)
            )
            generations = {row.number: row for row in session.exec(about)}
        return [Happening(row, generations.get(row.data.get("number", 0))) for row in events]
