"""Asks one server the questions of a probe: unpaid, once each, and says why an answer is none."""

from collections.abc import Mapping
from typing import Any, TypeVar

from backends.base import BackendError, BackendRefused, BackendUnavailable
from backends.remote import connection
from backends.remote.pool import Malformed, Pool, Request

T = TypeVar("T")

_LONGEST = 160  # characters of a server's own message that are passed on


class NotThere(Exception):
    """The server does not do what it was asked; the message says what came instead."""


class Ignored(NotThere):
    """It answered as if it had not been asked: nor will it do less of the same."""


class Asker:
    """What is asked here is exactly what the ladder would ask."""

    def __init__(self, pool: Pool, model: str, key_variable: str | None) -> None:
        self._pool = pool
        self._model = model
        self._key_variable = key_variable
        self.requests = 0

    def ask(self, request: Request[T]) -> T:
        """The answer as the request reads it.

        Raises:
            NotThere: it was refused, or what was asked for is not in the answer.
            BackendRefused: the key is wrong.
            BackendUnavailable: nobody answers, or the server wants to be left alone.
        """
        answer = self.post(request.route, request.body)
        try:
            return request.read(answer)
        except Malformed as wrong:
            raise Ignored(f"ignored: {wrong}") from None

    def post(self, route: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The JSON of an answer. Raises as `ask`."""
        status, answer = self._tell("POST", route, {"model": self._model, **body})
        if status != 200 or not isinstance(answer, Mapping):
            raise NotThere(f"answered {status}{self._message(answer)}")
        return answer

    def get(self, path: str) -> Mapping[str, Any]:
        """The JSON at a path; nothing where there is none."""
        status, answer = self._tell("GET", path, None)
        return answer if status == 200 and isinstance(answer, Mapping) else {}

    def tokenize(self, text: str) -> list[int]:
        self.requests += 1
        try:
            return connection.tokenize(self._pool, self._model, text)
        except BackendError as refusal:
            raise NotThere(str(refusal)) from None

    def _tell(self, method: str, path: str, body: Mapping[str, Any] | None) -> tuple[int, Any]:
        self.requests += 1
        status, answer = self._pool.ask(method, path, body)
        if status in (401, 403) and not path.startswith("/"):
            raise BackendRefused(self._wrong_key(status))
        if status == 429:
            raise BackendUnavailable("the server wants no more requests for now (429)")
        return status, answer

    def _wrong_key(self, status: int) -> str:
        if self._key_variable is None:
            return (
                f"the server wants a key ({status}): put it into an environment variable and name "
                "that in the option key_variable"
            )
        return f"the server refuses the key ({status}) in the variable {self._key_variable}"

    def _message(self, answer: Any) -> str:
        """What the server says of its refusal, without any key that it may repeat."""
        error = answer.get("error", answer) if isinstance(answer, Mapping) else None
        said = error.get("message", error.get("detail")) if isinstance(error, Mapping) else error
        key = connection.read_key(self._key_variable)
        told = str(said or "").replace(key or "\0", "(the key)")
        return f": {told[:_LONGEST]}" if told else ""
