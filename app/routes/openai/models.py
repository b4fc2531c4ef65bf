"""Models as OpenAI's clients list them: endpoints to be tuned, and tuned prompts to be asked."""

from fastapi import APIRouter

from app.deps import CatalogDep
from app.openai.parts import NamesDep
from app.openai.shelf import ModelPublic
from app.schemas import Listing
from jobs.catalog import NoSuchEndpoint
from jobs.models import EndpointRow
from jobs.names import PREFIX, NoSuchModel

router = APIRouter(prefix="/v1/models", tags=["openai"])


@router.get("", summary="List models")
def list_models(catalog: CatalogDep, names: NamesDep) -> Listing[ModelPublic]:
    """All endpoints, all names, and the prompts of the newest thousand jobs that have ended."""
    base = [_base(row) for row in catalog.endpoints()]
    return Listing(data=base + [ModelPublic.of(model) for model in names.models()])


@router.get("/{model}", summary="One model")
def read_model(model: str, catalog: CatalogDep, names: NamesDep) -> ModelPublic:
    if model.startswith(f"{PREFIX}:"):
        return ModelPublic.of(names.find(model))
    try:
        return _base(catalog.endpoint(model))
    except NoSuchEndpoint as error:
        raise NoSuchModel(f"the model {model[:200]!r} does not exist: {error}") from None


def _base(row: EndpointRow) -> ModelPublic:
    return ModelPublic(id=row.id, created=int(row.created_at.timestamp()), owned_by=row.kind)
