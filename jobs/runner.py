"""The process that works through the queue: claim, search, record, again."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from backends.base import Backend
from jobs import checkpoint, prompts
from jobs.catalog import Catalog
from jobs.meter import Meter
from jobs.methods import Problem
from jobs.models import JobRow, Status, TimingRow
from jobs.objective import Objective, finite
from jobs.opening import open_endpoint
from jobs.prompts import TextPrompt
from jobs.queue import JobQueue, LostJob
from jobs.records import checkpoint_row, generation_row, incumbent_of, prompt_row
from jobs.report import compare, versions
from jobs.search import Generation, Searching
from jobs.spec import JobSpec
from jobs.store import Ending
from jobs.task import Split, Task

logger = logging.getLogger(__name__)

HEARTBEAT = 1.0  # seconds
IDLE = 0.2  # seconds between two looks at an empty queue


class Stopped(Exception):
    """This runner is asked to end: the job goes back to the queue."""


class Cancelled(Exception):
    """The job's owner asked for it to stop."""


@dataclass(frozen=True, eq=False)
class Work:
    """A claimed job made ready."""

    job: JobRow
    spec: JobSpec
    task: Task
    split: Split
    backend: Backend
    meter: Meter
    search: Searching


class Runner:
    """Takes jobs to their end, one after the other."""

    def __init__(self, queue: JobQueue, catalog: Catalog, name: str) -> None:
        self.queue, self.catalog, self.name = queue, catalog, name
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
        try:
            self._end(job)
        except LostJob:
            logger.warning("job %s: lost to another runner", job.id)
        logger.info("job %s: left by %s", job.id, self.name)

    def _end(self, job: JobRow) -> None:
        """As `run`; any of its writes may find that the job is lost."""
        try:
            with self._beating(job):
                ending = self._search(job)
            self.queue.finish(job, ending)
        except Cancelled:
            self.queue.finish(job, Ending(Status.CANCELLED, "cancelled"))
        except Stopped:
            self.queue.hand_back(job)
        except LostJob:
            raise
        except Exception as error:
            logger.exception("job %s failed", job.id)
            self.queue.finish(job, Ending(Status.FAILED, "failed", _error(error)))

    def _search(self, job: JobRow) -> Ending:
        work = self._prepare(job)
        last = self._resume(work)
        clock = _Stopwatch(work)
        for generation in work.search.run(last):
            changed = generation.incumbent is not last.incumbent
            prompt = prompt_row(job.id, work.backend, generation.incumbent) if changed else None
            self.queue.record(
                job,
                generation_row(job.id, work.meter.spent, generation),
                clock.lap(generation.number),
                checkpoint_row(job.id, work.meter.spent, generation),
                prompt,
            )
            last = generation
            self._look_up()
        return self._report(work, last)

    def _prepare(self, job: JobRow) -> Work:
        spec = JobSpec.model_validate(job.spec)
        assert spec.task.template is not None and spec.task.verbalizer is not None  # admitted
        backend = open_endpoint(self.catalog.endpoint(spec.endpoint))
        task = Task(spec.task.template, spec.task.verbalizer)
        split = self.catalog.split(spec.dataset)
        meter = Meter(backend, spec.budget.queries, between=self._look_up)
        problem = Problem(backend, task, split, spec.task.baseline, spec.seed)
        search = spec.method.search(problem, meter)
        return Work(job, spec, task, split, backend, meter, search)

    def _resume(self, work: Work) -> Generation[Any]:
        """The last recorded generation, or the start with the baseline measured."""
        first = work.search.start()
        if (saved := self.queue.progress(work.job.id)) is None:
            self._measure_baseline(work, first)
            return first
        work.meter.spent = saved.checkpoint.queries
        state = checkpoint.loads(type(first.state), saved.checkpoint.state)
        return Generation(saved.checkpoint.number, state, incumbent_of(saved.prompt))

    def _measure_baseline(self, work: Work, first: Generation[Any]) -> None:
        clock = _Stopwatch(work)
        prompt = TextPrompt(work.spec.task.baseline)
        train, dev = (
            objective.score([(prompt, None)])[0]
            for objective in (work.search.train, work.search.dev)
        )
        baseline = {
            "prompt": prompt.text,
            "train_loss": finite(train.loss),
            "train_accuracy": train.accuracy,
            "dev_loss": finite(dev.loss),
            "dev_accuracy": dev.accuracy,
            "queries": work.meter.spent,
        }
        start = checkpoint_row(work.job.id, work.meter.spent, first)
        self.queue.record_baseline(work.job, baseline, start, clock.lap(first.number))

    def _report(self, work: Work, last: Generation[Any]) -> Ending:
        """The test split, once: the incumbent against the baseline, outside the budget."""
        assert last.incumbent is not None  # admission made sure of one generation
        test = list(work.split.test)
        meter = Meter(work.backend, 2 * len(test), between=self._look_up)
        objective = Objective(work.task, meter, test, work.search.dev.loss)
        asked = [TextPrompt(work.spec.task.baseline), last.incumbent.prompt]
        baseline, tuned = objective.score([(prompt, None) for prompt in asked])
        report = compare(baseline, tuned, test, work.task.labels)
        report["baseline"]["prompt"] = work.spec.task.baseline
        report["tuned"]["kind"] = prompts.kind_of(last.incumbent.prompt)
        report["tuned"]["generation"] = last.incumbent.generation
        report["versions"] = versions()
        report["usage"] = {"queries": work.meter.spent, "report_queries": meter.spent}
        return Ending(Status.SUCCEEDED, "budget_spent", None, _result(report), report)

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
                    self._halt = Cancelled
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


def _result(report: dict[str, Any]) -> dict[str, Any]:
    """The report in a nutshell, for lists."""
    brief = ("accuracy", "n", "low", "high")
    return {
        "outcome": report["outcome"],
        "message": report["message"],
        "baseline": {key: report["baseline"][key] for key in brief},
        "tuned": {key: report["tuned"][key] for key in brief},
        "p_value": report["p_value"],
    }


def _error(error: Exception) -> dict[str, Any]:
    """What a failed job says of itself; the trace is in the runner's log."""
    name = type(error).__name__
    return {"message": f"{name}: {error}", "type": "service_error", "param": None, "code": name}
