"""One server: an openai client, how much it bears, whether it is up. No account, no retries."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

from openai import APIConnectionError, APIStatusError, AsyncOpenAI

from backends.base import BackendError, BackendRefused
from backends.remote import hosts, waits
from backends.remote.breaker import Breaker
from backends.remote.limiter import Limiter
from backends.remote.wire import Broken, CheckedTransport, http

_NO_KEY = "none"  # servers that want no key take any
_LONGEST = 300  # characters of a server's own message that are passed on
_OK, _TIMEOUT, _CONFLICT, _TOO_MANY, _ERRORS, _OVERLOADED = 200, 408, 409, 429, 500, 503


class Failure(Exception):
    """No answer, for a reason that may be gone soon: asked again, a few times."""


class Lost(Failure):
    """What was sent got no answer: the server may have worked on it, and may bill it."""


class Busy(Exception):
    """Too many requests: asked again when the server bears it, however often."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:
        """What it says.

        Raises:
            ValueError: it is not JSON.
        """
        return json.loads(self.content)


class Replica:
    """What is known of one base URL, used by one event loop only."""

    def __init__(
        self,
        base_url: str,
        key: str | None,
        *,
        timeout: float,
        most: int,
        patience: float,
        allow_private: bool,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Raises BackendRefused where the address is not well formed."""
        parts = hosts.split_url(base_url)
        self.address = base_url.rstrip("/")
        self.limiter = Limiter(most, clock)
        self.breaker = Breaker(clock)
        self._root = f"{parts.scheme}://{parts.netloc}"
        self._key = key
        self._patience = patience
        self._clock = clock
        self._path = parts.path.rstrip("/")
        self._transport = transport = CheckedTransport(timeout, allow_private)
        self._client = AsyncOpenAI(
            base_url=self.address,
            api_key=key or _NO_KEY,
            # said here too: else an environment variable may put another one into its place
            default_headers={"Authorization": f"Bearer {key or _NO_KEY}"},
            max_retries=0,
            timeout=timeout,
            http_client=http.AsyncClient(
                transport=transport, trust_env=False, follow_redirects=False, timeout=timeout
            ),
        )

    @property
    def has_room(self) -> bool:
        return self.breaker.lets_pass and self.limiter.has_room

    @property
    def ready_at(self) -> float:
        """The time of the clock before which nothing is sent to it."""
        return max(self.limiter.paused_until, self.breaker.open_until)

    def begin(self) -> None:
        """One place is taken; `end` gives it back."""
        self.limiter.begin()
        self.breaker.begin()

    def end(self) -> None:
        self.limiter.end()
        self.breaker.end()

    async def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None, tokens: int = 1
    ) -> Answer:
        """Any answer of the server but 429; the limiter and the breaker learn from all.

        A path that begins with a slash starts at the server's root, any other below the base URL.
        `tokens` is how many the next request may need, so that it waits where they have run out.

        Raises:
            Busy: it was 429.
            Failure: nothing could be sent.
            Lost: there was no answer.
            BackendRefused: its address may not be asked.
        """
        began = self._clock()
        outcome = await self._ask(method, path, body)
        if isinstance(outcome, BackendError):
            raise outcome
        if isinstance(outcome, Failure):
            self.limiter.refused(began)
            self.breaker.failed(began, str(outcome))
            raise type(outcome)(f"{self.address}: {outcome}")
        self._learn(began, outcome, tokens)
        if outcome.status == _TOO_MANY:
            raise Busy
        return outcome

    def check(self, answer: Answer) -> None:
        """Nothing, if it is an answer to what was asked.

        Raises:
            Failure: the server could not.
            BackendRefused: it would not.
        """
        if answer.status == _OK:
            return
        what = f"{self.address} answered {answer.status}{self._message(answer)}"
        if answer.status in (_TIMEOUT, _CONFLICT) or answer.status >= _ERRORS:
            raise Failure(what)
        raise BackendRefused(what)

    async def close(self) -> None:
        await self._client.close()

    async def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None
    ) -> Answer | BackendError | Failure:
        """An answer, or what went wrong.

        Nothing is raised here, since the client's errors hold the request, with the key, and an
        error that is raised while another is handled keeps that one for good.
        """
        try:
            if answer := await self._again(method, path, body):
                return answer
            response = await self._first(method, path, body)
        except APIStatusError as error:
            response = error.response
        except APIConnectionError as error:
            return self._failure(type(error.__cause__), error.__cause__ or error)
        except Broken as error:
            return self._failure(error.kind, error)
        except BackendError as error:
            return error
        return Answer(response.status_code, response.headers, response.content)

    def _failure(self, kind: type, error: BaseException) -> Failure:
        unsent = issubclass(kind, http.ConnectError | http.ConnectTimeout)
        return (Failure if unsent else Lost)(self.scrub(str(error)))

    async def _first(self, method: str, path: str, body: Mapping[str, Any] | None) -> http.Response:
        url = self._root + path if path.startswith("/") else "/" + path
        if method == "GET":
            return await self._client.get(url, cast_to=http.Response)
        return await self._client.post(url, cast_to=http.Response, body=body)

    async def _again(self, method: str, path: str, body: Mapping[str, Any] | None) -> Answer | None:
        """As the client has asked on this path before; None: it has not."""
        if method != "POST" or body is None:
            return None
        target = path if path.startswith("/") else f"{self._path}/{path}"
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        found = await self._transport.again(target, content)
        if found is None:
            return None
        head, content = found
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        return Answer(head.status_code, headers, content)

    def _learn(self, began: float, answer: Answer, tokens: int) -> None:
        if answer.status == _TOO_MANY or answer.status == _OVERLOADED:
            wait = waits.asked_for(answer.headers)
            self.limiter.refused(began, wait and min(wait, self._patience))
            longest = max(wait or 0.0, self.limiter.refusing)
            if longest > self._patience:
                what = f"answered {answer.status}, to be left alone for {longest:.0f} seconds"
                self.breaker.trip(max(wait or 0.0, self._patience), what)
        elif answer.status >= _ERRORS or answer.status == _TIMEOUT:
            self.limiter.refused(began)
        else:
            self.limiter.answered()
            if wait := waits.until_reset(answer.headers, tokens):
                self.limiter.pause(min(wait, self._patience))
        if answer.status >= _ERRORS or answer.status == _TIMEOUT:
            self.breaker.failed(began, f"answered {answer.status}{self._message(answer)}")
        elif answer.status != _TOO_MANY:
            self.breaker.answered()

    def _message(self, answer: Answer) -> str:
        """What the server says of it, in its own words."""
        try:
            said = answer.json()
        except ValueError:
            said = answer.content.decode(errors="replace")
        error = said.get("error", said) if isinstance(said, Mapping) else said
        if isinstance(error, Mapping):
            error = error.get("message", error.get("detail", error))
        told = " ".join(self.scrub(str(error)).split())
        return f": {told[:_LONGEST]}" if told else ""

    def scrub(self, text: str) -> str:
        """The text without the key, which servers like to repeat."""
        return text.replace(self._key, "(the key)") if self._key else text
