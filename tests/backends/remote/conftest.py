"""Pools that are closed again, and the questions that they are asked."""

import math
from collections.abc import Iterator

import pytest

from backends.remote.pool import Malformed, Pool, Request
from tests.backends.remote import faulty, toy_model

WORDS = 3  # written for one answer


@pytest.fixture
def connect() -> Iterator:
    """Pool(...) for the toy model at some addresses, closed when the test is over."""
    pools = []

    def open_pool(*urls: str, **options) -> Pool:
        pools.append(Pool("toy", urls, **{"timeout": 10.0, **options}))
        return pools[-1]

    yield open_pool
    for pool in pools:
        pool.close()


@pytest.fixture(scope="session")
def one_server() -> Iterator[faulty.Faulty]:
    with faulty.running() as running:
        yield running


@pytest.fixture
def server(one_server) -> faulty.Faulty:
    """One that answers at once, as if new; a test sets its plan."""
    one_server.set(faulty.Plan())
    return one_server


def question(number: int, sample: int = 0) -> Request[dict[str, float]]:
    """Asks for the likeliest words after a text; its bounds are exactly what it will cost."""
    text = f"the film number {number} was"
    body = {"prompt": text, "max_tokens": WORDS, "logprobs": 5}
    return Request("completions", body, likeliest, toy_model.count(text), WORDS, sample)


def chat_question(number: int) -> Request[dict[str, float]]:
    text = f"the film number {number} was"
    body = {"messages": [{"role": "user", "content": text}], "max_tokens": WORDS}
    body |= {"logprobs": True, "top_logprobs": 5}
    return Request("chat/completions", body, likeliest_of_chat, toy_model.count(text), WORDS)


def right(number: int) -> dict[str, float]:
    """The true answer to the question of that number."""
    return dict(list(toy_model.logprobs(f"the film number {number} was").items())[:5])


def likeliest(answer) -> dict[str, float]:
    try:
        return finite(answer["choices"][0]["logprobs"]["top_logprobs"][0])
    except (LookupError, TypeError):
        raise Malformed("there is no log-probability in it") from None


def likeliest_of_chat(answer) -> dict[str, float]:
    try:
        first = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    except (LookupError, TypeError):
        raise Malformed("there is no log-probability in it") from None
    return finite({top["token"]: top["logprob"] for top in first})


def finite(logprobs: dict[str, float]) -> dict[str, float]:
    if not all(map(math.isfinite, logprobs.values())):
        raise Malformed("a log-probability is no number")
    return logprobs
