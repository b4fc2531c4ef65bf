"""What a page shows, asked of the API of the same app: by its own door, without a network."""

import json
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from starlette.types import Message

SHARED = ("type", "http_version", "scheme", "server", "client")  # with the page's request
FORWARDED = (b"authorization", b"host", b"x-gradless-project")  # who asks, and where
INSIDE = "gradless.inside"  # marks a scope: no request from outside, and its caller is known


class NotTold(Exception):
    """The API refused; with its status, and its sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def ask(request: Request, path: str, **query: str) -> Any:
    """The body of the answer to GET `path`, which is not yet quoted.

    Raises:
        NotTold: it is no good answer.
    """
    status, body = 500, bytearray()

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)
        body.extend(message.get("body", b""))

    scope = {name: request.scope[name] for name in SHARED} | {
        "method": "GET",
        "path": path,
        "raw_path": quote(path).encode(),
        "query_string": urlencode(query).encode(),
        "headers": [pair for pair in request.headers.raw if pair[0] in FORWARDED],
        "state": {"caller": getattr(request.state, "caller", None)},
        INSIDE: True,
    }
    await request.app(scope, receive, send)
    told = json.loads(body)
    if status != 200:
        raise NotTold(status, told["error"]["message"])
    return told
