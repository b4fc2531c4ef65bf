"""The requests of one call, sent as many at once as the gate lets in. One event loop, no thread."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from time import time_ns
from typing import Any

import stamina

from backends.base import Account, BackendError, BackendUnavailable, Usage
from backends.remote.gate import Gate
from backends.remote.money import Prices
from backends.remote.replica import Busy, Failure, Lost, Replica
from backends.remote.request import Malformed, Request, billed, decode
from backends.watching import Exchange, Heard

Jobs = Mapping[str, Request[Any]]  # by the key of the answer
Backoff = AsyncIterator[stamina.Attempt]

_NOTHING = Usage()


def backoff(again: Callable[[Exception], bool], attempts: int) -> Backoff:
    """Attempts with a growing, jittered wait between: 0.1 s at first, 5 s at most."""
    return stamina.retry_context(
        on=again, attempts=attempts, timeout=None, wait_initial=0.1, wait_max=5.0, wait_jitter=0.1
    ).__aiter__()


class Batch:
    """Each request reserved, sent and settled, and once more where it failed.

    The first error ends all: nothing more is sent, what is on its way is awaited and settled.
    """

    def __init__(
        self,
        model: str,
        gate: Gate,
        account: Account,
        prices: Prices,
        attempts: int,
        heard: Heard | None = None,
    ) -> None:
        self._model, self._gate = model, gate
        self._account, self._prices = account, prices
        self._attempts, self._heard = attempts, heard
        self._answers: dict[str, Any] = {}
        self._error: Exception | None = None
        self._workers: list[asyncio.Task[None]] = []
        self._sending: set[asyncio.Task[Any] | None] = set()
        self._settled = asyncio.Event()  # set, and replaced, whenever a request is

    async def run(self, jobs: Jobs, most: int) -> dict[str, Any]:
        """What was read off the answers, by key, with at most so many in flight.

        Raises:
            BackendUnavailable, BackendRefused, or whatever `reserve` or a `read` raised.
        """
        queue = iter(jobs.items())
        self._workers = [
            asyncio.create_task(self._work(queue)) for _ in range(min(most, len(jobs)))
        ]
        try:
            await asyncio.wait(self._workers)
        except asyncio.CancelledError:
            for worker in self._workers:
                worker.cancel()
            await asyncio.wait(self._workers)
            raise
        if self._error is not None:
            raise self._error
        return self._answers

    async def _work(self, queue: Iterator[tuple[str, Request[Any]]]) -> None:
        for key, request in queue:
            try:
                self._answers[key] = await self._answer(key, request)
            except Exception as error:
                self._stop(error)
            if self._error is not None:
                return

    def _stop(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
            for worker in self._workers:
                if worker not in self._sending:
                    worker.cancel()

    async def _answer(self, key: str, request: Request[Any]) -> Any:
        try:
            return await self._attempt(key, request)
        except Failure as failure:  # only now: what counts attempts costs as much as a request
            failed: Failure | None = failure
        try:
            async for attempt in backoff(self._may_retry, self._attempts):
                with attempt:
                    if failed is not None:
                        first, failed = failed, None
                        raise first
                    return await self._attempt(key, request)
        except Failure as failure:
            last = str(failure)
        raise BackendUnavailable(f"{last}, after {self._attempts} attempts")

    def _may_retry(self, error: Exception) -> bool:
        return isinstance(error, Failure) and self._error is None

    async def _attempt(self, key: str, request: Request[Any]) -> Any:
        while self._error is None:
            replica = await self._gate.enter()
            try:
                return await self._exchange(replica, key, request)
            except Busy:
                continue
            finally:
                self._gate.leave(replica)
        raise asyncio.CancelledError

    async def _exchange(self, replica: Replica, key: str, request: Request[Any]) -> Any:
        most = request.most(self._prices)
        await self._reserve(most)
        worker = asyncio.current_task()
        self._sending.add(worker)
        spent, kept = most, None  # until the server says otherwise: it may bill what it hears
        told = Exchange(replica.address, self._model, request.route, request.body)
        try:
            body = {"model": self._model, **request.body}
            tokens = request.tokens_in + request.tokens_out
            answer = await replica.ask("POST", request.route, body, tokens)
            told.error = str(answer.status)
            replica.check(answer)
            told.error = "malformed"
            told.said = said = decode(answer.content)
            spent = billed(said, most, self._prices)
            result = request.read(said)
            kept, told.error = (key, answer.content.decode()), ""
            return result
        except Malformed as wrong:
            raise Failure(f"{replica.address} gave no proper answer: {wrong}") from None
        except Lost:
            raise
        except Busy:
            spent, told.error = _NOTHING, "429"
            raise
        except (Failure, BackendError):
            spent = _NOTHING
            raise
        finally:
            self._sending.discard(worker)
            self._account.settle(most, spent, kept)
            over, self._settled = self._settled, asyncio.Event()
            over.set()
            self._tell(told, spent)

    def _tell(self, told: Exchange, spent: Usage) -> None:
        if self._heard is not None:
            told.ended, told.usage = time_ns(), spent
            self._heard(told)

    async def _reserve(self, most: Usage) -> None:
        """Near a wall, waits for what is under way: most requests cost less than they could."""
        while self._error is None:
            try:
                return self._account.reserve(most)
            except Exception:
                if not self._sending:
                    raise
            await self._settled.wait()
        raise asyncio.CancelledError
