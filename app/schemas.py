"""What leaves the service: one class an object, built from rows. No SQL, no HTTP."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel
from pydantic.config import JsonDict

from app.errors import ErrorBody
from backends.registry import RUNGS
from jobs.catalog import ID
from jobs.estimates import Estimate
from jobs.ledger import PICO
from jobs.models import (
    ExampleRow,
    GenerationRow,
    JobRow,
    PromptRow,
    Status,
    TimingRow,
    UsageRow,
)
from jobs.serving import Answer

T = TypeVar("T")

ID_SCHEMA: JsonDict = {"pattern": f"^{ID.pattern}$"}  # only told: what is refused, the store says


class Listing(BaseModel, Generic[T]):
    """A page of a list; ask on with `after` = the last item's id while `has_more`."""

    object: Literal["list"] = "list"
    data: list[T]
    has_more: bool = False


def page(items: list[T], limit: int) -> Listing[T]:
    """A page out of `limit` + 1 items: the one too many tells that there are more."""
    return Listing(data=items[:limit], has_more=len(items) > limit)


class ProgressPublic(BaseModel):
    generation: int
    queries: int
    budget: int
    fraction: float
    seconds: float
    queries_per_second: float | None
    seconds_left: float | None
    optimizer_share: float | None

    @classmethod
    def of(cls, row: JobRow, usage: UsageRow | None) -> "ProgressPublic":
        budget = int(row.spec["budget"]["queries"])
        rate = row.queries / row.seconds if row.seconds > 0 else None
        running = row.status == Status.RUNNING
        searched = row.generation > 0 and row.seconds > 0
        return cls(
            generation=row.generation,
            queries=row.queries,
            budget=budget,
            fraction=1.0 if row.status == Status.SUCCEEDED else _spent(row, usage),
            seconds=row.seconds,
            queries_per_second=rate,
            seconds_left=(budget - row.queries) / rate if rate and running else None,
            optimizer_share=1 - row.model_seconds / row.seconds if searched else None,
        )


def _spent(row: JobRow, usage: UsageRow | None) -> float:
    """How much of the budget is gone: of the wall that is nearest."""
    spent = {
        "queries": row.queries,
        "tokens": usage.tokens_in + usage.tokens_out if usage else 0,
        "cost": usage.cost / PICO if usage else 0.0,
        "seconds": row.seconds,
    }
    walls = {name: wall for name, wall in row.spec["budget"].items() if wall}
    return min(1.0, max(float(spent[name] / wall) for name, wall in walls.items()))


class UsagePublic(BaseModel):
    """What a job has spent on APIs; `cost` in `currency`, which is null without prices."""

    requests: int = 0
    recalled: int = 0  # answers that were remembered, and so cost nothing
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    currency: str | None = None

    @classmethod
    def of(cls, row: UsageRow | None, estimate: dict[str, Any] | None) -> "UsagePublic":
        """The currency is the one that the job was estimated in: its endpoint may have gone."""
        currency = (estimate or {}).get("currency")
        if row is None:
            return cls(currency=currency)
        whole = row.model_dump(include={"requests", "recalled", "tokens_in", "tokens_out"})
        return cls(**whole, cost=row.cost / PICO, currency=currency)


class ScoresPublic(BaseModel):
    """How label scores are read off an API's answers."""

    rung: str
    meaning: str


class IncumbentPublic(BaseModel):
    generation: int
    kind: str
    train_loss: float | None
    dev_loss: float | None
    dev_accuracy: float
    text: str | None
    nearest_words: list[tuple[str, float]] | None

    @classmethod
    def of(cls, row: PromptRow) -> "IncumbentPublic":
        return cls(**row.model_dump(exclude={"job_id", "content"}))


def measure(row: JobRow) -> str:
    """What a job's accuracies are: the share of right answers, or the mean by this metric.

    Read off the spec as it is stored: to make a task of it takes a millisecond a job.
    """
    metric = row.spec["task"].get("metric")
    return str(metric["name"]) if metric else "accuracy"


class RangePublic(BaseModel):
    low: int | float
    typical: int | float
    ceiling: int | float


class EffectPublic(BaseModel):
    """The smallest difference that a split can tell from chance, in hundredths of accuracy."""

    rows: int
    points: float
    by: str


class CautionPublic(BaseModel):
    code: str
    message: str


class EstimatePublic(BaseModel):
    """What is to be expected of a job; null: nobody knows."""

    object: Literal["estimate"] = "estimate"
    queries: RangePublic
    report_queries: int  # on test, beside the budget
    generations: int
    tokens: RangePublic | None  # of an API, the report's too
    cost: RangePublic | None
    currency: str | None
    seconds: RangePublic | None
    basis: str | None  # of tokens, cost and seconds: "earlier jobs" or "lengths of texts"
    effects: dict[str, EffectPublic]
    warnings: list[CautionPublic]

    @classmethod
    def of(cls, estimate: Estimate) -> "EstimatePublic":
        return cls.model_validate(asdict(estimate))


class JobPublic(BaseModel):
    object: Literal["job"] = "job"
    id: str
    name: str | None
    status: Status
    termination_reason: str | None
    error: ErrorBody | None
    spec: dict[str, Any]
    metric: str
    runner: str | None
    priority: int
    cancel_requested: bool  # asked for; heeded when the generation it is in has ended
    pause_requested: bool  # the same
    estimate: EstimatePublic | None
    progress: ProgressPublic
    usage: UsagePublic
    scores: ScoresPublic | None
    retry_at: datetime | None
    baseline: dict[str, Any] | None
    incumbent: IncumbentPublic | None
    result: dict[str, Any] | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(
        cls, row: JobRow, prompt: PromptRow | None = None, usage: UsageRow | None = None
    ) -> "JobPublic":
        result = row.result and {**row.result, "queries": row.queries, "seconds": row.seconds}
        shared = (cls.model_fields.keys() & JobRow.model_fields.keys()) - {"result"}
        scores = row.rung and ScoresPublic(rung=row.rung, meaning=RUNGS[row.rung])
        fields = {name: getattr(row, name) for name in shared}
        return cls(
            **fields,
            name=row.spec.get("name"),
            metric=measure(row),
            progress=ProgressPublic.of(row, usage),
            usage=UsagePublic.of(usage, row.estimate),
            scores=scores or None,
            incumbent=IncumbentPublic.of(prompt) if prompt else None,
            result=result,
        )


class GenerationPublic(BaseModel):
    object: Literal["generation"] = "generation"
    number: int
    queries: int
    train_loss: float | None
    train_accuracy: float
    population_loss: float | None
    dev_loss: float | None
    dev_accuracy: float
    incumbent_generation: int
    incumbent_dev_loss: float | None
    incumbent_dev_accuracy: float
    internals: dict[str, float]
    text: str | None  # the champion's words, of a text prompt
    seconds: float
    model_seconds: float
    tokens: int | None  # all that the job had spent on APIs by then, and its cost
    cost: float | None

    @classmethod
    def of(cls, row: GenerationRow, timing: TimingRow) -> "GenerationPublic":
        times = timing.model_dump(include={"seconds", "model_seconds", "tokens"})
        cost = None if timing.cost is None else timing.cost / PICO
        return cls(**row.model_dump(exclude={"job_id", "allocation"}), **times, cost=cost)


class SharePublic(BaseModel):
    number: int  # of the row in its dataset
    inputs: dict[str, str]
    label: str
    queries: int

    @classmethod
    def of(cls, row: ExampleRow, queries: int) -> "SharePublic":
        return cls(**row.model_dump(include={"number", "inputs", "label"}), queries=queries)


class AllocationPublic(BaseModel):
    """Who was asked how often in one generation."""

    object: Literal["allocation"] = "allocation"
    job: str
    generation: int
    data: list[SharePublic]

    @classmethod
    def of(cls, generation: GenerationRow, train: Sequence[ExampleRow]) -> "AllocationPublic":
        most_first = sorted(generation.allocation or [], key=lambda share: -share[1])
        # the dataset may have been replaced since by a smaller one of the same name
        known = [share for share in most_first if share[0] < len(train)]
        data = [SharePublic.of(train[row], queries) for row, queries in known]
        return cls(job=generation.job_id, generation=generation.number, data=data)


class PromptPublic(BaseModel):
    object: Literal["prompt"] = "prompt"
    job: str
    kind: str
    generation: int
    dev_loss: float | None
    metric: str
    dev_accuracy: float
    endpoint: str
    template: str
    verbalizer: dict[str, str]
    text: str | None
    shape: list[int] | None
    nearest_words: list[tuple[str, float]] | None


class PredictionPublic(BaseModel):
    object: Literal["prediction"] = "prediction"
    label: str | None
    probabilities: dict[str, float]  # empty of a text
    text: str | None
    baseline: dict[str, Any] | None = None

    @classmethod
    def of(cls, answer: Answer, baseline: Answer | None) -> "PredictionPublic":
        return cls(**asdict(answer), baseline=asdict(baseline) if baseline else None)
