"""The report of a job as typed records: tuned against baseline. No HTTP, no drawing."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from gradless.types import Measured, Record


class Scored(Measured):
    """One side of a report; in `confusion`, rows are true labels and columns predicted ones."""

    prompt: str | None = None
    kind: str | None = None
    generation: int | None = None
    loss: float | None = None
    confusion: list[list[int]] = Field(default=[])


class Change(Record):
    """A test row that the tuned prompt answers otherwise than the baseline did."""

    inputs: dict[str, Any] = Field(default={})
    label: str  # or the target
    baseline: str
    tuned: str
    baseline_right: float | None = None  # 0 to 1, by the report's metric
    tuned_right: float | None = None


class Report(Record):
    """The whole comparison on the test split: intervals, test, confusion, changed rows, usage."""

    job: str | None = None
    outcome: str
    message: str | None = None
    metric: str | None = None
    split: str | None = None
    test: str | None = None
    p_value: float | None = None
    fixed: int | None = None
    broken: int | None = None
    labels: list[str] = Field(default=[])
    baseline: Scored | None = None
    tuned: Scored | None = None
    n_changed: int | None = None  # `changed` has the first of them
    changed: list[Change] = Field(default=[])
    usage: dict[str, Any] = Field(default={})
    endpoint: dict[str, Any] = Field(default={})  # kind and model that were asked
    dataset: dict[str, Any] = Field(default={})  # id, and sha256 of the rows
    versions: dict[str, Any] = Field(default={})

    def __str__(self) -> str:
        return self.message or self.outcome
