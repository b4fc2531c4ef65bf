"""Waiting for a job over streams that break, say nothing or do not exist."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

import gradless
from gradless import follow, types
from gradless.sse import Event


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def state(**more):
    return types.JobState.model_validate({"id": "job_1", "status": "running"} | more)


def event(kind, data):
    return Event(kind, json.dumps(data), "1")


async def waited(job_id):
    async with gradless.AsyncClient() as client:
        return await (await client.job(job_id)).wait(progress=False)


def resumed(world):
    return [head.get("last-event-id") for head in world.asked("GET", "/events")]


def test_a_broken_stream_is_resumed_where_it_broke(client, world):
    world.breaks = [2, 1]
    assert client.tune().wait(progress=False).status == "succeeded"
    assert resumed(world) == [None, "2", "3"]


def test_a_broken_stream_is_resumed_async(client, world):
    world.breaks = [3]
    assert asyncio.run(waited(client.tune().id)).status == "succeeded"
    assert resumed(world) == [None, "3"]


@pytest.mark.parametrize("status", [200, 404, 500])
def test_without_streams_the_job_is_polled(client, world, status, monkeypatch):
    monkeypatch.setattr(follow, "POLL_EVERY", 0.01)
    world.no_streams, world.polled = status, True
    assert client.tune().wait(progress=False).status == "succeeded"
    assert len(world.asked("GET", "/events")) == follow.STREAMS_TRIED


def test_a_service_that_restarts_is_found_again(client, world):
    # The stream breaks, then neither the plain GET nor the next stream is answered for a while.
    world.breaks, world.faults_after_break = [2], [503, 503, 503, 503]
    assert client.tune().wait(progress=False).status == "succeeded"
    assert resumed(world) == [None, "2", "2"]


def test_a_service_that_stays_away_is_given_up(url, world):
    world.breaks, world.faults_after_break = [2], [503] * 20
    with gradless.Client(patience=0.0) as client, pytest.raises(gradless.ServiceError):
        client.tune().wait(progress=False)


@pytest.mark.parametrize("twin", ["sync", "async"])
def test_a_wait_ends_at_its_timeout_and_the_job_goes_on(client, world, twin):
    world.silent = True
    job = client.tune()

    async def wait_async():
        async with gradless.AsyncClient() as other:
            await (await other.job(job.id)).wait(progress=False, timeout=0.2)

    with pytest.raises(gradless.JobTimeout, match=r"still queued after 0.2 s") as caught:
        if twin == "sync":
            job.wait(progress=False, timeout=0.2)
        else:
            asyncio.run(wait_async())
    assert caught.value.job.id == job.id
    world.silent = False
    assert job.wait(progress=False).status == "succeeded"


def test_a_job_that_has_ended_opens_no_stream(client, world):
    job = client.tune().wait(progress=False)
    world.requests.clear()
    assert job.wait().status == "succeeded"
    assert world.asked("GET", "/events") == []


def test_patience_ends():
    clock = Clock()
    following = follow.Follow(state(), None, patience=60.0, clock=clock)
    error = gradless.ConnectionFailed("away")
    following.away(error)
    clock.now += 59.0
    following.away(error)
    following.seen(state())
    clock.now += 2.0
    following.away(error)  # a new absence, a new patience
    clock.now += 60.0
    with pytest.raises(gradless.ConnectionFailed):
        following.away(error)


def test_a_job_that_is_gone_is_not_awaited():
    following = follow.Follow(state(), None, patience=60.0)
    with pytest.raises(gradless.NotFound):
        following.away(gradless.NotFound("no such job", status=404))


def test_pauses_grow_to_a_ceiling_and_an_event_resets_them():
    following = follow.Follow(state(), None, patience=60.0, clock=Clock())
    error, pauses = gradless.ConnectionFailed("away"), []
    for _ in range(12):
        following.away(error)
        pauses.append(following.pause())
    assert pauses[0] <= 0.5
    assert 4.0 <= pauses[-1] <= 8.0
    following.read(b"id: 9\nevent: news\ndata: 1\n\n")
    assert following.pause() <= 0.25
    assert following.stream_call().headers["Last-Event-ID"] == "9"


def test_silence_is_no_fault_but_breaks_are():
    following = follow.Follow(state(), None, patience=60.0)
    for _ in range(9):
        following.broken(httpx.ReadTimeout("quiet"))
    assert following.streaming
    for _ in range(follow.STREAMS_TRIED):
        following.broken(None)
    assert not following.streaming
    assert following.pause() == follow.POLL_EVERY


def test_a_timeout_shortens_the_silence_that_is_borne():
    clock = Clock()
    following = follow.Follow(state(), None, 60.0, timeout=100.0, clock=clock)
    assert following.silence() == 10.0
    clock.now += 99.5
    assert (following.silence(), following.pause() <= 0.5) == (0.5, True)
    clock.now += 0.5
    with pytest.raises(gradless.JobTimeout):
        following.read(b"")


def test_a_generation_moves_the_progress():
    before = state(progress={"generation": 1, "queries": 1000, "budget": 4000, "seconds": 2.0})
    made = {"number": 2, "queries": 2000, "seconds": 4.0}
    incumbent = {"incumbent_generation": 2, "incumbent_dev_accuracy": 0.8}
    after = follow.advanced(before, event("generation", made | incumbent))
    progress = after.progress
    assert (progress.generation, progress.queries, progress.fraction) == (2, 2000, 0.5)
    assert (progress.seconds, progress.queries_per_second, progress.seconds_left) == (6.0, 250, 8.0)
    assert (after.incumbent.generation, after.incumbent.dev_accuracy) == (2, 0.8)
    assert follow.advanced(after, event("generation", made | {"number": 1})) is after


OLD = {"job": {"id": "job_1", "status": "queued", "progress": {"queries": 0}}}
UNREADABLE = [
    event("status", OLD),
    event("status", {"status": "running"}),
    event("generation", {"number": "many"}),
    event("result", None),
    event("news", {}),
    Event("generation", "{torn", None),
]


@pytest.mark.parametrize("told", UNREADABLE)
def test_old_and_unreadable_events_change_nothing(told):
    before = state(progress={"queries": 10})
    assert follow.advanced(before, told) is before
