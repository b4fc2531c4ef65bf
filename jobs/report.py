"""Is the tuned prompt better than the baseline? The test split's figures; no model, no database."""

import hashlib
import json
import platform
from collections.abc import Sequence
from importlib import metadata
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, Field, model_validator

from jobs.objective import Scored, finite
from jobs.significance import COUNTED, GRADED, Statistics
from jobs.task import Example, Task

SIGNIFICANT = 0.05  # the p-value below which a difference is not put down to chance
MOST_CHANGED = 1_000  # rows whose two answers are shown
N_KEPT = 6  # rows shown of those that both prompts answer alike, and right: evenly spread

Right = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Scores(BaseModel):
    """How right each test row was answered, to be held against another job's."""

    rows: str  # SHA-256 of the rows: equal for equal rows alone
    baseline: list[Right]
    tuned: list[Right]

    @model_validator(mode="after")
    def _of_the_same_rows(self) -> "Scores":
        if len(self.baseline) != len(self.tuned):
            raise ValueError("the two prompts were scored on different numbers of rows")
        return self


def summary(scored: Scored, statistics: Statistics = COUNTED) -> dict[str, Any]:
    """Accuracy with its interval."""
    low, high = statistics.interval(scored.right)
    return {"accuracy": scored.accuracy, "n": len(scored.right), "low": low, "high": high}


def statistics_of(task: Task) -> Statistics:
    """By how fine its answers are judged."""
    return GRADED if task.metric is not None and task.metric.graded else COUNTED


def versions() -> dict[str, str]:
    """Of what the figures depend on, down to the last bit: "" where it is not installed."""
    found = {"python": platform.python_version()}
    for package in ("numpy", "cma", "torch", "transformers"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = ""
    return found


def compare(
    baseline: Scored, tuned: Scored, examples: Sequence[Example], task: Task
) -> dict[str, Any]:
    """The report's figures: both prompts on the same rows, in the labels' order."""
    statistics = statistics_of(task)
    gains = tuned.right - baseline.right
    p_value = statistics.p_value(gains)
    body: dict[str, Any] = {
        "outcome": "improved" if gains.mean() > 0 and p_value < SIGNIFICANT else "no_improvement",
        "metric": task.measure,
        "split": "test",
        "test": statistics.test,
        "p_value": p_value,
        "fixed": int((gains > 0).sum()),
        "broken": int((gains < 0).sum()),
        "labels": task.labels,
    }
    for name, scored in (("baseline", baseline), ("tuned", tuned)):
        body[name] = {
            **summary(scored, statistics),
            "loss": finite(scored.loss),
            "confusion": _confusion(scored, examples, task.labels),
        }
    rows = _rows(baseline, tuned, examples)
    changed = [row for row in rows if row["baseline"] != row["tuned"]]
    kept = [row for row in rows if row["baseline"] == row["tuned"] and row["tuned_right"] == 1]
    return {
        **body,
        "message": _message(body, task, statistics),
        "n_changed": len(changed),
        "changed": changed[:MOST_CHANGED],
        "kept": kept[:: max(1, len(kept) // N_KEPT)][:N_KEPT],
    }


def scores(baseline: Scored, tuned: Scored, examples: Sequence[Example]) -> Scores:
    """What is kept of the test split, row by row."""
    rows = [[sorted(each.inputs.items()), each.label] for each in examples]
    return Scores(
        rows=hashlib.sha256(json.dumps(rows).encode()).hexdigest(),
        baseline=baseline.right.tolist(),
        tuned=tuned.right.tolist(),
    )


def _confusion(
    scored: Scored, examples: Sequence[Example], labels: Sequence[str]
) -> list[list[int]]:
    """Rows are true labels, columns are answers; empty where there are no labels."""
    number = {label: i for i, label in enumerate(labels)}
    table = np.zeros((len(labels), len(labels)), dtype=int)
    if labels:
        true = [number[example.label] for example in examples]
        np.add.at(table, (true, [number[answer] for answer in scored.answers]), 1)
    return [[int(n) for n in row] for row in table]


def _rows(baseline: Scored, tuned: Scored, examples: Sequence[Example]) -> list[dict[str, Any]]:
    return [
        {
            "inputs": dict(example.inputs),
            "label": example.label,
            "baseline": baseline.answers[row],
            "tuned": tuned.answers[row],
            "baseline_right": float(baseline.right[row]),
            "tuned_right": float(tuned.right[row]),
        }
        for row, example in enumerate(examples)
    ]


def _message(body: dict[str, Any], task: Task, statistics: Statistics) -> str:
    was, now, n = body["baseline"]["accuracy"], body["tuned"]["accuracy"], body["tuned"]["n"]
    by_metric = f"{task.metric.title} " if task.metric is not None else ""
    facts = (
        f"{by_metric}{100 * was:.1f} % to {100 * now:.1f} % on {n} test rows; "
        f"{body['fixed']} {statistics.won}, {body['broken']} {statistics.lost}, "
        f"p = {body['p_value']:.2g}"
    )
    if body["p_value"] < SIGNIFICANT:
        verdict = "The tuned prompt is better" if now > was else "The tuned prompt is worse"
        return f"{verdict} than the baseline: {facts}."
    return f"No improvement that could not be chance: {facts}."
