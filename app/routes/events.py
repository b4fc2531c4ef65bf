"""A job's events as they happen, over Server-Sent Events."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Any

import anyio
from anyio import to_thread
from fastapi import APIRouter, Depends, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app.deps import LARGEST, Seen, StoreDep
from app.errors import REFUSALS
from app.routes.jobs import public_job
from app.schemas import GenerationPublic
from jobs.models import ENDED, EventRow
from jobs.store import JobStore, NoSuchJob

router = APIRouter(prefix="/api/jobs", tags=["jobs"])

ENVELOPE = {"schema": {"$ref": "#/components/schemas/ErrorEnvelope"}}
ERRORS: dict[int | str, dict[str, Any]] = {  # in JSON, though the stream is not
    code: {"description": HTTPStatus(code).phrase, "content": {"application/json": ENVELOPE}}
    for code in REFUSALS
}
LOOK = 0.25  # seconds between two looks at the events table


def _existing(job_id: str, store: StoreDep) -> str:
    """Refuses an unknown job before the stream has begun."""
    return store.job(job_id).id


@router.get(
    "/{job_id}/events",
    summary="Follow a job (SSE)",
    response_class=EventSourceResponse,
    responses=ERRORS,
)
async def follow_job(
    job_id: Annotated[str, Depends(_existing)],
    store: StoreDep,
    after: Seen = 0,
    last_event_id: Annotated[int | None, Header(ge=0, le=LARGEST)] = None,
) -> AsyncIterator[ServerSentEvent]:
    """`status`, `generation` and `result` as they come; `done` is the last one.

    A client that was cut off asks again with the id of the last event it saw, in the header
    `Last-Event-ID` or as `after`, and misses nothing.
    """
    seen = max(after, last_event_id or 0)
    while True:  # until `done`, or until the client goes and this task is cancelled
        try:
            over, events = await to_thread.run_sync(_events, store, job_id, seen)
        except NoSuchJob:
            return  # deleted while it was followed
        for id_, type_, data in events:
            seen = id_
            yield ServerSentEvent(id=str(id_), event=type_, data=data)
            if type_ == "done":
                return
        if over and not events:
            return  # `done` had been seen before: there is no more to come
        await anyio.sleep(LOOK)


def _events(store: JobStore, job_id: str, after: int) -> tuple[bool, list[tuple[int, str, Any]]]:
    """Whether the job had ended before this look, and what is new."""
    over = store.job(job_id).status in ENDED
    rows = store.events(job_id, after=after)
    return over, [(row.id or 0, row.type, _data(store, row)) for row in rows]


def _data(store: JobStore, row: EventRow) -> Any:
    """An event is a pointer; what it points at is read now."""
    if row.type == "generation":
        number = int(row.data["number"])
        [(generation, timing)] = store.generations(row.job_id, after=number - 1, limit=1)
        return GenerationPublic.of(generation, timing)
    if row.type == "status":
        return {**row.data, "job": public_job(store, row.job_id)}
    if row.type == "result":
        return {"result": public_job(store, row.job_id).result}
    return row.data
