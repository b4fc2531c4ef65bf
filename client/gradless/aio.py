"""The asynchronous twins of `Client` and `Job`: the same calls, awaited. Described there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO, Unpack

from gradless import calls, types
from gradless.comparison import Comparison
from gradless.errors import GradlessError
from gradless.follow import BROKEN_STREAM, Follow
from gradless.images import Input
from gradless.progress import Show, showing
from gradless.report import Report
from gradless.transport import Address, AsyncTransport
from gradless.view import JobView, drawn, format_of, ids_of, report_format_of


class AsyncJob(JobView):
    """As `Job`, awaited.

    Example:
        job = await (await client.tune(dataset="tickets")).wait()
    """

    def __init__(self, transport: AsyncTransport, state: types.JobState) -> None:
        super().__init__(state)
        self._transport = transport

    async def refresh(self) -> Self:
        """As `Job.refresh`."""
        self.state = await self._transport.send(calls.job(self.id))
        return self

    async def wait(self, progress: bool | TextIO = True, timeout: float | None = None) -> Self:
        """As `Job.wait`."""
        await self.refresh()
        with showing(progress) as show:
            follow = Follow(self.state, self, self._transport.address.patience, timeout)
            show(self.state)
            while not follow.ended:
                if follow.streaming:
                    await self._listen(follow, show)
                if not follow.ended:
                    await asyncio.sleep(follow.pause())
                    await self._look(follow)
                    show(self.state)
            show((await self.refresh()).state)
        return self._ended_well()

    async def generations(self, after: int = 0) -> list[types.Generation]:
        """As `Job.generations`."""
        return await self._transport.every(calls.generations(self.id, after))

    async def incumbents(self) -> list[types.Generation]:
        """As `Job.incumbents`."""
        return await self._transport.every(calls.incumbents(self.id))

    async def candidates(self, limit: int = 20) -> list[types.Generation]:
        """As `Job.candidates`."""
        return await self._transport.send(calls.candidates(self.id, limit))

    async def predict(
        self, inputs: Sequence[Input], baseline: bool = False
    ) -> list[types.Prediction]:
        """As `Job.predict`."""
        call = await asyncio.to_thread(calls.predict, self.id, inputs, baseline)
        return await self._transport.send(call)

    async def prompt(self) -> types.Prompt:
        """As `Job.prompt`."""
        return await self._transport.send(calls.prompt(self.id))

    async def save_prompt(self, path: str | Path, format: str | None = None) -> Path:
        """As `Job.save_prompt`."""
        call = calls.prompt_file(self.id, format or format_of(path))
        content = await self._transport.send(call)
        await asyncio.to_thread(Path(path).write_bytes, content)
        return Path(path)

    async def report(self) -> Report:
        """As `Job.report`."""
        return await self._transport.send(calls.report(self.id))

    async def save_report(self, path: str | Path, format: str | None = None) -> Path:
        """As `Job.save_report`."""
        call = calls.report_file(self.id, format or report_format_of(path))
        content = await self._transport.send(call)
        await asyncio.to_thread(Path(path).write_bytes, content)
        return Path(path)

    async def cancel(self) -> Self:
        """As `Job.cancel`."""
        self.state = await self._transport.send(calls.cancel(self.id))
        return self

    async def pause(self) -> Self:
        """As `Job.pause`."""
        self.state = await self._transport.send(calls.pause(self.id))
        return self

    async def clone(
        self,
        changes: Mapping[str, Any] | None = None,
        priority: int = 0,
        idempotency_key: str | None = None,
    ) -> AsyncJob:
        """As `Job.clone`."""
        call = calls.clone(self.id, changes or {}, priority, idempotency_key)
        return AsyncJob(self._transport, await self._transport.send(call))

    async def delete(self, force: bool = False) -> None:
        """As `Job.delete`."""
        await self._transport.send(calls.delete(self.id, force))

    async def resume(self) -> Self:
        """As `Job.resume`."""
        self.state = await self._transport.send(calls.resume(self.id))
        return self

    async def plot(self, name: str = "accuracy", theme: str = "light") -> Any:
        """As `Job.plot`."""
        return drawn(await self._transport.send(calls.figure(self.id, name, theme)))

    async def _listen(self, follow: Follow, show: Show) -> None:
        cause: Exception | None = None
        try:
            async with self._transport.stream(follow.stream_call(), follow.silence()) as chunks:
                async for chunk in chunks:
                    done = follow.read(chunk)
                    self.state = follow.state
                    show(self.state)
                    if done:
                        return
        except BROKEN_STREAM as error:
            cause = error
        follow.broken(cause)

    async def _look(self, follow: Follow) -> None:
        try:
            follow.seen((await self.refresh()).state)
        except GradlessError as error:
            follow.away(error)


class AsyncClient:
    """As `Client`, awaited.

    Example:
        async with gradless.AsyncClient() as client:
            job = await client.tune(dataset="tickets", preset="fast")
            print((await job.wait()).result)
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout: float | None = 60.0,  # seconds
        patience: float = 120.0,  # seconds
    ) -> None:
        self._transport = AsyncTransport(Address.find(base_url, api_key, timeout, patience))

    @property
    def base_url(self) -> str:
        return self._transport.address.base_url

    async def close(self) -> None:
        """As `Client.close`."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.base_url}>"

    async def tune(
        self,
        dataset: calls.DatasetLike = "tickets",
        endpoint: str = "minilm",
        method: str | Mapping[str, Any] = calls.METHOD,
        budget: calls.Budget = calls.QUERIES,
        task: Mapping[str, Any] | None = None,
        baseline: str = "",
        seed: int = 0,
        name: str | None = None,
        metadata: Mapping[str, str] | None = None,
        cache: str | None = None,
        priority: int = 0,
        **settings: Any,
    ) -> AsyncJob:
        """As `Client.tune`."""
        options = {"seed": seed, "name": name, "metadata": metadata, "cache": cache}
        return await self.submit(
            calls.job_spec(dataset, endpoint, method, settings, budget, task, baseline, **options),
            priority,
        )

    async def submit(
        self, spec: Mapping[str, Any], priority: int = 0, idempotency_key: str | None = None
    ) -> AsyncJob:
        """As `Client.submit`."""
        call = calls.submit(spec, await self._uploaded(spec), priority, idempotency_key)
        return AsyncJob(self._transport, await self._transport.send(call))

    async def estimate(
        self, spec: Mapping[str, Any], points: float | None = None
    ) -> types.Estimate:
        """As `Client.estimate`."""
        call = calls.estimate(spec, await self._uploaded(spec), points)
        return await self._transport.send(call)

    async def job(self, job_id: str) -> AsyncJob:
        """As `Client.job`."""
        return AsyncJob(self._transport, await self._transport.send(calls.job(job_id)))

    async def jobs(self, status: str | None = None, page_size: int = 50) -> AsyncIterator[AsyncJob]:
        """As `Client.jobs`: `async for job in client.jobs(): …`."""
        async for state in self._transport.each(calls.jobs(status, page_size)):
            yield AsyncJob(self._transport, state)

    async def compare(self, jobs: Sequence[str | JobView]) -> Comparison:
        """As `Client.compare`."""
        return await self._transport.send(calls.compare(ids_of(jobs)))

    async def upload(
        self, rows: str | Path | calls.Rows, **options: Unpack[calls.UploadOptions]
    ) -> types.Dataset:
        """As `Client.upload`."""
        call = await asyncio.to_thread(calls.upload, rows, options)
        return await self._transport.send(call)

    async def dataset(self, dataset_id: str) -> types.Dataset:
        """As `Client.dataset`."""
        return await self._transport.send(calls.dataset(dataset_id))

    async def datasets(self) -> list[types.Dataset]:
        """As `Client.datasets`."""
        return await self._transport.every(calls.datasets())

    async def delete_dataset(self, dataset_id: str) -> None:
        """As `Client.delete_dataset`."""
        await self._transport.send(calls.delete_dataset(dataset_id))

    async def endpoints(self) -> list[types.Endpoint]:
        """As `Client.endpoints`."""
        return await self._transport.every(calls.endpoints())

    async def endpoint(self, endpoint_id: str) -> types.Endpoint:
        """As `Client.endpoint`."""
        return await self._transport.send(calls.endpoint(endpoint_id))

    async def add_endpoint(self, id: str, kind: str, model: str, **options: Any) -> types.Endpoint:
        """As `Client.add_endpoint`."""
        return await self._transport.send(calls.add_endpoint(id, kind, model, options))

    async def probe(self, endpoint_id: str) -> types.Endpoint:
        """As `Client.probe`."""
        return await self._transport.send(calls.probe(endpoint_id))

    async def delete_endpoint(self, endpoint_id: str) -> None:
        """As `Client.delete_endpoint`."""
        await self._transport.send(calls.delete_endpoint(endpoint_id))

    async def methods(self) -> list[types.Method]:
        """As `Client.methods`."""
        return await self._transport.every(calls.methods())

    async def metrics(self) -> list[types.Metric]:
        """As `Client.metrics`."""
        return await self._transport.every(calls.metrics())

    async def health(self) -> types.Health:
        """As `Client.health`."""
        return await self._transport.send(calls.health())

    async def _uploaded(self, spec: Mapping[str, Any]) -> Any:
        dataset = spec.get("dataset")
        return await self.upload(dataset) if calls.is_upload(dataset) else dataset
