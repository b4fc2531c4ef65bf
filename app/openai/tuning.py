"""Jobs, their events and checkpoints in OpenAI's shapes: every field is there, null or not."""

import time
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from jobs.history import Happening
from jobs.methods import AnyMethod
from jobs.models import (
    ENDED,
    GenerationRow,
    JobRow,
    PromptRow,
    Status,
    UsageRow,
)
from jobs.names import model_id
from jobs.spec import Budget, CacheMode, JobSpec, MetadataKey, MetadataValue, Name, TaskSpec
from jobs.strict import Spec

Level: TypeAlias = Literal["info", "warn", "error"]

RESULTS = "-results"  # how the id of a job's result file ends
EVENT = "ftevent-"  # how an event's id begins
OWNER = "gradless"
LEVELS: Mapping[str, Level] = {Status.FAILED: "error", Status.PAUSED: "warn"}  # of statuses

Suffix: TypeAlias = Annotated[str, Field(min_length=1, max_length=64)]

EXAMPLE: dict[str, Any] = {
    "model": "minilm",
    "training_file": "tickets",
    "method": {
        "type": "prompt",
        "prompt": {"method": {"name": "bbt", "preset": "fast"}, "budget": {"queries": 40_000}},
    },
    "seed": 0,
}


class PromptTuning(Spec):
    """What OpenAI has no words for: the fields of a job that say how its prompt is tuned."""

    method: AnyMethod = Field(description="a method and its settings, or its name alone")
    budget: Budget
    task: TaskSpec = TaskSpec()
    cache: CacheMode = "read"


class TuningMethod(Spec):
    type: Literal["prompt"] = Field(description="weights stay as they are: a prompt is tuned")
    prompt: PromptTuning


class TuningBody(Spec):
    """A request for a job; what has no meaning for prompts is refused unless it is null."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    model: Name = Field(description="id of an endpoint", examples=["minilm"])
    training_file: Name = Field(description="id of a file, or of a dataset", examples=["tickets"])
    method: TuningMethod
    suffix: Suffix | None = Field(None, description="the job's name, for people")
    seed: int | None = Field(None, ge=0, lt=2**32, description="null: 0")
    metadata: dict[MetadataKey, MetadataValue] | None = Field(None, max_length=16)
    validation_file: None = Field(
        None, description="null: the one file has all splits, or is split when uploaded"
    )
    hyperparameters: None = Field(None, description="null: the settings are those of `method`")
    integrations: None = Field(None, description="null: there are none")

    def spec(self) -> JobSpec:
        tuning = self.method.prompt
        return JobSpec(
            name=self.suffix,
            endpoint=self.model,
            dataset=self.training_file,
            task=tuning.task,
            method=tuning.method,
            budget=tuning.budget,
            seed=self.seed or 0,
            cache=tuning.cache,
            metadata=self.metadata or {},
        )


FIELDS = {  # of a job's spec -> of the request
    "endpoint": "model",
    "dataset": "training_file",
    **{name: f"method.prompt.{name}" for name in ("method", "budget", "task", "cache")},
}


def asked_as(param: str) -> str:
    """What a field of a job's spec is called here: `method.name` -> `method.prompt.method.name`."""
    first, dot, rest = param.partition(".")
    return f"{FIELDS.get(first, first)}{dot}{rest}"


class JobError(BaseModel):
    code: str
    message: str
    param: str | None


class Hyperparameters(BaseModel):
    batch_size: None = None
    learning_rate_multiplier: None = None
    n_epochs: None = None


class TuningJob(BaseModel):
    """`status` may be paused, and `method` is of the type prompt: OpenAI's types know neither."""

    object: Literal["fine_tuning.job"] = "fine_tuning.job"
    id: str
    created_at: int
    finished_at: int | None
    estimated_finish: int | None
    model: str
    fine_tuned_model: str | None  # once it has ended, if there is a prompt
    organization_id: str = OWNER
    status: Status
    hyperparameters: Hyperparameters = Hyperparameters()
    method: dict[str, Any]
    training_file: str
    validation_file: None = None
    result_files: list[str]
    trained_tokens: int | None  # that an API has read and written; of local models 0
    seed: int
    error: JobError | None
    integrations: list[str] = []
    metadata: dict[str, str]

    @classmethod
    def of(
        cls, row: JobRow, prompt: PromptRow | None = None, usage: UsageRow | None = None
    ) -> "TuningJob":
        over, spec = row.status in ENDED, row.spec
        tuning = {name: spec[name] for name in ("method", "budget", "task", "cache")}
        return cls(
            id=row.id,
            created_at=int(row.created_at.timestamp()),
            finished_at=int(row.finished_at.timestamp()) if row.finished_at else None,
            estimated_finish=_estimated(row),
            model=spec["endpoint"],
            fine_tuned_model=model_id(row) if over and prompt else None,
            status=row.status,
            method={"type": "prompt", "prompt": tuning},
            training_file=spec["dataset"],
            result_files=[row.id + RESULTS] if over and row.generation else [],
            trained_tokens=_tokens(usage) if over else None,
            seed=spec["seed"],
            error=_error(row.error) if row.status == Status.FAILED else None,
            metadata=spec["metadata"],
        )


def _estimated(row: JobRow) -> int | None:
    if row.status != Status.RUNNING or not row.queries or row.seconds <= 0:
        return None
    left = row.spec["budget"]["queries"] - row.queries
    return int(time.time() + left * row.seconds / row.queries)


def _tokens(usage: UsageRow | None) -> int:
    return usage.tokens_in + usage.tokens_out if usage is not None else 0


def _error(error: Mapping[str, Any] | None) -> JobError | None:
    if error is None:
        return None
    code = error.get("code") or error.get("type") or "failed"
    return JobError(code=code, message=error["message"], param=error.get("param"))


class TuningEvent(BaseModel):
    object: Literal["fine_tuning.job.event"] = "fine_tuning.job.event"
    id: str
    created_at: int
    level: Level
    message: str
    type: Literal["message", "metrics"]
    data: dict[str, Any] | None

    @classmethod
    def of(cls, happening: Happening) -> "TuningEvent":
        event, generation = happening
        status = event.data.get("status")
        return cls(
            id=f"{EVENT}{event.id}",
            created_at=int(event.created_at.timestamp()),
            level=LEVELS.get(status or "", "info"),
            message=_message(event.type, status, generation),
            type="metrics" if generation else "message",
            data=_metrics(generation) if generation else event.data,
        )


def _message(type_: str, status: str | None, generation: GenerationRow | None) -> str:
    if generation is not None:
        return f"Step {generation.number}: dev accuracy {generation.dev_accuracy:.4f}"
    if type_ == "result":
        return "Compared with the baseline on the test split"
    return "The job has ended" if type_ == "done" else f"The job's status: {status}"


def _metrics(row: GenerationRow) -> dict[str, Any]:
    return {
        "step": row.number,
        "queries": row.queries,
        "train_loss": row.train_loss,
        "train_accuracy": row.train_accuracy,
        "full_valid_loss": row.dev_loss,
        "full_valid_accuracy": row.dev_accuracy,
    }


METRICS = ("step", "queries", "train_loss", "train_accuracy", "valid_loss", "valid_accuracy")


def results_csv(rows: list[GenerationRow]) -> bytes:
    """A job's result file: a line for each generation; `valid` is the dev split."""
    lines = [",".join(METRICS)]
    lines += [",".join("" if x is None else str(x) for x in _metrics(row).values()) for row in rows]
    return "".join(f"{line}\n" for line in lines).encode()


class CheckpointMetrics(BaseModel):
    """On the whole dev split; an accuracy is the share of right answers, not of tokens."""

    step: int
    train_loss: float | None
    train_mean_token_accuracy: None = None
    valid_loss: None = None
    valid_mean_token_accuracy: None = None
    full_valid_loss: float | None
    full_valid_mean_token_accuracy: float


class Checkpoint(BaseModel):
    object: Literal["fine_tuning.job.checkpoint"] = "fine_tuning.job.checkpoint"
    id: str
    created_at: int
    fine_tuned_model_checkpoint: str
    fine_tuning_job_id: str
    metrics: CheckpointMetrics
    step_number: int

    @classmethod
    def of(cls, job: JobRow, row: PromptRow) -> "Checkpoint":
        made = job.finished_at or job.started_at or job.created_at
        metrics = CheckpointMetrics(
            step=row.generation,
            train_loss=row.train_loss,
            full_valid_loss=row.dev_loss,
            full_valid_mean_token_accuracy=row.dev_accuracy,
        )
        return cls(
            id=f"ftckpt-{job.id}-{row.generation}",
            created_at=int(made.timestamp()),
            fine_tuned_model_checkpoint=model_id(job),
            fine_tuning_job_id=job.id,
            metrics=metrics,
            step_number=row.generation,
        )


class Checkpoints(BaseModel):
    object: Literal["list"] = "list"
    data: list[Checkpoint]
    first_id: str | None
    last_id: str | None
    has_more: bool = False
