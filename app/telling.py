"""What followers of jobs are told: worked out once for all who ask the same."""

import threading
import time
from concurrent.futures import Future
from typing import Any, NamedTuple

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


class Teller:
    """Answers that many want at once are made by the first who asks; the others wait for them.

    Were each to read and write its own, an event of a job that fifty follow would keep the
    service busy for a fifth of a second, with every other request behind it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[tuple[str, int], tuple[float, Future[News]]] = {}

    def news(self, store: JobStore, job_id: str, after: int) -> News:
        """The job's events after the one with this number; it must be known that it may be asked.

        Raises:
            NoSuchJob: it has been deleted.
        """
        key = (job_id, after)
        with self._lock:
            begun = time.monotonic()
            self._forget(begun)
            _, answer = self._answers.get(key, (begun, None))
            first = answer is None
            if answer is None:
                answer = Future()
                self._answers[key] = begun, answer
        if not first:
            return answer.result()
        try:
            news = _news(store, job_id, after)
        except BaseException as error:
            answer.set_exception(error)
            self._drop(key)
            raise
        if not news.events:
            self._drop(key)  # the next event may come at once
        answer.set_result(news)
        return news

    def _drop(self, key: tuple[str, int]) -> None:
        with self._lock:
            self._answers.pop(key, None)

    def _forget(self, at: float) -> None:
        """Those that nobody waits for any more, and that are no longer true."""
        old = [
            key
            for key, (begun, answer) in self._answers.items()
            if at - begun > FRESH and answer.done()
        ]
        for key in old:
            del self._answers[key]


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
