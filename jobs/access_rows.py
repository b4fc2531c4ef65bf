"""The tables of who may ask and of what was asked. They decide nothing."""

from datetime import datetime

from sqlalchemy import Column, LargeBinary
from sqlmodel import Field, SQLModel

from jobs.models import DEFAULT, UTCDateTime, now


class ProjectRow(SQLModel, table=True):
    """A project: what belongs to one, another never sees."""

    __tablename__ = "projects"

    id: str = Field(primary_key=True)
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)


class KeyRow(SQLModel, table=True):
    """An API key, by its public id; of its secret only a hash is kept."""

    __tablename__ = "keys"

    id: str = Field(primary_key=True)
    project: str = Field(default=DEFAULT, index=True)
    name: str
    role: str  # as of `jobs.keys.Role`
    salt: bytes = Field(sa_column=Column(LargeBinary, nullable=False), repr=False)
    hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False), repr=False)
    requests_per_minute: int | None = None  # null: no limit
    created_at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class AuditRow(SQLModel, table=True):
    """A request that was to change something: who, what, when, and how it ended. Append-only."""

    __tablename__ = "audit"
    __table_args__ = {"sqlite_autoincrement": True}  # an id is never given twice

    id: int | None = Field(default=None, primary_key=True)
    project: str = Field(default=DEFAULT, index=True)
    at: datetime = Field(default_factory=now, sa_type=UTCDateTime)
    who: str  # a key's id, "admin key" or "loopback"
    verb: str
    route: str  # its template; empty: there is none
    object_id: str  # what the path names, or what was made; empty: neither
    status: int
    request_id: str


class RepeatRow(SQLModel, table=True):
    """What a request with an Idempotency-Key was answered, for those that repeat it."""

    __tablename__ = "repeats"

    key: str = Field(primary_key=True)  # hash of the caller and the key
    digest: str  # of the request
    holder: str  # who is at work on it: the fence against one that was taken for dead
    at: float = Field(index=True)  # seconds since the epoch
    status: int | None = None  # null: not answered yet
    body: str | None = None  # JSON as it was sent
