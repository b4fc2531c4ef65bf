"""A job in the stage's hands: what its runner would know, find out and write down."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlmodel import Session, col, update

from backends.base import Usage
from jobs.accounts import Accounts
from jobs.catalog import Catalog
from jobs.database import Database
from jobs.ledger import NOTHING, Ledger, Walls
from jobs.meter import Meter
from jobs.models import EventRow, GenerationRow, JobRow, TimingRow, now
from jobs.objective import Objective
from jobs.outcome import measure_baseline
from jobs.prompts import Kind, TextPrompt, words_of
from jobs.records import generation_row
from jobs.search import Generation, Incumbent
from jobs.spec import JobSpec
from jobs.work import Work
from tests.web import script

SPEED = 395.1  # queries a second
OURS = 0.0043  # share of the time that the optimizer takes
RECALLED, TOKENS = 0.15, (62, 1)  # of requests to an API: share remembered; read and written
BASELINE = {"train": 0.71, "dev": 0.729}  # shares that it answers right


@dataclass
class Act:
    """A claimed job, the model that answers it, and how far it has come."""

    database: Database
    work: Work
    model: script.ScriptedModel
    last: Generation[Any]

    @classmethod
    def of(cls, job: JobRow, database: Database) -> "Act":
        """As `jobs.work.make_ready`, with a model that follows a script."""
        theirs = database.of(job.project)
        catalog, spec = Catalog(theirs), JobSpec.model_validate(job.spec)
        task, split = spec.task.made(catalog.pictures(spec.dataset)), catalog.split(spec.dataset)
        endpoint = catalog.endpoint(spec.endpoint)
        facts = endpoint.probed
        model = script.ScriptedModel(task, facts["rung"] if facts else None)
        meter = Meter(model, 10**12)
        search = script.ScriptedSearch(
            Objective(task, meter, split.train), Objective(task, meter, split.dev)
        )
        work = Work(
            job=job,
            spec=spec,
            task=task,
            split=split,
            backend=model,
            ledger=Ledger(Accounts(theirs), job.id, job.attempts, Walls()),
            meter=meter,
            search=search,
            look_up=lambda: None,
            subject={
                "endpoint": {"kind": endpoint.kind, "model": endpoint.model},
                "dataset": {"id": spec.dataset, "sha256": catalog.dataset(spec.dataset).sha256},
            },
        )
        return cls(theirs, work, model, search.start())

    @property
    def baseline(self) -> TextPrompt:
        return TextPrompt(self.work.spec.task.baseline)

    def measure_baseline(self) -> dict[str, Any]:
        for name, rate in BASELINE.items():
            rows = getattr(self.work.split, name)
            self.model.learn(self.baseline, rows, set(range(round(rate * len(rows)))))
        self.work.job.baseline = measure_baseline(self.work)
        return self.work.job.baseline

    def search(
        self, n: int, kind: Kind, told: Mapping[str, Any]
    ) -> Iterator[tuple[GenerationRow, Generation[Any]]]:
        """The next generations; nothing is written yet."""
        work, last = self.work, self.last
        n_train, n_dev = len(work.split.train), len(work.split.dev)
        each = work.spec.method.least_queries(n_train, n_dev)
        for number in range(last.number + 1, last.number + n + 1):
            found = script.champion(number, work.job.baseline or {}, n_dev, work.spec.seed)
            if kind == "text":
                found = replace(found, text=words_of(script.prompt(kind, number, work.task)))
            best = last.incumbent
            if best is None or found.dev_loss < best.dev_loss:
                made = script.prompt(kind, number, work.task)
                measured = found.train_loss, found.dev_loss, found.dev_accuracy
                best = Incumbent(made, number, *measured)
            last = Generation(number, (), best, found, **told)
            queries = work.meter.spent + (number - self.last.number) * each
            yield generation_row(work.job.id, queries, last), last

    def spend(self, queries: int) -> int:
        """Up to so many queries in all; on an API they are billed. How many these were."""
        new = queries - self.work.meter.spent
        self.work.meter.spent = queries
        if self.model.rung is None:
            return new
        options = Catalog(self.database).endpoint(self.work.spec.endpoint).options
        sent = round(new * (1 - RECALLED))
        read, written = (sent * each for each in TOKENS)
        prices = [options.get(name) or 0.0 for name in ("input_price", "output_price")]
        cost = round(10**6 * (read * prices[0] + written * prices[1]))
        ledger = self.work.ledger
        ledger.recalled += new - sent
        ledger.settle(NOTHING, Usage(sent, read, written, cost))
        ledger.flush()
        return new

    def record_all(self, rows: list[GenerationRow]) -> None:
        """Many generations in one transaction, as if each had been recorded by itself."""
        job, spent = self.work.job, self.work.meter.spent
        self.spend(rows[-1].queries)
        usage, timings = self.work.ledger.spent, []
        for row in rows:
            share = row.queries / rows[-1].queries
            timings.append(timing(job.id, row.number, row.queries - spent))
            timings[-1].at = now()
            timings[-1].tokens = int((usage.tokens_in + usage.tokens_out) * share)
            timings[-1].cost = int(usage.cost * share)
            spent = row.queries
        events = [
            EventRow(job_id=job.id, type="generation", data={"number": row.number}) for row in rows
        ]
        took = {
            name: col(getattr(JobRow, name)) + sum(getattr(each, name) for each in timings)
            for name in ("seconds", "model_seconds")
        }
        with self.database.writing() as session:
            session.add_all([*rows, *timings, *events])
            change(session, job.id, **took)


def change(session: Session, job_id: str, **fields: Any) -> None:
    """Columns of a job's row."""
    session.exec(update(JobRow).where(col(JobRow.id) == job_id).values(**fields))


def timing(job_id: str, number: int, queries: int) -> TimingRow:
    """How long so many queries take."""
    seconds = queries / SPEED
    return TimingRow(
        job_id=job_id, number=number, seconds=seconds, model_seconds=seconds * (1 - OURS)
    )
