"""A job's events as they happen, over Server-Sent Events."""

import logging
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

import anyio
from anyio import TASK_STATUS_IGNORED, to_thread
from anyio.abc import TaskStatus
from fastapi import APIRouter, Depends, FastAPI, Header, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app.access import Caller
from app.deps import LARGEST, Seen, ServiceDep, StoreDep
from app.errors import REFUSALS
from app.telling import Teller
from jobs.keys import Keys
from jobs.store import JobStore, NoSuchJob

logger = logging.getLogger(__name__)

ENVELOPE = {"schema": {"$ref": "#/components/schemas/ErrorEnvelope"}}
ERRORS: dict[int | str, dict[str, Any]] = {  # in JSON, though the stream is not
    code: {"description": HTTPStatus(code).phrase, "content": {"application/json": ENVELOPE}}
    for code in REFUSALS
}
LOOK = 0.25  # seconds between two looks at the events table, for all who follow
PATIENCE = 5.0  # seconds; at the latest then one who has heard nothing looks: is the job deleted?
TRUST = 2.0  # seconds; a key that was good so lately is not looked up again


class Bell:
    """Looks at the events table for all who follow jobs, and wakes those whose job has news.

    Were each to look by itself, the looks of fifty would hold up every other request.
    """

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self.teller = Teller()
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


def _admission(request: Request, service: ServiceDep) -> Callable[[], bool] | None:
    """Tells whether the caller may still listen: a key may be deleted, or come to its end."""
    caller: Caller = request.state.caller
    if caller.key is None:
        return None
    return partial(Keys(service.database).opens, caller.key)


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
    may_listen: Annotated[Callable[[], bool] | None, Depends(_admission)] = None,
    after: Seen = 0,
    last_event_id: Annotated[int | None, Header(ge=0, le=LARGEST)] = None,
) -> AsyncIterator[ServerSentEvent]:
    """`status`, `generation` and `result` as they come; `done` is the last one.

    A client that was cut off asks again with the id of the last event it saw, in the header
    `Last-Event-ID` or as `after`, and misses nothing. Where its key has been deleted meanwhile, the
    stream ends within seconds.
    """
    seen, trusted = max(after, last_event_id or 0), anyio.current_time()
    while True:  # until `done`, or until the client goes and this task is cancelled
        if may_listen is not None and anyio.current_time() - trusted > TRUST:
            if not await to_thread.run_sync(may_listen):
                return
            trusted = anyio.current_time()
        with bell.awaited(job_id) as news:
            try:
                over, events = await bell.teller.news(store, job_id, seen)
            except NoSuchJob:
                return  # deleted while it was followed
            for id_, type_, data in events:
                seen = id_
                yield ServerSentEvent(id=str(id_), event=type_, raw_data=data)
                if type_ == "done":
                    return
            if not events:
                if over:
                    return  # `done` had been seen before: there is no more to come
                # not all at once, though they may have begun together
                with anyio.move_on_after(PATIENCE * random.uniform(0.5, 1)):  # noqa: S311
                    await news.wait()
