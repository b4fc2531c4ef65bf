"""What the command line prints: tables for people, JSON for scripts. It asks nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gradless import types
from gradless.progress import duration
from gradless.view import JobView

WIDE = 160  # columns; of output that is no terminal, so that no cell is cut


def console() -> Console:
    """Write to standard output as it is now; plain text if that is no terminal."""
    width = None if sys.stdout.isatty() else WIDE
    return Console(file=sys.stdout, width=width, highlight=False)


def as_json(value: types.Record | Sequence[types.Record] | dict[str, Any]) -> None:
    """Print one JSON document: a record, a list of them, or a plain object."""
    sys.stdout.write(json.dumps(_plain_data(value), ensure_ascii=False, indent=2) + "\n")


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
    """Print how a job ended: tuned against baseline, and what it cost."""
    result = job.result
    sides = [("baseline", result and result.baseline), ("tuned", result and result.tuned)]
    if result:
        titles = ("prompt", "test accuracy", "95 % interval", "rows")
        console().print(_table(titles, [_side_row(name, side or None) for name, side in sides]))
    for name, said in _facts(job.state, address):
        say(f"{name:<10} {said}")


def printable(text: str) -> str:
    """Take out what would steer a terminal; labels and messages are other people's text.

    Example:
        >>> printable("re\\x1b[31md")
        're\ufffd[31md'
    """
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)


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
        _number(best, ".3f"),
        state.name or "",
    )


def _side_row(name: str, side: types.Measured | None) -> tuple[str, ...]:
    if side is None:
        return (name, "-", "-", "-")
    interval = f"{_number(side.low, '.3f')} to {_number(side.high, '.3f')}"
    return (name, _number(side.accuracy, ".3f"), interval, _number(side.n, ","))


def _facts(state: types.JobState, address: str) -> list[tuple[str, str]]:
    result, made = state.result, state.progress
    queries = result.queries if result and result.queries is not None else made.queries
    seconds = result.seconds if result and result.seconds is not None else made.seconds
    facts = [("job", f"{state.id} {state.status}")]
    if result:
        facts.append(("outcome", f"{result.outcome}: {result.message or ''}".rstrip(": ")))
        facts.append(("p-value", _number(result.p_value, ".3g")))
    facts.append(("queries", f"{queries:,}"))
    facts.append(("time", duration(seconds) if seconds is not None else "-"))
    facts.append(("dashboard", address))
    return facts


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
