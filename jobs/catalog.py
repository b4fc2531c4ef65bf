"""Endpoints and datasets: what jobs can name. Every SQL statement about the two."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, select

from jobs.database import Database
from jobs.datasets import SPLITS, Dataset, Reading, SplitName, make_dataset
from jobs.endpoints import new_endpoint, probed
from jobs.galleries import read_gallery
from jobs.images import Image
from jobs.lookup import belongs, by_id
from jobs.methods import did_you_mean
from jobs.models import (
    ENDED,
    SHARED,
    DatasetRow,
    EndpointRow,
    ExampleRow,
    ImageRow,
    JobRow,
)
from jobs.pictures import NO_PICTURES, Pictures
from jobs.readers import ZIP, Table, read_table
from jobs.task import Example, Split

BUILT_IN = Path(__file__).parent / "builtin"
BUILT_IN_DATASETS = ("tickets.csv", "two-digits.zip")
BUILT_IN_MODELS = {"minilm": "encoder", "digits-clip": "clip"}  # and endpoints: name -> kind
ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class NoSuchEndpoint(LookupError):
    """No endpoint has this id."""


class NoSuchDataset(LookupError):
    """No dataset has this id."""


class NoSuchImage(NoSuchDataset):
    """The dataset has no image of this name."""

    param, code = "name", "no_such_image"


class IdTaken(Exception):
    """Another object already has this id."""


class BuiltIn(Exception):
    """What comes with the service cannot be deleted."""


class InUse(Exception):
    """A job that has not ended needs it."""


class BadId(ValueError):
    """An id is made of small letters, digits, dots, dashes and underscores."""


@dataclass(frozen=True)
class Upload:
    """A file as it came in."""

    filename: str
    data: bytes

    def table(self) -> Table:
        """What is in it; raises BadFile."""
        if Path(self.filename).suffix.lower() == ZIP:
            return read_gallery(self.data)
        return read_table(self.filename, self.data)


class Catalog:
    """What is there to be tuned, and on what."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_built_ins(self) -> None:
        """The built-in endpoints and datasets, for all projects; does nothing where they are."""
        database = self._database.of(SHARED)
        with database.writing() as session:
            for name, kind in BUILT_IN_MODELS.items():
                if by_id(session, EndpointRow, name) is None:
                    row = EndpointRow(id=name, kind=kind, model=name, options={}, built_in=True)
                    session.add(row)
        with database.reading() as session:
            known = set(session.exec(select(DatasetRow.id)))
        for file in map(BUILT_IN.joinpath, BUILT_IN_DATASETS):
            if file.stem not in known:
                upload = Upload(file.name, file.read_bytes())
                Catalog(database).add_dataset(file.stem, upload, Reading(), built_in=True)

    # endpoints

    def add_endpoint(self, id_: str, kind: str, model: str, options: dict[str, Any]) -> EndpointRow:
        """Registers a model; raises as `new_endpoint`, and BadId or IdTaken."""
        with self._database.reading() as session:
            _check_free(session, _checked_id(id_))  # before an API is asked anything
        row = new_endpoint(id_, kind, model, options)
        with self._database.writing() as session:
            _check_free(session, id_)
            session.add(row)
        return row

    def probe_endpoint(self, id_: str) -> EndpointRow:
        """Asks anew what the model can do; raises as `new_endpoint`."""
        row = self.endpoint(id_)
        facts = probed(row.kind, row.model, row.options)
        with self._database.writing() as session:
            known = by_id(session, EndpointRow, id_)
            if known is None:
                raise NoSuchEndpoint(f"endpoint {id_!r} has been deleted meanwhile")
            known.probed = facts
            session.add(known)
            return known

    def endpoint(self, id_: str) -> EndpointRow:
        with self._database.reading() as session:
            if row := by_id(session, EndpointRow, id_):
                return row
            known = list(session.exec(select(EndpointRow.id)))
        raise NoSuchEndpoint(f"no endpoint {id_!r}; {did_you_mean(id_, known)}")

    def endpoints(self) -> list[EndpointRow]:
        with self._database.reading() as session:
            return list(session.exec(select(EndpointRow).order_by(EndpointRow.id)))

    def delete_endpoint(self, id_: str) -> None:
        self._delete(self.endpoint(id_))

    # datasets

    def add_dataset(
        self, id_: str, upload: Upload, reading: Reading, *, built_in: bool = False
    ) -> DatasetRow:
        """Reads, checks and stores a file; storing the same rows again is no error.

        Raises:
            BadFile, BadDataset: the file is refused; nothing is stored.
            BadId, IdTaken: the id cannot be used.
        """
        _checked_id(id_)
        table = upload.table()
        dataset = make_dataset(table, reading)
        row = _dataset_row(id_, upload.filename, dataset, reading)
        row.built_in = built_in
        with self._database.writing() as session:
            known = by_id(session, DatasetRow, id_)
            if known is not None and known.sha256 == row.sha256:
                return known
            if known is not None:
                raise IdTaken(f"there is already a dataset {id_!r} with other rows; choose a name")
            session.add(row)
            session.flush()
            session.add_all(_example_rows(id_, dataset))
            session.add_all(_image_row(id_, image) for image in table.images.values())
        return row

    def dataset(self, id_: str) -> DatasetRow:
        with self._database.reading() as session:
            if row := by_id(session, DatasetRow, id_):
                return row
            known = list(session.exec(select(DatasetRow.id)))
        raise NoSuchDataset(f"no dataset {id_!r}; {did_you_mean(id_, known)}")

    def datasets(self) -> list[DatasetRow]:
        with self._database.reading() as session:
            return list(session.exec(select(DatasetRow).order_by(DatasetRow.id)))

    def rows(
        self, id_: str, split: SplitName | None = None, *, after: int = 0, limit: int = 50
    ) -> list[ExampleRow]:
        own = belongs(ExampleRow, self.dataset(id_))
        query = select(ExampleRow).where(own, col(ExampleRow.number) > after)
        if split is not None:
            query = query.where(ExampleRow.split == split)
        with self._database.reading() as session:
            return list(session.exec(query.order_by(col(ExampleRow.number)).limit(limit)))

    def split(self, id_: str) -> Split:
        """All examples of a dataset, as they were stored."""
        query = select(ExampleRow).where(belongs(ExampleRow, self.dataset(id_)))
        with self._database.reading() as session:
            rows = list(session.exec(query.order_by(col(ExampleRow.number))))
        return Split(
            **{
                name: tuple(Example(row.inputs, row.label) for row in rows if row.split == name)
                for name in SPLITS
            }
        )

    def image(self, id_: str, name: str) -> ImageRow:
        key = (self.dataset(id_).project, id_, name)
        with self._database.reading() as session:
            if row := session.get(ImageRow, key):
                return row
        raise NoSuchImage(
            f"dataset {id_!r} has no image {name[:100]!r}; its rows name those that it has"
        )

    def pictures(self, id_: str) -> Pictures:
        """All images of a dataset; of one without images, none."""
        if not (column := (dataset := self.dataset(id_)).image_column):
            return NO_PICTURES
        query = select(ImageRow.name, ImageRow.data).where(belongs(ImageRow, dataset))
        with self._database.reading() as session:
            return Pictures(column, dict(session.exec(query).all()))

    def targets(self, id_: str) -> list[tuple[int, str]]:
        """The number and the right answer of every row."""
        own = belongs(ExampleRow, self.dataset(id_))
        query = select(ExampleRow.number, ExampleRow.label).where(own)
        with self._database.reading() as session:
            return [(n, label) for n, label in session.exec(query.order_by(col(ExampleRow.number)))]

    def delete_dataset(self, id_: str) -> None:
        self._delete(self.dataset(id_))

    def _delete(self, row: EndpointRow | DatasetRow) -> None:
        if row.built_in:
            raise BuiltIn(f"{row.id!r} comes with the service and cannot be deleted")
        with self._database.writing() as session:
            _check_unused(session, row)
            session.delete(row)


def _check_unused(session: Session, row: EndpointRow | DatasetRow) -> None:
    waiting = select(JobRow).where(col(JobRow.status).not_in(ENDED))
    users = [job.id for job in session.exec(waiting) if row.id in _needed(job, type(row))]
    if users:
        raise InUse(f"{row.id!r} is needed by {', '.join(users)}; cancel or await what needs it")


def _needed(job: JobRow, kind: type[EndpointRow | DatasetRow]) -> set[str]:
    """Ids of the objects of this kind that a job needs."""
    if kind is DatasetRow:
        return {job.spec["dataset"]}
    return {job.spec["endpoint"], job.spec["method"].get("writer", "")}


def slug(filename: str) -> str:
    """A file's name as an id: `My Tickets.csv` -> `my-tickets`."""
    stem = re.sub(r"[^a-z0-9._-]+", "-", Path(filename).stem.lower()).strip("-._")
    return stem[:64] or "dataset"


def _check_free(session: Session, id_: str) -> None:
    if by_id(session, EndpointRow, id_) is not None:
        raise IdTaken(f"there is already an endpoint {id_!r}; choose another id")


def _checked_id(id_: str) -> str:
    if not ID.fullmatch(id_):
        raise BadId(
            f"{id_!r} cannot be an id; wanted 1 to 64 small letters, digits, dots, dashes or "
            "underscores, beginning with a letter or digit"
        )
    return id_


def _dataset_row(id_: str, filename: str, dataset: Dataset, reading: Reading) -> DatasetRow:
    drawn = dataset.source == "drawn"
    return DatasetRow(
        id=id_,
        filename=filename,
        sha256=dataset.sha256(),
        columns=list(dataset.columns),
        image_column=dataset.image_column,
        labels=list(dataset.labels),
        counts=dataset.counts(),
        split_source=dataset.source,
        shots=reading.shots if drawn else None,
        seed=reading.seed if drawn else None,
    )


def _example_rows(id_: str, dataset: Dataset) -> list[ExampleRow]:
    pairs = [(name, example) for name in SPLITS for example in dataset.splits[name]]
    return [
        ExampleRow(
            dataset_id=id_,
            number=number,
            split=name,
            inputs=dict(example.inputs),
            label=example.label,
        )
        for number, (name, example) in enumerate(pairs, start=1)
    ]


def _image_row(id_: str, image: Image) -> ImageRow:
    return ImageRow(dataset_id=id_, **vars(image))
