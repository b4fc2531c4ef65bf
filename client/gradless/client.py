"""The client that blocks until the service has answered. It knows no routes: calls.py does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

from gradless import calls, types
from gradless.job import Job
from gradless.transport import Address, Transport


class Client:
    """Talks to a Gradless service.

    Without arguments it asks GRADLESS_URL, or http://127.0.0.1:8000, with the key in
    GRADLESS_API_KEY if there is one. `timeout` is for one answer; `patience` is how long `Job.wait`
    bears a service that is away (a restart). It may be used where an event loop already runs, as in
    a notebook. Many threads may share one client.

    Example:
        with gradless.Client() as client:
            job = client.tune(dataset="tickets", method="bbt", preset="fast").wait()
            print(job.result)
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout: float | None = 60.0,  # seconds
        patience: float = 120.0,  # seconds
    ) -> None:
        self._transport = Transport(Address.find(base_url, api_key, timeout, patience))

    @property
    def base_url(self) -> str:
        return self._transport.address.base_url

    def close(self) -> None:
        """Close the connections; a `with` block does it for you."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.base_url}>"

    def tune(
        self,
        dataset: calls.DatasetLike = "tickets",
        endpoint: str = "minilm",
        method: str | Mapping[str, Any] = "bbt",
        budget: int = 50_000,
        task: Mapping[str, Any] | None = None,
        baseline: str = "",
        seed: int = 0,
        name: str | None = None,
        metadata: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> Job:
        """Start a tuning job and return it at once; `.wait()` follows it.

        `dataset` is an id, a path or a list of {"text", "label"} (both uploaded); `baseline` your
        own prompt, to be beaten; `settings` are the method's own (see `methods()`).

        Example:
            client.tune("reviews.csv", baseline="Sentiment:", budget=20_000, preset="fast").wait()
        """
        options = {"seed": seed, "name": name, "metadata": metadata}
        return self.submit(
            calls.job_spec(dataset, endpoint, method, settings, budget, task, baseline, **options)
        )

    def submit(self, spec: Mapping[str, Any]) -> Job:
        """Start a job from a whole spec (the body of POST /api/jobs); a file is uploaded."""
        dataset = spec.get("dataset")
        if calls.is_upload(dataset):
            dataset = self.upload(dataset)
        return Job(self._transport, self._transport.send(calls.submit(spec, dataset)))

    def job(self, job_id: str) -> Job:
        """Return a job by its id; NotFound if there is none."""
        return Job(self._transport, self._transport.send(calls.job(job_id)))

    def jobs(self, status: str | None = None, page_size: int = 50) -> Iterator[Job]:
        """Yield all jobs, newest first; a page is asked for when it is reached.

        Example:
            running = list(client.jobs(status="running"))
        """
        for state in self._transport.each(calls.jobs(status, page_size)):
            yield Job(self._transport, state)

    def upload(
        self, rows: str | Path | calls.Rows, **options: Unpack[calls.UploadOptions]
    ) -> types.Dataset:
        """Send labelled rows: a .csv, .tsv or .jsonl file, or a list of dicts.

        Options: `name`, `text_columns` (a list), `label_column`, `split_column`, `shots`, `seed`.

        Example:
            client.upload("mail.csv", text_columns=["subject", "body"], label_column="queue")
        """
        return self._transport.send(calls.upload(rows, options))

    def dataset(self, dataset_id: str) -> types.Dataset:
        """Return a dataset by its id; NotFound if there is none."""
        return self._transport.send(calls.dataset(dataset_id))

    def datasets(self) -> list[types.Dataset]:
        """Return all datasets, built-in and uploaded."""
        return self._transport.every(calls.datasets())

    def endpoints(self) -> list[types.Endpoint]:
        """Return the models that can be tuned for."""
        return self._transport.every(calls.endpoints())

    def methods(self) -> list[types.Method]:
        """Return the methods with their presets and the schema of their settings."""
        return self._transport.every(calls.methods())

    def health(self) -> types.Health:
        """Return the service's version, runners and queue."""
        return self._transport.send(calls.health())
