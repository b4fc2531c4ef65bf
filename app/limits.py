"""What is turned away before any route sees it: too large, from elsewhere, or not allowed to."""

import logging
import math
import re
import secrets
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access import NOBODY, Access, Caller, needed
from app.audited import Auditor
from app.errors import BodyTooLarge, answer_to, error_response, unforeseen
from app.rates import Rates
from app.settings import Settings
from jobs.projects import NoSuchProject
from web.asking import INSIDE
from web.pages import CONTENT_SECURITY_POLICY

logger = logging.getLogger("app.access")

JSON_LIMIT = 4_000_000  # bytes of a body that is not an upload
OPEN_PATHS = ("/healthz", "/readyz", "/static/", "/favicon.ico")  # no key needed
UPLOADS = re.compile(  # routes that take files, and the field that these are in
    r"POST /(?:(?P<file>api/datasets|api/jobs/archive|v1/files)|(?P<inputs>api/jobs/[^/]+/predict)"
    r"|(?P<messages>v1/chat/completions))$"
)
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

HEADERS = [
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
]


class Gate:
    """One ASGI layer around the whole app: request id, security headers, limits, caller."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        access: Access,
        auditor: Auditor,
        observe: Callable[[str, str, int, float], None],
    ) -> None:
        """`observe` hears verb, route template ("" of none), status and seconds of each answer."""
        self._app, self._settings, self._observe = app, settings, observe
        self._access, self._auditor, self._rates = access, auditor, Rates()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else f"req_{secrets.token_hex(8)}"
        scope.setdefault("state", {})["request_id"] = request_id
        started, audited, begin = 0, False, time.perf_counter()

        async def send_with_headers(message: Message) -> None:
            nonlocal started, audited
            if message["type"] == "http.response.body" and not audited:
                audited = True
                if caller := scope["state"].get("caller"):
                    await self._auditor.write(scope, caller, started, message)
            if message["type"] == "http.response.start":
                started = message["status"]
                self._record(scope, message["status"], time.perf_counter() - begin)
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                    *HEADERS,
                ]
            await send(message)

        limit, param = self._limit(scope)
        too_large = BodyTooLarge(limit, param)
        try:
            refusal = self._refusal(scope, headers, too_large)
            app = refusal or await self._no_entry(scope, headers) or self._app
            await app(scope, _counted(receive, too_large), send_with_headers)
        except Exception as error:
            if started:
                raise  # too late for another answer: the connection is cut
            answer = unforeseen(scope["method"], scope["path"], error)
            await answer(scope, receive, send_with_headers)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        """In the log by its path, in the metrics by its template; in neither by its query."""
        if INSIDE in scope:  # a page's question: the page itself is recorded
            return
        verb, path, request_id = scope["method"], scope["path"], scope["state"]["request_id"]
        facts = {"request_id": request_id, "method": verb, "path": path, "status": status}
        logger.info(
            "%s %s %d %s",
            verb,
            path,
            status,
            request_id,
            extra={"facts": {**facts, "seconds": round(seconds, 6)}},
        )
        self._observe(verb, getattr(scope.get("route"), "path", ""), status, seconds)

    def _limit(self, scope: Scope) -> tuple[int, str | None]:
        """Bytes that the route takes, and the field that they are in."""
        field = UPLOADS.match(f"{scope['method']} {scope['path']}")
        if field is not None:
            return self._settings.max_upload_mb * 1_000_000, field.lastgroup
        return JSON_LIMIT, None

    def _refusal(self, scope: Scope, headers: Headers, too_large: BodyTooLarge) -> Response | None:
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length) > too_large.limit:
            return error_response(
                413, too_large.detail, "invalid_request_error", too_large.param, too_large.code
            )
        if not self._same_origin(scope, headers):
            message = "requests from pages of another origin are refused; use the service's own"
            return error_response(403, message, "invalid_request_error", None, "foreign_origin")
        return None

    async def _no_entry(self, scope: Scope, headers: Headers) -> Response | None:
        """Finds out who asks, and refuses those who may not."""
        if INSIDE in scope:  # a page's question: its reader is known, and the page has been counted
            return _not_allowed(scope["state"]["caller"], scope)
        is_open = scope["path"].startswith(OPEN_PATHS)
        try:
            caller = await self._access.caller(headers)
        except NoSuchProject as error:
            return answer_to(error)
        if caller is None and not is_open:
            return _no_key(headers)
        scope["state"]["caller"] = caller or NOBODY
        if caller is None or is_open:
            return None
        return self._too_often(caller) or _not_allowed(caller, scope)

    def _too_often(self, caller: Caller) -> Response | None:
        most = caller.requests_per_minute
        wait = self._rates.wait(caller.who, most, time.monotonic()) if most else 0.0
        if not wait:
            return None
        message = f"this key may send {most} requests a minute; wait {wait:.1f} seconds"
        answer = error_response(429, message, "rate_limit_error", None, "rate_limit_exceeded")
        answer.headers["retry-after"] = str(math.ceil(wait))
        return answer

    def _same_origin(self, scope: Scope, headers: Headers) -> bool:
        """A page elsewhere must neither write here nor, by a name of its own, read here."""
        host = headers.get("host", "")
        if self._settings.is_loopback and not _is_local(host):
            return False
        origin = headers.get("origin")
        changes = scope["method"] not in ("GET", "HEAD", "OPTIONS")
        return origin is None or not changes or urlsplit(origin).netloc == host


def _no_key(headers: Headers) -> Response:
    message = "this service needs a key: send the header 'Authorization: Bearer KEY'"
    answer = error_response(401, message, "authentication_error", None, "no_key")
    if "text/html" in headers.get("accept", ""):  # a person: let the browser ask
        answer.headers["www-authenticate"] = 'Basic realm="Gradless: the key as password"'
    return answer


def _not_allowed(caller: Caller, scope: Scope) -> Response | None:
    role = needed(scope["method"], scope["path"])
    if caller.role.covers(role):
        return None
    message = f"this needs the role {role}; the role of this key is {caller.role}"
    return error_response(403, message, "permission_error", None, "role_needed")


def _is_local(host: str) -> bool:
    try:
        return urlsplit(f"//{host}").hostname in ("127.0.0.1", "localhost", "::1")
    except ValueError:  # "[::1": half an address
        return False


def _counted(receive: Receive, too_large: BodyTooLarge) -> Receive:
    """A body without a stated length is counted as it comes."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > too_large.limit:
            raise too_large
        return message

    return counted
