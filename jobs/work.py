"""A claimed job made ready: everything that its search needs, opened and put together."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from backends.base import Backend, Billed, Generates
from jobs.accounts import Accounts
from jobs.catalog import Catalog
from jobs.ledger import PICO, Ledger, Walls
from jobs.meter import BudgetSpent, Meter
from jobs.methods import Problem
from jobs.models import EndpointRow, JobRow
from jobs.opening import open_endpoint
from jobs.search import Searching
from jobs.spec import Budget, JobSpec
from jobs.task import Split, Task
from jobs.tracing import Tracing, Untraced


@dataclass(frozen=True, eq=False)
class Work:
    """One job in the hands of one runner."""

    job: JobRow
    spec: JobSpec
    task: Task
    split: Split
    backend: Backend
    ledger: Ledger
    meter: Meter
    search: Searching
    look_up: Callable[[], None]  # called between slices of queries; may raise to stop
    subject: Mapping[str, Any]  # of the report: which model and which rows, whatever comes later

    @property
    def rung(self) -> str | None:
        """How label scores are read off answers, where there is more than one way."""
        return getattr(self.backend, "rung", None)

    def set_report_aside(self) -> None:
        """Keeps the price of the final report within the walls of tokens and cost."""
        asked = self.ledger.spent.requests + self.ledger.recalled
        per_query = math.ceil(asked / max(1, self.meter.spent))
        per_row = 1 + self.spec.method.queries_per_input
        self.ledger.held_requests = per_row * len(self.split.test) * per_query


def make_ready(
    job: JobRow,
    catalog: Catalog,
    accounts: Accounts,
    look_up: Callable[[], None],
    tracing: Tracing | None = None,
) -> Work:
    """Opens the models and reads the rows; `look_up` comes before each slice and each request."""
    spec, tracing = JobSpec.model_validate(job.spec), tracing or Untraced()
    watch = _watch(job, spec, look_up)
    ledger = Ledger(accounts, job.id, job.attempts, _walls(spec.budget), spec.cache, watch)
    endpoint = catalog.endpoint(spec.endpoint)
    backend = _opened(endpoint, ledger, tracing)
    name = spec.method.writer_endpoint
    writer = _opened(catalog.endpoint(name), ledger, tracing) if name else None
    assert writer is None or isinstance(writer, Generates)  # admitted
    task = spec.task.made(catalog.pictures(spec.dataset))
    split = catalog.split(spec.dataset)
    meter = Meter(backend, spec.budget.queries, between=watch, writer=writer, around=tracing.asking)
    problem = Problem(backend, task, split, spec.task.baseline, spec.seed)
    search = spec.method.search(problem, meter)
    subject = {
        "endpoint": {"kind": endpoint.kind, "model": endpoint.model},
        "dataset": {"id": spec.dataset, "sha256": catalog.dataset(spec.dataset).sha256},
    }
    return Work(job, spec, task, split, backend, ledger, meter, search, look_up, subject)


def _opened(row: EndpointRow, ledger: Ledger, tracing: Tracing) -> Backend:
    backend = open_endpoint(row)
    if isinstance(backend, Billed):
        backend.bill_to(ledger)
    tracing.watch(backend, row)
    return backend


def _walls(budget: Budget) -> Walls:
    cost = None if budget.cost is None else round(budget.cost * PICO)
    return Walls(budget.tokens, cost)


def _watch(job: JobRow, spec: JobSpec, look_up: Callable[[], None]) -> Callable[[], None]:
    """`look_up`, and the wall of seconds where there is one."""
    if spec.budget.seconds is None:
        return look_up
    deadline = time.monotonic() + spec.budget.seconds - job.seconds

    def watch() -> None:
        look_up()
        if time.monotonic() > deadline:
            raise BudgetSpent(f"{spec.budget.seconds:g} seconds are over", "seconds")

    return watch
