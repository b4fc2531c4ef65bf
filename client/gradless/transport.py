"""Sending calls over HTTP: address, key, retries, errors. It knows no route and no type."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import random
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from gradless import errors
from gradless.calls import Call, Listing

T = TypeVar("T")

__version__ = "0.1.0"
DEFAULT_URL = "http://127.0.0.1:8000"
TRANSIENT = frozenset({429, 502, 503, 504})
RETRIES = 2
FIRST_DELAY = 0.25  # seconds
LONGEST_DELAY = 8.0  # seconds
LONGEST_WAIT = 60.0  # seconds that a service may ask for; where it wants more, the caller decides
# The request never arrived, or the connection was gone before an answer: a GET may ask again.
LOST = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadError, httpx.RemoteProtocolError)


@dataclass(frozen=True)
class Address:
    """Where the service is and how patiently it is asked."""

    base_url: str
    api_key: str | None = field(repr=False)
    timeout: float | None  # seconds
    patience: float  # seconds that `wait` bears a service that is away

    @classmethod
    def find(
        cls, base_url: str | None, api_key: str | None, timeout: float | None, patience: float
    ) -> Address:
        """Fill what was not given from GRADLESS_URL and GRADLESS_API_KEY."""
        url = (base_url or os.environ.get("GRADLESS_URL") or DEFAULT_URL).rstrip("/")
        if not _is_web_address(url):
            raise ValueError(f"base_url is {url!r}; wanted an address such as {DEFAULT_URL}")
        key = api_key or os.environ.get("GRADLESS_API_KEY") or None
        return cls(url, key, timeout, patience)

    def options(self) -> dict[str, Any]:
        """What an httpx client is made with."""
        connect = 5.0 if self.timeout is None else min(5.0, self.timeout)
        headers = {"User-Agent": f"gradless-python/{__version__}"}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        return {
            "base_url": self.base_url,
            "headers": headers,
            "timeout": httpx.Timeout(self.timeout, connect=connect),
            # A proxy of the environment cannot reach this machine's own loopback.
            "trust_env": not _is_loopback(self.base_url),
            "verify": self._certificates(),
        }

    def _certificates(self) -> bool | ssl.SSLContext:
        # Reading the world's certificates takes 50 ms, for nothing where there is no TLS. A bare
        # context trusts nobody, so that a mistake here would refuse and not expose.
        plain = self.base_url.startswith("http://")
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else True


class Retry:
    """Decides after each try of a call: use the answer, ask again, or raise. It sends nothing."""

    def __init__(self, call: Call[Any], address: Address) -> None:
        self._address = address
        may_repeat = call.method == "GET" or "Idempotency-Key" in call.headers
        self._left = RETRIES if may_repeat else 0
        self._delay = FIRST_DELAY

    def after_answer(self, response: httpx.Response) -> float | None:
        """Seconds to wait before the next try; None if this answer is the one to use."""
        headers, status = response.headers, response.status_code
        wanted = errors.retry_after(headers) or 0.0
        if status in TRANSIENT and self._left and wanted <= LONGEST_WAIT:
            return max(wanted, self._next_delay())
        if status >= 400:
            raise errors.from_answer(status, headers, response.content)
        return None

    def after_loss(self, error: httpx.TransportError) -> float:
        """Seconds to wait before the next try; raises when there is none."""
        if isinstance(error, LOST) and self._left:
            return self._next_delay()
        raise connection_failed(self._address, error) from error

    def _next_delay(self) -> float:
        self._left -= 1
        delay, self._delay = self._delay, min(2 * self._delay, LONGEST_DELAY)
        return jittered(delay)


class Transport:
    """Sends calls and blocks until they are answered."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._http = httpx.Client(**address.options())

    def send(self, call: Call[T]) -> T:
        retry = Retry(call, self.address)
        while True:
            try:
                response = self._http.request(**call.options())
                delay = retry.after_answer(response)
            except httpx.TransportError as error:
                delay = retry.after_loss(error)
            if delay is None:
                return parsed(call, response, self.address)
            time.sleep(delay)

    def each(self, listing: Listing[T]) -> Iterator[T]:
        """Yield the items of all pages, asking for a page when it is reached."""
        following: Listing[T] | None = listing
        while following is not None:
            page = self.send(following.call)
            yield from page.data
            following = following.after(page)

    def every(self, listing: Listing[T]) -> list[T]:
        return list(self.each(listing))

    @contextmanager
    def stream(self, call: Call[Any], silence: float) -> Iterator[Iterator[bytes]]:
        """Open an event stream that breaks after `silence` seconds without a byte."""
        timeout = stream_timeout(self._http.timeout, silence)
        with self._http.stream(**call.options(), timeout=timeout) as response:
            if response.is_error:
                response.read()
            check_stream(response)
            yield response.iter_bytes()

    def close(self) -> None:
        self._http.close()


class AsyncTransport:
    """Sends calls as `Transport` does, and lets the event loop run meanwhile."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._http = httpx.AsyncClient(**address.options())

    async def send(self, call: Call[T]) -> T:
        retry = Retry(call, self.address)
        while True:
            try:
                response = await self._http.request(**call.options())
                delay = retry.after_answer(response)
            except httpx.TransportError as error:
                delay = retry.after_loss(error)
            if delay is None:
                return parsed(call, response, self.address)
            await asyncio.sleep(delay)

    async def each(self, listing: Listing[T]) -> AsyncIterator[T]:
        following: Listing[T] | None = listing
        while following is not None:
            page = await self.send(following.call)
            for item in page.data:
                yield item
            following = following.after(page)

    async def every(self, listing: Listing[T]) -> list[T]:
        return [item async for item in self.each(listing)]

    @asynccontextmanager
    async def stream(self, call: Call[Any], silence: float) -> AsyncIterator[AsyncIterator[bytes]]:
        timeout = stream_timeout(self._http.timeout, silence)
        async with self._http.stream(**call.options(), timeout=timeout) as response:
            if response.is_error:
                await response.aread()
            check_stream(response)
            yield response.aiter_bytes()

    async def close(self) -> None:
        await self._http.aclose()


def parsed(call: Call[T], response: httpx.Response, address: Address) -> T:
    """Read an answer; one of another shape comes from something that is not Gradless."""
    try:
        return call.parse(response.content)
    except ValueError as error:
        raise errors.GradlessError(
            f"{address.base_url}{call.path} answered {response.status_code} with something this "
            f"client ({__version__}) cannot read; is it a Gradless service of this age? {error}"
        ) from error


def connection_failed(address: Address, error: Exception) -> errors.ConnectionFailed:
    """Say what is wrong and how a service is started."""
    if isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
        return errors.ConnectionFailed(
            f"{address.base_url} took the request but did not answer within {address.timeout:g} s: "
            "give more time with Client(timeout=…)"
        )
    return errors.ConnectionFailed(
        f"no service answers at {address.base_url} ({error or type(error).__name__}): start one "
        "with `gradless serve`, or say where it is with Client(base_url=…), --url or GRADLESS_URL"
    )


def stream_timeout(usual: httpx.Timeout, silence: float) -> httpx.Timeout:
    return httpx.Timeout(usual.connect, read=silence)


def check_stream(response: httpx.Response) -> None:
    if response.status_code >= 400:
        raise errors.from_answer(response.status_code, response.headers, response.content)
    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        raise httpx.RemoteProtocolError("the answer is not an event stream")


def jittered(delay: float) -> float:
    """Spread many clients that were dropped at the same moment."""
    return delay * random.uniform(0.5, 1.0)  # noqa: S311 - nothing secret


def _is_web_address(url: str) -> bool:
    try:
        known = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return known.scheme in ("http", "https") and bool(known.host)


def _is_loopback(url: str) -> bool:
    host = httpx.URL(url).host
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
