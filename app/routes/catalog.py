"""What there is to choose from: methods, backends and endpoints."""

from typing import Any

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from app.deps import ServiceDep
from app.errors import BadField
from app.schemas import BackendPublic, EndpointPublic, Listing, MethodPublic
from backends.registry import KINDS, check_options, find
from jobs.methods import METHODS, Spec
from jobs.spec import Name

router = APIRouter(prefix="/api", tags=["catalog"])

BUILT_IN_MODELS = ("minilm",)


class EndpointBody(Spec):
    """A model to be registered; nothing is loaded until a job needs it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"id": "sharp", "kind": "encoder", "model": "minilm", "options": {"scale": 40.0}}
            ]
        }
    )
    id: Name
    kind: Name
    model: Name = Field(description="a built-in model's name, or a folder below the models folder")
    options: dict[str, Any] = Field({}, max_length=32)


@router.get("/methods", summary="Ways to tune, with their settings")
def list_methods() -> Listing[MethodPublic]:
    return Listing(data=[MethodPublic.of(name, method) for name, method in METHODS.items()])


@router.get("/backends", summary="Kinds of model and what each can do")
def list_backends() -> Listing[BackendPublic]:
    return Listing(data=[BackendPublic.of(name, kind) for name, kind in KINDS.items()])


@router.get("/endpoints", summary="Models that can be called")
def list_endpoints(service: ServiceDep) -> Listing[EndpointPublic]:
    return Listing(data=[EndpointPublic.of(row) for row in service.catalog.endpoints()])


@router.post("/endpoints", status_code=201, summary="Register a model")
def create_endpoint(body: EndpointBody, service: ServiceDep) -> EndpointPublic:
    find(body.kind)
    _check(body.kind, body.options)
    model = _model(body.model, service)
    return EndpointPublic.of(service.catalog.add_endpoint(body.id, body.kind, model, body.options))


@router.get("/endpoints/{endpoint_id}", summary="One endpoint")
def read_endpoint(endpoint_id: str, service: ServiceDep) -> EndpointPublic:
    return EndpointPublic.of(service.catalog.endpoint(endpoint_id))


@router.delete("/endpoints/{endpoint_id}", status_code=204, summary="Forget an endpoint")
def delete_endpoint(endpoint_id: str, service: ServiceDep) -> None:
    service.catalog.delete_endpoint(endpoint_id)


def _check(kind: str, options: dict[str, Any]) -> None:
    for name, value in options.items():
        try:
            check_options(kind, {name: value})
        except ValueError as error:
            raise BadField(f"options.{name}", str(error), "bad_option") from None


def _model(name: str, service: ServiceDep) -> str:
    """A built-in model, or a folder that the operator has put where models belong."""
    if name in BUILT_IN_MODELS:
        return name
    root = service.settings.models_dir
    if root is None:
        raise BadField(
            "model",
            f"no built-in model {name!r}; there are {', '.join(BUILT_IN_MODELS)}. For a local "
            "model start the service with GRADLESS_MODELS_DIR",
            "unknown_model",
        )
    folder = (root / name).resolve()
    if not folder.is_relative_to(root.resolve()) or not folder.is_dir():
        raise BadField("model", f"no folder {name!r} in the models folder", "unknown_model")
    return str(folder)
