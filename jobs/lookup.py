"""Rows by ids that repeat among projects: the session's own before those that all share."""

from typing import TypeVar

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from jobs.models import DatasetRow, EndpointRow, ExampleRow, ImageRow

R = TypeVar("R", EndpointRow, DatasetRow)


def by_id(session: Session, table: type[R], id_: str) -> R | None:
    """The endpoint or dataset that the session's project calls so."""
    query = select(table).where(col(table.id) == id_).order_by(col(table.project).desc())
    return session.exec(query).first()


def belongs(table: type[ExampleRow | ImageRow], dataset: DatasetRow) -> ColumnElement[bool]:
    """Whether a row is the dataset's."""
    return (col(table.project) == dataset.project) & (col(table.dataset_id) == dataset.id)
