"""HTTP/1.1 below the openai client: connections to checked addresses only. Retries nothing.

The client's own transport leaves two things to wish for. A name is resolved when the connection
is opened, so an address checked before that may be another one by then; here the addresses are
resolved, checked and connected to in one step, and TLS still proves the name. And it walks
through all connections twice for every request, which with hundreds in flight costs more than all
the rest; here idle ones are a stack. No proxy of the environment is ever asked.
"""

import asyncio
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING

import h11
import openai

from backends.remote import hosts

if TYPE_CHECKING:
    import httpx2 as http
else:  # from openai 3 on the client speaks httpx2, before that httpx: the same names
    http = import_module("httpx2" if int(openai.__version__.split(".")[0]) >= 3 else "httpx")

__all__ = ["CheckedTransport", "http"]

IDLE = 4.0  # seconds a connection waits for its next request: servers end it after 5 or more
LONGEST = 64 * 2**20  # bytes of one answer
_CHUNK = 2**16  # bytes read at once

# All that a server is told. The client would add facts about this machine, and headers out of
# environment variables, which may hold secrets that are meant for another server.
_HEADERS = {b"accept", b"authorization", b"content-length", b"content-type", b"host", b"user-agent"}


class Broken(Exception):
    """A request that got no whole answer; `kind` is httpx's exception for it.

    ConnectError and ConnectTimeout say that nothing of it was sent.
    """

    def __init__(self, kind: type[http.TransportError], what: str) -> None:
        super().__init__(what)
        self.kind = kind


@dataclass(frozen=True)
class Told:
    """What a server is told: the client's request, down to the bytes."""

    url: http.URL
    method: str
    headers: tuple[tuple[bytes, bytes], ...] = field(repr=False)  # the key is among them
    content: bytes = field(repr=False)

    def saying(self, content: bytes) -> "Told":
        """The same with another content."""
        kept = [(name, value) for name, value in self.headers if name.lower() != b"content-length"]
        length = (b"content-length", str(len(content)).encode())
        return Told(self.url, self.method, (*kept, length), content)


class CheckedTransport(http.AsyncBaseTransport):
    """Requests to one server, each on a connection of its own while it lasts.

    A client spends more time on putting a request together than all the rest takes. So the first
    one of each path is remembered, and `again` sends others that differ in their content alone.
    """

    def __init__(self, timeout: float, allow_private: bool) -> None:
        """`timeout`: seconds from the wish to connect to the last byte of the answer."""
        self._timeout = timeout
        self._allow_private = allow_private
        self._idle: list[_Line] = []
        self._tls: ssl.SSLContext | None = None
        self._seen: dict[str, Told] = {}  # POST requests, by their path

    async def handle_async_request(self, request: http.Request) -> http.Response:
        """As httpx: raises its ConnectError, ReadTimeout, ReadError or RemoteProtocolError."""
        content = await request.aread()
        told = Told(request.url, request.method, _let_through(request.headers.raw), content)
        if told.method == "POST":
            self._seen[told.url.path] = told
        try:
            head, body = await self._carry(told)
        except Broken as broken:
            raise broken.kind(str(broken), request=request) from None
        return http.Response(head.status_code, headers=list(head.headers), content=body)

    async def again(self, path: str, content: bytes) -> tuple[h11.Response, bytes] | None:
        """The answer to a POST on a path that the client has used before; None: it has not.

        Raises:
            Broken: there is no whole answer.
        """
        if (seen := self._seen.get(path)) is None:
            return None
        return await self._carry(seen.saying(content))

    async def _carry(self, told: Told) -> tuple[h11.Response, bytes]:
        connecting = True
        try:
            async with asyncio.timeout(self._timeout):
                line = self._rested() or await self._connect(told.url)
                connecting = False
                return await self._exchange(line, told)
        except TimeoutError:
            what = f"no {'connection' if connecting else 'answer'} within {self._timeout:g} seconds"
            raise Broken(http.ConnectTimeout if connecting else http.ReadTimeout, what) from None
        except h11.RemoteProtocolError as error:
            raise Broken(http.RemoteProtocolError, f"broken answer: {error}") from None
        except OSError as error:
            kind = http.ConnectError if connecting else http.ReadError
            raise Broken(kind, error.strerror or str(error)) from None

    async def aclose(self) -> None:
        for line in self._idle:
            line.close()
        self._idle.clear()
        await asyncio.sleep(0)  # the loop lets go of the sockets in its next round

    async def _exchange(self, line: "_Line", told: Told) -> tuple[h11.Response, bytes]:
        try:
            head, body = await line.exchange(told)
        except BaseException:
            line.close()
            raise
        if line.is_reusable():
            self._idle.append(line)
        else:
            line.close()
        return head, body

    def _rested(self) -> "_Line | None":
        """The connection used last, unless the server has ended it meanwhile."""
        oldest = time.monotonic() - IDLE
        while self._idle:
            line = self._idle.pop()
            if line.used_at > oldest and not line.reader.at_eof():
                return line
            line.close()
        return None

    async def _connect(self, url: http.URL) -> "_Line":
        secure = url.scheme == "https"
        port = url.port or (443 if secure else 80)
        if secure and self._tls is None:
            self._tls = http.create_ssl_context()
        name = url.host if secure else None
        failure: OSError = OSError(f"host {url.host!r} has no address")
        for address in await hosts.resolve(url.host, port, self._allow_private):
            try:
                streams = await asyncio.open_connection(
                    address, port, ssl=self._tls if secure else None, server_hostname=name
                )
                return _Line(*streams)
            except OSError as error:
                failure = error
        raise failure


@dataclass
class _Line:
    """One connection. Its state is h11's."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    state: h11.Connection = field(default_factory=lambda: h11.Connection(h11.CLIENT))
    used_at: float = 0.0  # of the monotonic clock

    async def exchange(self, told: Told) -> tuple[h11.Response, bytes]:
        """One request sent, one answer read to its end."""
        head = h11.Request(method=told.method, target=told.url.raw_path, headers=list(told.headers))
        parts = [head, h11.Data(data=told.content), h11.EndOfMessage()]
        self.writer.write(b"".join(self.state.send(part) or b"" for part in parts))
        await self.writer.drain()
        while not isinstance(answer := await self._event(), h11.Response):
            pass  # informational answers come before the real one
        if any(name == b"content-encoding" for name, _ in answer.headers):
            raise h11.RemoteProtocolError("it is compressed, and was not asked to be")
        return answer, await self._body()

    def is_reusable(self) -> bool:
        """Both sides have ended properly; if so, the next request may begin."""
        if self.state.our_state is not h11.DONE or self.state.their_state is not h11.DONE:
            return False
        self.state.start_next_cycle()
        self.used_at = time.monotonic()
        return True

    def close(self) -> None:
        self.writer.transport.abort()

    async def _body(self) -> bytes:
        body = bytearray()
        while isinstance(event := await self._event(), h11.Data):
            body += event.data
            if len(body) > LONGEST:
                raise h11.RemoteProtocolError(f"it is longer than {LONGEST} bytes")
        return bytes(body)

    async def _event(self) -> h11.Event:
        while (event := self.state.next_event()) is h11.NEED_DATA:
            self.state.receive_data(await self.reader.read(_CHUNK))
        if not isinstance(event, h11.Event):
            raise h11.RemoteProtocolError("the server ended the connection")
        return event


def _let_through(headers: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name, value) for name, value in headers if name.lower() in _HEADERS)
