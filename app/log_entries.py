"""A job's events in words, as its log has them. No SQL, no HTTP."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from app.schemas import measure
from jobs.history import Happening
from jobs.models import GenerationRow, JobRow, Status
from web.formats import loss, measured, percent


class LogEntryPublic(BaseModel):
    """Something that happened to a job; `text` says it to people."""

    object: Literal["log_entry"] = "log_entry"
    id: int
    at: datetime
    type: str
    text: str


def entries(job: JobRow, happenings: list[Happening]) -> list[LogEntryPublic]:
    """What is known now is said: of a failure its reason, of the result its message."""
    by = measure(job)
    return [
        LogEntryPublic(
            id=event.id or 0,
            at=event.created_at,
            type=event.type,
            text=_said(event.type, event.data.get("status"), generation, job, by),
        )
        for event, generation in happenings
    ]


def _said(
    type_: str, status: str | None, generation: GenerationRow | None, job: JobRow, by: str
) -> str:
    if generation is not None:
        return _round(generation, by)
    if type_ == "result":
        return str((job.result or {}).get("message") or "Compared with the baseline on test")
    if type_ == "done" or status is None:
        return "The job has ended"
    name = f"{status[:1].upper()}{status[1:]}"
    reason = _reason(status, job)
    return f"{name}: {reason}" if reason else name


def _round(row: GenerationRow, by: str) -> str:
    said = f"Generation {row.number}: dev loss {loss(row.dev_loss, by)}"
    said += f", dev {measured(by)} {percent(row.dev_accuracy)}"
    return f"{said}; the new incumbent" if row.incumbent_generation == row.number else said


def _reason(status: str, job: JobRow) -> str:
    """Why it has ended so."""
    if status == Status.FAILED and job.error is not None:
        return str(job.error["message"])
    if status == Status.SUCCEEDED and job.termination_reason is not None:
        return job.termination_reason.replace("_", " ")
    return ""
