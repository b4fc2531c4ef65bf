"""Requests that are passed on to a real server: what is asked is what a search asks."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from backends.base import BackendRefused, BackendUnavailable
from jobs import prompts
from jobs.endpoints import new_endpoint
from jobs.forwarding import Outgoing, Part, forward, is_forwarded, spliced
from jobs.metrics import METRICS
from jobs.opening import close_endpoints
from jobs.prompts import TextPrompt
from jobs.serving import Served, answer, said
from jobs.task import Task
from tests.model_servers import ModelServer, llama_server
from tests.servers import free_port
from tests.tiny_llama import tiny_llama

KEY, VARIABLE = "sk-forwarded-77aa", "FORWARDED_API_KEY"
INPUTS = {"text": "the film was great ."}
SERVED = "a wonderful plot ."


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with llama_server(tiny_llama(), key=KEY) as server:
        yield server


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(VARIABLE, KEY)
    yield
    close_endpoints()


def tuned(server: ModelServer, template: str = "{prompt} {text} It was", **options: Any) -> Served:
    options |= {"base_url": server.base_url, "key_variable": VARIABLE}
    row = new_endpoint("tiny", "openai", server.model, options)
    task = Task(template, {}, METRICS["contains"](), 3)
    return Served(row, task, "text", prompts.dumps(TextPrompt(SERVED)))


def whole(outgoing: Outgoing) -> Part:
    async def asked() -> Part:
        return await (await forward(outgoing)).whole()

    return asyncio.run(asked())


def parts(outgoing: Outgoing) -> list[Part]:
    async def asked() -> list[Part]:
        return [part async for part in (await forward(outgoing)).parts()]

    return asyncio.run(asked())


@pytest.mark.parametrize("route", ["completions", "chat"])
def test_the_answer_is_the_one_that_was_scored(route: str, server: ModelServer) -> None:
    template = "{prompt} {text} It was" if route == "completions" else "{prompt} {text}"
    served = tuned(server, template, route=route)
    assert is_forwarded(served)
    [wanted] = answer(served, [INPUTS])
    found = whole(spliced(served, INPUTS, [], {}, None, stream=False))
    assert [piece.text.strip() for piece in found.pieces] == [wanted.text]
    bill = said(served, [INPUTS]).usage
    assert bill is not None and found.usage is not None and bill.tokens_in > 0
    assert found.usage["prompt_tokens"] == bill.tokens_in
    assert found.usage["completion_tokens"] == bill.tokens_out


@pytest.mark.parametrize("route", ["completions", "chat"])
def test_a_stream_says_what_the_whole_says(route: str, server: ModelServer) -> None:
    served = tuned(server, route=route)
    found = whole(spliced(served, INPUTS, [], {}, 8, stream=False))
    stream = parts(spliced(served, INPUTS, [], {}, 8, stream=True))
    pieces = [piece for part in stream for piece in part.pieces]
    assert "".join(piece.text for piece in pieces) == found.pieces[0].text
    assert pieces[-1].finish == found.pieces[0].finish
    assert found.usage is not None
    [told] = [part.usage for part in stream if part.usage]
    assert told["completion_tokens"] == found.usage["completion_tokens"]
    assert len(pieces) > 1


def test_sampling_and_earlier_messages_are_passed_on(server: ModelServer) -> None:
    before = [{"role": "system", "content": "look here"}]
    served = tuned(server, "{prompt} {text}", route="chat")
    outgoing = spliced(served, INPUTS, before, {"temperature": 1.5, "n": 2}, 5, stream=False)
    shown = f"{SERVED} {INPUTS['text']}"
    assert outgoing.body["messages"] == [*before, {"role": "user", "content": shown}]
    assert (outgoing.body["temperature"], outgoing.body["max_tokens"]) == (1.5, 5)
    assert sorted(piece.index for piece in whole(outgoing).pieces) == [0, 1]
    by_text = spliced(tuned(server), INPUTS, before, {}, None, stream=False)
    assert "messages" not in by_text.body and by_text.body["temperature"] == 0.0


def test_the_next_replica_is_asked_where_one_is_away(server: ModelServer) -> None:
    served = tuned(server)
    outgoing = spliced(served, INPUTS, [], {}, 2, stream=False)
    away = f"http://127.0.0.1:{free_port()}/v1/completions"
    both = Outgoing((away, *outgoing.urls), outgoing.body, VARIABLE, 10.0)
    assert whole(both).pieces
    with pytest.raises(BackendUnavailable):
        whole(Outgoing((away,), outgoing.body, VARIABLE, 10.0))


def test_refusals_and_forbidden_addresses(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    outgoing = spliced(tuned(server), INPUTS, [], {"temperature": -9}, 2, stream=False)
    no_key = Outgoing(outgoing.urls, outgoing.body, None, 10.0)
    with pytest.raises(BackendRefused, match="answered 401"):
        whole(no_key)
    monkeypatch.setenv("GRADLESS_PRIVATE_HOSTS", "0")
    with pytest.raises(BackendRefused, match="may not be asked"):
        whole(outgoing)


CHUNK = b'data: {"choices": [{"index": 0, "text": "some", "finish_reason": null}]}\n\n'
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
BROKEN = [
    (HEAD + CHUNK, "before its end"),
    (HEAD.replace(b"connection: close", b"content-length: 9999") + CHUNK, "broke off"),
    (HEAD + CHUNK + b"data: nonsense\n\n", "not what its route promises"),
    (HEAD + CHUNK + b'data: {"error": {"message": "m"}}\n\n', "with an error"),
]


@contextmanager
def saying(answer: bytes) -> Iterator[str]:
    """A server that gives this answer to whoever comes first, and goes."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def once() -> None:
            connection, _ = listening.accept()
            with closing(connection):
                connection.recv(65_536)
                connection.sendall(answer)
                # Closing with bytes unread would reset the connection, answer and all.
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65_536):
                    pass

        thread = threading.Thread(target=once)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1/completions"
        thread.join(10)


@pytest.mark.parametrize(("answer", "why"), BROKEN, ids=[why for _, why in BROKEN])
def test_a_stream_that_breaks_off_is_no_answer(answer: bytes, why: str) -> None:
    seen: list[Part] = []

    async def asked(url: str) -> None:
        async for part in (await forward(Outgoing((url,), {}, None, 10.0))).parts():
            seen.append(part)

    with saying(answer) as url, pytest.raises(BackendUnavailable, match=why):
        asyncio.run(asked(url))
    assert [piece.text for part in seen for piece in part.pieces] == ["some"]


def test_a_key_that_a_server_repeats_is_not_told() -> None:
    answer = f"HTTP/1.1 400 Bad\r\nconnection: close\r\n\r\nno key {KEY} here".encode()
    with saying(answer) as url, pytest.raises(BackendRefused) as refused:
        whole(Outgoing((url,), {}, VARIABLE, 10.0))
    assert KEY not in str(refused.value) and "(the key)" in str(refused.value)
