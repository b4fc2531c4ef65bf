"""What a sync and an async job share: attributes of the last known state. It asks nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from gradless import types
from gradless.errors import JobFailed

FORMATS = {".safetensors": "safetensors", ".txt": "text", ".json": "json", ".zip": "peft"}
REPORT_FORMATS = {".json": "json", ".md": "markdown", ".html": "html"}


class JobView:
    """The attributes of a job as last told by the service; `refresh()` asks again."""

    def __init__(self, state: types.JobState) -> None:
        self.state = state

    @property
    def id(self) -> str:
        return self.state.id

    @property
    def name(self) -> str | None:
        return self.state.name

    @property
    def status(self) -> str:
        """`queued`, `running`, `paused`, `succeeded`, `failed` or `cancelled`."""
        return self.state.status

    @property
    def ended(self) -> bool:
        return self.state.ended

    @property
    def termination_reason(self) -> str | None:
        return self.state.termination_reason

    @property
    def error(self) -> types.Failure | None:
        return self.state.error

    @property
    def spec(self) -> dict[str, Any]:
        return self.state.spec

    @property
    def runner(self) -> str | None:
        return self.state.runner

    @property
    def created_at(self) -> datetime | None:
        return self.state.created_at

    @property
    def started_at(self) -> datetime | None:
        return self.state.started_at

    @property
    def finished_at(self) -> datetime | None:
        return self.state.finished_at

    @property
    def progress(self) -> types.JobProgress:
        return self.state.progress

    @property
    def usage(self) -> types.Usage:
        """Requests, remembered answers, tokens and cost, as far as the last refresh knew."""
        return self.state.usage

    @property
    def scores(self) -> types.Scores | None:
        return self.state.scores

    @property
    def retry_at(self) -> datetime | None:
        """When a paused job goes on by itself; `resume()` makes it sooner."""
        return self.state.retry_at

    @property
    def baseline(self) -> types.Baseline | None:
        return self.state.baseline

    @property
    def incumbent(self) -> types.Incumbent | None:
        return self.state.incumbent

    @property
    def result(self) -> types.Result | None:
        return self.state.result

    def __repr__(self) -> str:
        made = self.progress
        return f"<{type(self).__name__} {self.id} {self.status}, {made.queries:,} queries>"

    def _ended_well(self) -> Self:
        if self.status == "failed":
            reason = self.error.message if self.error else "the service gave no reason"
            raise JobFailed(f"{self.id} failed: {reason}", self)
        return self


def format_of(path: str | Path) -> str:
    """Choose a prompt's file format by the ending of its name.

    Example:
        >>> format_of("refunds.safetensors")
        'safetensors'
    """
    return _format_of(path, FORMATS)


def report_format_of(path: str | Path) -> str:
    """Choose a report's file format by the ending of its name.

    Example:
        >>> report_format_of("refunds.md")
        'markdown'
    """
    return _format_of(path, REPORT_FORMATS)


def _format_of(path: str | Path, formats: Mapping[str, str]) -> str:
    ending = Path(path).suffix.lower()
    if ending not in formats:
        raise ValueError(f"{path} ends in {ending!r}; wanted one of {', '.join(formats)}")
    return formats[ending]


def ids_of(jobs: Iterable[str | JobView]) -> list[str]:
    """Take jobs, or their ids."""
    return [job if isinstance(job, str) else job.id for job in jobs]


def drawn(figure: dict[str, Any]) -> Any:
    """Make a plotly Figure; plotly is loaded here only, because most callers never draw."""
    try:
        from plotly.graph_objects import Figure
    except ImportError as error:
        raise ImportError("plot() needs plotly: pip install 'gradless[plot]'") from error
    return Figure(data=figure.get("data"), layout=figure.get("layout"))
