"""What the command line prints: tables for people, JSON for scripts. It asks nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gradless import facts, types
from gradless.view import JobView
from gradless.words import duration, money, number, printable, spaced

R = TypeVar("R", bound=types.Record)
WIDE = 160  # columns; of output that is no terminal, so that no cell is cut


def console() -> Console:
    """Write to standard output as it is now; plain text if that is no terminal."""
    width = None if sys.stdout.isatty() else WIDE
    return Console(file=sys.stdout, width=width, highlight=False)


def as_json(value: types.Record | Sequence[types.Record] | dict[str, Any]) -> None:
    """Print one JSON document: a record, a list of them, or a plain object."""
    sys.stdout.write(json.dumps(_plain_data(value), ensure_ascii=False, indent=2) + "\n")


def record(value: R, is_json: bool, facts_of: Callable[[R], Iterator[facts.Row]]) -> None:
    """Print everything known of one record, a line each; or as JSON."""
    if is_json:
        return as_json(value)
    grid = Table.grid(padding=(0, 2))
    for name, said in facts_of(value):
        grid.add_row(name, Text(printable(said), overflow="fold"))
    return console().print(grid)


def say(text: str, error: bool = False) -> None:
    stream = sys.stderr if error else sys.stdout
    stream.write(printable(text) + "\n")


def jobs_table(jobs: Iterable[JobView]) -> None:
    """Print a row for each job."""
    rows = [_job_row(job.state) for job in jobs]
    if not rows:
        say("no jobs yet: start one with `gradless tune`")
        return
    titles = ("job", "status", "method", "endpoint", "dataset", "queries", "dev accuracy", "name")
    console().print(_table(titles, rows))


def summary(job: JobView, address: str) -> None:
    """Print how a job ended: tuned against baseline where both were measured, and what it cost."""
    result = job.result
    if result and result.tuned:
        sides = [("baseline", result.baseline), ("tuned", result.tuned)]
        titles = ("prompt", f"test {result.metric or 'accuracy'}", "95 % interval", "rows")
        console().print(_table(titles, [_side_row(name, side) for name, side in sides]))
    for name, said in _facts(job.state, address):
        say(f"{name:<10} {said}")


def endpoints_table(endpoints: Iterable[types.Endpoint]) -> None:
    """Print a row for each endpoint."""
    titles = ("endpoint", "kind", "model", "can do", "price", "asked")
    console().print(_table(titles, map(_endpoint_row, endpoints)))


def datasets_table(datasets: Iterable[types.Dataset]) -> None:
    """Print a row for each dataset."""
    titles = ("dataset", "task", "rows", "train", "dev", "test", "labels")
    console().print(_table(titles, map(_dataset_row, datasets)))


def _plain_data(value: Any) -> Any:
    if isinstance(value, types.Record):
        return value.model_dump(mode="json", by_alias=True)
    return [_plain_data(item) for item in value] if isinstance(value, (list, tuple)) else value


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(box=box.SIMPLE)
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table


def _job_row(state: types.JobState) -> tuple[str, ...]:
    best = state.incumbent.dev_accuracy if state.incumbent else None
    return (
        state.id,
        state.status,
        str((state.spec.get("method") or {}).get("name", "-")),
        str(state.spec.get("endpoint", "-")),
        str(state.spec.get("dataset", "-")),
        f"{state.progress.queries:,}",
        number(best, ".3f"),
        state.name or "",
    )


def _endpoint_row(endpoint: types.Endpoint) -> tuple[str, ...]:
    return (
        endpoint.id,
        endpoint.kind or "-",
        endpoint.model or "-",
        spaced(endpoint.capabilities),
        facts.price(endpoint),
        facts.probed_at(endpoint),
    )


def _dataset_row(dataset: types.Dataset) -> tuple[str, ...]:
    splits = (dataset.splits.get(name) for name in ("train", "dev", "test"))
    return (
        dataset.id,
        dataset.task or "-",
        number(dataset.n_rows, ","),
        *(number(split.rows if split else None, ",") for split in splits),
        f"{len(dataset.labels):,}" if dataset.labels else "-",
    )


def _side_row(name: str, side: types.Measured | None) -> tuple[str, ...]:
    if side is None:
        return (name, "-", "-", "-")
    interval = f"{number(side.low, '.3f')} to {number(side.high, '.3f')}"
    return (name, number(side.accuracy, ".3f"), interval, number(side.n, ","))


def _facts(state: types.JobState, address: str) -> Iterator[tuple[str, str]]:
    result, made, usage = state.result, state.progress, state.usage
    queries = result.queries if result and result.queries is not None else made.queries
    seconds = result.seconds if result and result.seconds is not None else made.seconds
    yield "job", f"{state.id} {state.status}"
    if result:
        yield "outcome", f"{spaced([result.outcome])}: {result.message or ''}".rstrip(": ")
    if result and result.p_value is not None:
        yield "p-value", number(result.p_value, ".3g")
    yield "queries", f"{queries:,}"
    if usage.requests or usage.recalled:
        yield "requests", f"{usage.requests:,}, and {usage.recalled:,} remembered answers"
        yield "tokens", f"{usage.tokens_in:,} read, {usage.tokens_out:,} written"
        yield "cost", money(usage.cost, usage.currency or "")
    if state.scores:
        yield "scores", f"{state.scores.rung}: {state.scores.meaning or ''}".rstrip(": ")
    yield "time", duration(seconds) if seconds is not None else "-"
    yield "dashboard", address
