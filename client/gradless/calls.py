"""Every route of the service, once: the request, and how its answer is read. Nothing is sent here.

The sync and the async client both send what these functions return, so that neither can know a
route that the other does not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, TypeGuard, TypeVar
from urllib.parse import quote

from gradless import types
from gradless.call import Call as Call
from gradless.call import Listing as Listing
from gradless.comparison import Comparison
from gradless.images import Input, sendable
from gradless.report import Report

R = TypeVar("R", bound=types.Record)

Rows = Sequence[Mapping[str, Any]]
DatasetLike = str | Path | types.Dataset | Rows
Budget = int | Mapping[str, float]
UPLOADS = frozenset({".csv", ".tsv", ".jsonl", ".zip"})
QUERIES = 50_000  # the budget of who names none
METHOD = "shift"  # the same of the method: what gained most on local models
ENDINGS = {
    "json": ".json",
    "text": ".txt",
    "safetensors": ".safetensors",
    "peft": "-peft.zip",
    "vllm": "-vllm.zip",
}  # of the formats of a prompt
REPORTS = {"json": "-report.json", "markdown": "-report.md", "html": "-report.html"}


class UploadOptions(TypedDict, total=False):
    """How the rows of an upload are read and split."""

    name: str
    text_columns: str | Sequence[str]
    label_column: str
    target_column: str  # texts to be generated, in place of labels
    split_column: str
    shots: int  # rows per label; with targets: in all
    seed: int


def health() -> Call[types.Health]:
    return Call("GET", "/healthz", types.Health.model_validate_json)


def methods() -> Listing[types.Method]:
    return _listing("/api/methods", types.Method, cursor="name")


def metrics() -> Listing[types.Metric]:
    return _listing("/api/metrics", types.Metric, cursor="name")


def endpoints() -> Listing[types.Endpoint]:
    return _listing("/api/endpoints", types.Endpoint)


def endpoint(endpoint_id: str) -> Call[types.Endpoint]:
    path = f"/api/endpoints/{_part(endpoint_id)}"
    return Call("GET", path, types.Endpoint.model_validate_json)


def add_endpoint(
    id: str, kind: str, model: str, options: Mapping[str, Any]
) -> Call[types.Endpoint]:
    known = {name: value for name, value in options.items() if value is not None}
    body = {"id": id, "kind": kind, "model": model, "options": known}
    return Call("POST", "/api/endpoints", types.Endpoint.model_validate_json, json=body)


def probe(endpoint_id: str) -> Call[types.Endpoint]:
    path = f"/api/endpoints/{_part(endpoint_id)}/probe"
    return Call("POST", path, types.Endpoint.model_validate_json)


def delete_endpoint(endpoint_id: str) -> Call[None]:
    return Call("DELETE", f"/api/endpoints/{_part(endpoint_id)}", lambda answer: None)


def datasets() -> Listing[types.Dataset]:
    return _listing("/api/datasets", types.Dataset)


def dataset(dataset_id: str) -> Call[types.Dataset]:
    return Call("GET", f"/api/datasets/{_part(dataset_id)}", types.Dataset.model_validate_json)


def delete_dataset(dataset_id: str) -> Call[None]:
    return Call("DELETE", f"/api/datasets/{_part(dataset_id)}", lambda answer: None)


def upload(rows: str | Path | Rows, options: UploadOptions) -> Call[types.Dataset]:
    """Send a file, or rows that are already in memory (as JSON Lines)."""
    if isinstance(rows, (str, Path)):
        file = (Path(rows).name, Path(rows).expanduser().read_bytes())
    else:
        lines = (json.dumps(dict(row), ensure_ascii=False) for row in rows)
        file = ("rows.jsonl", "\n".join(lines).encode())
    data = {key: _form_value(value) for key, value in options.items() if value is not None}
    read = types.Dataset.model_validate_json
    return Call("POST", "/api/datasets", read, data=data, files={"file": file})


def is_upload(dataset: object) -> TypeGuard[str | Path | Rows]:
    """Tell a file or rows from the id of a dataset that the service has.

    Example:
        >>> is_upload("tickets"), is_upload("tickets.csv"), is_upload([{"text": "a", "label": "b"}])
        (False, True, True)
    """
    if isinstance(dataset, str):
        return Path(dataset).suffix.lower() in UPLOADS
    return isinstance(dataset, (Path, Sequence))


def job_spec(
    dataset: Any,
    endpoint: str,
    method: str | Mapping[str, Any],
    settings: Mapping[str, Any],
    budget: Budget,
    task: Mapping[str, Any] | None = None,
    baseline: str = "",
    **options: Any,
) -> dict[str, Any]:
    """Write the body of `POST /api/jobs`; what was not given is left to the service.

    Example:
        >>> job_spec("tickets", "minilm", "bbt", {"preset": "fast"}, 400, seed=1)["method"]
        {'name': 'bbt', 'preset': 'fast'}
    """
    named = {"name": method} if isinstance(method, str) else method
    if baseline:
        task = {**(task or {}), "baseline": baseline}
    spec = {"dataset": dataset, "endpoint": endpoint, "method": {**named, **settings}}
    walls = {"queries": budget} if isinstance(budget, int) else {"queries": QUERIES, **budget}
    spec |= {"budget": walls, "task": task, **options}
    return {key: value for key, value in spec.items() if value is not None}


def submit(
    spec: Mapping[str, Any], dataset: Any, priority: int = 0, key: str | None = None
) -> Call[types.JobState]:
    """Start a job; `dataset` takes the place of the spec's own, which may have been a file."""
    read, body = types.JobState.model_validate_json, _with_dataset(spec, dataset)
    how = _once(key) | {"params": {"priority": priority or None}}
    return Call("POST", "/api/jobs", read, json=body, **how)


def estimate(
    spec: Mapping[str, Any], dataset: Any, points: float | None = None
) -> Call[types.Estimate]:
    read, body = types.Estimate.model_validate_json, _with_dataset(spec, dataset)
    return Call("POST", "/api/jobs/estimate", read, {"points": points}, json=body)


def jobs(status: str | None, page_size: int) -> Listing[types.JobState]:
    return _listing("/api/jobs", types.JobState, status=status, limit=page_size)


def job(job_id: str) -> Call[types.JobState]:
    return Call("GET", f"/api/jobs/{_part(job_id)}", types.JobState.model_validate_json)


def cancel(job_id: str) -> Call[types.JobState]:
    path = f"/api/jobs/{_part(job_id)}/cancel"
    return Call("POST", path, types.JobState.model_validate_json)


def pause(job_id: str) -> Call[types.JobState]:
    path = f"/api/jobs/{_part(job_id)}/pause"
    return Call("POST", path, types.JobState.model_validate_json)


def resume(job_id: str) -> Call[types.JobState]:
    path = f"/api/jobs/{_part(job_id)}/resume"
    return Call("POST", path, types.JobState.model_validate_json)


def clone(
    job_id: str, changes: Mapping[str, Any], priority: int = 0, key: str | None = None
) -> Call[types.JobState]:
    path, read = f"/api/jobs/{_part(job_id)}/clone", types.JobState.model_validate_json
    how = _once(key) | {"params": {"priority": priority or None}}
    return Call("POST", path, read, json=dict(changes), **how)


def delete(job_id: str, force: bool) -> Call[None]:
    params = {"force": "true" if force else None}
    return Call("DELETE", f"/api/jobs/{_part(job_id)}", lambda answer: None, params)


def generations(job_id: str, after: int) -> Listing[types.Generation]:
    path = f"/api/jobs/{_part(job_id)}/generations"
    return _listing(path, types.Generation, cursor="number", after=after, limit=1000)


def incumbents(job_id: str) -> Listing[types.Generation]:
    path = f"/api/jobs/{_part(job_id)}/incumbents"
    return _listing(path, types.Generation, cursor="number", limit=1000)


def candidates(job_id: str, limit: int) -> Call[list[types.Generation]]:
    """Ask for one page: there is no other."""
    path = f"/api/jobs/{_part(job_id)}/candidates"
    read = types.Page[types.Generation].model_validate_json
    return Call("GET", path, lambda answer: read(answer).data, params={"limit": limit})


def compare(job_ids: Sequence[str]) -> Call[Comparison]:
    params = {"jobs": ",".join(job_ids)}
    return Call("GET", "/api/compare", Comparison.model_validate_json, params=params)


def events(job_id: str, last_event_id: str | None) -> Call[bytes]:
    resume = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache", **resume}
    return Call("GET", f"/api/jobs/{_part(job_id)}/events", bytes, headers=headers)


def prompt(job_id: str) -> Call[types.Prompt]:
    path = f"/api/jobs/{_part(job_id)}/prompt"
    return Call("GET", path, types.Prompt.model_validate_json, params={"format": "json"})


def prompt_file(job_id: str, format: str) -> Call[bytes]:
    return Call("GET", f"/api/jobs/{_part(job_id)}/prompt", bytes, params={"format": format})


def file_name(job_id: str, format: str, endings: Mapping[str, str] = ENDINGS) -> str:
    """Name a file for a prompt or report; of an id that is no plain name, nothing leads elsewhere.

    Example:
        >>> file_name("job_01", "peft"), file_name("../x", "json", REPORTS)
        ('job_01-peft.zip', '___x-report.json')
    """
    if format not in endings:
        raise ValueError(f"no format {format!r}; wanted one of {', '.join(endings)}")
    return re.sub(r"[^A-Za-z0-9_-]", "_", job_id) + endings[format]


def predict(job_id: str, inputs: Iterable[Input], baseline: bool) -> Call[list[types.Prediction]]:
    if isinstance(inputs, (str, bytes, Path)):
        raise TypeError(
            "predict takes a list of texts or images: write predict([x]) for a single one"
        )
    read = types.Page[types.Prediction].model_validate_json
    body = {"inputs": [sendable(each) for each in inputs], "baseline": baseline}
    path = f"/api/jobs/{_part(job_id)}/predict"
    return Call("POST", path, lambda answer: read(answer).data, json=body)


def report(job_id: str) -> Call[Report]:
    path = f"/api/jobs/{_part(job_id)}/report"
    return Call("GET", path, Report.model_validate_json)


def report_file(job_id: str, format: str) -> Call[bytes]:
    return Call("GET", f"/api/jobs/{_part(job_id)}/report", bytes, params={"format": format})


def figure(job_id: str, name: str, theme: str) -> Call[dict[str, Any]]:
    path = f"/api/jobs/{_part(job_id)}/figures/{_part(name)}"
    return Call("GET", path, json.loads, params={"theme": theme})


def _listing(path: str, item: type[R], cursor: str = "id", **params: Any) -> Listing[R]:
    read = types.Page[item].model_validate_json  # type: ignore[valid-type]
    return Listing(Call("GET", path, read, params=params), cursor)


def _with_dataset(spec: Mapping[str, Any], dataset: Any) -> dict[str, Any]:
    known = dataset.id if isinstance(dataset, types.Dataset) else dataset
    return {**spec, "dataset": known} if known is not None else dict(spec)


def _once(key: str | None) -> dict[str, Any]:
    """Send the key of a request that may be repeated without doing its work twice."""
    return {} if key is None else {"headers": {"Idempotency-Key": key}}


def _part(value: str) -> str:
    """Quote one part of a path, so that an id with a slash cannot name another route."""
    return quote(value, safe="")


def _form_value(value: Any) -> str:
    listed = isinstance(value, (list, tuple))
    return ",".join(map(str, value)) if listed else str(value)
