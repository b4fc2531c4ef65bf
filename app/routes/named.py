"""Prompts under names: promoting one, its versions, going back, and what has changed."""

import difflib
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from app.errors import BadField, BadName
from app.openai.parts import NamesDep
from app.schemas import ID_SCHEMA, Listing, page
from jobs.catalog import BadId
from jobs.name_rows import VersionRow
from jobs.names import PREFIX
from jobs.strict import Spec

router = APIRouter(prefix="/api/prompts", tags=["prompts"])

VERSION = 2**31 - 1
Version = Annotated[int, Field(ge=1, le=VERSION)]


class PromoteBody(Spec):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "support", "job": "job_00066a1f0c3b5e2d91ab"}]}
    )
    name: str = Field(
        max_length=64,
        description="as the id of a dataset; new, or one there is",
        json_schema_extra=ID_SCHEMA,
    )
    job: str = Field(max_length=64, description="whose best prompt so far gets the name")


class RollbackBody(Spec):
    model_config = ConfigDict(json_schema_extra={"examples": [{"version": 1}]})

    version: Version | None = Field(None, description="null: the one before the current")


class VersionPublic(BaseModel):
    """A prompt as it was when it got its name; `model` is what the name is as a model."""

    object: Literal["prompt.version"] = "prompt.version"
    name: str
    version: int
    model: str
    job: str
    endpoint: str
    dataset: str
    generation: int
    dev_loss: float | None
    dev_accuracy: float
    kind: str
    text: str | None
    created_at: datetime

    @classmethod
    def of(cls, row: VersionRow) -> "VersionPublic":
        return cls(
            **row.model_dump(exclude={"job_id", "spec", "content"}),
            model=f"{PREFIX}:{row.spec['endpoint']}:{row.name}",
            job=row.job_id,
            endpoint=row.spec["endpoint"],
            dataset=row.spec["dataset"],
        )


class DiffPublic(BaseModel):
    """Two texts line by line: ` ` in both, `-` in the first, `+` in the second."""

    object: Literal["prompt.diff"] = "prompt.diff"
    name: str
    first: int
    second: int
    lines: list[str]


@router.post("", status_code=201, summary="Give a job's prompt a name")
def promote(body: PromoteBody, names: NamesDep) -> VersionPublic:
    """A copy of it becomes the name's next version, and the one that `pt:<name>` answers by."""
    try:
        return VersionPublic.of(names.promote(body.name, body.job))
    except BadId as error:
        raise BadName(str(error)) from None


@router.get("", summary="List names, each with its current version")
def list_names(names: NamesDep) -> Listing[VersionPublic]:
    return Listing(data=[VersionPublic.of(version) for _, version in names.names()])


@router.get("/{name}", summary="The current version of a name")
def read_name(name: str, names: NamesDep) -> VersionPublic:
    return VersionPublic.of(names.current(name))


@router.get("/{name}/versions", summary="Its versions, the newest first")
def list_versions(
    name: str,
    names: NamesDep,
    after: Annotated[
        int | None, Query(ge=1, le=VERSION, description="version of the last one seen")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Listing[VersionPublic]:
    rows = names.versions(name, before=after, limit=limit + 1)
    return page([VersionPublic.of(row) for row in rows], limit)


@router.post("/{name}/rollback", summary="Make an earlier version the current one")
def roll_back(name: str, body: RollbackBody, names: NamesDep) -> VersionPublic:
    """Later versions stay, so that it can be undone by naming one of them."""
    return VersionPublic.of(names.roll_back(name, body.version))


@router.get("/{name}/diff", summary="What has changed between two text prompts")
def diff_versions(
    name: str,
    names: NamesDep,
    first: Annotated[int, Query(ge=1, le=VERSION)],
    second: Annotated[int, Query(ge=1, le=VERSION)],
) -> DiffPublic:
    old, new = _text(names, name, first, "first"), _text(names, name, second, "second")
    # "? " lines, which point at letters, are for a terminal
    lines = [line for line in difflib.ndiff(old, new) if not line.startswith("? ")]
    return DiffPublic(name=name, first=first, second=second, lines=lines)


def _text(names: NamesDep, name: str, version: int, param: str) -> list[str]:
    row = names.version(name, version)
    if row.text is None:
        message = f"version {version} is a {row.kind} prompt; only texts can be compared"
        raise BadField(param, message, "not_a_text")
    return row.text.splitlines()
