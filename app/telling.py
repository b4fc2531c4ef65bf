"""What followers of jobs are told: worked out once for all who ask the same."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import anyio
from anyio import to_thread
from pydantic_core import to_json

from app.routes.jobs import public_job
from app.schemas import GenerationPublic
from jobs.models import ENDED, EventRow
from jobs.store import JobStore

FRESH = 2.0  # seconds that an answer may be told again: those who were woken together ask together


class Told(NamedTuple):
    """An event as it is sent."""

    id: int
    type: str
    data: str  # JSON


class News(NamedTuple):
    """What is new of a job, and whether it had ended before this was asked."""

    over: bool
    events: list[Told]


@dataclass
class _Asked:
    """A question that is being answered, or was a moment ago."""

    since: float  # seconds, by the event loop's clock
    over: anyio.Event = field(default_factory=anyio.Event)
    news: News | None = None  # None: whoever asked first has gone, or heard an error


class Teller:
    """Answers that many want at once are made by the first who asks; the others wait for them.

    Were each to read and write its own, an event of a job that fifty follow would keep the
    service busy for a fifth of a second, with every other request behind it.
    """

    def __init__(self) -> None:
        self._asked: dict[tuple[str, int], _Asked] = {}

    async def news(self, store: JobStore, job_id: str, after: int) -> News:
        """The job's events after the one with this number; it must be known that it may be asked.

        Raises:
            NoSuchJob: it has been deleted.
        """
        self._forget()
        key = (job_id, after)
        while (asked := self._asked.get(key)) is not None:
            await asked.over.wait()
            if asked.news is not None:
                return asked.news
        asked = self._asked[key] = _Asked(anyio.current_time())
        try:
            asked.news = await to_thread.run_sync(_news, store, job_id, after)
            return asked.news
        finally:
            if asked.news is None or not asked.news.events:
                del self._asked[key]  # the next event may come at once
            asked.over.set()

    def _forget(self) -> None:
        """What is no longer true."""
        oldest = anyio.current_time() - FRESH
        for key, asked in list(self._asked.items()):
            if asked.since < oldest and asked.over.is_set():
                del self._asked[key]


def _news(store: JobStore, job_id: str, after: int) -> News:
    over = store.job(job_id).status in ENDED
    rows = store.events(job_id, after=after)
    return News(over, [Told(row.id or 0, row.type, _data(store, row)) for row in rows])


def _data(store: JobStore, row: EventRow) -> str:
    """An event is a pointer; what it points at is read now."""
    return to_json(_pointed_at(store, row)).decode()


def _pointed_at(store: JobStore, row: EventRow) -> Any:
    if row.type == "generation":
        number = int(row.data["number"])
        [(generation, timing)] = store.generations(row.job_id, after=number - 1, limit=1)
        return GenerationPublic.of(generation, timing)
    if row.type == "status":
        return {**row.data, "job": public_job(store, row.job_id)}
    if row.type == "result":
        return {"result": public_job(store, row.job_id).result}
    return row.data
