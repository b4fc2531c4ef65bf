"""Whatever a server does wrong: the answers are the same, and the account says what it billed."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from backends.base import BackendRefused, BackendUnavailable, Usage
from backends.remote import breaker
from backends.remote.money import Prices
from tests.backends.remote import faulty
from tests.backends.remote.conftest import chat_question, question, right
from tests.backends.remote.faulty import Plan
from tests.backends.remote.plain import Plain
from tests.backends.remote.wallet import Spent, Wallet
from tests.conftest import eventually

PRICES = Prices.per_million(0.15, 0.6)
PASSING = [fault for fault in faulty.FAULTS if fault not in ("400", "401")]
NUMBERS = range(24)


def billed(server) -> Usage:
    """What the server may have billed, in the account's words: it answered, or broke off."""
    told = server.counters
    tokens_in = told.tokens_in + told.unanswered_in
    tokens_out = told.tokens_out + told.unanswered_out
    cost = PRICES.cost(tokens_in, tokens_out)
    return Usage(told.billed + told.unanswered, tokens_in, tokens_out, cost)


@pytest.fixture
def asked(connect):
    """(answers, wallet) of the questions of these numbers."""

    def ask(server, numbers, make=question, **options):
        pool = connect(server.url, **{"prices": PRICES, **options})
        pool.account = wallet = Wallet()
        answers = pool.send([make(n) for n in numbers])
        return answers, wallet

    return ask


@pytest.mark.parametrize("fault", PASSING)
@pytest.mark.parametrize("make", [question, chat_question])
def test_a_fault_changes_neither_answers_nor_bill(server, asked, fault, make, monkeypatch):
    # half of the requests fail, on a slow machine five in a row: the breaker has its own tests
    monkeypatch.setattr(breaker, "FAILURES", 1_000)
    server.set(Plan([fault], every=2))
    answers, wallet = asked(server, NUMBERS, make, timeout=1.5 if fault == "stall" else 30.0)
    assert answers == [right(n) for n in NUMBERS]
    assert server.counters.faults[fault] >= 4
    assert wallet.spent == billed(server)
    assert (wallet.outstanding, wallet.reserved) == (Usage(), wallet.settled)
    assert len(wallet.kept) == len(NUMBERS)


def test_all_faults_one_after_the_other(server, asked):
    order = ["reset", "nan", "429-after", "truncated", "429", "short"]
    server.set(Plan(order))
    answers, wallet = asked(server, range(3))
    assert answers == [right(n) for n in range(3)]
    assert server.counters.received == 3 * (len(order) + 1)
    assert wallet.spent == billed(server)


def test_what_is_kept_is_the_good_answer(server, asked):
    server.set(Plan(["nan"]))
    _, wallet = asked(server, range(3))
    assert not [text for text in wallet.kept.values() if "NaN" in text]


def test_a_refusal_is_not_asked_again(server, asked):
    server.set(Plan(["400"]))
    with pytest.raises(BackendRefused, match="answered 400: refused, for good"):
        asked(server, [1])
    assert server.counters.received == 1


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("500", "answered 500: internal error"),
        ("reset", "reset"),
        ("stall", "0.1 seconds"),
        ("nan", "no number"),
        ("truncated", "not JSON"),
        ("cut", "broken answer"),
    ],
)
def test_a_fault_that_stays_is_told(server, asked, fault, says):
    server.set(Plan([fault], forever=True))
    with pytest.raises(BackendUnavailable) as raised:
        asked(server, [1], timeout=0.1 if fault == "stall" else 10, attempts=3)
    assert server.url.removesuffix("/v1") in str(raised.value)
    assert says in str(raised.value)
    assert str(raised.value).endswith("after 3 attempts")
    assert server.counters.received == 3


def test_nobody_there(connect):
    with faulty.running() as server:
        pass
    pool = connect(server.url, attempts=2)
    pool.account = wallet = Wallet()
    with pytest.raises(BackendUnavailable, match=r"(?i)connect.* after 2 attempts"):
        pool.send([question(1)])
    assert (wallet.settled, wallet.spent) == (2, Usage())


def test_an_answer_after_the_timeout_is_paid_for(connect):
    """The server has worked and billed, though nobody heard what it said."""
    with faulty.running(latency=0.5) as server:
        pool = connect(server.url, timeout=0.1, attempts=1, prices=PRICES)
        pool.account = wallet = Wallet()
        with pytest.raises(BackendUnavailable, match="no answer within"):
            pool.send([question(1)])
        eventually(lambda: server.counters.billed == 1)
        assert wallet.spent == billed(server)


def test_too_many_requests_never_fail_a_job(server, asked):
    """However often one is refused: only the server's silence counts."""
    server.set(Plan(["429", "429-after"] * 2))
    answers, wallet = asked(server, range(3), attempts=2)
    assert answers == [right(n) for n in range(3)]
    assert wallet.spent == billed(server)


def test_who_waits_is_woken_when_a_pause_ends(server, connect):
    """The pause is shorter than the time after which the failed one comes back."""
    server.set(Plan(["503"]))
    pool = connect(server.url, concurrency=1)
    with ThreadPoolExecutor(4) as threads:
        answers = threads.map(lambda n: pool.send([question(n)]), range(4))
    assert list(answers) == [[right(n)] for n in range(4)]


def test_a_server_that_refuses_for_too_long_is_unavailable(server, asked):
    server.set(Plan(["429"], forever=True))
    with pytest.raises(BackendUnavailable, match="answered 429, to be left alone"):
        asked(server, range(4), patience=0.5)
    assert server.counters.received < 60  # it waits, and does not spin


def test_told_to_wait_it_waits_and_the_next_asks_nobody(connect):
    with Plain(refuse(b"retry-after: 3600")) as plain:
        pool = connect(f"http://127.0.0.1:{plain.port}/v1", patience=1.0)
        for _ in range(3):
            with pytest.raises(BackendUnavailable, match="left alone for 3600 seconds"):
                pool.send([question(1)])
    assert plain.connections == 1


@pytest.mark.parametrize(
    "header",
    [
        b"retry-after: 0.3",
        b"retry-after-ms: 300",
        b"x-ratelimit-remaining-requests: 0\r\n",
        b"x-ratelimit-remaining-tokens: 0\r\nx-ratelimit-reset-tokens: 300ms",
    ],
)
def test_a_wait_that_is_asked_for_is_kept(connect, header):
    if header.endswith(b"\r\n"):
        header += b"x-ratelimit-reset-requests: 0.3s"
    with Plain(refuse(header)) as plain:
        pool = connect(f"http://127.0.0.1:{plain.port}/v1", patience=0.45)
        start = time.monotonic()
        with pytest.raises(BackendUnavailable):
            pool.send([question(1)])
    assert 2 <= plain.connections <= 3  # at 0, 0.3 and 0.6 seconds; then its patience has ended
    assert time.monotonic() - start >= 0.3 * (plain.connections - 1)


def test_an_empty_allowance_is_waited_for_before_it_is_refused(connect):
    times = []

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        times.append(time.monotonic())
        head = b"x-ratelimit-remaining-requests: 0\r\nx-ratelimit-reset-requests: 200ms\r\n"
        writer.write(b"HTTP/1.1 200 OK\r\n" + head + b"content-length: 2\r\n\r\n{}")

    with Plain(answer) as plain:
        pool = connect(f"http://127.0.0.1:{plain.port}/v1")
        pool.ask("GET", "models")
        pool.ask("GET", "models")
    assert times[1] - times[0] >= 0.2


def refuse(header):
    async def handle(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 429 Slow\r\n" + header + b"\r\ncontent-length: 0\r\n\r\n")

    return handle


WALLS = {
    "requests": Usage(100, 10**9, 10**9, 10**12),
    "tokens": Usage(10**9, 10**9, 301, 10**12),
    "cost": Usage(10**9, 10**9, 10**9, 250 * 10**6),
}
COST = PRICES.cost(question(1).tokens_in, question(1).tokens_out)
ONE = {"requests": ("requests", 1), "tokens": ("tokens_out", 3), "cost": ("cost", COST)}


@pytest.mark.parametrize("fault", ["ok", "reset", "nan", "429"])
@pytest.mark.parametrize("wall", WALLS)
def test_64_at_once_never_pass_a_wall_and_come_close(connect, wall, fault):
    most = WALLS[wall]
    with faulty.running(Plan([fault], every=3), latency=0.02) as server:
        pool = connect(server.url, prices=PRICES, concurrency=64)
        pool.account = wallet = Wallet(most)
        with pytest.raises(Spent):
            pool.send([question(n) for n in range(1000)])
        told = billed(server)
    assert wallet.spent == told
    assert wallet.outstanding == Usage()
    field, one = ONE[wall]
    left = getattr(most, field) - getattr(told, field)
    # what was set aside for requests that then failed is all that may remain
    assert 0 <= left < one * (1 if fault == "ok" else 64)


def test_a_replica_that_fails_is_left_out(connect):
    with faulty.running(Plan(["500"], forever=True)) as bad, faulty.running() as good:
        pool = connect(bad.url, good.url)
        for start in range(0, 300, 50):
            numbers = range(start, start + 50)
            assert pool.send([question(n) for n in numbers]) == [right(n) for n in numbers]
        assert good.counters.billed == 300
        assert bad.counters.received < 30


def test_replicas_share_the_work(connect):
    with faulty.running(latency=0.01) as one, faulty.running(latency=0.01) as other:
        connect(one.url, other.url).send([question(n) for n in range(200)])
        assert min(one.counters.billed, other.counters.billed) >= 60


def test_when_all_replicas_are_down_each_is_named(connect):
    with faulty.running() as one, faulty.running() as other:
        pass
    pool = connect(one.url, other.url, attempts=100)
    with pytest.raises(BackendUnavailable) as raised:
        pool.send([question(n) for n in range(20)])
    assert one.url in str(raised.value)
    assert other.url in str(raised.value)
    assert "attempts in a row" in str(raised.value)


def test_a_server_that_comes_back_is_found_again(connect):
    with faulty.running() as server:
        port = int(server.url.split(":")[2].removesuffix("/v1"))
        pool = connect(server.url)
        assert pool.send([question(1)]) == [right(1)]
    with pytest.raises(BackendUnavailable):
        connect(server.url, attempts=1).send([question(1)])
    with faulty.running(port=port):
        assert pool.send([question(2)]) == [right(2)]


def test_a_limit_of_64_is_found(connect):
    with faulty.running(latency=0.1, limit=64) as server:
        pool = connect(server.url)
        pool.send([question(n) for n in range(1000)])
        refused = server.counters.received - server.counters.billed
        assert server.counters.most_in_flight >= 64
        assert server.counters.most_in_flight - 64 <= 40
        assert refused <= 200


def test_the_server_is_read_and_set_over_http(server, connect):
    pool = connect(server.url)
    root = server.url.removesuffix("/v1")
    httpx.put(f"{root}/control", json={"faults": ["reset"]}, trust_env=False)
    pool.send([question(n) for n in range(3)])
    told = httpx.get(f"{root}/control", trust_env=False).json()
    assert (told["billed"], told["faults"]) == (3, {"reset": 3, "ok": 3})
    eventually(lambda: server.counters.in_flight == 0)
