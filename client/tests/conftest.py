"""A real HTTP server on loopback for the client's tests."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import fields

import pytest
import uvicorn
from sdk_service import World, build

import gradless
from gradless import follow, transport


@pytest.fixture(scope="session")
def served() -> Iterator[tuple[str, World]]:
    world = World()
    # Said to be TCP, or asyncio leaves Nagle's algorithm on: 40 ms for every answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()  # at once: nobody has to wait for the server
    config = uvicorn.Config(
        build(world), log_level="critical", lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", world
    server.should_exit = True
    thread.join()


@pytest.fixture
def world(served: tuple[str, World]) -> World:
    for kept in fields(World):
        setattr(served[1], kept.name, getattr(World(), kept.name))
    return served[1]


@pytest.fixture
def url(served: tuple[str, World], world: World, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("GRADLESS_URL", served[0])
    monkeypatch.delenv("GRADLESS_API_KEY", raising=False)
    for module in (follow, transport):
        monkeypatch.setattr(module, "FIRST_DELAY", 0.01)
    return served[0]


@pytest.fixture
def client(url: str) -> Iterator[gradless.Client]:
    with gradless.Client() as made:
        yield made


@pytest.fixture
def dead_url() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"
