"""Repeated requests: what one with an Idempotency-Key has made is told again, not made twice."""

import hashlib
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any

from anyio import CancelScope, to_thread
from fastapi import Depends, Header, Request
from fastapi.responses import Response
from pydantic import BaseModel
from sqlmodel import Session
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import INVALID, BodyTooLarge, answer_to, error_response
from jobs.database import Database
from jobs.models import JobRow
from jobs.repeats import Begun, InFlight, OtherRequest, Repeats, Told, settle

HEADER = "idempotency-key"
LONGEST = 255  # characters of a key
MAKES = re.compile(  # routes that make something
    r"/api/(jobs|jobs/[^/]+/clone|datasets|endpoints|prompts)|/v1/(files|fine_tuning/jobs)"
)  # but for those that tell a secret once: an answer is stored as it was sent
BOUNDARY = re.compile(r'boundary="?([^";]+)')


class Once:
    """The first request with its key: how its answer is remembered."""

    def __init__(self, begun: Begun) -> None:
        self.begun = begun
        self.is_over = False

    def keep(self, session: Session, told: Told) -> None:
        """In the transaction that makes what is told of: there is never one without the other."""
        settle(session, self.begun, told)


class Idempotency:
    """An ASGI layer inside the Gate, around every route that makes something.

    The key is the caller's own: whoever sends other credentials, or for another project, has
    other keys.
    """

    def __init__(self, app: ASGIApp, database: Database) -> None:
        self._app, self._repeats = app, Repeats(database)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        key = headers.get(HEADER)
        makes = key is not None and scope["method"] == "POST" and MAKES.fullmatch(scope["path"])
        if key is None or not makes:
            return await self._app(scope, receive, send)
        try:
            body = await _whole(receive)
            begun = await self._begin(scope, headers, key, body)
        except BodyTooLarge as error:
            answer = error_response(413, error.detail, INVALID, error.param, error.code)
            return await answer(scope, receive, send)
        except ClientDisconnect:
            return None
        if isinstance(begun, Response):
            return await begun(scope, receive, send)
        return await self._make(Once(begun), scope, _again(body, receive), send)

    async def _begin(
        self, scope: Scope, headers: Headers, key: str, body: bytes
    ) -> Begun | Response:
        """The key taken for this request, or the answer that needs no route."""
        if not 0 < len(key) <= LONGEST:
            message = f"an Idempotency-Key has 1 to {LONGEST} characters; this one has {len(key)}"
            return error_response(422, message, INVALID, HEADER, "bad_idempotency_key")
        caller = scope["state"]["caller"].project, headers.get("authorization", "")
        hashes = _hash(*caller, key), _digest(scope, headers, body)
        try:
            begun = await to_thread.run_sync(self._repeats.begin, *hashes)
        except (InFlight, OtherRequest) as error:
            return answer_to(error)
        if isinstance(begun, Begun):
            return begun
        replayed = {"idempotent-replayed": "true"}
        return Response(begun.body, begun.status, replayed, "application/json")

    async def _make(self, once: Once, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["once"] = once
        status, sent = 0, bytearray()

        async def listen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            sent.extend(message.get("body", b""))
            if not message.get("more_body") and message["type"] == "http.response.body":
                await to_thread.run_sync(self._over, once, status, bytes(sent))
            await send(message)

        try:
            await self._app(scope, receive, listen)
        finally:
            with CancelScope(shield=True):
                await to_thread.run_sync(self._over, once, 0, b"")

    def _over(self, once: Once, status: int, body: bytes) -> None:
        """Good answers are remembered, before they are sent; after others the key is free again.

        What a route has kept in its own transaction stays as it is.
        """
        if once.is_over:
            return
        once.is_over = True
        if 200 <= status < 300:
            with suppress(InFlight):  # kept already, or taken for dead: the answer is true
                self._repeats.settle(once.begun, Told(status, body.decode()))
        else:
            self._repeats.forget(once.begun)


def kept(
    once: Once | None, status: int, public: Callable[[JobRow], BaseModel]
) -> Callable[[Session, JobRow], None]:
    """What `JobStore.enqueue` also writes, where the request has a key."""

    def keep(session: Session, job: JobRow) -> None:
        if once is not None:
            once.keep(session, Told(status, public(job).model_dump_json()))

    return keep


def _once(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=LONGEST,
            description="any text of your own: a repetition with it within 24 hours is answered "
            "as the first request was, and makes nothing",
        ),
    ] = None,
) -> Once | None:
    once: Once | None = getattr(request.state, "once", None)
    return once


OnceDep = Annotated[Once | None, Depends(_once)]


async def _whole(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body.extend(message.get("body", b""))
        if not message.get("more_body"):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """What has been read, once more; then whatever comes."""
    parts: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return parts.pop() if parts else await receive()

    return again


def _digest(scope: Scope, headers: Headers, body: bytes) -> str:
    """Of the request, without what a client draws anew each time: a form's boundary."""
    boundary = BOUNDARY.search(headers.get("content-type", ""))
    if boundary:
        body = body.replace(boundary[1].encode("latin-1"), b"")
    return _hash(scope["path"], scope["query_string"].decode("latin-1"), body)


def _hash(*parts: Any) -> str:
    whole = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode("latin-1", "backslashreplace")
        whole.update(len(data).to_bytes(8))
        whole.update(data)
    return whole.hexdigest()
