"""From what a request gives to what a tuned prompt is asked: its endpoint, task and columns."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.errors import BadField
from jobs.admission import reads_images
from jobs.catalog import Catalog, NoSuchDataset
from jobs.datasets import RESERVED
from jobs.galleries import IMAGE
from jobs.images import DATA_URL, Album, BadImage, from_data_url
from jobs.pictures import Pictures
from jobs.serving import Served
from jobs.spec import JobSpec
from jobs.task import slots


def served(spec: Mapping[str, Any], kind: str, content: bytes, catalog: Catalog) -> Served:
    """A prompt as it is stored, with the endpoint and the task of its job's spec.

    Raises:
        NoSuchEndpoint: it was deleted since.
    """
    job = JobSpec.model_validate(spec)
    return Served(catalog.endpoint(job.endpoint), job.task.made(), kind, content)  # type: ignore[arg-type]


def columns_of(prompt: Served) -> list[str]:
    """The slots of its template that an input fills."""
    return [slot for slot in slots(prompt.task.template) if slot not in RESERVED]


def taken_in(
    prompt: Served,
    given: Sequence[str | Mapping[str, str]],
    places: Sequence[str],
    dataset: str,
    catalog: Catalog,
) -> tuple[Served, list[dict[str, str]]]:
    """The prompt and the columns of each input; images are named, and the prompt knows them.

    Args:
        given: texts, where there is one column, or an object of columns each.
        places: what each of them is called in an error.
        dataset: whose images may be named.

    Raises:
        BadField: the columns are not the template's, or an image is none.
    """
    columns = columns_of(prompt)
    inputs = [_columns(each, columns, place) for each, place in zip(given, places, strict=True)]
    if IMAGE not in columns or not reads_images(prompt.endpoint):
        return prompt, inputs
    album, files = Album(), {}
    for each, place in zip(inputs, places, strict=True):
        each[IMAGE], data = _image(each[IMAGE], place, album, dataset, catalog)
        files[each[IMAGE]] = data
    task = replace(prompt.task, pictures=Pictures(IMAGE, files))
    return replace(prompt, task=task), inputs


def _columns(given: str | Mapping[str, str], columns: Sequence[str], place: str) -> dict[str, str]:
    if isinstance(given, str) and len(columns) == 1:
        return {columns[0]: given}
    if isinstance(given, str) or set(given) != set(columns):
        got = "a text" if isinstance(given, str) else f"the columns {', '.join(given)}"
        raise BadField(
            place,
            f"got {got}; wanted an object with the columns {', '.join(columns)}",
            "wrong_columns",
        )
    return dict(given)


def _image(
    value: str, place: str, album: Album, dataset: str, catalog: Catalog
) -> tuple[str, bytes]:
    """Its name, and the file."""
    try:
        if DATA_URL.match(value):
            image = album.add(from_data_url(value))
            return image.name, image.data
        row = catalog.image(dataset, value)
        return row.name, row.data
    except (BadImage, NoSuchDataset) as error:
        raise BadField(
            place,
            f"{error}; wanted 'data:image/png;base64,…' or the name of an image of "
            "the job's dataset",
            "bad_image",
        ) from None
