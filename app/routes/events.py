"""A job's events as they happen, over Server-Sent Events."""

import logging
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from typing import Annotated, Any

import anyio
from anyio import TASK_STATUS_IGNORED, to_thread
from anyio.abc import TaskStatus
from fastapi import APIRouter, Depends, FastAPI, Header, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app.deps import LARGEST, Seen, StoreDep
from app.errors import REFUSALS
from app.routes.jobs import public_job
from app.schemas import GenerationPublic
from jobs.models import ENDED, EventRow
from jobs.store import JobStore, NoSuchJob

logger = logging.getLogger(__name__)

ENVELOPE = {"schema": {"$ref": "#/components/schemas/ErrorEnvelope"}}
ERRORS: dict[int | str, dict[str, Any]] = {  # in JSON, though the stream is not
    code: {"description": HTTPStatus(code).phrase, "content": {"application/json": ENVELOPE}}
    for code in REFUSALS
}
LOOK = 0.25  # seconds between two looks at the events table, for all who follow
PATIENCE = 5.0  # seconds; at the latest then one who has heard nothing looks: is the job deleted?


class Bell:
    """Looks at the events table for all who follow jobs, and wakes those whose job has news.

    Were each to look by itself, the looks of fifty would hold up every other request.
    """

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._waiting: set[tuple[str, anyio.Event]] = set()

    @contextmanager
    def awaited(self, job_id: str) -> Iterator[anyio.Event]:
        """Set when the job has news; to be entered before a look, so that none fall between."""
        news = anyio.Event()
        self._waiting.add((job_id, news))
        try:
            yield news
        finally:
            self._waiting.discard((job_id, news))

    async def watch(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Until it is cancelled; it has begun once it knows which event was the last."""
        seen = await to_thread.run_sync(self._store.last_event)
        task_status.started()
        while True:
            await anyio.sleep(LOOK)
            try:
                latest = await to_thread.run_sync(self._store.told_since, seen)
            except Exception:
                logger.exception("events: those who follow jobs look by themselves")
                continue
            seen = max(latest.values(), default=seen)
            for job_id, news in self._waiting:
                if job_id in latest:
                    news.set()


@asynccontextmanager
async def _ringing(app: FastAPI) -> AsyncIterator[dict[str, Bell]]:
    """The bell of a service, as long as this serves; routes find it in their request's state."""
    bell = Bell(app.state.service.store)
    async with anyio.create_task_group() as group:
        await group.start(bell.watch)
        yield {"bell": bell}
        group.cancel_scope.cancel()


router = APIRouter(prefix="/api/jobs", tags=["jobs"], lifespan=_ringing)


async def _bell(request: Request) -> Bell:
    bell: Bell = request.state.bell
    return bell


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
    bell: Annotated[Bell, Depends(_bell)],
    after: Seen = 0,
    last_event_id: Annotated[int | None, Header(ge=0, le=LARGEST)] = None,
) -> AsyncIterator[ServerSentEvent]:
    """`status`, `generation` and `result` as they come; `done` is the last one.

    A client that was cut off asks again with the id of the last event it saw, in the header
    `Last-Event-ID` or as `after`, and misses nothing.
    """
    seen = max(after, last_event_id or 0)
    while True:  # until `done`, or until the client goes and this task is cancelled
        with bell.awaited(job_id) as news:
            try:
                over, events = await to_thread.run_sync(_events, store, job_id, seen)
            except NoSuchJob:
                return  # deleted while it was followed
            for id_, type_, data in events:
                seen = id_
                yield ServerSentEvent(id=str(id_), event=type_, data=data)
                if type_ == "done":
                    return
            if not events:
                if over:
                    return  # `done` had been seen before: there is no more to come
                # not all at once, though they may have begun together
                with anyio.move_on_after(PATIENCE * random.uniform(0.5, 1)):  # noqa: S311
                    await news.wait()


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
