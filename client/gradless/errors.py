"""Everything the client raises, one class for each thing a caller can do about it. No HTTP here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


class GradlessError(Exception):
    """The root of all errors of this package: `except gradless.GradlessError` catches every one."""


class APIError(GradlessError):
    """The service answered with an error; the message is the service's own.

    Example:
        >>> error = APIError("no such job", status=404, code="unknown_job")
        >>> print(error)
        no such job [404 unknown_job]
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        type: str | None = None,
        param: str | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.type = type
        self.param = param
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after  # seconds that the service wants to be left alone

    def __str__(self) -> str:
        where = f" ({self.param})" if self.param and self.param not in self.message else ""
        tags = [str(self.status), self.code, self.request_id]
        return f"{self.message}{where} [{' '.join(tag for tag in tags if tag)}]"


class BadRequest(APIError):
    """400: the service could not read the request at all. Mend the call."""


class AuthenticationError(APIError):
    """401: the service wants a key, or another key. Set GRADLESS_API_KEY or pass `api_key`."""


class PermissionDenied(APIError):
    """403: the key is right, but its role may not do this. Ask with another key."""


class NotFound(APIError):
    """404: no such object, or no such address: is `base_url` right?"""


class Conflict(APIError):
    """409: not now: the job has already ended, or has no prompt yet."""


class PayloadTooLarge(APIError):
    """413: the upload is above the service's limit. Send fewer rows."""


class Invalid(APIError):
    """422: a field is wrong; `param` says which one, the message what was wanted."""


class RateLimited(APIError):
    """429: the key has asked too often. Wait `retry_after` seconds, where it is told."""


class ServiceError(APIError):
    """5xx: the service failed. `request_id` finds the line in its log."""


class ConnectionFailed(GradlessError):
    """No answer at all: the service is not running, or not at this address."""


class JobFailed(GradlessError):
    """The job ended in status `failed`; the message is the service's reason.

    `job` is the job as last seen, so `error.job.incumbent` still shows how far it came.
    """

    def __init__(self, message: str, job: Any) -> None:
        super().__init__(message)
        self.job = job


class JobTimeout(GradlessError):
    """`wait(timeout=…)` ran out. The job itself goes on: wait again, or cancel it."""

    def __init__(self, message: str, job: Any) -> None:
        super().__init__(message)
        self.job = job


BY_STATUS: dict[int, type[APIError]] = {
    400: BadRequest,
    401: AuthenticationError,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    413: PayloadTooLarge,
    422: Invalid,
    429: RateLimited,
}


def from_answer(status: int, headers: Mapping[str, str], body: bytes) -> APIError:
    """Make the error of an answer above 399, even of a proxy's that lacks our envelope.

    Example:
        >>> from_answer(404, {}, b'{"error": {"message": "no such job"}}')
        NotFound('no such job')
    """
    kind = BY_STATUS.get(status, ServiceError if status >= 500 else APIError)
    said = _envelope(body)
    return kind(
        said.get("message") or _first_words(body) or "the service gave no reason",
        status=status,
        type=said.get("type"),
        param=said.get("param"),
        code=said.get("code"),
        request_id=headers.get("x-request-id"),
        retry_after=retry_after(headers),
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, as the answer says; None where it does not, or gives a date instead.

    Example:
        >>> retry_after({"retry-after": "3"})
        3.0
    """
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None


def _envelope(body: bytes) -> dict[str, str]:
    try:
        error = json.loads(body)["error"]
    except (ValueError, TypeError, KeyError):
        return {}
    if not isinstance(error, dict):
        return {"message": str(error)}
    return {key: str(value) for key, value in error.items() if value is not None}


def _first_words(body: bytes, length: int = 200) -> str:
    return " ".join(body.decode("utf-8", "replace").split())[:length]
