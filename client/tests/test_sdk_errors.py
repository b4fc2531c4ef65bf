"""Every way a call can fail, and what is asked again."""

from __future__ import annotations

import asyncio
import time

import pytest

import gradless
from gradless.errors import BY_STATUS, from_answer

STATUSES = [*BY_STATUS.items(), (500, gradless.ServiceError), (418, gradless.APIError)]


@pytest.mark.parametrize(("status", "kind"), STATUSES)
def test_each_status_has_its_class(client, world, status, kind):
    world.faults = [status] * 3
    with pytest.raises(gradless.APIError) as caught:
        client.datasets()
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.message, error.type) == (status, "ordered by the test", "t")
    assert (error.param, error.code, error.request_id) == ("a.b", "c", "req_1")
    assert str(error) == f"ordered by the test (a.b) [{status} c req_1]"


@pytest.mark.parametrize(("status", "kind"), STATUSES)
def test_each_status_has_its_class_async(url, world, status, kind):
    async def ask():
        async with gradless.AsyncClient() as client:
            await client.datasets()

    world.faults = [status] * 3
    with pytest.raises(kind):
        asyncio.run(ask())


def test_a_refused_setting_says_which(client):
    with pytest.raises(gradless.Invalid, match="did you mean population_size") as caught:
        client.tune(population=3)
    assert (caught.value.param, caught.value.code) == ("method.population", "unknown_field")


@pytest.mark.parametrize("body", [b"<h1>Bad gateway</h1>", b'{"error": "x"}', b"[]", b"", b"\xff"])
def test_bodies_that_are_no_envelope_still_make_an_error(body):
    error = from_answer(502, {}, body)
    assert isinstance(error, gradless.ServiceError)
    assert error.message


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_get_is_asked_again(client, world, status):
    world.faults = [status]
    assert client.health().status == "ok"
    assert len(world.requests) == 2


def test_an_async_get_is_asked_again(url, world):
    async def ask():
        async with gradless.AsyncClient() as client:
            return await client.health()

    world.faults = [503]
    assert asyncio.run(ask()).status == "ok"


def test_it_waits_as_long_as_the_service_asks_for(client, world):
    world.faults, world.retry_after = [429, 503], "0.2"
    begin = time.monotonic()
    assert client.health().status == "ok"
    assert 0.4 <= time.monotonic() - begin < 5
    assert len(world.requests) == 3


def test_a_wait_that_is_too_long_is_the_caller_s(client, world):
    world.faults, world.retry_after = [429], "61"
    with pytest.raises(gradless.RateLimited) as caught:
        client.health()
    assert caught.value.retry_after == 61.0
    assert len(world.requests) == 1


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("3", 3.0),
        ("0.5", 0.5),
        *((said, None) for said in ("-1", "nan", "inf", "", "Wed, 21 Oct 2026 07:28:00 GMT")),
    ],
)
def test_how_long_to_wait_is_read_or_not(said, seconds):
    assert from_answer(429, {"retry-after": said}, b"").retry_after == seconds


def test_a_get_is_asked_three_times_at_most(client, world):
    world.faults = [503] * 9
    with pytest.raises(gradless.ServiceError):
        client.health()
    assert len(world.requests) == 3


def test_a_post_is_never_asked_again(client, world):
    for status, kind in ((503, gradless.ServiceError), (429, gradless.RateLimited)):
        world.faults = [status]
        with pytest.raises(kind):
            client.tune()
    assert (len(world.requests), world.jobs) == (2, {})


def test_nobody_there(dead_url):
    async def ask():
        async with gradless.AsyncClient(dead_url) as client:
            await client.health()

    with pytest.raises(gradless.ConnectionFailed, match="gradless serve"):
        asyncio.run(ask())
    with gradless.Client(dead_url) as client, pytest.raises(gradless.ConnectionFailed):
        client.tune()


def test_a_slow_answer_is_told_from_a_missing_service(url, world):
    world.silent = True
    with gradless.Client(timeout=0.1) as client, pytest.raises(gradless.ConnectionFailed) as caught:
        transport = client._transport
        transport.send(gradless.calls.events(client.tune().id, None))
    assert "did not answer within 0.1 s" in str(caught.value)


def test_something_that_is_not_gradless(client):
    with pytest.raises(gradless.GradlessError, match="is it a Gradless service"):
        client._transport.send(
            gradless.calls.Call("GET", "/healthz", gradless.Dataset.model_validate_json)
        )


def test_the_key_is_sent_and_never_shown(url, world, monkeypatch):
    world.key = "secret"
    with gradless.Client() as client, pytest.raises(gradless.AuthenticationError):
        client.health()
    monkeypatch.setenv("GRADLESS_API_KEY", "secret")
    with gradless.Client() as client:
        assert client.health().status == "ok"
        assert "secret" not in f"{client!r} {client._transport.address!r}"


def test_a_proxy_of_the_environment_is_not_asked_for_loopback(url, dead_url, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", dead_url)
    with gradless.Client() as client:
        assert client.health().status == "ok"


@pytest.mark.parametrize("address", ["127.0.0.1:8000", "ftp://x", "http://", "x y"])
def test_an_address_must_be_one(address):
    with pytest.raises(ValueError, match="wanted an address"):
        gradless.Client(address)
