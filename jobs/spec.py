"""A job as its author writes it: the request body, the stored JSON and the OpenAPI schema."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from jobs.methods import METHODS, AnyMethod, Spec, did_you_mean

Name: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Text: TypeAlias = Annotated[str, StringConstraints(max_length=20_000)]
CacheMode: TypeAlias = Literal["read", "refresh", "off"]
MetadataKey: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=64)]
MetadataValue: TypeAlias = Annotated[str, StringConstraints(max_length=512)]

EXAMPLE: dict[str, Any] = {
    "endpoint": "minilm",
    "dataset": "tickets",
    "method": {"name": "bbt", "preset": "fast"},
    "budget": {"queries": 40_000},
    "seed": 0,
}


class TaskSpec(Spec):
    """How an input is shown to the model and how labels are worded."""

    template: Text | None = Field(
        default=None,
        description="text with the slots {prompt}, the dataset's columns and, where the model "
        "has a gap to fill, {label}; default: {prompt} and every column, in order",
    )
    verbalizer: dict[str, Text] | None = Field(
        default=None, description="label -> the word that stands for it; default: the label itself"
    )
    baseline: Text = Field(
        default="", description="the manual prompt that tuning has to beat; empty: no prompt"
    )


class Budget(Spec):
    """Walls that the job never passes."""

    queries: int = Field(ge=1, le=10**9, description="one prompt on one input, train and dev")
    tokens: int | None = Field(
        None, ge=1, le=10**15, description="read and written by an API's model, the report included"
    )
    cost: float | None = Field(
        None, gt=0, le=10**6, description="in the endpoint's currency, the report included"
    )
    seconds: float | None = Field(None, gt=0, le=10**8, description="of tuning, pauses left out")


def _known_method(data: Any) -> Any:
    """An unknown name is answered with the names there are, before any setting is looked at."""
    name = data.get("name") if isinstance(data, dict) else data
    if isinstance(data, AnyMethod):
        return data
    if not isinstance(name, str) or name not in METHODS:
        hint = did_you_mean(str(name), list(METHODS))
        message = f"no method {name!r}; {hint}" if name is not None else f"no method name; {hint}"
        raise PydanticCustomError("unknown_method", "{message}", {"message": message})
    return data if isinstance(data, dict) else {"name": name}


class JobSpec(Spec):
    """One tuning run: who is asked, on what, by which method, within which walls."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    name: Name | None = Field(None, description="for people; shown in lists")
    endpoint: Name = Field(description="id of an endpoint", examples=["minilm"])
    dataset: Name = Field(description="id of a dataset", examples=["tickets"])
    task: TaskSpec = TaskSpec()
    method: Annotated[AnyMethod, BeforeValidator(_known_method)]
    budget: Budget
    seed: int = Field(0, ge=0, lt=2**32)
    cache: CacheMode = Field(
        "read",
        description="answers of APIs: read: a request asked before is not paid again; refresh: "
        "asked anew and kept; off: neither",
    )
    metadata: dict[MetadataKey, MetadataValue] = Field({}, max_length=16)
