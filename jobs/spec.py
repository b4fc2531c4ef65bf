"""A job as its author writes it: the request body, the stored JSON and the OpenAPI schema."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import ConfigDict, Field, StringConstraints

from jobs.methods import AnyMethod
from jobs.metrics import MetricSpec
from jobs.pictures import NO_PICTURES, Pictures
from jobs.strict import Spec
from jobs.task import Task

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
    """How an input is shown to the model, and what an answer is: a label, or text of its own."""

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
    metric: MetricSpec | None = Field(
        default=None,
        description="how right a generated answer is, by name or with settings; default: the "
        "answer is the likeliest label",
    )
    max_tokens: int = Field(
        default=64, ge=1, le=4096, description="most tokens of one generated answer"
    )

    def made(self, pictures: Pictures = NO_PICTURES) -> Task:
        """What a search tunes for; admission has filled everything in."""
        assert self.template is not None and self.verbalizer is not None
        return Task(self.template, self.verbalizer, self.metric, self.max_tokens, pictures)


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


class JobSpec(Spec):
    """One tuning run: who is asked, on what, by which method, within which walls."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    name: Name | None = Field(None, description="for people; shown in lists")
    endpoint: Name = Field(description="id of an endpoint", examples=["minilm"])
    dataset: Name = Field(description="id of a dataset", examples=["tickets"])
    task: TaskSpec = TaskSpec()
    method: AnyMethod = Field(
        description="a method and its settings, as GET /api/methods lists them, or its name alone"
    )
    budget: Budget
    seed: int = Field(0, ge=0, lt=2**32)
    cache: CacheMode = Field(
        "read",
        description="answers of APIs: read: a request asked before is not paid again; refresh: "
        "asked anew and kept; off: neither",
    )
    metadata: dict[MetadataKey, MetadataValue] = Field({}, max_length=16)
