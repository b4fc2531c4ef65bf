"""What a pool promises its callers, on servers that do not fail."""

import asyncio
import hashlib
import json
import logging
import signal
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backends.base import BackendError, BackendRefused, BackendUnavailable, Usage
from backends.remote.money import Prices
from backends.remote.pool import Malformed, Request, answer_key
from tests.backends.remote import faulty
from tests.backends.remote.conftest import WORDS, chat_question, likeliest, question, right
from tests.backends.remote.plain import Plain
from tests.backends.remote.wallet import Spent, Wallet
from tests.conftest import eventually

KEY = "sk-planted-0123456789"


def test_answers_come_in_the_order_of_the_requests(server, connect):
    numbers = [5, 3, 8, 1, 3]
    assert connect(server.url).send([question(n) for n in numbers]) == [right(n) for n in numbers]


def test_both_routes(server, connect):
    pool = connect(server.url)
    assert pool.send([question(1), chat_question(2)]) == [right(1), right(2)]


def test_nothing_asked_nothing_sent(server, connect):
    assert connect(server.url).send([]) == []
    assert server.counters.received == 0


def test_equal_requests_are_sent_once(server, connect):
    pool = connect(server.url)
    pool.account = wallet = Wallet()
    assert pool.send([question(1)] * 50) == [right(1)] * 50
    assert (server.counters.received, wallet.spent.requests, wallet.recalls) == (1, 1, 1)


def test_samples_are_different_requests_with_equal_bodies(server, connect):
    pool = connect(server.url)
    pool.account = wallet = Wallet()
    pool.send([question(1, sample) for sample in range(4)])
    assert (server.counters.received, len(wallet.kept)) == (4, 4)


def test_kept_answers_cost_nothing(server, connect):
    first, second = connect(server.url), connect(server.url)
    first.account = second.account = wallet = Wallet()
    first.send([question(n) for n in range(5)])
    spent = wallet.spent
    assert second.send([question(n) for n in range(5)]) == [right(n) for n in range(5)]
    assert (wallet.spent, server.counters.received) == (spent, 5)


@pytest.mark.parametrize("kept", ["not json", "[]", "{}", '{"choices": []}'])
def test_a_kept_answer_that_says_nothing_is_asked_again(server, connect, kept):
    pool = connect(server.url)
    pool.account = wallet = Wallet()
    request = question(1)
    key = answer_key([server.url], "toy", request.route, request.body, 0)
    wallet.kept[key] = kept
    assert pool.send([request]) == [right(1)]
    assert json.loads(wallet.kept[key])["choices"]


def test_the_key_of_an_answer_is_a_hash_of_canonical_json():
    canonical = '[["http://a","http://b"],"toy","completions",{"a":[1,2.5],"b":"\\u00e9"},3]'
    expected = hashlib.sha256(canonical.encode()).hexdigest()
    where = ["http://b", "http://a"]  # replicas: their order is not part of the question
    assert answer_key(where, "toy", "completions", {"b": "é", "a": [1, 2.5]}, 3) == expected


def test_every_part_of_the_question_is_in_the_key():
    one = (["http://a"], "toy", "completions", {"prompt": "a"}, 0)
    other = (["http://b"], "toy2", "chat/completions", {"prompt": "b"}, 1)
    changed = [(*one[:i], other[i], *one[i + 1 :]) for i in range(len(one))]
    assert len({answer_key(*each) for each in (one, *changed)}) == 6


def test_what_was_spent_is_what_the_server_says(server, connect):
    prices = Prices.per_million(0.15, 0.6)
    pool = connect(server.url, prices=prices)
    pool.account = wallet = Wallet()
    pool.send([question(n) for n in range(30)])
    told = server.counters
    cost = prices.cost(told.tokens_in, told.tokens_out)
    assert wallet.spent == Usage(30, told.tokens_in, told.tokens_out, cost)
    assert wallet.outstanding == Usage()


def test_more_than_was_thought_possible_is_counted_all_the_same(server, connect):
    low = Request("completions", question(1).body, likeliest, tokens_in=1, tokens_out=1)
    pool = connect(server.url)
    pool.account = wallet = Wallet()
    pool.send([low])
    assert wallet.spent.tokens_out == WORDS


def test_it_may_be_called_inside_a_running_event_loop(server, connect):
    pool = connect(server.url)

    async def main():
        return pool.send([question(1)])

    assert asyncio.run(main()) == [right(1)]


def test_many_threads_share_one_pool(server, connect):
    pool = connect(server.url, concurrency=8)
    with ThreadPoolExecutor(16) as threads:
        answers = threads.map(lambda n: pool.send([question(n), question(n + 100)]), range(16))
    assert list(answers) == [[right(n), right(n + 100)] for n in range(16)]
    assert server.counters.most_in_flight <= 8


@pytest.fixture
def interruptible():
    """A shell that puts us into the background leaves interrupts ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_leaves_no_request_behind(connect, interruptible):
    with faulty.running(["stall"]) as server:
        pool = connect(server.url, timeout=60)
        pool.account = wallet = Wallet()

        def interrupt():
            eventually(lambda: server.counters.in_flight >= 3)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            pool.send([question(n) for n in range(10)])
        assert wallet.outstanding == Usage()
        eventually(lambda: server.counters.in_flight == 0)
        assert pool.send([question(0)]) == [right(0)]


def test_an_error_of_read_that_is_no_malformed_is_passed_on(server, connect):
    def broken(answer):
        raise ZeroDivisionError

    pool = connect(server.url)
    pool.account = wallet = Wallet()
    with pytest.raises(ZeroDivisionError):
        pool.send([Request("completions", question(1).body, broken, 10, WORDS)])
    assert (wallet.spent.requests, wallet.outstanding, wallet.kept) == (1, Usage(), {})


def test_when_the_account_says_no_what_is_in_flight_is_settled(connect):
    with faulty.running(latency=0.05) as server:
        pool = connect(server.url)
        pool.account = wallet = Wallet(Usage(6, 10**6, 10**6, 0))
        with pytest.raises(Spent):
            pool.send([question(n) for n in range(100)])
        assert wallet.spent.requests == server.counters.billed == len(wallet.kept) == 6
        assert wallet.outstanding == Usage()


def test_closing_ends_calls_and_thread(connect):
    with faulty.running(["stall"]) as server:
        pool = connect(server.url, timeout=60)
        with ThreadPoolExecutor(1) as threads:
            call = threads.submit(pool.send, [question(1)])
            eventually(lambda: server.counters.in_flight)
            pool.close()
            with pytest.raises(BackendUnavailable, match="closed"):
                call.result()
        assert not pool._thread.is_alive()
        with pytest.raises(BackendUnavailable, match="closed"):
            pool.send([question(1)])
        pool.close()


def test_plain_questions_get_any_status(server, connect):
    pool = connect(server.url)
    status, models = pool.ask("GET", "models")
    assert (status, models["data"][0]["id"]) == (200, "toy")
    assert pool.ask("POST", "nothing", {})[0] == 404
    assert pool.ask("GET", "/control")[1]["billed"] == 0  # from the server's root


@pytest.mark.parametrize(("fault", "sent"), [("400", 1), ("500", 3), ("not_json", 1)])
def test_plain_questions_are_asked_again_only_where_it_may_help(server, connect, fault, sent):
    server.set(faulty.Plan([fault], forever=True))
    status, answer = connect(server.url).ask("POST", "completions", {"prompt": "", "model": "toy"})
    assert (status, server.counters.received) == ({"not_json": 200}.get(fault) or int(fault), sent)
    assert (answer is None) == (fault == "not_json")


def test_a_key_that_is_not_there_is_not_looked_for(server, connect, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody-else")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-somebody-else")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Secret: 1\nAuthorization: Bearer sk-other")
    connect(server.url).send([question(1)])
    sent = server.counters.headers
    assert sent["authorization"] == "Bearer none"
    assert set(sent) <= {"host", "accept", "content-type", "content-length", "user-agent"} | {
        "authorization"
    }


def test_proxies_of_the_environment_are_not_asked(server, connect, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert connect(server.url).send([question(1)]) == [right(1)]


@pytest.mark.parametrize("fault", ["401", "500", "reset", "stall", "not_json", "429"])
def test_the_key_is_sent_and_shown_nowhere(server, connect, caplog, capfd, fault):
    caplog.set_level(logging.DEBUG)
    server.set(faulty.Plan([fault], forever=True))
    pool = connect(server.url, key=KEY, timeout=1.0, attempts=2, patience=0.2)
    pool.account = wallet = Wallet()
    with pytest.raises(BackendError) as raised:
        pool.send([question(1)])
    assert server.counters.headers["authorization"] == f"Bearer {KEY}"
    shown = [caplog.text, *map(repr, caplog.records), *capfd.readouterr(), repr(pool), repr(wallet)]
    for error in chain(raised.value):
        shown += [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]
        assert not hasattr(error, "request")
    assert not [text for text in shown if KEY in text]
    assert len(caplog.records) > 0


def chain(error):
    """An exception and all that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def test_a_refusal_has_the_servers_words_without_the_key(server, connect):
    server.set(faulty.Plan(["401"]))
    with pytest.raises(BackendRefused) as refused:
        connect(server.url, key=KEY).send([question(1)])
    assert str(refused.value) == (
        f"{server.url} answered 401: Incorrect API key provided: Bearer (the key)"
    )


def test_malformed_is_an_exception_of_its_own():
    assert not issubclass(Malformed, BackendError)


def test_connections_are_kept_and_closed(server, connect):
    pool = connect(server.url, concurrency=2)
    pool.send([question(n) for n in range(50)])
    assert len(faulty.Connections.open) <= 2
    pool.close()
    eventually(lambda: not faulty.Connections.open)


def test_a_connection_that_the_server_has_ended_is_not_used_again(connect):
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    with Plain(answer) as plain:
        pool = connect(f"http://127.0.0.1:{plain.port}/v1", attempts=1)
        for ended in range(1, 4):
            request = Request("completions", {}, lambda said: said, 1, 1, sample=ended)
            assert pool.send([request]) == [{}]
            eventually(lambda: plain.ended == ended)  # noqa: B023


def test_no_descriptor_and_no_thread_is_left_over(server, connect):
    threads = set(threading.enumerate())

    def once():
        pool = connect(server.url)
        pool.send([question(n) for n in range(20)])
        pool.close()
        eventually(lambda: not faulty.Connections.open)
        return len(list(Path("/proc/self/fd").iterdir()))

    assert once() == once() == once()
    assert set(threading.enumerate()) <= threads
