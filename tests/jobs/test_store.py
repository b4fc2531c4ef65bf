import json

import pytest
from sqlalchemy.orm.exc import DetachedInstanceError

from jobs.accounts import Accounts
from jobs.models import CheckpointRow, GenerationRow, PromptRow, Status, TimingRow, now
from jobs.spec import JobSpec
from jobs.store import AlreadyEnded, Ending, NoSuchJob


def finished(store, queue, job, status=Status.SUCCEEDED, report=None):
    held = queue.claim("finisher")
    assert held.id == job.id
    queue.finish(held, Ending(status, "budget_spent", None, {"outcome": "improved"}, report))


def write(queue, held, number, prompt=None):
    queue.record(
        held,
        GenerationRow(
            job_id=held.id,
            number=number,
            queries=40 * number,
            train_loss=1 / number,
            train_accuracy=0.5,
            population_loss=2.0,
            dev_loss=None,
            dev_accuracy=0.25,
            incumbent_generation=1,
            incumbent_dev_loss=0.5,
            incumbent_dev_accuracy=0.75,
            internals={"sigma": 1.0},
        ),
        TimingRow(job_id=held.id, number=number, seconds=2.0, model_seconds=1.5),
        CheckpointRow(job_id=held.id, number=number, queries=40 * number, state=b"%d" % number),
        prompt,
    )


def prompt_of(held, generation=1):
    return PromptRow(
        job_id=held.id,
        generation=generation,
        train_loss=0.4,
        dev_loss=0.5,
        dev_accuracy=0.75,
        kind="text",
        text="hi",
        content=b"hi",
        nearest_words=None,
    )


def types(store, job_id, **page):
    return [event.type for event in store.events(job_id, **page)]


def test_a_job_is_stored_as_it_was_asked(store, enqueue):
    job = enqueue(name="mine", metadata={"team": "support"}, seed=2**32 - 1)
    stored = store.job(job.id)
    assert stored.status == Status.QUEUED
    spec = JobSpec.model_validate(stored.spec)
    assert (spec.name, spec.metadata, spec.seed) == ("mine", {"team": "support"}, 2**32 - 1)
    assert list(stored.spec["task"]["verbalizer"]) == ["blue", "red"]
    assert [event.data for event in store.events(job.id)] == [{"status": "queued"}]


def test_unknown_jobs(store):
    for read in (store.job, store.cancel, store.prompt, store.report, store.generations):
        with pytest.raises(NoSuchJob, match="no job 'job_x'"):
            read("job_x")


def test_pages_of_jobs(store, enqueue):
    ids = [enqueue().id for _ in range(5)]
    newest = ids[::-1]
    assert ids == sorted(ids), "ids grow with time"
    assert [job.id for job in store.jobs(limit=3)] == newest[:3]
    assert [job.id for job in store.jobs(after=newest[2], limit=3)] == newest[3:]
    store.cancel(ids[1])
    assert [job.id for job in store.jobs(status=Status.CANCELLED)] == [ids[1]]
    assert [job.id for job in store.jobs(status=Status.QUEUED, after=ids[2])] == [ids[0]]
    assert store.counts() == {"queued": 4, "cancelled": 1}


def test_who_holds_what(store, queue, enqueue):
    jobs = [enqueue() for _ in range(3)]
    queue.claim("a")
    queue.claim("b")
    assert store.held() == {"a": jobs[0].id, "b": jobs[1].id}


def test_a_queued_job_is_cancelled_at_once(store, queue, enqueue):
    job = enqueue()
    cancelled = store.cancel(job.id)
    assert (cancelled.status, cancelled.termination_reason) == (Status.CANCELLED, "cancelled")
    assert store.job(job.id).finished_at is not None
    assert queue.claim("a") is None
    assert types(store, job.id) == ["status", "status", "done"]
    assert store.events(job.id)[-1].data == {"status": "cancelled"}


def test_a_running_job_is_asked_to_stop(store, queue, enqueue):
    job = enqueue()
    held = queue.claim("a")
    assert queue.beat(held) is False
    assert store.cancel(job.id).status == Status.RUNNING
    assert queue.beat(held) is True
    assert store.cancel(job.id).cancel_requested, "asking twice is no error"


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED, Status.CANCELLED])
def test_what_has_ended_cannot_be_cancelled(status, store, queue, enqueue):
    job = enqueue()
    finished(store, queue, job, status)
    with pytest.raises(AlreadyEnded, match=f"has already {status}"):
        store.cancel(job.id)
    assert store.job(job.id).status == status


def test_finishing_writes_the_report_and_the_events(store, queue, enqueue):
    job = enqueue()
    finished(store, queue, job, report={"outcome": "improved"})
    ended = store.job(job.id)
    assert (ended.status, ended.termination_reason) == (Status.SUCCEEDED, "budget_spent")
    assert (ended.result, ended.runner, ended.error) == ({"outcome": "improved"}, None, None)
    assert store.report(job.id).body == {"outcome": "improved", "estimate": None}
    assert types(store, job.id) == ["status", "status", "result", "status", "done"]
    assert [e.data.get("status") for e in store.events(job.id)] == [
        "queued",
        "running",
        None,
        "succeeded",
        "succeeded",
    ]


def test_events_are_numbered_and_can_be_followed(store, queue, enqueue):
    first, second = enqueue(), enqueue()
    held = queue.claim("a")
    for number in (1, 2, 3):
        write(queue, held, number)
    events = store.events(first.id)
    numbers = [event.id for event in events]
    assert numbers == sorted(set(numbers))
    assert not set(numbers) & {event.id for event in store.events(second.id)}
    for cut in range(len(events)):
        rest = store.events(first.id, after=numbers[cut])
        assert [event.id for event in rest] == numbers[cut + 1 :]
    assert [event.id for event in store.events(first.id, limit=2)] == numbers[:2]
    told = [event.data["number"] for event in events if event.type == "generation"]
    assert told == [1, 2, 3]
    json.dumps([event.data for event in events])


def test_pages_of_generations(store, queue, enqueue):
    job, other = enqueue(), enqueue()
    held = queue.claim("a")
    for number in range(1, 6):
        write(queue, held, number)
    assert store.generations(other.id) == []
    assert [row.number for row, _ in store.generations(job.id)] == [1, 2, 3, 4, 5]
    assert [row.number for row, _ in store.generations(job.id, after=2, limit=2)] == [3, 4]
    row, timing = store.generations(job.id, after=4)[0]
    assert (row.queries, row.dev_loss, row.internals) == (200, None, {"sigma": 1.0})
    assert (timing.number, timing.seconds, timing.model_seconds) == (5, 2.0, 1.5)
    assert (store.job(job.id).seconds, store.job(job.id).model_seconds) == (10.0, 7.5)


def test_a_generation_is_stamped_with_what_the_account_says(store, queue, enqueue, database):
    enqueue()
    held = queue.claim("a")
    accounts = Accounts(database)
    accounts.open(held.id, held.attempts)
    for number in (1, 2):
        spent = {"tokens_in": 100 * number, "tokens_out": number, "cost": 7 * number}
        accounts.save(held.id, held.attempts, spent, {})
        write(queue, held, number)
    timings = [timing for _, timing in store.generations(held.id)]
    assert [(each.tokens, each.cost) for each in timings] == [(101, 7), (202, 14)]
    assert timings[0].at <= timings[1].at <= now()


def test_prompts_in_lists_leave_their_content_where_it_is(store, queue, enqueue):
    job, without = enqueue(), enqueue()
    held = queue.claim("a")
    write(queue, held, 1, prompt_of(held))
    assert store.prompt(job.id).content == b"hi"
    assert store.prompt(without.id) is None and store.report(job.id) is None
    listed = store.incumbents([job.id, without.id])
    assert list(listed) == [job.id]
    assert (listed[job.id].text, listed[job.id].dev_accuracy) == ("hi", 0.75)
    with pytest.raises(DetachedInstanceError):
        _ = listed[job.id].content
    assert store.incumbents([]) == {}
