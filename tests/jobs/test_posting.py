"""Where messages may be sent, and what comes of sending one: real sockets on this machine."""

import asyncio

import pytest

import jobs.posting
from jobs.posting import LONGEST_URL, BadUrl, NoAnswer, check_hook_url, post, reach
from tests.receiver import receiving

URL = "http://127.0.0.1:9/hook"


@pytest.fixture
def receiver():
    with receiving() as server:
        yield server


REFUSED = [
    "",
    "ftp://example.com/x",
    "http:///x",
    "http://user:pass-word@127.0.0.1/x",
    "http://127.0.0.1/x#part",
    "http://127.0.0.1/x?a=1#part",
    "http://127.0.0.1/a b",
    "http://127.0.0.1/x?a=\r\nhost:evil",
    "http://127.0.0.1/ü",
    "http://127.0.0.1/" + "x" * LONGEST_URL,
    "http://169.254.169.254/latest/meta-data",
    "http://[::ffff:169.254.169.254]/",
    "http://0.0.0.0/x",
]


@pytest.mark.parametrize("url", REFUSED)
def test_where_nothing_may_be_sent(url):
    with pytest.raises(BadUrl) as refusal:
        check_hook_url(url)
    assert "pass-word" not in str(refusal.value)


def test_a_receiver_that_never_answers_is_left(receiver):
    receiver.statuses = [0]
    with pytest.raises(NoAnswer, match="no answer within"):
        asyncio.run(post(receiver.url, {}, b"{}", 0.2))


def test_a_name_with_an_address_where_nobody_listens(receiver, monkeypatch):
    async def two(*_):
        return ["127.0.0.2", "127.0.0.1"]

    monkeypatch.setattr(jobs.posting, "resolve", two)
    assert asyncio.run(post(receiver.url, {}, b"{}", 5)) == 204


def test_nobody_there(receiver):
    asyncio.run(reach(receiver.url, 5))
    with pytest.raises(NoAnswer):
        asyncio.run(reach(URL, 5))
    with pytest.raises(NoAnswer):
        asyncio.run(post(URL, {}, b"{}", 5))
