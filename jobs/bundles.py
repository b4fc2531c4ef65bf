"""A job that has ended as one zip: spec, log, prompt, report and rows. No table is written here.

The same job gives the same bytes. What a key is read from is not in it: an endpoint is only named.
"""

import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from pydantic import ValidationError
from safetensors import SafetensorError
from sqlmodel import SQLModel

from jobs import prompts
from jobs.archives import Archive
from jobs.catalog import ID
from jobs.datasets import SPLITS, Dataset
from jobs.images import Album, BadImage
from jobs.models import (
    ENDED,
    DatasetRow,
    ExampleRow,
    GenerationRow,
    ImageRow,
    JobRow,
    PromptRow,
    ReportRow,
    TimingRow,
    UsageRow,
)
from jobs.names import JOB_ID
from jobs.readers import BadFile
from jobs.report import Scores
from jobs.spec import JobSpec
from jobs.task import Example

FORMAT = 1
MOST = 500_000_000  # bytes of all members together
STAMP = (1980, 1, 1, 0, 0, 0)  # of every member: a clock would make two files of one job
JOB_FIELDS = JobRow.model_fields.keys() - {  # of its life in one service's queue
    *("runner", "heartbeat", "cancel_requested", "pause_requested", "retry_at", "crashes"),
    *("outages", "priority", "project"),
}
HERE = {"project"}  # whose it is, is no part of a job
IMAGES, HASH = "images/", "sha256:"
BROKEN = (  # what reading something else raises
    *(ValidationError, BadImage, SafetensorError, RecursionError),
    *(LookupError, TypeError, ValueError, AttributeError),
)
R = TypeVar("R", bound=SQLModel)


@dataclass(frozen=True, eq=False)
class Bundle:
    """All rows of a job, and those of its dataset."""

    job: JobRow
    generations: Sequence[GenerationRow]
    timings: Sequence[TimingRow]
    usage: UsageRow | None
    prompt: PromptRow | None
    report: ReportRow | None
    dataset: DatasetRow
    examples: Sequence[ExampleRow]
    images: Sequence[ImageRow]

    def rename(self, job_id: str) -> None:
        """Another id for the job, in all of its rows."""
        self.job.id = job_id
        for row in (*self.generations, *self.timings, self.usage, self.prompt, self.report):
            if row is not None:
                row.job_id = job_id

    def dumps(self, model: str) -> bytes:
        """The zip; `model` is told to whoever has no endpoint of this name."""
        # a status comes from the database as text, which is no reason for a warning
        job = self.job.model_dump(mode="json", include=set(JOB_FIELDS), warnings=False)
        files: dict[str, bytes] = {
            "job.json": _json({"format": FORMAT, "model": model, "job": job}),
            "generations.jsonl": _lines(self.generations),
            "timings.jsonl": _lines(self.timings),
            "dataset.json": _json(self.dataset.model_dump(mode="json", exclude=HERE)),
            "examples.jsonl": _lines(self.examples),
        }
        if self.usage is not None:
            files["usage.json"] = _json(self.usage.model_dump(mode="json"))
        if self.prompt is not None:
            files["prompt.json"] = _json(self.prompt.model_dump(mode="json", exclude={"content"}))
            files["prompt.bin"] = self.prompt.content
        if self.report is not None:
            files["report.json"] = _json(self.report.body)
            if self.report.scores is not None:
                files["scores.json"] = _json(self.report.scores)
        for image in sorted(self.images, key=lambda image: image.name):
            files[IMAGES + image.name.removeprefix(HASH)] = image.data
        return _zip(files)


def loads(data: bytes) -> Bundle:
    """What `dumps` has written, checked as if a stranger had written it.

    Raises:
        BadFile: it is no such file, or not a whole one.
    """
    files = _unzipped(data)
    try:
        bundle = _bundle(files)
        _check(bundle)
    except BadFile:
        raise
    except BROKEN as error:
        raise BadFile(f"the file is no exported job: {_short(error)}") from None
    return bundle


def _bundle(files: dict[str, bytes]) -> Bundle:
    head = json.loads(files["job.json"])
    if head["format"] != FORMAT:
        raise BadFile(f"an exported job of format {head['format']}; wanted format {FORMAT}")
    kept = {name: value for name, value in head["job"].items() if name in JOB_FIELDS}
    job = JobRow.model_validate(kept)
    prompt, report, usage = (files.get(f"{name}.json") for name in ("prompt", "report", "usage"))
    content = {"content": files.get("prompt.bin", b"")}
    dataset = _row(DatasetRow, files["dataset.json"])
    return Bundle(
        job,
        _rows(GenerationRow, files["generations.jsonl"]),
        _rows(TimingRow, files["timings.jsonl"]),
        _row(UsageRow, usage) if usage else None,
        PromptRow.model_validate(json.loads(prompt) | content) if prompt else None,
        _report(job.id, report, files.get("scores.json")) if report else None,
        dataset,
        _rows(ExampleRow, files["examples.jsonl"]),
        list(_images(files, dataset.id)),
    )


def _report(job_id: str, body: bytes, scores: bytes | None) -> ReportRow:
    """Archives of earlier versions have no scores."""
    kept = Scores.model_validate_json(scores).model_dump() if scores else None
    return ReportRow(job_id=job_id, body=json.loads(body), scores=kept)


def _images(files: dict[str, bytes], dataset_id: str) -> Iterator[ImageRow]:
    album = Album()
    for path, data in files.items():
        if path.startswith(IMAGES):
            image = album.add(data)
            if image.name != HASH + path.removeprefix(IMAGES):
                raise ValueError(f"{path} is not what its name says")
            yield ImageRow(dataset_id=dataset_id, **vars(image))


def _check(bundle: Bundle) -> None:
    job, prompt, dataset = bundle.job, bundle.prompt, bundle.dataset
    spec = JobSpec.model_validate(job.spec)
    if not (JOB_ID.fullmatch(job.id) and ID.fullmatch(dataset.id)):
        raise ValueError("its id, or its dataset's, is none")
    parts = [*bundle.generations, *bundle.timings, bundle.usage, prompt]
    if any(part is not None and part.job_id != job.id for part in parts):
        raise ValueError("a row of another job is among its rows")
    if job.status not in ENDED or spec.dataset != dataset.id:
        raise ValueError("the job has not ended, or its rows are of another dataset")
    if prompt is not None:
        if prompt.kind not in prompts.KINDS.values():
            raise ValueError(f"no kind of prompt is called {prompt.kind!r}")
        prompts.loads(prompt.kind, prompt.content)  # type: ignore[arg-type]
    if any(row.dataset_id != dataset.id for row in bundle.examples):
        raise ValueError("an example of another dataset is among its rows")
    if _sha256(dataset, bundle.examples) != dataset.sha256:
        raise ValueError("the rows are not those that the dataset's hash is of")


def _sha256(row: DatasetRow, examples: Sequence[ExampleRow]) -> str:
    splits = {
        name: tuple(Example(each.inputs, each.label) for each in examples if each.split == name)
        for name in SPLITS
    }
    return Dataset(
        tuple(row.columns), tuple(row.labels), splits, "given", row.image_column
    ).sha256()


def _unzipped(data: bytes) -> dict[str, bytes]:
    archive, left = Archive(data), MOST
    files = {}
    for path in archive.files:
        files["/".join(path)] = archive.read(path, left)
        left -= len(files["/".join(path)])
    return files


def _zip(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with ZipFile(made, "w", ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(ZipInfo(name, STAMP), data, ZIP_DEFLATED)
    return made.getvalue()


def _rows(kind: type[R], lines: bytes) -> list[R]:
    return [_row(kind, line) for line in lines.splitlines()]


def _row(kind: type[R], line: bytes) -> R:
    """Validated: SQLModel does that of a table's row only here, not in `model_validate_json`."""
    given = json.loads(line)
    return kind.model_validate({name: given[name] for name in given if name not in HERE})


def _lines(rows: Iterable[SQLModel]) -> bytes:
    return b"".join(_json(row.model_dump(mode="json", exclude=HERE)) for row in rows)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def _short(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)[:200]
