"""Between the browser and the service: a test may cut streams, refuse them, or take it all away."""

import asyncio
import re
from urllib.parse import parse_qs

from anyio import CancelScope
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

EVENTS = re.compile(r"/api/jobs/[^/]+/events")
ERROR = {"type": "service_error", "param": None, "code": "away"}
AWAY = JSONResponse({"error": {"message": "The service is away.", **ERROR}}, 503)


class Wire:
    """An ASGI layer. What a test sets holds from the next request on."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.restore()
        self._streams: set[CancelScope] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def restore(self) -> None:
        """Everything gets through, and nothing has yet been asked."""
        self.away = False  # every request is answered with 503
        self.refuse_streams = False  # those for events are
        self.asked: list[str] = []  # "GET /jobs/job_…?after=3"
        self.opened: list[int] = []  # the id that each stream was asked to go on after

    @property
    def streams(self) -> int:
        """Open now."""
        return len(self._streams)

    def drop_streams(self) -> None:
        """Ends all that are open, as a proxy does."""
        for stream in list(self._streams):
            assert self._loop is not None
            self._loop.call_soon_threadsafe(stream.cancel)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        query = scope["query_string"].decode()
        self.asked.append(f"{scope['method']} {scope['path']}{query and '?'}{query}")
        follows = EVENTS.fullmatch(scope["path"]) is not None
        if self.away or (follows and self.refuse_streams):
            return await AWAY(scope, receive, send)
        if follows:
            return await self._follow(scope, receive, send)
        return await self.app(scope, receive, send)

    async def _follow(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._loop = asyncio.get_running_loop()
        after = parse_qs(scope["query_string"].decode()).get("after", ["0"])[0]
        self.opened.append(int(Headers(scope=scope).get("last-event-id", after)))
        is_open = False

        async def told(message: Message) -> None:
            nonlocal is_open
            is_open = message["type"] == "http.response.start" or message.get("more_body", False)
            await send(message)

        with CancelScope() as stream:
            self._streams.add(stream)
            try:
                await self.app(scope, receive, told)
            finally:
                self._streams.discard(stream)
        if stream.cancelled_caught and is_open:
            await send({"type": "http.response.body", "body": b""})
