"""Jobs as files: out of this service, and into it."""

from typing import Annotated

from fastapi import APIRouter, File, UploadFile
from fastapi.responses import Response

from app.deps import ServiceDep
from app.routes.jobs import public_job
from app.schemas import JobPublic
from jobs.bundles import loads
from jobs.transfers import Transfers

router = APIRouter(prefix="/api/jobs", tags=["jobs"])


@router.get(
    "/{job_id}/archive",
    summary="A job that has ended, as a file",
    response_class=Response,
    responses={200: {"content": {"application/zip": {}}}},
)
def export_job(job_id: str, service: ServiceDep) -> Response:
    """Spec, log, prompt, report and the dataset's rows: enough to serve it, or to run it again."""
    data = Transfers(service.database).exported(job_id)
    headers = {"content-disposition": f'attachment; filename="{job_id}.zip"'}
    return Response(data, media_type="application/zip", headers=headers)


@router.post(
    "/archive",
    status_code=201,
    summary="Take in a job that was exported",
    openapi_extra={"requestBody": {"content": {"multipart/form-data": {"example": {"file": ""}}}}},
)
def import_job(
    file: Annotated[UploadFile, File(description="what GET /api/jobs/{job_id}/archive gave")],
    service: ServiceDep,
) -> JobPublic:
    """It keeps its id, unless that is taken elsewhere in the service; its dataset comes with it
    where it is not here. Webhooks are not told."""
    job = Transfers(service.database).add(loads(file.file.read()))
    return public_job(service.store, job.id)
