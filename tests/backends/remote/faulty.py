"""An OpenAI-compatible server that goes wrong on purpose, and counts what it serves and bills.

A plan lists what happens to each distinct request, first sending first: with ["reset", "429"] its
first sending is reset, its second refused, and every later one answered. That does not depend on
which of many requests comes first. `python -m tests.backends.remote.faulty --plan '{"faults":
["reset"]}'` runs it alone and prints its address; `GET` and `PUT /control` read the counters and
set the plan (and zero the counters).
"""

import argparse
import asyncio
import json
import math
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, ClassVar

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from uvicorn.protocols.http.h11_impl import H11Protocol

from tests.backends.remote import toy_model

FAULTS = {
    "ok": "answers",
    "429": "too many requests",
    "429-after": "too many requests, come back in 50 ms",
    "500": "internal error",
    "503": "overloaded, come back in 20 ms",
    "stall": "never answers",
    "reset": "the connection is reset before a word is said",
    "cut": "the connection ends in the middle of the answer",
    "truncated": "half of the JSON, as if it were all; billed",
    "not_json": "a page of HTML; billed",
    "short": "a choice fewer than asked for; billed",
    "empty": "choices without anything in them; billed",
    "nan": "log-probabilities that are NaN; billed",
    "no_usage": "does not say what it has billed",
    "bad_usage": "says that it has billed less than nothing",
    "slow": "answers, three times as late as others and 50 ms",
    "400": "refused, for good",
    "401": "refused, and the key repeated",
}
_STATUS = {"429": 429, "429-after": 429, "500": 500, "503": 503, "400": 400, "401": 401}
_WAIT = {"429-after": {"retry-after-ms": "50"}, "503": {"retry-after": "0.02"}}


@dataclass(frozen=True)
class Plan:
    """What goes wrong."""

    faults: Sequence[str] = ()  # of the first, second, ... sending of each distinct request
    every: int = 1  # only every so many distinct requests have faults, by their content
    forever: bool = False  # the last fault goes on for all later sendings

    def fault(self, body: bytes, sending: int) -> str:
        if not self.faults or int.from_bytes(sha256(body).digest()[:4]) % self.every:
            return "ok"
        if sending < len(self.faults):
            return self.faults[sending]
        return self.faults[-1] if self.forever else "ok"


@dataclass
class Counters:
    """What was served. `tokens_in` and `tokens_out` are what a provider would bill.

    This one bills nothing that it leaves unanswered, but who has asked cannot know that.
    """

    received: int = 0
    billed: int = 0  # answers with status 200
    tokens_in: int = 0
    tokens_out: int = 0
    unanswered: int = 0
    unanswered_in: int = 0  # tokens
    unanswered_out: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    headers: dict[str, str] = field(default_factory=dict)  # of the last request

    def bill(self, usage: dict[str, int]) -> None:
        self.billed += 1
        self.tokens_in += usage["prompt_tokens"]
        self.tokens_out += usage["completion_tokens"]

    def leave(self, usage: dict[str, int]) -> None:
        self.unanswered += 1
        self.unanswered_in += usage["prompt_tokens"]
        self.unanswered_out += usage["completion_tokens"]


class Connections(H11Protocol):
    """uvicorn's own, that tells which are open so that one can be reset."""

    open: ClassVar[dict[tuple[str, int], Any]] = {}  # by the client's address

    def connection_made(self, transport):
        super().connection_made(transport)
        self.open[self.client] = transport

    def connection_lost(self, exc):
        self.open.pop(self.client, None)
        super().connection_lost(exc)


@dataclass
class Faulty:
    """The server's state and its routes."""

    plan: Plan = Plan()
    latency: float = 0.0  # seconds
    limit: int | None = None  # requests in flight, above it 429
    counters: Counters = field(default_factory=Counters)
    url: str = ""  # base URL, with /v1
    _sendings: Counter[bytes] = field(default_factory=Counter)

    def set(self, plan: Plan) -> None:
        self.plan, self.counters, self._sendings = plan, Counters(), Counter()

    def app(self) -> FastAPI:
        app = FastAPI()
        app.add_api_route("/v1/completions", self._completions, methods=["POST"])
        app.add_api_route("/v1/chat/completions", self._chat, methods=["POST"])
        app.add_api_route("/v1/models", self._models)
        app.add_api_route("/control", self._read)
        app.add_api_route("/control", self._write, methods=["PUT"])
        return app

    async def _completions(self, request: Request) -> Response:
        return await self._serve(request, toy_model.completion)

    async def _chat(self, request: Request) -> Response:
        return await self._serve(request, toy_model.chat)

    async def _models(self) -> dict[str, Any]:
        return {"object": "list", "data": [{"id": "toy", "object": "model", "created": 0}]}

    async def _read(self) -> dict[str, Any]:
        return vars(self.counters)

    async def _write(self, request: Request) -> dict[str, Any]:
        self.set(Plan(**await request.json()))
        return vars(self.plan)

    async def _serve(self, request: Request, model: Any) -> Response:
        body = await request.body()
        counters = self.counters
        counters.received += 1
        counters.headers = dict(request.headers)
        counters.in_flight += 1
        counters.most_in_flight = max(counters.most_in_flight, counters.in_flight)
        try:
            if self.limit is not None and counters.in_flight > self.limit:
                return _refusal("429", request)
            fault = self.plan.fault(body, self._sendings[body])
            self._sendings[body] += 1
            counters.faults[fault] += 1
            return await self._answer(request, fault, model(json.loads(body)), counters)
        finally:
            counters.in_flight -= 1

    async def _answer(
        self, request: Request, fault: str, answer: dict[str, Any], counters: Counters
    ) -> Response:
        if fault in _STATUS:
            return _refusal(fault, request)
        if fault in ("stall", "reset", "cut"):
            counters.leave(answer["usage"])
        if fault == "stall":
            while not await request.is_disconnected():
                await asyncio.sleep(0.005)
            return Response()
        if fault == "reset":
            _reset(Connections.open[tuple(request.scope["client"])])
            return Response()
        await asyncio.sleep(3 * self.latency + 0.05 if fault == "slow" else self.latency)
        if fault == "cut":
            return Response(b"{", headers={"content-length": "500"})
        counters.bill(answer["usage"])
        return _spoilt(fault, answer)


def _refusal(fault: str, request: Request) -> Response:
    said = FAULTS[fault]
    if fault == "401":
        said = f"Incorrect API key provided: {request.headers['authorization']}"
    return JSONResponse({"error": {"message": said}}, _STATUS[fault], _WAIT.get(fault))


def _reset(transport: Any) -> None:
    """Sends RST, as a server does that is killed."""
    linger = struct.pack("ii", 1, 0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()


def _spoilt(fault: str, answer: dict[str, Any]) -> Response:
    choices = answer["choices"]
    if fault == "short":
        choices.pop()
    elif fault == "empty":
        answer["choices"] = [{} for _ in choices]
    elif fault == "nan":
        answer = toy_model.with_every_number(answer, "logprobs", math.nan)
    elif fault == "no_usage":
        del answer["usage"]
    elif fault == "bad_usage":
        answer["usage"] = {"prompt_tokens": -5, "completion_tokens": "many"}
    content = json.dumps(answer)
    if fault == "truncated":
        content = content[: len(content) // 2]
    elif fault == "not_json":
        content = "<html>sign in to the network</html>"
    return Response(content, media_type="application/json")


def _server(faulty: Faulty) -> uvicorn.Server:
    config = uvicorn.Config(
        faulty.app(), http=Connections, ws="none", lifespan="off", log_level="critical"
    )
    config.timeout_graceful_shutdown = 1
    return uvicorn.Server(config)


def _listen(port: int = 0) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen(1024)
    return listening


@contextmanager
def running(
    plan: Plan | Sequence[str] = (),
    *,
    latency: float = 0.0,
    limit: int | None = None,
    port: int = 0,
) -> Iterator[Faulty]:
    """The server on a thread of this process: its `url`, its `counters`, `set` for a new plan."""
    faulty = Faulty(plan if isinstance(plan, Plan) else Plan(tuple(plan)), latency, limit)
    with _listen(port) as listening:
        faulty.url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        server = _server(faulty)
        thread = threading.Thread(target=server.run, args=([listening],), name="faulty")
        thread.start()
        try:
            yield faulty
        finally:
            server.should_exit = True
            thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plan", type=json.loads, default={}, help="Plan as JSON")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds")
    parser.add_argument("--limit", type=int, default=None, help="requests in flight")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    listening = _listen(options.port)
    faulty = Faulty(Plan(**options.plan), options.latency, options.limit)
    print(f"http://127.0.0.1:{listening.getsockname()[1]}/v1", flush=True)  # noqa: T201
    _server(faulty).run([listening])


if __name__ == "__main__":
    main()
