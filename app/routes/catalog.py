"""What there is to choose from: methods, metrics, backends and endpoints."""

from typing import Any

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from app.deps import ServiceDep
from app.errors import BadField
from app.offers import BackendPublic, EndpointPublic, MethodPublic, MetricPublic
from app.schemas import Listing
from backends.registry import KINDS, check_option, find
from jobs.catalog import BUILT_IN_MODELS
from jobs.methods import METHODS, Spec
from jobs.metrics import METRICS
from jobs.spec import Name

router = APIRouter(prefix="/api", tags=["catalog"])


class EndpointBody(Spec):
    """A model to be registered.

    A local one is loaded when a job needs it; an API is asked at once what it can do.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"id": "sharp", "kind": "encoder", "model": "minilm", "options": {"scale": 40.0}},
                {
                    "id": "hosted",
                    "kind": "openai",
                    "model": "qwen3-0.6b",
                    "options": {
                        "base_url": "http://127.0.0.1:8080/v1",
                        "key_variable": "MY_API_KEY",
                        "input_price": 0.1,
                        "output_price": 0.4,
                    },
                },
            ]
        }
    )
    id: Name
    kind: Name
    model: Name = Field(
        description="a built-in model's name, a folder below the models folder, or a model's name "
        "at an API"
    )
    options: dict[str, Any] = Field({}, max_length=32)


@router.get("/methods", summary="Ways to tune, with their settings")
def list_methods() -> Listing[MethodPublic]:
    return Listing(data=[MethodPublic.of(name, method) for name, method in METHODS.items()])


@router.get("/metrics", summary="Ways to say how right a generated answer is, with their settings")
def list_metrics() -> Listing[MetricPublic]:
    return Listing(data=[MetricPublic.of(name, metric) for name, metric in METRICS.items()])


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
    model, options = body.model, dict(body.options)
    if not find(body.kind).probe:
        model = _folder("model", body.model, service, body.kind)
    if options.get("embeddings") is not None:
        options["embeddings"] = _folder("options.embeddings", options["embeddings"], service)
    return EndpointPublic.of(service.catalog.add_endpoint(body.id, body.kind, model, options))


@router.get("/endpoints/{endpoint_id}", summary="One endpoint")
def read_endpoint(endpoint_id: str, service: ServiceDep) -> EndpointPublic:
    return EndpointPublic.of(service.catalog.endpoint(endpoint_id))


@router.post("/endpoints/{endpoint_id}/probe", summary="Ask again what an endpoint can do")
def probe_endpoint(endpoint_id: str, service: ServiceDep) -> EndpointPublic:
    """A few short requests; jobs that are queued or running keep what they were admitted with."""
    return EndpointPublic.of(service.catalog.probe_endpoint(endpoint_id))


@router.delete("/endpoints/{endpoint_id}", status_code=204, summary="Forget an endpoint")
def delete_endpoint(endpoint_id: str, service: ServiceDep) -> None:
    service.catalog.delete_endpoint(endpoint_id)


def _check(kind: str, options: dict[str, Any]) -> None:
    needed = {name: None for name, option in find(kind).options.items() if option.required}
    for name, value in {**needed, **options}.items():
        try:
            check_option(kind, name, value)
        except ValueError as error:
            raise BadField(f"options.{name}", str(error), "bad_option") from None


def _folder(param: str, name: str, service: ServiceDep, kind: str | None = None) -> str:
    """A built-in model, or a folder that the operator has put where models belong."""
    if name in BUILT_IN_MODELS:
        if kind in BUILT_IN_MODELS.values() and kind != BUILT_IN_MODELS[name]:
            of = f"the built-in model {name!r} is of kind {BUILT_IN_MODELS[name]}"
            raise BadField(param, f"{of}, not {kind}", "wrong_kind")
        return name
    root = service.settings.models_dir
    if root is None:
        raise BadField(
            param,
            f"no built-in model {name!r}; there are {', '.join(BUILT_IN_MODELS)}. For a local "
            "model start the service with GRADLESS_MODELS_DIR",
            "unknown_model",
        )
    folder = (root / name).resolve()
    if not folder.is_relative_to(root.resolve()) or not folder.is_dir():
        raise BadField(param, f"no folder {name!r} in the models folder", "unknown_model")
    return str(folder)
