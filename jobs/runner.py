"""The process that works through the queue: claim, search, record, again."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from backends.base import BackendUnavailable
from jobs import checkpoint
from jobs.accounts import Accounts
from jobs.catalog import Catalog
from jobs.database import Database
from jobs.meter import BudgetSpent
from jobs.models import JobRow, Status, TimingRow
from jobs.outcome import measure_baseline, report
from jobs.queue import JobQueue, LostJob
from jobs.records import checkpoint_row, generation_row, incumbent_of, prompt_row
from jobs.search import Generation
from jobs.store import Ending
from jobs.tracing import Tracing, Untraced
from jobs.work import Work, make_ready

logger = logging.getLogger(__name__)

HEARTBEAT = 1.0  # seconds
IDLE = 0.2  # seconds between two looks at an empty queue


class Stopped(Exception):
    """The job is to be left: this runner is to end, or the job's owner cancels or pauses it."""


class Runner:
    """Takes jobs to their end, one after the other."""

    def __init__(
        self,
        database: Database,
        name: str,
        most_running: int = 0,
        most_of_project: int = 0,
        tracing: Tracing | None = None,
    ) -> None:
        """It takes no job while so many are under way elsewhere; 0: no limit."""
        self.queue, self.name = JobQueue(database, most_running, most_of_project), name
        self._database, self._tracing = database, tracing or Untraced()
        self.stop = threading.Event()
        self._halt: type[Exception] | None = None  # what the heartbeat found out

    def work(self) -> None:
        """Until asked to stop."""
        while not self.stop.is_set():
            if job := self.queue.claim(self.name):
                self.run(job)
            else:
                self.stop.wait(IDLE)

    def run(self, job: JobRow) -> None:
        """Takes one claimed job to its end, whatever that is."""
        logger.info("job %s: claimed by %s, attempt %d", job.id, self.name, job.attempts)
        self._halt = None
        with self._tracing.job(job):
            try:
                outcome, error = self._end(job)
            except LostJob:
                logger.warning("job %s: lost to another runner", job.id)
                outcome, error = "lost", ""
            self._tracing.ended(outcome, error)
        logger.info("job %s: left by %s", job.id, self.name)

    def _end(self, job: JobRow) -> tuple[str, str]:
        """As `run`; any of its writes may find that the job is lost.

        Tells the outcome of this attempt, and the class of the exception that ended it.
        """
        try:
            with self._beating(job):
                ending = self._search(job)
            self.queue.finish(job, ending)
            return ending.status, ""
        except Stopped:
            self.queue.hand_back(job)
            return "handed_back", ""
        except LostJob:
            raise
        except BackendUnavailable as error:
            logger.warning("job %s paused: %s", job.id, error)
            self.queue.pause(job, _error(error))
            return Status.PAUSED, type(error).__name__
        except BudgetSpent as error:
            self.queue.finish(job, Ending(Status.FAILED, "budget_spent", _error(error)))
            return Status.FAILED, type(error).__name__
        except Exception as error:
            logger.exception("job %s failed", job.id)
            self.queue.finish(job, Ending(Status.FAILED, "failed", _error(error)))
            return Status.FAILED, type(error).__name__

    def _search(self, job: JobRow) -> Ending:
        theirs = self._database.of(job.project)
        work = make_ready(job, Catalog(theirs), Accounts(theirs), self._look_up, self._tracing)
        try:
            last = self._generations(work)
            if last.incumbent is None:
                raise BudgetSpent(_too_short(work))
            return report(work, last.incumbent)
        finally:
            work.ledger.flush()

    def _generations(self, work: Work) -> Generation[Any]:
        """All there are to come, each recorded; the last one."""
        job, clock = work.job, _Stopwatch(work)
        last = self._resume(work, clock)
        work.set_report_aside()
        run = self._tracing.generations(work.search.run(last), last.number + 1, work.task.measure)
        for generation in run:
            changed = generation.incumbent is not last.incumbent
            prompt = prompt_row(job.id, work.backend, generation.incumbent) if changed else None
            work.ledger.flush()
            self.queue.record(
                job,
                generation_row(job.id, work.meter.spent, generation),
                clock.lap(generation.number),
                checkpoint_row(job.id, work.meter.spent, generation),
                prompt,
            )
            last = generation
            self._look_up()
        return last

    def _resume(self, work: Work, clock: _Stopwatch) -> Generation[Any]:
        """The last recorded generation, or the start with the baseline measured."""
        first = work.search.start()
        saved = self.queue.progress(work.job.id)
        if saved is None:
            baseline = measure_baseline(work)
            start = checkpoint_row(work.job.id, work.meter.spent, first)
            lap = clock.lap(first.number)
            self.queue.record_baseline(work.job, baseline, start, lap, work.rung)
            return first
        work.meter.spent = saved.checkpoint.queries
        state = checkpoint.loads(type(first.state), saved.checkpoint.state)
        return Generation(saved.checkpoint.number, state, incumbent_of(saved.prompt))

    def _look_up(self) -> None:
        """Between two slices of queries: is there a reason to leave off?"""
        if self.stop.is_set():
            raise Stopped
        if self._halt is not None:
            raise self._halt

    @contextmanager
    def _beating(self, job: JobRow) -> Iterator[None]:
        """Tells the store, beside the search, that this runner lives."""
        over = threading.Event()
        thread = threading.Thread(target=self._beat, args=(job, over), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _beat(self, job: JobRow, over: threading.Event) -> None:
        while not over.wait(HEARTBEAT):
            try:
                if self.queue.beat(job):
                    self._halt = Stopped
            except LostJob:
                self._halt = LostJob
                return
            except Exception:
                logger.exception("job %s: no heartbeat", job.id)


class _Stopwatch:
    """Seconds since the last lap, and how many of them went to the model."""

    def __init__(self, work: Work) -> None:
        self._job_id, self._meter = work.job.id, work.meter
        self._at, self._model = time.perf_counter(), self._meter.seconds

    def lap(self, number: int) -> TimingRow:
        at, model = time.perf_counter(), self._meter.seconds
        seconds, model_seconds = at - self._at, model - self._model
        self._at, self._model = at, model
        return TimingRow(
            job_id=self._job_id, number=number, seconds=seconds, model_seconds=model_seconds
        )


def _too_short(work: Work) -> str:
    wall = work.meter.ran_out or "queries"
    kept = ", what the report may cost being kept" if wall in ("tokens", "cost") else ""
    return f"the budget of {wall} did not last for one generation{kept}; make it larger"


def _error(error: Exception) -> dict[str, Any]:
    """What a failed job says of itself; the trace is in the runner's log."""
    name = type(error).__name__
    return {"message": f"{name}: {error}", "type": "service_error", "param": None, "code": name}
