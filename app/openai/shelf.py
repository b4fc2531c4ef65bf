"""Files and models in OpenAI's shapes: every field is there, null or not."""

from typing import Literal, TypeAlias

from pydantic import BaseModel

from app.openai.tuning import OWNER, RESULTS
from jobs.models import FileRow, JobRow
from jobs.names import Model

Purpose: TypeAlias = Literal["fine-tune"]
AnyPurpose: TypeAlias = Literal["fine-tune", "fine-tune-results"]


class FilePublic(BaseModel):
    object: Literal["file"] = "file"
    id: str
    bytes: int
    created_at: int
    expires_at: None = None
    filename: str
    purpose: AnyPurpose
    status: Literal["processed"] = "processed"
    status_details: None = None

    @classmethod
    def of(cls, row: FileRow) -> "FilePublic":
        return cls(
            id=row.dataset_id,
            bytes=row.size,
            created_at=int(row.created_at.timestamp()),
            filename=row.filename,
            purpose=row.purpose,
        )

    @classmethod
    def of_results(cls, job: JobRow, size: int) -> "FilePublic":
        return cls(
            id=job.id + RESULTS,
            bytes=size,
            created_at=int((job.finished_at or job.created_at).timestamp()),
            filename=f"{job.id}.csv",
            purpose="fine-tune-results",
        )


class FileDeleted(BaseModel):
    object: Literal["file"] = "file"
    id: str
    deleted: bool = True


class ModelPublic(BaseModel):
    """A model of an endpoint, which can be tuned, or a tuned prompt, which can be asked."""

    object: Literal["model"] = "model"
    id: str
    created: int
    owned_by: str

    @classmethod
    def of(cls, model: Model) -> "ModelPublic":
        return cls(id=model.id, created=int(model.created_at), owned_by=OWNER)
