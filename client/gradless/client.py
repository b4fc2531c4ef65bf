"""The client that blocks until the service has answered. It knows no routes: calls.py does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

from gradless import calls, types
from gradless.comparison import Comparison
from gradless.job import Job
from gradless.transport import Address, Transport
from gradless.view import JobView, ids_of


class Client:
    """Talks to a Gradless service.

    Without arguments it asks GRADLESS_URL, or http://127.0.0.1:8000, with the key in
    GRADLESS_API_KEY if there is one. `timeout` is for one answer; `patience` is how long `Job.wait`
    bears a service that is away (a restart). It may be used where an event loop already runs, as in
    a notebook. Many threads may share one client.

    Example:
        with gradless.Client() as client:
            job = client.tune(dataset="tickets", preset="fast").wait()
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
    ) -> Job:
        """Start a tuning job and return it at once; `.wait()` follows it.

        `dataset` is an id, a path or a list of {"text", "label"} (both uploaded); `baseline` your
        own prompt, to be beaten; `settings` are the method's own (see `methods()`), and `shift` is
        for local models: name another for an API. `budget` is the most queries, or walls by name:
        queries, seconds and, of an API, tokens and cost (in the currency of its prices). `cache` is
        for APIs: "read" pays no request twice, "refresh" asks anew and remembers, "off" does
        neither. Of the jobs that wait, the one with the highest `priority` (-100 to 100) is taken
        first.

        Example:
            client.tune("reviews.csv", baseline="Sentiment:", budget=20_000, preset="fast").wait()
            client.tune(endpoint="hosted", method="grips", budget={"cost": 1.5}).wait()
        """
        options = {"seed": seed, "name": name, "metadata": metadata, "cache": cache}
        return self.submit(
            calls.job_spec(dataset, endpoint, method, settings, budget, task, baseline, **options),
            priority,
        )

    def submit(
        self, spec: Mapping[str, Any], priority: int = 0, idempotency_key: str | None = None
    ) -> Job:
        """Start a job from a whole spec (the body of POST /api/jobs); a file is uploaded.

        With an `idempotency_key` of your own, the same call may be made again within 24 hours when
        nobody knows what has become of the first one: it returns the first one's job.
        """
        dataset = self._uploaded(spec)
        call = calls.submit(spec, dataset, priority, idempotency_key)
        return Job(self._transport, self._transport.send(call))

    def estimate(self, spec: Mapping[str, Any], points: float | None = None) -> types.Estimate:
        """Tell what a job would take, without starting it; a file is uploaded.

        `points` of accuracy, in hundredths, are the effect you want to see: a warning says if the
        dev or test split is too small for it.

        Example:
            spec = {"dataset": "tickets", "endpoint": "minilm", "method": "bbt"}
            expected = client.estimate({**spec, "budget": {"queries": 20_000}}, points=5)
            print(expected.queries.ceiling, *expected.warnings, sep="\n")
        """
        return self._transport.send(calls.estimate(spec, self._uploaded(spec), points))

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

    def compare(self, jobs: Sequence[str | JobView]) -> Comparison:
        """Compare 2 to 8 jobs: their settings, and each pair of prompts on the same test rows.

        Example:
            found = client.compare([job, job.clone({"seed": 1}).wait()])
            print(*found.changed, *found.tests, sep="\n")
        """
        return self._transport.send(calls.compare(ids_of(jobs)))

    def upload(
        self, rows: str | Path | calls.Rows, **options: Unpack[calls.UploadOptions]
    ) -> types.Dataset:
        """Send labelled rows: a .csv, .tsv or .jsonl file, a list of dicts, or a .zip of images.

        A zip has its images as label/file or split/label/file, or a manifest.csv or .jsonl with the
        columns image (a path in the zip) and label.

        Options: `name`, `text_columns` (a list), `label_column`, `split_column`, `shots`, `seed`;
        for texts to be generated `target_column` instead of `label_column`.

        Example:
            client.upload("mail.csv", text_columns=["subject", "body"], label_column="queue")
            client.upload("news.csv", target_column="headline")
            client.upload("digits.zip", shots=16)
        """
        return self._transport.send(calls.upload(rows, options))

    def dataset(self, dataset_id: str) -> types.Dataset:
        """Return a dataset by its id; NotFound if there is none."""
        return self._transport.send(calls.dataset(dataset_id))

    def datasets(self) -> list[types.Dataset]:
        """Return all datasets, built-in and uploaded."""
        return self._transport.every(calls.datasets())

    def delete_dataset(self, dataset_id: str) -> None:
        """Delete a dataset, its jobs stay; Conflict if it came with the service or one waits."""
        self._transport.send(calls.delete_dataset(dataset_id))

    def endpoints(self) -> list[types.Endpoint]:
        """Return the models that can be tuned for."""
        return self._transport.every(calls.endpoints())

    def endpoint(self, endpoint_id: str) -> types.Endpoint:
        """Return an endpoint by its id; NotFound if there is none."""
        return self._transport.send(calls.endpoint(endpoint_id))

    def add_endpoint(self, id: str, kind: str, model: str, **options: Any) -> types.Endpoint:
        """Register a model; an API is asked at once what it can do.

        A key is never sent here: `key_variable` names the variable of the service's environment
        that holds it. Prices are of 10^6 tokens; without them no budget of money can be kept.

        Example:
            client.add_endpoint(
                "hosted",
                "openai",
                "qwen3-0.6b",
                base_url="http://127.0.0.1:8080/v1",
                key_variable="MY_API_KEY",
                input_price=0.1,
                output_price=0.4,
            )
        """
        return self._transport.send(calls.add_endpoint(id, kind, model, options))

    def probe(self, endpoint_id: str) -> types.Endpoint:
        """Ask an API again what it can do; jobs already started keep what was found before.

        Example:
            print(client.probe("hosted").probed.rung)
        """
        return self._transport.send(calls.probe(endpoint_id))

    def delete_endpoint(self, endpoint_id: str) -> None:
        """Forget an endpoint; Conflict if it came with the service or a job still needs it."""
        self._transport.send(calls.delete_endpoint(endpoint_id))

    def methods(self) -> list[types.Method]:
        """Return the methods with their presets and the schema of their settings."""
        return self._transport.every(calls.methods())

    def metrics(self) -> list[types.Metric]:
        """Return the ways to say how right a generated answer is.

        Example:
            task = {"metric": "rouge_l", "max_tokens": 40}
            client.tune("news", endpoint="hosted", method="llm", task=task)
        """
        return self._transport.every(calls.metrics())

    def health(self) -> types.Health:
        """Return the service's version, runners and queue."""
        return self._transport.send(calls.health())

    def _uploaded(self, spec: Mapping[str, Any]) -> Any:
        """Send the spec's dataset if it is a file or rows; else it is as it was."""
        dataset = spec.get("dataset")
        return self.upload(dataset) if calls.is_upload(dataset) else dataset
