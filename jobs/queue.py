"""Jobs as runners see them: every SQL statement of claiming, recording and finishing."""

import time
from typing import Any, NamedTuple

from sqlalchemy import case, func, or_, update
from sqlmodel import Session, col, select

from jobs.database import Database
from jobs.models import (
    CheckpointRow,
    EventRow,
    GenerationRow,
    JobRow,
    PromptRow,
    Status,
    TimingRow,
    UsageRow,
    now,
)
from jobs.store import Ending, end_job, pause_job, status_event

FIRST_PAUSE, LONGEST_PAUSE = 15.0, 600.0  # seconds before an endpoint that was down is tried again
STALE_AFTER = 15.0  # seconds without a heartbeat before another runner may take over
MAX_CRASHES = 3  # runners in a row that may die on a job before it fails


class LostJob(Exception):
    """This runner was silent too long and another has taken its job."""


class Progress(NamedTuple):
    """What the last recorded generation left behind."""

    checkpoint: CheckpointRow
    prompt: PromptRow | None  # None: only the baseline has been measured


class JobQueue:
    """The queue is a WHERE clause; whoever holds a job is the only one who can write to it."""

    def __init__(self, database: Database, most_running: int = 0, most_of_project: int = 0) -> None:
        """`most_running` jobs at once, whoever runs them, and of each project `most_of_project`.

        0: as many as there are runners.
        """
        self._database, self._most_running = database, most_running
        self._most_of_project = most_of_project

    def claim(self, runner: str, *, at: float | None = None) -> JobRow | None:
        """The first job that waits, or whose runner went silent; now this runner's.

        First comes the highest priority, then the project that has fewest running, then the
        oldest. A job waits when it is queued, or paused until an instant that has come; one that a
        person paused has no such instant.

        One transaction, so two runners can never hold the same job. A job that has killed
        its runner MAX_CRASHES times in a row is failed instead of being tried again.
        """
        at = time.time() if at is None else at
        silent = (col(JobRow.status) == Status.RUNNING) & (col(JobRow.heartbeat) < at - STALE_AFTER)
        due = (col(JobRow.status) == Status.PAUSED) & (col(JobRow.retry_at) <= at)
        free = or_(col(JobRow.status) == Status.QUEUED, due, silent)
        with self._database.writing() as session:
            busy = _running(session, at)
            if 0 < self._most_running <= sum(busy.values()):
                return None
            full = [name for name, n in busy.items() if 0 < self._most_of_project <= n]
            first = select(JobRow).where(free, col(JobRow.project).not_in(full))
            first = first.order_by(*_turns(busy)).limit(1)
            while job := session.exec(first).one_or_none():
                job.crashes += job.status == Status.RUNNING
                if _is_to_leave(job):  # which its silent runner can no longer do
                    _requeue(session, job)
                elif job.crashes < MAX_CRASHES:
                    return _take(session, job, runner, at)
                else:
                    end_job(session, job, _poisoned(job))
                session.flush()
        return None

    def release(self, runner: str, *, crashed: bool) -> None:
        """Puts back what a dead runner held, without waiting for its silence to be noticed."""
        held = select(JobRow).where(JobRow.runner == runner, JobRow.status == Status.RUNNING)
        with self._database.writing() as session:
            for job in session.exec(held).all():
                job.crashes += crashed
                _requeue(session, job)

    def beat(self, held: JobRow) -> bool:
        """Proof of life; tells whether the job's owner wants it cancelled or paused.

        Raises:
            LostJob: another runner has taken the job over.
        """
        with self._database.writing() as session:
            return _is_to_leave(_hold(session, held, heartbeat=time.time()))

    def record_baseline(
        self,
        held: JobRow,
        baseline: dict[str, Any],
        saved: CheckpointRow,
        timing: TimingRow,
        rung: str | None = None,
    ) -> None:
        """The baseline's train and dev figures and the state before the first generation."""
        with self._database.writing() as session:
            job = _hold(session, held, heartbeat=time.time(), baseline=baseline, rung=rung)
            job.queries = saved.queries
            _add_time(job, timing)
            session.merge(saved)
            status_event(session, job.id, Status.RUNNING)

    def record(
        self,
        held: JobRow,
        row: GenerationRow,
        timing: TimingRow,
        saved: CheckpointRow,
        prompt: PromptRow | None,
    ) -> None:
        """One finished generation: its row, checkpoint, incumbent and event, or none of them.

        `prompt` is given only when the incumbent changed.

        Raises:
            LostJob: another runner has taken the job over.
        """
        with self._database.writing() as session:
            job = _hold(session, held, heartbeat=time.time(), crashes=0, outages=0)
            job.generation, job.queries = row.number, row.queries
            _add_time(job, timing)
            _stamp(session, timing)
            for each in (row, timing, saved):
                session.merge(each)
            if prompt is not None:
                session.merge(prompt)
            session.add(EventRow(job_id=job.id, type="generation", data={"number": row.number}))

    def progress(self, job_id: str) -> Progress | None:
        """Where to go on, or None before the baseline has been measured."""
        with self._database.reading() as session:
            saved = session.get(CheckpointRow, job_id)
            return Progress(saved, session.get(PromptRow, job_id)) if saved else None

    def hand_back(self, held: JobRow) -> None:
        """The job waits again, or is cancelled or paused if its owner wants that.

        Whoever takes it next goes on after the last recorded generation.
        """
        with self._database.writing() as session:
            _requeue(session, _hold(session, held))

    def pause(self, held: JobRow, error: dict[str, Any], *, at: float | None = None) -> None:
        """The endpoint does not answer: the job waits, twice as long after each time in a row."""
        at = time.time() if at is None else at
        with self._database.writing() as session:
            job = _hold(session, held)
            if _is_to_leave(job):
                return _requeue(session, job)
            job.status, job.runner, job.error = Status.PAUSED, None, error
            job.retry_at = at + min(FIRST_PAUSE * 2**job.outages, LONGEST_PAUSE)
            job.outages += 1
            session.add(job)
            return status_event(session, job.id, Status.PAUSED)

    def finish(self, held: JobRow, ending: Ending) -> None:
        with self._database.writing() as session:
            end_job(session, _hold(session, held), ending)


def _running(session: Session, at: float) -> dict[str, int]:
    """Jobs under way by project; those whose runner went silent do not count."""
    alive = col(JobRow.heartbeat) >= at - STALE_AFTER
    query = select(JobRow.project, func.count()).where(JobRow.status == Status.RUNNING, alive)
    return dict(session.exec(query.group_by(col(JobRow.project))).all())


def _turns(busy: dict[str, int]) -> list[Any]:
    """Who is first: by priority, by how little the project has, by age."""
    fewest = [case(busy, value=col(JobRow.project), else_=0)] if busy else []
    return [col(JobRow.priority).desc(), *fewest, col(JobRow.id)]


def _hold(session: Session, held: JobRow, **values: Any) -> JobRow:
    """Compare and swap: writes to a job only if this runner still has it."""
    statement = (
        update(JobRow)
        .where(
            col(JobRow.id) == held.id,
            col(JobRow.status) == Status.RUNNING,
            col(JobRow.runner) == held.runner,
            col(JobRow.attempts) == held.attempts,
        )
        .values(**{"heartbeat": col(JobRow.heartbeat), **values})
        .returning(JobRow)
    )
    job = session.scalars(statement).one_or_none()
    if job is None:
        raise LostJob(f"job {held.id} is no longer {held.runner}'s")
    return job


def _is_to_leave(job: JobRow) -> bool:
    return job.cancel_requested or job.pause_requested


def _add_time(job: JobRow, timing: TimingRow) -> None:
    job.seconds += timing.seconds
    job.model_seconds += timing.model_seconds


def _stamp(session: Session, timing: TimingRow) -> None:
    """With the instant, and what the job's account says it has spent on APIs."""
    usage = session.get(UsageRow, timing.job_id) or UsageRow(job_id=timing.job_id)
    timing.at, timing.cost = now(), usage.cost
    timing.tokens = usage.tokens_in + usage.tokens_out


def _take(session: Session, job: JobRow, runner: str, at: float) -> JobRow:
    job.status, job.runner, job.heartbeat = Status.RUNNING, runner, at
    job.attempts += 1
    job.retry_at, job.error = None, None
    job.started_at = job.started_at or now()
    session.add(job)
    status_event(session, job.id, Status.RUNNING)
    return job


def _requeue(session: Session, job: JobRow) -> None:
    if job.cancel_requested:
        return end_job(session, job, Ending(Status.CANCELLED, "cancelled"))
    if job.pause_requested:
        return pause_job(session, job)
    job.status, job.runner = Status.QUEUED, None
    session.add(job)
    return status_event(session, job.id, Status.QUEUED)


def _poisoned(job: JobRow) -> Ending:
    message = (
        f"the runner died {job.crashes} times in a row on generation {job.generation + 1} without "
        "finishing it, out of memory perhaps; everything recorded before is kept"
    )
    error = {"message": message, "type": "service_error", "param": None, "code": "runner_died"}
    return Ending(Status.FAILED, "failed", error)
