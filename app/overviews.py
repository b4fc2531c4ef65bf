"""What is told of several jobs at once, as it leaves the service. No SQL, no HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from app.schemas import JobPublic
from jobs.comparison import NoVerdict, Setting, Verdict
from jobs.summary import Today

SUMMARY: dict[str, Any] = {
    "object": "summary",
    "running": 1,
    "queued": 2,
    "paused": 0,
    "today": {"queries": 41_200, "tokens": 1_830_000, "cost": {"USD": 0.42}},
    "runners": [{"id": "runner-1", "alive": True}],
}


class TodayPublic(BaseModel):
    """Spent since midnight (UTC) by the jobs that are kept."""

    queries: int  # on train and dev, of generations that have ended
    tokens: int  # read and written by APIs
    cost: dict[str, float]  # by currency; of endpoints that are gone: "other"


class WorkerPublic(BaseModel):
    id: str
    alive: bool


class SummaryPublic(BaseModel):
    """How things stand in a project; runners work for all projects."""

    model_config = ConfigDict(json_schema_extra={"examples": [SUMMARY]})

    object: Literal["summary"] = "summary"
    running: int
    queued: int
    paused: int
    today: TodayPublic
    runners: list[WorkerPublic]

    @classmethod
    def of(
        cls, counts: Mapping[str, int], today: Today, runners: Mapping[str, bool]
    ) -> "SummaryPublic":
        return cls(
            **{status: counts.get(status, 0) for status in ("running", "queued", "paused")},
            today=TodayPublic(**asdict(today)),
            runners=[WorkerPublic(id=name, alive=alive) for name, alive in runners.items()],
        )


class SettingPublic(BaseModel):
    """A setting by its path in the spec, and its value in each job; null: it has none."""

    name: str
    values: list[Any]
    same: bool


class VerdictPublic(BaseModel):
    """Two tuned prompts on the same test rows: the second's accuracy minus the first's."""

    first: str
    second: str
    p_value: float
    difference: float
    test: str
    n: int


class NoVerdictPublic(BaseModel):
    """Why two jobs' prompts cannot be held against each other."""

    first: str
    second: str
    reason: str


class ComparisonPublic(BaseModel):
    """Jobs side by side."""

    object: Literal["comparison"] = "comparison"
    jobs: list[JobPublic]
    settings: list[SettingPublic]
    tests: list[VerdictPublic | NoVerdictPublic]

    @classmethod
    def of(
        cls,
        jobs: list[JobPublic],
        settings: Sequence[Setting],
        verdicts: Sequence[Verdict | NoVerdict],
    ) -> "ComparisonPublic":
        return cls(
            jobs=jobs,
            settings=[SettingPublic(**vars(each)) for each in settings],
            tests=[
                VerdictPublic(**vars(each))
                if isinstance(each, Verdict)
                else NoVerdictPublic(**vars(each))
                for each in verdicts
            ],
        )
