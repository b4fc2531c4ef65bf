"""Pauses, priorities, limits and deletions, as the queue and the store know them."""

import sqlite3
from contextlib import closing

import pytest

from jobs.models import ENDED, Status
from jobs.queue import STALE_AFTER, JobQueue, LostJob
from jobs.spec import JobSpec
from jobs.store import AlreadyEnded, Ending, NoSuchJob, NotEnded, NotPaused
from tests.jobs.conftest import COLORS
from tests.jobs.test_store import finished, prompt_of, types, write

COLORS_SPEC = JobSpec.model_validate(COLORS)
FAR = 1e12  # seconds since the epoch: long after every instant that a job could wait for
TABLES = ("generations", "timings", "checkpoints", "prompts", "reports", "events", "usage")


def rows_of(database, job_id):
    """Number of rows of a job in each table."""
    with closing(sqlite3.connect(database.engine.url.database)) as connection:
        count = "SELECT count(*) FROM {} WHERE job_id = ?"
        return {
            t: connection.execute(count.replace("{}", t), [job_id]).fetchone()[0] for t in TABLES
        }


def test_a_waiting_job_is_paused_at_once_and_until_it_is_resumed(store, queue, enqueue):
    job = enqueue()
    paused = store.pause(job.id)
    assert (paused.status, paused.retry_at, paused.error) == (Status.PAUSED, None, None)
    assert queue.claim("a", at=FAR) is None
    assert store.resume(job.id).status == Status.QUEUED
    assert queue.claim("a").id == job.id
    assert [e.data["status"] for e in store.events(job.id)] == [
        "queued",
        "paused",
        "queued",
        "running",
    ]


def test_a_running_job_is_asked_to_pause(store, queue, enqueue):
    job = enqueue()
    held = queue.claim("a")
    assert not queue.beat(held)
    asked = store.pause(job.id)
    assert (asked.status, asked.pause_requested) == (Status.RUNNING, True)
    assert queue.beat(held)
    write(queue, held, 1)
    queue.hand_back(held)
    stored = store.job(job.id)
    assert (stored.status, stored.runner, stored.pause_requested) == (Status.PAUSED, None, False)
    assert queue.claim("a", at=FAR) is None
    store.resume(job.id)
    assert not queue.beat(again := queue.claim("b"))
    assert queue.progress(again.id).checkpoint.number == 1


def test_pausing_twice_is_pausing_once(store, queue, enqueue):
    job = enqueue()
    store.pause(job.id)
    store.pause(job.id)
    assert types(store, job.id) == ["status", "status"]
    store.resume(job.id)
    queue.claim("a")
    before = types(store, job.id)
    assert store.pause(job.id) == store.pause(job.id)
    assert types(store, job.id) == before


def test_a_pause_may_be_taken_back_before_the_runner_has_seen_it(store, queue, enqueue):
    job = enqueue()
    held = queue.claim("a")
    store.pause(job.id)
    assert store.resume(job.id).status == Status.RUNNING
    assert not queue.beat(held)
    store.pause(job.id)
    assert queue.beat(held)  # it leaves off
    store.resume(job.id)
    queue.hand_back(held)
    assert store.job(job.id).status == Status.QUEUED


def test_a_dead_runner_s_job_is_paused_if_somebody_wanted_that(store, queue, enqueue):
    job = enqueue()
    queue.claim("a")
    store.pause(job.id)
    queue.release("a", crashed=True)
    stored = store.job(job.id)
    assert (stored.status, stored.crashes, stored.retry_at) == (Status.PAUSED, 1, None)


@pytest.mark.parametrize(("wish", "status"), [("pause", "paused"), ("cancel", "cancelled")])
def test_a_silent_runner_s_job_is_left_without_another_runner(wish, status, store, queue, enqueue):
    job, other = enqueue(), enqueue()
    queue.claim("a", at=0.0)
    getattr(store, wish)(job.id)
    assert queue.claim("b", at=STALE_AFTER + 1).id == other.id
    assert (store.job(job.id).status, store.job(job.id).attempts) == (status, 1)


def test_a_pause_of_the_endpoint_becomes_a_person_s(store, queue, enqueue):
    job = enqueue()
    queue.pause(queue.claim("a"), {"message": "down"})
    assert store.job(job.id).retry_at is not None
    paused = store.pause(job.id)
    assert (paused.retry_at, paused.error) == (None, None)
    assert queue.claim("a", at=FAR) is None


def test_an_endpoint_that_is_down_meets_a_person_s_pause(store, queue, enqueue):
    job = enqueue()
    held = queue.claim("a")
    store.pause(job.id)
    queue.pause(held, {"message": "down"})
    assert (store.job(job.id).status, store.job(job.id).retry_at) == (Status.PAUSED, None)
    assert store.job(job.id).outages == 0


@pytest.mark.parametrize("first", ["pause", "cancel"])
def test_cancelling_wins_over_pausing(first, store, queue, enqueue):
    job = enqueue()
    held = queue.claim("a")
    second = {"pause": "cancel", "cancel": "pause"}[first]
    for name in (first, second):
        getattr(store, name)(job.id)
    queue.hand_back(held)
    assert store.job(job.id).status == Status.CANCELLED


def test_a_paused_job_is_cancelled_at_once(store, enqueue):
    job = enqueue()
    store.pause(job.id)
    assert store.cancel(job.id).status == Status.CANCELLED


@pytest.mark.parametrize("status", sorted(ENDED))
def test_what_has_ended_is_not_paused(status, store, queue, enqueue):
    job = enqueue()
    finished(store, queue, job, status)
    with pytest.raises(AlreadyEnded, match=f"{job.id} has already {status}"):
        store.pause(job.id)
    with pytest.raises(NotPaused):
        store.resume(job.id)
    assert store.job(job.id).status == status


def test_a_job_that_ends_before_its_pause_has_ended(store, queue, enqueue):
    job = enqueue()
    held = queue.claim("a")
    store.pause(job.id)
    queue.finish(held, Ending(Status.SUCCEEDED, "budget_spent"))
    assert store.job(job.id).status == Status.SUCCEEDED
    with pytest.raises(NotPaused):
        store.resume(job.id)


def test_the_highest_priority_is_taken_first_and_then_the_oldest(store, queue):
    low, usual, first, second = (
        store.enqueue(COLORS_SPEC, priority=priority).id for priority in (-1, 0, 5, 5)
    )
    assert [queue.claim("a").id for _ in range(4)] == [first, second, usual, low]


@pytest.mark.parametrize("most", [0, 1, 2, 5])
def test_no_more_jobs_run_than_may(most, database, enqueue):
    ids = [enqueue().id for _ in range(4)]
    queue = JobQueue(database, most)
    claimed = [queue.claim(name, at=100.0) for name in "abcd"]
    assert [job.id for job in claimed if job] == ids[: most or 4]
    if most == 1:
        assert queue.claim("e", at=100.0 + STALE_AFTER - 1) is None
        again = queue.claim("e", at=101.0 + STALE_AFTER)
        assert again.id == ids[0], "a silent one does not count, and is taken over"
        queue.finish(again, Ending(Status.SUCCEEDED, "budget_spent"))
        assert queue.claim("e", at=102.0 + STALE_AFTER).id == ids[1]


def test_a_deleted_job_leaves_nothing_but_its_dataset(database, store, queue, enqueue, catalog):
    job, other = enqueue(), enqueue()
    held = queue.claim("a")
    write(queue, held, 1, prompt_of(held))
    queue.finish(held, Ending(Status.SUCCEEDED, "budget_spent", report={"outcome": "improved"}))
    write(queue, kept := queue.claim("a"), 1, prompt_of(kept))
    assert all(rows_of(database, job.id)[table] for table in TABLES if table != "usage")
    before = rows_of(database, other.id)
    store.delete(job.id)
    with pytest.raises(NoSuchJob):
        store.job(job.id)
    assert set(rows_of(database, job.id).values()) == {0}
    assert rows_of(database, other.id) == before
    assert catalog.dataset("colors")
    with pytest.raises(NoSuchJob):
        store.delete(job.id)


@pytest.mark.parametrize("act", [lambda queue: None, lambda queue: queue.claim("a")])
def test_a_job_that_may_still_change_is_deleted_by_force_alone(act, store, queue, enqueue):
    job = enqueue()
    held = act(queue)
    with pytest.raises(NotEnded, match=rf"{job.id} is (queued|running); cancel it .*\?force=true"):
        store.delete(job.id)
    store.delete(job.id, force=True)
    assert store.counts() == {}
    if held is not None:
        with pytest.raises(LostJob):
            queue.beat(held)
        with pytest.raises(LostJob):
            write(queue, held, 1)
    assert queue.claim("b", at=FAR) is None
