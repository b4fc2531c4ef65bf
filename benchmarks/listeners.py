"""Many who follow the events of jobs at once, for `benchmarks.load`."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx

EVENT = "event: "


class Listeners:
    """So many event streams at once; each that ends makes room for the next job's."""

    def __init__(self, url: str, n: int, ids: Sequence[str]) -> None:
        self.events = Counter[str]()
        self.errors: list[str] = []
        self._url, self._n, self._ids = url, n, iter(ids)

    async def run(self, over: threading.Event) -> None:
        limits = httpx.Limits(max_connections=self._n)
        async with httpx.AsyncClient(
            base_url=self._url, timeout=None, limits=limits, trust_env=False
        ) as client:
            tasks = [asyncio.create_task(self._follow(client)) for _ in range(self._n)]
            await asyncio.to_thread(over.wait)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, client: httpx.AsyncClient) -> None:
        for id_ in self._ids:
            try:
                async with client.stream("GET", f"/api/jobs/{id_}/events") as stream:
                    if stream.status_code != httpx.codes.OK:
                        self.errors.append(f"events: {stream.status_code}")
                    async for line in stream.aiter_lines():
                        if line.startswith(EVENT):
                            self.events[line.removeprefix(EVENT)] += 1
            except httpx.HTTPError as error:
                self.errors.append(f"events: {type(error).__name__}")


@contextmanager
def listening(listeners: Listeners) -> Iterator[None]:
    """The listeners on a thread of their own."""
    over = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(listeners.run(over)))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
