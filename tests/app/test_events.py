"""The bell of those who follow jobs: one look for all, nothing missed, and a way on without it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest

from app import telling
from app.routes import events
from app.routes.events import Bell
from app.telling import Teller
from jobs.database import Database
from jobs.models import JobRow
from jobs.spec import JobSpec
from jobs.store import JobStore
from tests.jobs.conftest import COLORS

N = 50  # who follow
TASK = {"template": "{prompt} {text}", "verbalizer": {"blue": "blue", "red": "red"}}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'jobs.db'}")
    database.migrate()
    yield database
    database.close()


@pytest.fixture
def store(database: Database) -> JobStore:
    return JobStore(database)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(events, "LOOK", 0.01)


def enqueue(store: JobStore) -> JobRow:
    return store.enqueue(JobSpec.model_validate({**COLORS, "task": TASK}))


def test_it_wakes_those_whose_job_has_news_and_nobody_else(store):
    quiet, loud = enqueue(store), enqueue(store)

    async def run() -> tuple[bool, bool]:
        bell = Bell(store)
        async with anyio.create_task_group() as group:
            await group.start(bell.watch)
            with bell.awaited(quiet.id) as never, bell.awaited(loud.id) as soon:
                store.cancel(loud.id)
                with anyio.fail_after(10):
                    await soon.wait()
                group.cancel_scope.cancel()
                return never.is_set(), soon.is_set()

    assert anyio.run(run) == (False, True)


async def follow(store: JobStore, bell: Bell, job_id: str, heard: list[str]) -> None:
    async for told in events.follow_job(job_id, store, bell):
        heard.append(told.event)


async def until(predicate: Callable[[], bool]) -> None:
    with anyio.fail_after(30):
        while not predicate():
            await anyio.sleep(0.01)


def counted(monkeypatch, where: object, name: str) -> list[object]:
    """Grows with each call of that function, which goes on as before."""
    calls, function = list[object](), getattr(where, name)

    def call(*args: object) -> object:
        calls.append(args)
        return function(*args)

    monkeypatch.setattr(where, name, call)
    return calls


def test_fifty_who_follow_look_only_when_there_is_news(store, monkeypatch):
    monkeypatch.setattr(events, "PATIENCE", 60.0)
    looks = counted(monkeypatch, Teller, "news")
    written = counted(monkeypatch, telling, "_data")
    rounds = counted(monkeypatch, store, "told_since")
    job, heard = enqueue(store), list[str]()

    async def run() -> None:
        bell = Bell(store)
        async with anyio.create_task_group() as group:
            await group.start(bell.watch)
            async with anyio.create_task_group() as following:
                for _ in range(N):
                    following.start_soon(follow, store, bell, job.id, heard)
                await until(lambda: len(looks) == 2 * N)  # one that heard `queued`, one in vain
                seen = len(rounds)
                await until(lambda: len(rounds) > seen + 10)
                assert len(looks) == 2 * N
                store.cancel(job.id)
            group.cancel_scope.cancel()

    anyio.run(run)
    assert sorted(heard) == ["done"] * N + ["status"] * 2 * N
    assert len(written) < 10  # not each for itself: three events, and few who came just too late


def test_a_stream_ends_when_its_job_is_deleted(store, monkeypatch):
    monkeypatch.setattr(events, "PATIENCE", 0.05)
    job, heard = enqueue(store), list[str]()

    async def run() -> None:
        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                group.start_soon(follow, store, Bell(store), job.id, heard)  # which nobody rings
                await until(lambda: heard == ["status"])
                store.delete(job.id, force=True)

    anyio.run(run)
    assert heard == ["status"]


def test_it_goes_on_after_a_look_that_failed(store, monkeypatch, caplog):
    job, looks = enqueue(store), []
    told_since = store.told_since

    def fail_once(after: int) -> dict[str, int]:
        looks.append(after)
        if len(looks) == 1:
            raise OSError("the disk is away")
        return told_since(after)

    monkeypatch.setattr(store, "told_since", fail_once)

    async def run() -> None:
        bell = Bell(store)
        async with anyio.create_task_group() as group:
            await group.start(bell.watch)
            with bell.awaited(job.id) as news, anyio.fail_after(10):
                store.cancel(job.id)
                await news.wait()
            group.cancel_scope.cancel()

    anyio.run(run)
    assert len(looks) >= 2 and "the disk is away" in caplog.text


def test_the_latest_event_of_each_job_is_told(store):
    assert (store.last_event(), store.told_since(0)) == (0, {})
    first, second = enqueue(store), enqueue(store)
    seen = store.last_event()
    assert store.told_since(0) == {first.id: 1, second.id: 2}
    store.cancel(first.id)
    assert store.told_since(seen) == {first.id: store.last_event()}
