"""Uploading and reading datasets."""

from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Query, UploadFile
from fastapi.responses import Response

from app.deps import CatalogDep, Seen
from app.errors import BadName, NameTaken
from app.offers import DatasetPublic, RowPublic
from app.schemas import Listing, page
from jobs.catalog import BadId, IdTaken, Upload, slug
from jobs.datasets import Reading, SplitName
from jobs.images import thumbnail

router = APIRouter(prefix="/api/datasets", tags=["datasets"])

Column = Annotated[str, Form(min_length=1, max_length=100)]
UNCHANGING = "private, max-age=31536000, immutable"  # an image's name is the hash of its bytes

FILE = (
    "a .csv, .tsv or .jsonl file in UTF-8; or a .zip of PNG, JPEG or WebP images as label/file or "
    "split/label/file, or with a manifest.csv or .jsonl: image (a path in the zip), label, more"
)
EXAMPLE = {
    "file": "text,label\n" + "".join(f"good {n},+\nbad {n},-\n" for n in range(3)),
    "name": "reviews",
    "shots": 1,
}


@router.post(
    "",
    status_code=201,
    summary="Upload labelled rows",
    openapi_extra={"requestBody": {"content": {"multipart/form-data": {"example": EXAMPLE}}}},
)
def create_dataset(
    catalog: CatalogDep,
    file: Annotated[UploadFile, File(description=FILE)],
    name: Annotated[
        str, Form(max_length=64, description="id of the dataset; empty: from the file's name")
    ] = "",
    text_columns: Annotated[
        str, Form(description="input columns, comma-separated; empty: all the others")
    ] = "",
    label_column: Column = "label",
    split_column: Column = "split",
    shots: Annotated[
        int,
        Form(
            ge=1,
            le=10_000,
            description="rows of each label for train, and for dev; with targets: rows in all",
        ),
    ] = 16,
    seed: Annotated[int, Form(ge=0, lt=2**32, description="of the draw")] = 0,
    target_column: Annotated[
        str,
        Form(max_length=100, description="texts to be generated, in place of labels; empty: none"),
    ] = "",
) -> DatasetPublic:
    """Checks every row, takes or draws the splits, and stores all of it or nothing.

    Rows have a label, for classification, or a target, for generation with a metric. Of a zip
    every image is decoded; animations keep their first frame, and WebP becomes PNG.
    """
    filename = file.filename or "upload"
    wanted = tuple(part.strip() for part in text_columns.split(",") if part.strip())
    reading = Reading(wanted, label_column, split_column, shots, seed, target_column)
    upload = Upload(filename, file.file.read())
    try:
        return DatasetPublic.of(catalog.add_dataset(name or slug(filename), upload, reading))
    except BadId as error:
        raise BadName(str(error)) from None
    except IdTaken as error:
        raise NameTaken(str(error)) from None


@router.get("", summary="List datasets")
def list_datasets(catalog: CatalogDep) -> Listing[DatasetPublic]:
    return Listing(data=[DatasetPublic.of(row) for row in catalog.datasets()])


@router.get("/{dataset_id}", summary="One dataset")
def read_dataset(dataset_id: str, catalog: CatalogDep) -> DatasetPublic:
    return DatasetPublic.of(catalog.dataset(dataset_id))


@router.get("/{dataset_id}/rows", summary="Its rows, in order")
def list_rows(
    dataset_id: str,
    catalog: CatalogDep,
    split: SplitName | None = None,
    after: Seen = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Listing[RowPublic]:
    rows = catalog.rows(dataset_id, split, after=after, limit=limit + 1)
    return page([RowPublic.of(row) for row in rows], limit)


@router.get(
    "/{dataset_id}/images/{name}",
    summary="An image, or a small one of it",
    response_class=Response,
    responses={200: {"content": {"image/png": {}, "image/jpeg": {}}}},
)
def read_image(
    dataset_id: str,
    name: str,
    catalog: CatalogDep,
    width: Annotated[
        Literal["64", "128", "256"] | None,
        Query(description="pixels it has at most, in width and height; unset: the file itself"),
    ] = None,
) -> Response:
    row = catalog.image(dataset_id, name)
    data = thumbnail(row.data, int(width)) if width else row.data
    headers = {"cache-control": UNCHANGING}
    return Response(data, media_type=row.media_type, headers=headers)


@router.delete("/{dataset_id}", status_code=204, summary="Delete a dataset; its jobs stay")
def delete_dataset(dataset_id: str, catalog: CatalogDep) -> None:
    catalog.delete_dataset(dataset_id)
