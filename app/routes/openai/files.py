"""Files as OpenAI's clients know them: what is uploaded becomes a dataset."""

from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Query, UploadFile
from fastapi.responses import Response

from app.deps import CatalogDep, StoreDep
from app.openai.parts import UploadsDep
from app.openai.shelf import AnyPurpose, FileDeleted, FilePublic, Purpose
from app.openai.tuning import RESULTS, results_csv
from app.routes.datasets import EXAMPLE
from app.schemas import Listing, page
from jobs.catalog import Upload
from jobs.datasets import Reading
from jobs.models import ENDED, JobRow
from jobs.names import JOB_ID
from jobs.store import JobStore, NoSuchJob
from jobs.uploads import NoSuchFile

router = APIRouter(prefix="/v1/files", tags=["openai"])

FORM = {
    **{name: value for name, value in EXAMPLE.items() if name != "name"},
    "purpose": "fine-tune",
}
BODY = {"requestBody": {"content": {"multipart/form-data": {"example": FORM}}}}
Column = Annotated[str, Form(min_length=1, max_length=100)]


@router.post("", summary="Upload a file", openapi_extra=BODY)
def create_file(
    uploads: UploadsDep,
    file: Annotated[UploadFile, File(description=".jsonl, .csv or .tsv, or a .zip of images")],
    purpose: Annotated[Purpose, Form()],
    text_columns: Annotated[str, Form(description="comma-separated; empty: all the others")] = "",
    label_column: Column = "label",
    split_column: Column = "split",
    shots: Annotated[int, Form(ge=1, le=10_000)] = 16,
    seed: Annotated[int, Form(ge=0, lt=2**32)] = 0,
    target_column: Annotated[str, Form(max_length=100)] = "",
) -> FilePublic:
    """Checked at once, and split as POST /api/datasets does, whose fields `extra_body` may hold.

    A line of JSONL is a flat object of texts, or OpenAI's `{"messages": […]}`: then the last
    message of the user is the text and the assistant's answer the label. The id is the dataset's.
    """
    wanted = tuple(part.strip() for part in text_columns.split(",") if part.strip())
    reading = Reading(wanted, label_column, split_column, shots, seed, target_column)
    upload = Upload(file.filename or "upload", file.file.read())
    return FilePublic.of(uploads.add(upload, reading, purpose))


@router.get("", summary="List uploaded files")
def list_files(
    uploads: UploadsDep,
    after: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
    order: Literal["asc", "desc"] = "desc",
    purpose: AnyPurpose | None = None,
) -> Listing[FilePublic]:
    """The newest first, unless asked otherwise; a job's results are named by the job alone."""
    rows = uploads.files(
        after=after, purpose=purpose, newest_first=order == "desc", limit=limit + 1
    )
    return page([FilePublic.of(row) for row in rows], limit)


@router.get("/{file_id}", summary="One file")
def read_file(file_id: str, uploads: UploadsDep, store: StoreDep) -> FilePublic:
    if (job := _of_results(file_id, store)) is not None:
        return FilePublic.of_results(job, len(_results(job, store)))
    return FilePublic.of(uploads.file(file_id))


@router.get(
    "/{file_id}/content",
    summary="Its bytes",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
def read_file_content(file_id: str, uploads: UploadsDep, store: StoreDep) -> Response:
    """As they were uploaded; of a job's results, a CSV with a line for each generation."""
    job = _of_results(file_id, store)
    content = _results(job, store) if job is not None else uploads.file(file_id).content
    return Response(content, media_type="application/octet-stream")


@router.delete("/{file_id}", summary="Delete a file and its dataset; its jobs stay")
def delete_file(file_id: str, uploads: UploadsDep, catalog: CatalogDep) -> FileDeleted:
    catalog.delete_dataset(uploads.file(file_id).dataset_id)
    return FileDeleted(id=file_id)


def _of_results(file_id: str, store: JobStore) -> JobRow | None:
    """The job whose results this file is; raises NoSuchFile where it has none."""
    job_id = file_id.removesuffix(RESULTS)
    if job_id == file_id or not JOB_ID.fullmatch(job_id):
        return None
    try:
        job = store.job(job_id)
    except NoSuchJob as error:
        raise NoSuchFile(str(error)) from None
    if job.status not in ENDED or not job.generation:
        raise NoSuchFile(f"job {job_id} has no results yet")
    return job


def _results(job: JobRow, store: JobStore) -> bytes:
    return results_csv([row for row, _ in store.generations(job.id, limit=job.generation)])
