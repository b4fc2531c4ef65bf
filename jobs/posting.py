"""One POST to an address that may be asked, or a look whether it is there. Retries nothing."""

import asyncio
import ssl
from collections.abc import Awaitable, Mapping
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

import h11

from backends.base import BackendError, BackendRefused
from backends.remote.hosts import check_url, private_allowed, resolve, split_url

LONGEST_URL = 2000  # characters
_PORTS = {"http": 80, "https": 443}
_CHUNK = 2**14  # bytes read at once
T = TypeVar("T")


class BadUrl(ValueError):
    """An address that is none, or that may not be told anything."""


class NoAnswer(Exception):
    """Nothing came back that could be read as an answer."""


def check_hook_url(url: str) -> None:
    """Nothing, if this address may be told of events now.

    Raises:
        BadUrl: it is not http or https with a host, or it may not be asked, and why.
    """
    base = url.partition("?")[0]  # a query may be needed, unlike in a base URL
    try:
        split_url(base)
    except BackendRefused:
        base = ""
    if (
        not base
        or "#" in url
        or len(url) > LONGEST_URL
        or not (url.isascii() and url.isprintable())
    ):
        raise BadUrl(
            "url: what was given cannot be sent to, and is not repeated: wanted http or https, a "
            f"host and a path, no user, password or fragment, at most {LONGEST_URL} characters"
        )
    try:
        check_url(base, private_allowed())
    except BackendError as error:
        raise BadUrl(f"url: {error}") from None


async def post(url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> int:
    """The status of the answer: no redirect is followed, and no body read.

    Raises:
        NoAnswer: there is none within so many seconds, or the address may not be asked.
    """
    return await _within(seconds, _exchange(url, headers, body))


async def reach(url: str, seconds: float) -> None:
    """Nothing, if somebody listens there.

    Raises:
        NoAnswer: nobody does, or the address may not be asked.
    """
    await _within(seconds, _look(url))


async def _within(seconds: float, deed: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(seconds):
            return await deed
    except TimeoutError:
        raise NoAnswer(f"no answer within {seconds:g} seconds") from None
    except (BackendRefused, h11.RemoteProtocolError) as error:
        raise NoAnswer(str(error)) from None
    except OSError as error:
        raise NoAnswer(error.strerror or str(error)) from None


async def _look(url: str) -> None:
    _, writer = await _connected(urlsplit(url))
    writer.close()


async def _connected(parts: SplitResult) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """To an address that was checked in the same step: a name may mean another one by now."""
    host, secure = str(parts.hostname), parts.scheme == "https"
    port = parts.port or _PORTS[parts.scheme]
    tls = ssl.create_default_context() if secure else None
    failure = OSError(f"host {host!r} has no address")
    for address in await resolve(host, port, private_allowed()):
        try:
            return await asyncio.open_connection(
                address, port, ssl=tls, server_hostname=host if secure else None
            )
        except OSError as error:  # a name may have an address that is not listened at
            failure = error
    raise failure


async def _exchange(url: str, headers: Mapping[str, str], body: bytes) -> int:
    parts = urlsplit(url)
    reader, writer = await _connected(parts)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        told = [("host", parts.netloc), ("content-length", str(len(body))), *headers.items()]
        line = h11.Connection(h11.CLIENT)
        for event in (
            h11.Request(method="POST", target=target, headers=told),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            writer.write(line.send(event) or b"")
        await writer.drain()
        return await _status(line, reader)
    finally:
        writer.close()


async def _status(line: h11.Connection, reader: asyncio.StreamReader) -> int:
    while not isinstance(event := line.next_event(), h11.Response):
        if event is h11.NEED_DATA:
            line.receive_data(await reader.read(_CHUNK))
    return event.status_code
