"""Requests to one model, many at once, from synchronous code. Reads no score off an answer."""

import asyncio
import threading
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from backends.base import Account, BackendUnavailable, Usage
from backends.remote.batch import Batch, backoff
from backends.remote.gate import Gate
from backends.remote.money import FREE, Prices
from backends.remote.replica import Answer, Busy, Failure, Replica
from backends.remote.request import Malformed, Request, answer_key, decode
from backends.watching import Heard

__all__ = ["Malformed", "Pool", "Request", "answer_key"]

T = TypeVar("T")

_ERRORS = 500  # statuses from here on: the server could not
_PROBES = 3  # attempts of a plain request


class Pool:
    """Requests to one model on one or several replicas, as many at once as they bear.

    All is done by one event loop on a thread of its own, so that callers need none, and may have
    their own.
    """

    def __init__(
        self,
        model: str,
        base_urls: Sequence[str],
        *,
        key: str | None = None,
        prices: Prices = FREE,
        timeout: float = 60.0,
        concurrency: int = 256,
        patience: float = 60.0,
        attempts: int = 6,
        allow_private: bool = True,
    ) -> None:
        """Nothing is sent yet.

        Args:
            key: never shown, logged or stored; None where the servers want none.
            timeout: seconds one answer may take.
            concurrency: most requests in flight, at all replicas together.
            patience: seconds a replica may ask to be left alone, or refuse everything with 429,
                before it counts as unavailable.
            attempts: how often a request is sent that fails otherwise.
            allow_private: whether loopback and private addresses may be asked.

        Raises:
            BackendRefused: an address is not well formed.
        """
        self.account: Account | None = None  # who pays; None: nobody, nothing remembered
        self.heard: Heard | None = None  # who is told of the requests of `send`
        self._model, self._prices = model, prices
        self._concurrency, self._attempts = concurrency, attempts
        self._replicas = [
            Replica(
                url,
                key,
                timeout=timeout,
                most=concurrency,
                patience=patience,
                allow_private=allow_private,
            )
            for url in base_urls
        ]
        self._gate = Gate(self._replicas, concurrency)
        self._closed = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="pool", daemon=True)
        self._thread.start()

    def send(self, requests: Sequence[Request[T]]) -> list[T]:
        """What `read` makes of the answers, in order; equal requests are sent once.

        The account's `recall` is called on this thread, `reserve` and `settle` on the pool's own,
        which waits for them.

        Raises:
            BackendUnavailable: all replicas fail, or one answer cannot be had.
            BackendRefused: a server rejects a request.
            Exception: whatever `account.reserve` raised; what was in flight has been settled.
        """
        account = self.account or _Nobody()
        where = [replica.address for replica in self._replicas]
        keys = [answer_key(where, self._model, r.route, r.body, r.sample) for r in requests]
        jobs = dict(zip(keys, requests, strict=True))
        answers = _read(jobs, account.recall(list(jobs)))
        left = {key: request for key, request in jobs.items() if key not in answers}
        if left:
            batch = Batch(
                self._model, self._gate, account, self._prices, self._attempts, self.heard
            )
            answers |= self._run(batch.run(left, self._concurrency))
        return [answers[key] for key in keys]

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        """One plain request that nobody pays for: its status, and its JSON, or None.

        Only 429, 5xx and broken connections are asked again. A path that begins with a slash
        starts at the server's root, any other below the base URL.

        Raises:
            BackendUnavailable: nobody answers.
            BackendRefused: the address may not be asked.
        """
        answer = self._run(self._ask(method, path, body))
        try:
            return answer.status, answer.json()
        except ValueError:
            return answer.status, None

    def close(self) -> None:
        """Ends what is under way, and the thread; callers that wait get BackendUnavailable."""
        if self._closed:
            return
        self._closed = True
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """Its result; an exception that interrupts the wait, such as Ctrl-C, ends it first."""
        if self._closed:
            work.close()
            raise BackendUnavailable("the connection has been closed")
        over = threading.Event()
        tasks: list[asyncio.Task[T]] = []

        def start() -> None:
            tasks.append(self._loop.create_task(work))
            tasks[0].add_done_callback(lambda _: over.set())

        self._loop.call_soon_threadsafe(start)
        try:
            over.wait()
        except BaseException:
            self._loop.call_soon_threadsafe(lambda: tasks[0].cancel())
            over.wait()
            raise
        if tasks[0].cancelled():
            raise BackendUnavailable("the connection has been closed")
        return tasks[0].result()

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> Answer:
        answer: Answer | None = None
        try:
            async for attempt in backoff(lambda e: isinstance(e, Failure), _PROBES):
                with attempt:
                    answer = await self._plain(method, path, body)
                    if answer.status < _ERRORS:
                        return answer
                    raise Failure
        except Failure as failure:
            last = str(failure)
        if answer is None:
            raise BackendUnavailable(f"{last}, after {_PROBES} attempts")
        return answer

    async def _plain(self, method: str, path: str, body: Mapping[str, Any] | None) -> Answer:
        while True:
            replica = await self._gate.enter()
            try:
                answer = await replica.ask(method, path, body)
                replica.breaker.answered()  # who says what is wrong is up
                return answer
            except Busy:
                continue
            finally:
                self._gate.leave(replica)

    async def _shut(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        self._gate.close()
        for replica in self._replicas:
            await replica.close()
        await self._loop.shutdown_default_executor()  # where names are resolved


class _Nobody:
    """The account of those who have none."""

    def recall(self, keys: Sequence[str]) -> Mapping[str, str]:
        return {}

    def reserve(self, most: Usage) -> None:
        pass

    def settle(self, reserved: Usage, spent: Usage, answer: tuple[str, str] | None = None) -> None:
        pass


def _read(jobs: Mapping[str, Request[T]], kept: Mapping[str, str]) -> dict[str, T]:
    """What kept answers say; those that are of no use are left out, and asked again."""
    answers: dict[str, T] = {}
    for key, text in kept.items():
        try:
            answers[key] = jobs[key].read(decode(text))
        except Malformed:
            continue
    return answers
