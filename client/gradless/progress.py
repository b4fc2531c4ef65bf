"""Showing how far a job is: a bar on a terminal, calm lines elsewhere. It asks nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from gradless import types
from gradless.words import clock, duration, printable

Show = Callable[[types.JobState], None]

LINE_EVERY = 10.0  # seconds


@contextmanager
def showing(progress: bool | TextIO) -> Iterator[Show]:
    """Choose how to show: nothing, a bar (standard error is a terminal), or lines."""
    if progress is False:
        yield lambda state: None
        return
    stream = sys.stderr if progress is True else progress
    if not stream.isatty():
        yield Lines(stream)
        return
    with bar(stream) as show:
        yield show


class Lines:
    """Writes a line when the status changes, and otherwise no more than one in ten seconds."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._status = ""
        self._next = 0.0

    def __call__(self, state: types.JobState) -> None:
        now = self._clock()
        if state.status == self._status and now < self._next:
            return
        self._status, self._next = state.status, now + LINE_EVERY
        self._stream.write(line(state) + "\n")
        self._stream.flush()


@contextmanager
def bar(stream: TextIO) -> Iterator[Show]:
    """Draw a live bar with queries, dev accuracy and time left."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[detail]}", markup=False),
    )
    console = Console(file=stream, highlight=False)
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=None, detail="")

        def show(state: types.JobState) -> None:
            made = state.progress
            said = f"{state.id} {state.status}"
            progress.update(
                task,
                description=said,
                total=made.budget,
                completed=made.queries,
                detail=detail(state),
            )

        yield show


def line(state: types.JobState) -> str:
    """Tell a state in one line of plain text."""
    return f"{state.id}  {state.status}  {detail(state)}"


def detail(state: types.JobState) -> str:
    """Tell queries, dev accuracy and time left, or why a job is paused and until when.

    Example:
        >>> made = types.JobProgress(queries=1200, budget=5000, fraction=0.24, seconds_left=75.0)
        >>> detail(types.JobState(id="job_1", status="running", progress=made))
        '1,200 of 5,000 queries (24 %), 1 min 15 s left'
    """
    made = state.progress
    of = f" of {made.budget:,}" if made.budget else ""
    share = f" ({made.fraction:.0%})".replace("%", " %") if made.fraction is not None else ""
    parts = [f"{made.queries:,}{of} queries{share}"]
    if state.incumbent and state.incumbent.dev_accuracy is not None:
        parts.append(f"dev {state.metric or 'accuracy'} {state.incumbent.dev_accuracy:.3f}")
    if state.status == "paused":
        parts.append(pause(state))
    elif made.seconds_left is not None and not state.ended:
        parts.append(f"{duration(made.seconds_left)} left")
    return ", ".join(parts)


def pause(state: types.JobState) -> str:
    """Tell why a job is paused and when it goes on."""
    until = f"until {clock(state.retry_at)}" if state.retry_at else "until it is resumed"
    reason = state.error.message if state.error else "somebody paused it"
    return f"{until}: {printable(reason)}"
