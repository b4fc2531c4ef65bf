"""What the service answers, as typed records. No HTTP, no behavior.

Every record keeps fields unknown to this version, so that an older client reads a newer service.
Losses are in nats, accuracies in 0..1, times in seconds; a number that nobody knows is None.
"""

# ruff: noqa: RUF012 - pydantic copies defaults, and ruff does not see that Record is its own

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import Field

from gradless.estimate import Estimate as Estimate
from gradless.record import Record as Record

T = TypeVar("T")

ENDED = frozenset({"succeeded", "failed", "cancelled"})


class Page(Record, Generic[T]):
    data: list[T]
    has_more: bool = False


class Runner(Record):
    name: str
    pid: int | None = None
    alive: bool = False
    job: str | None = None


class Health(Record):
    status: str
    version: str | None = None
    runners: list[Runner] = []
    jobs: dict[str, int] = {}


class Method(Record):
    """A published recipe; `settings` is the JSON schema of what `tune(**settings)` takes."""

    name: str
    title: str | None = None
    summary: str | None = None
    citation: str | None = None
    needs: list[str] = []
    presets: dict[str, dict[str, Any]] = {}
    settings: dict[str, Any] = Field(default={}, alias="schema")


class Metric(Record):
    """A way to say how right a generated answer is; `settings` is the JSON schema of its own."""

    name: str
    title: str | None = None
    summary: str | None = None
    settings: dict[str, Any] = Field(default={}, alias="schema")


class Probed(Record):
    """What asking an API has shown, fact by fact; those not named here are attributes too.

    Example:
        facts = client.endpoint("hosted").probed
        print(facts.rung, facts.rungs, facts.missing)
    """

    probed_at: datetime | None = None
    server: str | None = None  # name and version, where told
    context: int | None = None  # tokens that fit, where told
    route: str | None = None  # the one that is used
    routes: list[str] = []
    capabilities: list[str] = []
    rung: str | None = None  # how label scores are read off answers
    rungs: list[str] = []  # all ways that work, best first
    missing: dict[str, str] = {}  # what does not work -> why
    logprobs: int | None = None  # how many likeliest tokens come back
    noise: float | None = None  # nats: largest change of a log-probability, asked twice
    notes: list[str] = []


class Endpoint(Record):
    """A model that can be called; `probed` is known of APIs only."""

    id: str
    kind: str | None = None
    model: str | None = None
    options: dict[str, Any] = {}
    capabilities: list[str] = []
    probed: Probed | None = None
    built_in: bool = False
    created_at: datetime | None = None


class Split(Record):
    rows: int
    per_label: dict[str, int] = {}


class Dataset(Record):
    """Uploaded rows, checked and split."""

    id: str
    task: str | None = None  # "classification" or "generation": rows with labels, or with targets
    columns: list[str] = []
    image_column: str = ""  # the one that names images
    labels: list[str] = []
    n_rows: int | None = None
    splits: dict[str, Split] = {}
    split_source: str | None = None
    shots: int | None = None
    seed: int | None = None
    sha256: str | None = None
    filename: str | None = None
    built_in: bool = False
    created_at: datetime | None = None


class Failure(Record):
    """Why a job failed."""

    message: str
    type: str | None = None
    param: str | None = None
    code: str | None = None


class JobProgress(Record):
    generation: int = 0
    queries: int = 0
    budget: int | None = None
    fraction: float | None = None
    seconds: float | None = None
    queries_per_second: float | None = None
    seconds_left: float | None = None
    optimizer_share: float | None = None


class Usage(Record):
    """What a job has spent on APIs; `cost` is in `currency`, which is None without prices."""

    requests: int = 0
    recalled: int = 0  # answers that were remembered, and so cost nothing
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    currency: str | None = None


class Scores(Record):
    """How label scores are read off an API's answers."""

    rung: str
    meaning: str | None = None


class Baseline(Record):
    """The user's own manual prompt, scored before the search."""

    prompt: str = ""
    train_loss: float | None = None
    train_accuracy: float | None = None
    dev_loss: float | None = None
    dev_accuracy: float | None = None
    queries: int | None = None


class Incumbent(Record):
    """The best prompt so far by dev loss: the one that is served."""

    generation: int
    kind: str | None = None
    dev_loss: float | None = None
    dev_accuracy: float | None = None
    train_loss: float | None = None
    text: str | None = None
    nearest_words: list[tuple[str, float]] | None = None


class Measured(Record):
    """An accuracy with its 95 % interval `low`..`high` over `n` rows, by the job's `metric`."""

    accuracy: float | None = None
    n: int | None = None
    low: float | None = None
    high: float | None = None


class Result(Record):
    """Tuned against baseline on the test split; `message` says it in one sentence.

    Where `outcome` is "not_measured" there are no figures, and `message` says why.
    """

    outcome: str
    message: str | None = None
    metric: str | None = None
    baseline: Measured | None = None
    tuned: Measured | None = None
    p_value: float | None = None
    queries: int | None = None
    seconds: float | None = None

    def __str__(self) -> str:
        return self.message or self.outcome


class JobState(Record):
    """One tuning run as the service last told it.

    All its accuracies are means by `metric`: "accuracy" is the share of right labels.
    """

    id: str
    status: str
    metric: str | None = None
    name: str | None = None
    termination_reason: str | None = None
    error: Failure | None = None
    spec: dict[str, Any] = {}
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    runner: str | None = None
    priority: int = 0
    cancel_requested: bool = False  # heeded when the generation it is in has ended
    pause_requested: bool = False
    estimate: Estimate | None = None
    progress: JobProgress = JobProgress()
    usage: Usage = Usage()
    scores: Scores | None = None
    retry_at: datetime | None = None  # of a paused job
    baseline: Baseline | None = None
    incumbent: Incumbent | None = None
    result: Result | None = None

    @property
    def ended(self) -> bool:
        return self.status in ENDED


class Generation(Record):
    """One ask-score-tell round; `queries` counts from the start of the job."""

    number: int
    queries: int = 0
    train_loss: float | None = None
    train_accuracy: float | None = None
    population_loss: float | None = None
    dev_loss: float | None = None
    dev_accuracy: float | None = None
    incumbent_dev_loss: float | None = None
    incumbent_dev_accuracy: float | None = None
    incumbent_generation: int | None = None
    internals: dict[str, Any] = {}
    text: str | None = None  # the champion's words, of a text prompt
    seconds: float | None = None
    model_seconds: float | None = None
    tokens: int | None = None  # spent on APIs since the start of the job, and their cost
    cost: float | None = None


class Prompt(Record):
    """The artefact of a job and how it is applied. A soft prompt has a `shape` and no `text`."""

    job: str | None = None
    kind: str | None = None
    generation: int | None = None
    dev_loss: float | None = None
    dev_accuracy: float | None = None
    endpoint: str | None = None
    template: str | None = None
    verbalizer: dict[str, str] = {}
    text: str | None = None
    shape: list[int] | None = None
    nearest_words: list[tuple[str, float]] | None = None
    endpoint_kind: str | None = None
    model: str | None = None
    position: str | None = None  # where the prompt stands, in words
    members: list[dict[str, Any]] | None = None  # of an ensemble: template, words, weight
    thinking: dict[str, Any] | None = None  # demonstrations, passes, step_size, momentum


class Prediction(Record):
    """A label and its probabilities, or a text; `str(prediction)` is the one or the other."""

    label: str | None = None
    probabilities: dict[str, float] = {}
    text: str | None = None
    baseline: Prediction | None = None

    def __str__(self) -> str:
        return self.label or self.text or ""
