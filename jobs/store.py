"""Jobs as people see them: every SQL statement of asking, reading and cancelling."""

import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import func
from sqlalchemy.orm import defer
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import Select

from jobs.database import Database
from jobs.models import (
    ENDED,
    EventRow,
    GenerationRow,
    JobRow,
    PromptRow,
    ReportRow,
    Status,
    TimingRow,
    UsageRow,
    now,
)
from jobs.spec import JobSpec
from jobs.spent import Spent, spent_on


class NoSuchJob(LookupError):
    """No job has this id."""


class AlreadyEnded(Exception):
    """The job has ended, so there is nothing left to stop."""


class NotPaused(Exception):
    """The job is not paused."""


class NotEnded(Exception):
    """The job may still change, so it is not deleted."""


class Ending(NamedTuple):
    """How a job came to its end."""

    status: Status
    reason: str
    error: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    report: dict[str, Any] | None = None
    scores: dict[str, Any] | None = None  # of the report, row by row


class JobStore:
    """Jobs, their generations, prompts and events."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enqueue(
        self,
        spec: JobSpec,
        *,
        priority: int = 0,
        estimate: dict[str, Any] | None = None,
        also: Callable[[Session, JobRow], None] = lambda session, job: None,
    ) -> JobRow:
        """A new job in the queue; `also` writes in the same transaction."""
        asked = spec.model_dump(mode="json")
        job = JobRow(id=new_job_id(), spec=asked, priority=priority, estimate=estimate)
        with self._database.writing() as session:
            session.add(job)
            session.flush()
            status_event(session, job.id, Status.QUEUED)
            also(session, job)
        return job

    def job(self, job_id: str) -> JobRow:
        with self._database.reading() as session:
            return get_job(session, job_id)

    def jobs(
        self, *, after: str | None = None, status: Status | None = None, limit: int = 20
    ) -> list[JobRow]:
        """The newest first; `after` is the id of the last one already seen."""
        query = select(JobRow).order_by(col(JobRow.id).desc()).limit(limit)
        if after is not None:
            query = query.where(col(JobRow.id) < after)
        if status is not None:
            query = query.where(JobRow.status == status)
        with self._database.reading() as session:
            return list(session.exec(query))

    def counts(self) -> dict[str, int]:
        """Number of jobs in each status."""
        query = select(JobRow.status, func.count()).group_by(col(JobRow.status))
        with self._database.reading() as session:
            return {str(status): n for status, n in session.exec(query)}

    def held(self) -> dict[str, str]:
        """The running jobs, by their runner's name."""
        query = select(JobRow.runner, JobRow.id).where(JobRow.status == Status.RUNNING)
        with self._database.reading() as session:
            return {runner: id_ for runner, id_ in session.exec(query) if runner is not None}

    def cancel(self, job_id: str) -> JobRow:
        """At once if the job waits, within seconds if it runs; the best prompt is kept.

        Raises:
            NoSuchJob: no job has this id.
            AlreadyEnded: it is over.
        """
        with self._database.writing() as session:
            job = get_job(session, job_id)
            if job.status in ENDED:
                raise AlreadyEnded(f"job {job_id} has already {job.status}")
            job.cancel_requested = True
            if job.status != Status.RUNNING:
                end_job(session, job, Ending(Status.CANCELLED, "cancelled"))
            return job

    def pause(self, job_id: str) -> JobRow:
        """At once if the job waits, within seconds if it runs; it stays so until it is resumed.

        Raises:
            NoSuchJob: no job has this id.
            AlreadyEnded: it is over.
        """
        with self._database.writing() as session:
            job = get_job(session, job_id)
            if job.status in ENDED:
                raise AlreadyEnded(f"job {job_id} has already {job.status}")
            if job.status == Status.RUNNING:
                job.pause_requested = True
            elif job.status == Status.QUEUED or job.retry_at is not None:
                pause_job(session, job)
            return job

    def resume(self, job_id: str) -> JobRow:
        """A paused job waits in the queue again, and one that is asked to pause goes on.

        Raises:
            NoSuchJob: no job has this id.
            NotPaused: there is nothing to resume.
        """
        with self._database.writing() as session:
            job = get_job(session, job_id)
            if job.pause_requested:
                job.pause_requested = False
                return job
            if job.status != Status.PAUSED:
                raise NotPaused(f"job {job_id} is {job.status}; only a paused job can be resumed")
            job.status, job.retry_at, job.error = Status.QUEUED, None, None
            session.add(job)
            status_event(session, job.id, Status.QUEUED)
            return job

    def delete(self, job_id: str, *, force: bool = False) -> None:
        """All rows of a job; its dataset stays. With `force` also while it waits or runs.

        A runner that has it finds out at its next write, and leaves off.

        Raises:
            NoSuchJob: no job has this id.
            NotEnded: it is not over, and `force` was not given.
        """
        with self._database.writing() as session:
            job = get_job(session, job_id)
            if job.status not in ENDED and not force:
                raise NotEnded(
                    f"job {job_id} is {job.status}; cancel it and await its end, or delete it with "
                    "?force=true whatever it does"
                )
            session.delete(job)

    def spent_on(self, endpoint: str, *, limit: int = 20) -> list[Spent]:
        """What the latest jobs on an endpoint have spent, the newest first."""
        with self._database.reading() as session:
            return spent_on(session, endpoint, limit)

    def incumbents(self, job_ids: Sequence[str]) -> dict[str, PromptRow]:
        """The prompts of many jobs without their content, by job id."""
        query = select(PromptRow).where(col(PromptRow.job_id).in_(job_ids))
        with self._database.reading() as session:
            content: Any = PromptRow.content  # SQLModel types a column as its value
            rows = session.exec(query.options(defer(content, raiseload=True)))
            return {row.job_id: row for row in rows}

    def usage(self, job_ids: Sequence[str]) -> dict[str, UsageRow]:
        """What many jobs have spent on APIs, by job id; a job no runner has taken has none."""
        query = select(UsageRow).where(col(UsageRow.job_id).in_(job_ids))
        with self._database.reading() as session:
            return {row.job_id: row for row in session.exec(query)}

    def prompt(self, job_id: str) -> PromptRow | None:
        with self._database.reading() as session:
            get_job(session, job_id)
            return session.get(PromptRow, job_id)

    def report(self, job_id: str) -> ReportRow | None:
        with self._database.reading() as session:
            get_job(session, job_id)
            return session.get(ReportRow, job_id)

    def scores(self, job_ids: Sequence[str]) -> dict[str, Any]:
        """What is kept of the test rows of those jobs that have a report, by job id."""
        query = select(ReportRow.job_id, ReportRow.scores).where(col(ReportRow.job_id).in_(job_ids))
        with self._database.reading() as session:
            return dict(session.exec(query).all())

    def generations(
        self, job_id: str, *, after: int = 0, limit: int = 1000
    ) -> list[tuple[GenerationRow, TimingRow]]:
        """The oldest first, each with how long it took."""
        query = generations_of(job_id).where(GenerationRow.number > after).limit(limit)
        with self._database.reading() as session:
            get_job(session, job_id)
            return list(session.exec(query.order_by(col(GenerationRow.number))))

    def events(self, job_id: str, *, after: int = 0, limit: int = 500) -> Sequence[EventRow]:
        query = (
            select(EventRow)
            .where(EventRow.job_id == job_id, col(EventRow.id) > after)
            .order_by(col(EventRow.id))
            .limit(limit)
        )
        with self._database.reading() as session:
            return session.exec(query).all()

    def last_event(self) -> int:
        """The number of the latest event of all jobs; 0: there is none."""
        with self._database.reading() as session:
            return session.exec(select(func.max(EventRow.id))).one() or 0

    def told_since(self, after: int) -> dict[str, int]:
        """The jobs that have later events, each with the number of its latest."""
        query = select(EventRow.job_id, EventRow.id).where(col(EventRow.id) > after)
        with self._database.reading() as session:
            # grouped here: SQLite would read its index of all events to group them
            return {
                job_id: id_ or 0 for job_id, id_ in session.exec(query.order_by(col(EventRow.id)))
            }


def new_job_id() -> str:
    """Grows with time, so that sorting by id is sorting by age."""
    return f"job_{time.time_ns() // 1000:014x}{secrets.token_hex(3)}"


def get_job(session: Session, job_id: str) -> JobRow:
    if job := session.get(JobRow, job_id):
        return job
    raise NoSuchJob(f"no job {job_id!r}")


def generations_of(job_id: str) -> "Select[GenerationRow, TimingRow]":
    """Each with its timing, in no order."""
    same = (col(TimingRow.job_id) == GenerationRow.job_id) & (
        col(TimingRow.number) == GenerationRow.number
    )
    return (
        select(GenerationRow, TimingRow).join(TimingRow, same).where(GenerationRow.job_id == job_id)
    )


def end_job(session: Session, job: JobRow, ending: Ending) -> None:
    job.status, job.termination_reason = ending.status, ending.reason
    job.error, job.result = ending.error, ending.result
    job.runner, job.pause_requested, job.finished_at = None, False, now()
    session.add(job)
    if ending.report is not None:
        # what was expected stands beside what was spent
        body = {**ending.report, "estimate": job.estimate}
        session.merge(ReportRow(job_id=job.id, body=body, scores=ending.scores))
        session.add(EventRow(job_id=job.id, type="result", data={}))
    status_event(session, job.id, ending.status)
    session.add(EventRow(job_id=job.id, type="done", data={"status": ending.status}))


def pause_job(session: Session, job: JobRow) -> None:
    """Until somebody resumes it: there is no instant at which it would go on by itself."""
    job.status, job.runner, job.pause_requested = Status.PAUSED, None, False
    job.retry_at, job.error = None, None
    session.add(job)
    status_event(session, job.id, Status.PAUSED)


def status_event(session: Session, job_id: str, status: Status) -> None:
    session.add(EventRow(job_id=job_id, type="status", data={"status": status}))
