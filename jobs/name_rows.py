"""The tables of prompts' names: what each stands for and has stood for. They decide nothing."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, ForeignKeyConstraint, LargeBinary
from sqlmodel import Field, SQLModel

from jobs.models import DEFAULT, UTCDateTime, now


class NameRow(SQLModel, table=True):
    """A name that people call a prompt by, and which of its versions that is now."""

    __tablename__ = "names"

    project: str = Field(default=DEFAULT, primary_key=True)
    name: str = Field(primary_key=True)
    version: int
    updated_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)


class VersionRow(SQLModel, table=True):
    """A prompt as it was when it got a name: a copy that outlives its job."""

    __tablename__ = "versions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["project", "name"], ["names.project", "names.name"], ondelete="CASCADE"
        ),
    )

    project: str = Field(default=DEFAULT, primary_key=True)
    name: str = Field(primary_key=True)
    version: int = Field(primary_key=True)  # counted from 1
    job_id: str  # no key of another table: the job may be deleted
    spec: dict[str, Any] = Field(sa_type=JSON)  # the job's
    generation: int
    dev_loss: float | None
    dev_accuracy: float
    kind: str  # as in `prompts`, and so are the next two
    text: str | None = None
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
