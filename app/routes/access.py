"""Projects, their keys, and the audit log."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from app.deps import LARGEST, ServiceDep, WholeDep
from app.schemas import ID_SCHEMA, Listing, page
from jobs.access_rows import AuditRow, KeyRow, ProjectRow
from jobs.audit import Audit
from jobs.keys import Keys, Role
from jobs.models import now
from jobs.projects import Projects
from jobs.strict import Spec

router = APIRouter(prefix="/api", tags=["access"])


class ProjectBody(Spec):
    """A project to be."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "acme"}]})
    id: str = Field(max_length=100, json_schema_extra=ID_SCHEMA)


class ProjectPublic(BaseModel):
    object: Literal["project"] = "project"
    id: str
    created_at: datetime

    @classmethod
    def of(cls, row: ProjectRow) -> "ProjectPublic":
        return cls(**row.model_dump())


class KeyBody(Spec):
    """A key to be."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "ci", "role": "write"}]})
    name: str = Field(min_length=1, max_length=100, description="what people know it by")
    role: Literal["read", "write", "admin"] = Field(
        description="read: GET only; write: all but keys and the audit log; admin: these too"
    )
    requests_per_minute: int | None = Field(
        None, ge=1, le=1_000_000, description="null: as many as it likes"
    )
    expires_in_days: int | None = Field(None, ge=1, le=36_500, description="null: never")


class KeyPublic(BaseModel):
    object: Literal["key"] = "key"
    id: str
    name: str
    project: str
    role: str
    requests_per_minute: int | None
    created_at: datetime
    last_used_at: datetime | None  # to the minute
    expires_at: datetime | None

    @classmethod
    def of(cls, row: KeyRow) -> "KeyPublic":
        return cls(**row.model_dump(exclude={"salt", "hash"}))


class KeyCreated(KeyPublic):
    key: str  # shown this once


class AuditPublic(BaseModel):
    object: Literal["audit_entry"] = "audit_entry"
    id: int
    at: datetime
    who: str
    verb: str
    route: str
    object_id: str
    status: int
    request_id: str

    @classmethod
    def of(cls, row: AuditRow) -> "AuditPublic":
        return cls(**row.model_dump())


@router.post("/projects", status_code=201, summary="Add a project")
def create_project(body: ProjectBody, service: WholeDep) -> ProjectPublic:
    """Needs the service's own key, which acts for a project by the header `x-gradless-project`:
    so the first key of a new project is made, and everything else in it."""
    return ProjectPublic.of(Projects(service.database).add(body.id))


@router.get("/projects", summary="List projects")
def list_projects(service: WholeDep) -> Listing[ProjectPublic]:
    return Listing(data=[ProjectPublic.of(row) for row in Projects(service.database).all()])


@router.post("/keys", status_code=201, summary="Make a key")
def create_key(body: KeyBody, service: ServiceDep) -> KeyCreated:
    """The answer holds the key; it is not stored and not shown again. Needs the role admin."""
    days = body.expires_in_days
    row, key = Keys(service.database).add(
        body.name,
        Role(body.role),
        requests_per_minute=body.requests_per_minute,
        expires_at=None if days is None else now() + timedelta(days=days),
    )
    return KeyCreated(**KeyPublic.of(row).model_dump(), key=key)


@router.get("/keys", summary="List keys, without what opens")
def list_keys(service: ServiceDep) -> Listing[KeyPublic]:
    return Listing(data=[KeyPublic.of(row) for row in Keys(service.database).all()])


@router.delete("/keys/{key_id}", status_code=204, summary="Revoke a key, from now on")
def delete_key(key_id: str, service: ServiceDep) -> None:
    Keys(service.database).delete(key_id)


@router.get("/audit", summary="Who asked for which change, the newest first")
def list_audit(
    service: ServiceDep,
    after: Annotated[
        int | None, Query(ge=0, le=LARGEST, description="id of the last one seen")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Listing[AuditPublic]:
    """Every request with a key that was to change something; refusals stand there too."""
    rows = Audit(service.database).entries(before=after, limit=limit + 1)
    return page([AuditPublic.of(row) for row in rows], limit)
