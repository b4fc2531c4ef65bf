"""The tables. One row, one fact; nothing here decides anything.

A table with a column `project` is one of whose rows each project sees its own (`jobs/scope.py`).
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
)
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

DEFAULT = "default"  # the project of whoever names none
SHARED = ""  # stands for a project in what comes with the service: all of them see it


class Status(StrEnum):
    """queued -> running -> succeeded | failed | cancelled.

    running -> queued if its runner dies, running -> paused if its endpoint does not answer, and
    then paused -> running by itself after a while; what a person has paused waits for a person.
    """

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})


class UTCDateTime(TypeDecorator[datetime]):
    """An aware instant; SQLite forgets the zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def now() -> datetime:
    return datetime.now(UTC)


def _of_dataset() -> tuple[ForeignKeyConstraint]:
    there = ["datasets.project", "datasets.id"]
    return (ForeignKeyConstraint(["project", "dataset_id"], there, ondelete="CASCADE"),)


def _json(nullable: bool = False) -> Any:
    return Field(default=None, sa_type=JSON, nullable=nullable)


class EndpointRow(SQLModel, table=True):
    """A model that can be called."""

    __tablename__ = "endpoints"

    project: str = Field(default=DEFAULT, primary_key=True)
    id: str = Field(primary_key=True)
    kind: str
    model: str
    options: dict[str, Any] = _json()
    probed: dict[str, Any] | None = _json(nullable=True)  # what asking it has shown
    built_in: bool = False
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)


class DatasetRow(SQLModel, table=True):
    """Checked and hashed rows; the rows themselves are in `examples`."""

    __tablename__ = "datasets"

    project: str = Field(default=DEFAULT, primary_key=True)
    id: str = Field(primary_key=True)
    filename: str
    sha256: str
    columns: list[str] = _json()
    image_column: str = ""  # the column that names images; empty: there are none
    labels: list[str] = _json()
    counts: dict[str, dict[str, int]] = _json()  # split -> label -> rows
    split_source: str  # "given" or "drawn"
    shots: int | None = None
    seed: int | None = None
    built_in: bool = False
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)


class ExampleRow(SQLModel, table=True):
    """One labelled input of a dataset."""

    __tablename__ = "examples"
    __table_args__ = _of_dataset()

    project: str = Field(default=DEFAULT, primary_key=True)
    dataset_id: str = Field(primary_key=True)
    number: int = Field(primary_key=True)  # counted from 1 over the whole dataset
    split: str = Field(index=True)
    inputs: dict[str, str] = _json()
    label: str


class ImageRow(SQLModel, table=True):
    """An image that rows of a dataset name."""

    __tablename__ = "images"
    __table_args__ = _of_dataset()

    project: str = Field(default=DEFAULT, primary_key=True)
    dataset_id: str = Field(primary_key=True)
    name: str = Field(primary_key=True)  # "sha256:<hex>", of the data
    media_type: str
    width: int
    height: int
    data: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # a PNG or JPEG file


class JobRow(SQLModel, table=True):
    """One tuning run."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_project", "project", "id"),
        Index("ix_jobs_heartbeat", "project", "heartbeat"),  # who has worked today?
    )

    id: str = Field(primary_key=True)  # grows with time, so it is the order of the queue
    project: str = DEFAULT
    spec: dict[str, Any] = _json()
    status: Status = Field(default=Status.QUEUED, sa_type=String, index=True)
    cancel_requested: bool = False
    pause_requested: bool = False  # of a running job; over once it is paused
    priority: int = 0  # the highest is taken first
    termination_reason: str | None = None
    error: dict[str, Any] | None = _json(nullable=True)
    runner: str | None = None
    heartbeat: float | None = None  # seconds since the epoch
    attempts: int = 0  # times claimed: the fence against a runner that lost its job
    crashes: int = 0  # runners in a row that died without recording a generation
    outages: int = 0  # pauses in a row without a recorded generation between
    retry_at: float | None = None  # seconds since the epoch, of a job that its endpoint paused
    rung: str | None = None  # how label scores are read off answers (registry.RUNGS)
    generation: int = 0  # the last one recorded
    queries: int = 0  # spent on train and dev
    seconds: float = 0.0  # of tuning
    model_seconds: float = 0.0  # of these, waiting for the model
    baseline: dict[str, Any] | None = _json(nullable=True)
    result: dict[str, Any] | None = _json(nullable=True)
    estimate: dict[str, Any] | None = _json(nullable=True)  # what was expected of it
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    started_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class GenerationRow(SQLModel, table=True):
    """One generation of one job; the same whoever ran it and however often it crashed."""

    __tablename__ = "generations"

    job_id: str = Field(foreign_key="jobs.id", primary_key=True, ondelete="CASCADE")
    number: int = Field(primary_key=True)
    queries: int  # spent so far
    train_loss: float | None  # the champion's; losses in nats, null: not a finite number
    train_accuracy: float
    population_loss: float | None
    dev_loss: float | None
    dev_accuracy: float
    incumbent_generation: int
    incumbent_dev_loss: float | None
    incumbent_dev_accuracy: float
    internals: dict[str, float] = _json()
    allocation: list[list[int]] | None = _json(nullable=True)  # train row, queries it was asked
    text: str | None = None  # the champion's words, of a text prompt


class TimingRow(SQLModel, table=True):
    """When a generation came, how long it took and what had been spent on APIs by then.

    Apart from its row, because no two runs agree on it. Null: recorded before it was told.
    """

    __tablename__ = "timings"

    job_id: str = Field(foreign_key="jobs.id", primary_key=True, ondelete="CASCADE")
    number: int = Field(primary_key=True)
    seconds: float
    model_seconds: float
    at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    tokens: int | None = Field(default=None, sa_type=BigInteger)  # read and written since the start
    cost: int | None = Field(default=None, sa_type=BigInteger)  # as of `usage`, since the start


class CheckpointRow(SQLModel, table=True):
    """The last state of a job's search; one row a job."""

    __tablename__ = "checkpoints"

    job_id: str = Field(foreign_key="jobs.id", primary_key=True, ondelete="CASCADE")
    number: int
    queries: int
    state: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class PromptRow(SQLModel, table=True):
    """The incumbent of a job: complete enough to be served without its search."""

    __tablename__ = "prompts"

    job_id: str = Field(foreign_key="jobs.id", primary_key=True, ondelete="CASCADE")
    generation: int
    train_loss: float | None  # null: not a finite number
    dev_loss: float | None
    dev_accuracy: float
    kind: str  # as of `jobs.prompts.Kind`
    text: str | None = None  # of a text prompt, for lists that leave `content` where it is
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # prompts.dumps
    nearest_words: list[Any] | None = _json(nullable=True)  # pairs: word, cosine


class UsageRow(SQLModel, table=True):
    """What a job has spent on APIs; costs in 10^-12 of the endpoint's currency."""

    __tablename__ = "usage"

    job_id: str = Field(foreign_key="jobs.id", primary_key=True, ondelete="CASCADE")
    attempt: int = 0  # which claim of the job may write here
    requests: int = 0
    recalled: int = 0  # answers that were remembered, and so cost nothing
    tokens_in: int = Field(default=0, sa_type=BigInteger)
    tokens_out: int = Field(default=0, sa_type=BigInteger)
    cost: int = Field(default=0, sa_type=BigInteger)
    aside_tokens_in: int = Field(default=0, sa_type=BigInteger)  # for requests under way
    aside_tokens_out: int = Field(default=0, sa_type=BigInteger)
    aside_cost: int = Field(default=0, sa_type=BigInteger)


class AnswerRow(SQLModel, table=True):
    """An API's answer to one request, kept so that it is not paid for twice."""

    __tablename__ = "answers"

    key: str = Field(primary_key=True)  # hash of the request, the model and the sample's number
    body: str  # JSON as it was sent
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)


class ReportRow(SQLModel, table=True):
    """The comparison with the baseline on the test split."""

    __tablename__ = "reports"

    job_id: str = Field(foreign_key="jobs.id", primary_key=True, ondelete="CASCADE")
    body: dict[str, Any] = _json()
    scores: dict[str, Any] | None = _json(nullable=True)  # as of `jobs.report.Scores`


class EventRow(SQLModel, table=True):
    """Something that happened to a job: numbered, append-only, a pointer rather than a copy."""

    __tablename__ = "events"
    __table_args__ = {"sqlite_autoincrement": True}  # an id is never given twice

    id: int | None = Field(default=None, primary_key=True)
    job_id: str = Field(foreign_key="jobs.id", index=True, ondelete="CASCADE")
    type: str  # "status", "generation", "result" or "done"
    data: dict[str, Any] = _json()
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)


class FileRow(SQLModel, table=True):
    """A file that a dataset was made of, as OpenAI's clients have uploaded it."""

    __tablename__ = "files"
    __table_args__ = _of_dataset()

    project: str = Field(default=DEFAULT, primary_key=True)
    dataset_id: str = Field(primary_key=True)
    filename: str
    purpose: str
    size: int  # bytes of `content`
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
