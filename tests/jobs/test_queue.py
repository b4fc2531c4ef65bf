import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from jobs.models import ENDED, CheckpointRow, Status, TimingRow
from jobs.queue import MAX_CRASHES, STALE_AFTER, LostJob
from jobs.store import Ending
from tests.jobs.test_store import prompt_of, types, write

DONE = Ending(Status.SUCCEEDED, "budget_spent")


def test_no_job_is_claimed_twice(store, queue, enqueue):
    ids = [enqueue().id for _ in range(120)]

    def drain(runner):
        claimed = []
        while job := queue.claim(runner):
            claimed.append(job.id)
        return claimed

    with ThreadPoolExecutor(6) as pool:
        claimed = [id_ for each in pool.map(drain, "abcdef") for id_ in each]
    assert sorted(claimed) == ids
    assert store.counts() == {"running": 120}


def test_the_oldest_is_claimed_first(queue, enqueue):
    ids = [enqueue().id for _ in range(3)]
    assert [queue.claim("a").id for _ in range(3)] == ids
    assert queue.claim("a") is None


def test_a_claimed_job(store, queue, enqueue):
    job = enqueue()
    held = queue.claim("a")
    stored = store.job(job.id)
    assert (stored.status, stored.runner, stored.attempts) == (Status.RUNNING, "a", 1)
    assert stored.started_at is not None
    assert stored.heartbeat == pytest.approx(time.time(), abs=10)
    assert (held.id, held.attempts) == (job.id, 1)
    assert store.events(job.id)[-1].data == {"status": "running"}


WRITES = {
    "beat": lambda queue, held: queue.beat(held),
    "record": lambda queue, held: write(queue, held, 1, prompt_of(held)),
    "record_baseline": lambda queue, held: measure(queue, held),
    "hand_back": lambda queue, held: queue.hand_back(held),
    "finish": lambda queue, held: queue.finish(held, DONE),
}


def measure(queue, held):
    saved = CheckpointRow(job_id=held.id, number=0, queries=16, state=b"start")
    timing = TimingRow(job_id=held.id, number=0, seconds=3.0, model_seconds=2.0)
    queue.record_baseline(held, {"train_loss": 0.5}, saved, timing)


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("taker", ["other", "same name"])
def test_a_silent_runner_loses_its_job(name, taker, store, queue, enqueue, database):
    job = enqueue()
    held = queue.claim("same name", at=0.0)
    assert queue.claim(taker, at=STALE_AFTER - 1) is None
    again = queue.claim(taker, at=STALE_AFTER + 1)
    assert (again.id, again.runner, again.attempts) == (job.id, taker, 2)
    before = store.job(job.id), types(store, job.id)
    with pytest.raises(LostJob, match=f"job {job.id} is no longer same name's"):
        WRITES[name](queue, held)
    assert (store.job(job.id), types(store, job.id)) == before
    assert queue.progress(job.id) is None and store.prompt(job.id) is None
    write(queue, again, 1)  # the new runner is not in the way of the old one


@pytest.mark.parametrize("name", WRITES)
def test_nobody_writes_to_an_ended_job(name, store, queue, enqueue):
    job = enqueue()
    held = queue.claim("a")
    queue.finish(held, DONE)
    before = types(store, job.id)
    with pytest.raises(LostJob):
        WRITES[name](queue, held)
    assert types(store, job.id) == before


def test_a_beating_heart_keeps_the_job(queue, enqueue):
    enqueue()
    held = queue.claim("a", at=0.0)
    queue.beat(held)
    assert queue.claim("b", at=time.time() + STALE_AFTER - 1) is None
    assert queue.claim("b", at=time.time() + STALE_AFTER + 1) is not None


def test_the_baseline_is_recorded(store, queue, enqueue):
    job = enqueue()
    measure(queue, queue.claim("a"))
    stored, progress = store.job(job.id), queue.progress(job.id)
    assert (stored.baseline, stored.queries, stored.generation) == ({"train_loss": 0.5}, 16, 0)
    assert (stored.seconds, stored.model_seconds) == (3.0, 2.0)
    assert (progress.checkpoint.state, progress.checkpoint.number) == (b"start", 0)
    assert progress.prompt is None


def test_a_generation_is_recorded(store, queue, enqueue):
    job = enqueue()
    held = queue.claim("a")
    measure(queue, held)
    write(queue, held, 1, prompt_of(held))
    write(queue, held, 2)
    stored, progress = store.job(job.id), queue.progress(job.id)
    assert (stored.generation, stored.queries, stored.seconds) == (2, 80, 7.0)
    assert (progress.checkpoint.state, progress.checkpoint.number) == (b"2", 2)
    assert progress.prompt.content == b"hi", "the incumbent stays when it is not given again"


@pytest.mark.parametrize("broken", ["prompt", "saved"])
def test_recording_is_all_or_nothing(broken, store, queue, enqueue):
    job = enqueue()
    held = queue.claim("a")
    write(queue, held, 1, prompt_of(held))
    before = store.job(job.id), types(store, job.id)
    prompt = prompt_of(held, generation=2)
    saved = CheckpointRow(job_id=held.id, number=2, queries=80, state=b"2")
    if broken == "prompt":
        prompt.content = None  # type: ignore[assignment]
    else:
        saved.state = None  # type: ignore[assignment]
    row, timing = store.generations(job.id)[0]
    second = {"job_id": held.id, "number": 2}
    with pytest.raises(Exception, match="NOT NULL"):
        queue.record(
            held,
            type(row)(**(row.model_dump() | second)),
            type(timing)(**(timing.model_dump() | second)),
            saved,
            prompt,
        )
    assert (store.job(job.id), types(store, job.id)) == before
    assert [row.number for row, _ in store.generations(job.id)] == [1]
    assert queue.progress(job.id).checkpoint.state == b"1"
    assert store.prompt(job.id).generation == 1


def test_a_job_handed_back_waits_again(store, queue, enqueue):
    job = enqueue()
    write(queue, queue.claim("a"), 1)
    queue.hand_back(again := queue.claim("b", at=time.time() + 100))
    stored = store.job(job.id)
    assert (stored.status, stored.runner) == (Status.QUEUED, None)
    assert again.runner == "b"
    assert queue.claim("c").attempts == 3


def test_handing_back_is_no_crash(store, queue, enqueue):
    job = enqueue()
    for _ in range(5):
        queue.hand_back(queue.claim("a"))
    assert store.job(job.id).crashes == 0


def test_a_dead_runner_s_job_is_released(store, queue, enqueue):
    job, other = enqueue(), enqueue()
    queue.claim("dead")
    kept = queue.claim("alive")
    queue.release("dead", crashed=True)
    stored = store.job(job.id)
    assert (stored.status, stored.runner, stored.crashes) == (Status.QUEUED, None, 1)
    assert store.job(other.id).runner == kept.runner == "alive"
    queue.release("dead", crashed=True)  # it holds nothing any more
    assert store.job(job.id).crashes == 1
    queue.claim("next")
    queue.release("next", crashed=False)
    assert store.job(job.id).crashes == 1


def test_a_released_job_that_should_stop_is_cancelled(store, queue, enqueue):
    for give_up in (lambda held: queue.hand_back(held), lambda _: queue.release("a", crashed=True)):
        job = enqueue()
        held = queue.claim("a")
        store.cancel(job.id)
        give_up(held)
        assert store.job(job.id).status == Status.CANCELLED


def crash_by_release(queue, store):
    held = queue.claim("a")
    queue.release("a", crashed=True)
    return held


def crash_by_silence(queue, store):
    """The service itself died: nobody releases, the silence is found by the next claim."""
    return queue.claim("a", at=(store.jobs()[0].heartbeat or 0.0) + STALE_AFTER + 1)


@pytest.mark.parametrize("crash", [crash_by_release, crash_by_silence])
def test_a_job_that_kills_its_runners_fails(crash, store, queue, enqueue):
    job = enqueue()
    for _ in range(MAX_CRASHES):
        assert crash(queue, store) is not None
        assert store.job(job.id).status not in ENDED
    after = enqueue()  # it does not block the queue
    at = store.job(job.id).heartbeat + STALE_AFTER + 1
    assert queue.claim("b", at=at).id == after.id
    failed = store.job(job.id)
    assert (failed.status, failed.termination_reason) == (Status.FAILED, "failed")
    assert failed.error["code"] == "runner_died"
    assert "the runner died 3 times in a row on generation 1" in failed.error["message"]
    assert types(store, job.id)[-1] == "done"


def test_a_recorded_generation_forgives_crashes(store, queue, enqueue):
    job = enqueue()
    for number in (1, 2, 3):
        for _ in range(MAX_CRASHES - 1):
            assert crash_by_release(queue, store) is not None
        write(queue, held := queue.claim("a"), number)
        assert store.job(job.id).crashes == 0
        queue.hand_back(held)
    assert store.job(job.id).status == Status.QUEUED


def test_nothing_has_progressed_before_the_baseline(queue, enqueue):
    assert queue.progress(enqueue().id) is None
