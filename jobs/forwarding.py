"""A text prompt spliced into somebody's request, and the answer of the server it is sent to.

Only for prompts that a model writes behind: what is asked is what was scored, with the caller's
own way of drawing words. One attempt; nothing is remembered, and the caller waits for it all.
"""

import json
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from backends.base import BackendRefused, BackendUnavailable
from backends.remote import asking
from backends.remote.connection import read_key
from backends.remote.facts import Facts
from backends.remote.hosts import private_allowed, resolve
from backends.remote.wire import http
from jobs import prompts
from jobs.endpoints import generates
from jobs.serving import Served

TIMEOUT = 60.0  # seconds, where the endpoint has no other: as its option says
LONGEST = 300  # characters of a server's own message that are passed on
_TOO_MANY, _ERRORS = 429, 500


@dataclass(frozen=True)
class Piece:
    """Some of one choice: what has been written since the piece before, and how it ended."""

    index: int
    text: str
    finish: str | None
    nats: Mapping[str, float] | None = None  # log-probabilities of all that could have been said


@dataclass(frozen=True)
class Part:
    """One message of a server: pieces of the choices, and at the end what it has cost."""

    pieces: tuple[Piece, ...]
    usage: Mapping[str, Any] | None


@dataclass(frozen=True)
class Outgoing:
    """A request that is ready for the server of an endpoint."""

    urls: tuple[str, ...]  # of replicas: the first that can be reached is asked
    body: Mapping[str, Any]
    key_variable: str | None
    timeout: float


def is_forwarded(served: Served) -> bool:
    """Whether a prompt is words for an API to write behind, so that requests can be passed on."""
    api = served.endpoint.kind == "openai" and generates(served.endpoint)
    return api and served.kind == "text" and served.task.metric is not None


def spliced(
    served: Served,
    inputs: Mapping[str, str],
    before: Sequence[Mapping[str, str]],
    sampling: Mapping[str, Any],
    most: int | None,
    *,
    stream: bool,
) -> Outgoing:
    """The request that a search has made of these inputs, with the caller's sampling.

    Args:
        before: messages ahead of the input; for servers that are asked by chat, others have no
            place for them.
        sampling: fields of the body; without a temperature it is 0, as in a search.
        most: tokens of the answer; None: as many as in a search.
    """
    row, task = served.endpoint, served.task
    assert row.probed is not None  # no endpoint of an API is registered without
    facts = Facts.from_json(row.probed)
    shown = task.query(prompts.loads(served.kind, served.content), inputs).before
    text, _ = asking.place(facts, shown)
    chat = [*before, {"role": "user", "content": text}]
    body: dict[str, Any] = {"messages": chat} if facts.route == "chat" else {"prompt": text}
    body |= {"model": row.model, facts.limit: most or task.max_tokens}
    if facts.sets_temperature:
        body["temperature"] = 0.0
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    addresses = [url.strip().rstrip("/") for url in row.options["base_url"].split(",")]
    urls = tuple(f"{url}/{asking.ROUTES[facts.route]}" for url in addresses if url)
    timeout = float(row.options.get("timeout") or TIMEOUT)
    return Outgoing(urls, body | dict(sampling), row.options.get("key_variable"), timeout)


class Forwarded:
    """A server's answer, from its head on."""

    def __init__(self, client: http.AsyncClient, response: http.Response) -> None:
        self._client, self._response = client, response

    async def whole(self) -> Part:
        """Raises BackendUnavailable where it is broken, or not what the route promises."""
        try:
            return _part(await self._response.aread())
        except http.TransportError as error:
            raise BackendUnavailable(f"the answer broke off: {_named(error)}") from None
        finally:
            await self.close()

    async def parts(self) -> AsyncIterator[Part]:
        """As they come, to the last; raises as `whole`."""
        try:
            async for line in self._response.aiter_lines():
                name, _, data = line.partition(":")
                if name == "data" and data.strip() == "[DONE]":
                    return
                if name == "data":
                    yield _part(data)
            raise BackendUnavailable("the answer broke off: the server ended it before its end")
        except http.TransportError as error:
            raise BackendUnavailable(f"the answer broke off: {_named(error)}") from None
        finally:
            await self.close()

    async def close(self) -> None:
        await self._response.aclose()
        await self._client.aclose()


async def forward(outgoing: Outgoing) -> Forwarded:
    """The answer, once it has begun well.

    Raises:
        BackendUnavailable: nobody answers, or the server cannot now.
        BackendRefused: it will not, or may not be asked.
    """
    key = read_key(outgoing.key_variable)
    headers = {"authorization": f"Bearer {key}"} if key else {}
    # no proxy and no redirect: the address that was checked is the one that is asked
    client = http.AsyncClient(
        verify=_tls(), timeout=outgoing.timeout, trust_env=False, headers=headers
    )
    try:
        response = await _first(client, outgoing)
        await _check(response, key)
    except BaseException:
        await client.aclose()
        raise
    return Forwarded(client, response)


async def _first(client: http.AsyncClient, outgoing: Outgoing) -> http.Response:
    failure = "no address"
    for url in outgoing.urls:
        try:
            request = await _request(client, url, outgoing.body)
            return await client.send(request, stream=True)
        except (http.TransportError, OSError) as error:
            failure = _named(error)
    raise BackendUnavailable(f"{', '.join(outgoing.urls)}: {failure}")


async def _request(client: http.AsyncClient, url: str, body: Mapping[str, Any]) -> http.Request:
    """To the very address that was checked: by its name it might be another a moment later."""
    parts = urlsplit(url)
    host, port = str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)
    address = (await resolve(host, port, private_allowed()))[0]
    shown = f"[{address}]" if ":" in address else address
    return client.build_request(
        "POST",
        f"{parts.scheme}://{shown}:{port}{parts.path}",
        json=dict(body),
        headers={"host": parts.netloc, "accept-encoding": "identity"},
        extensions={"sni_hostname": host},
    )


async def _check(response: http.Response, key: str | None) -> None:
    if response.status_code == 200:
        return
    try:
        text = (await response.aread()).decode(errors="replace")
    except http.TransportError:
        text = ""
    await response.aclose()
    told = " ".join((text.replace(key, "(the key)") if key else text).split())
    message = f"the endpoint's server answered {response.status_code}: {told[:LONGEST]}"
    if response.status_code == _TOO_MANY or response.status_code >= _ERRORS:
        raise BackendUnavailable(message)
    raise BackendRefused(message)


def _part(text: str | bytes) -> Part:
    """A whole answer or a chunk of one, of a chat or not."""
    try:
        said = json.loads(text)
        pieces = tuple(_piece(choice) for choice in said.get("choices") or [])
    except (ValueError, AttributeError, KeyError, TypeError):
        raise BackendUnavailable("the server's answer is not what its route promises") from None
    if said.get("error"):
        raise BackendUnavailable("the server broke its answer off with an error")
    usage = said.get("usage")
    return Part(pieces, usage if isinstance(usage, dict) else None)


def _piece(choice: Mapping[str, Any]) -> Piece:
    written = choice.get("message") or choice.get("delta") or {}
    text = choice["text"] if "text" in choice else written.get("content")
    return Piece(int(choice["index"]), str(text or ""), choice.get("finish_reason"))


def _named(error: BaseException) -> str:
    return str(error) or type(error).__name__


@lru_cache(1)
def _tls() -> ssl.SSLContext:
    return http.create_ssl_context()
