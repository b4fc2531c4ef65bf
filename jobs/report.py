"""Is the tuned prompt better than the baseline? Test-split statistics; no model, no database."""

import platform
from importlib import metadata
from typing import Any

import numpy as np
from scipy.stats import binomtest

from jobs.objective import Scored, finite
from jobs.task import Example

CONFIDENCE = 0.95
SIGNIFICANT = 0.05  # the p-value below which a difference is not put down to chance


def wilson(correct: int, n: int) -> tuple[float, float]:
    """The 95 % Wilson score interval of an accuracy (Wilson 1927)."""
    interval = binomtest(correct, n).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def mcnemar(fixed: int, broken: int) -> float:
    """Exact two-sided McNemar p-value: is `fixed` against `broken` a fair coin? (McNemar 1947)."""
    discordant = fixed + broken
    return float(binomtest(fixed, discordant).pvalue) if discordant else 1.0


def summary(scored: Scored) -> dict[str, Any]:
    """Accuracy with its interval."""
    correct, n = int((scored.predicted == scored.targets).sum()), len(scored.targets)
    low, high = wilson(correct, n)
    return {"accuracy": correct / n, "n": n, "low": low, "high": high}


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
    baseline: Scored, tuned: Scored, examples: list[Example], labels: list[str]
) -> dict[str, Any]:
    """The report's figures: both prompts on the same rows, in the labels' order."""
    was_right = baseline.predicted == baseline.targets
    is_right = tuned.predicted == tuned.targets
    fixed, broken = int((~was_right & is_right).sum()), int((was_right & ~is_right).sum())
    p_value = mcnemar(fixed, broken)
    improved = fixed > broken and p_value < SIGNIFICANT
    figures = {
        name: {
            **summary(scored),
            "loss": finite(scored.loss),
            "confusion": _confusion(scored, len(labels)),
        }
        for name, scored in (("baseline", baseline), ("tuned", tuned))
    }
    return {
        "outcome": "improved" if improved else "no_improvement",
        "message": _message(figures, fixed, broken, p_value),
        "metric": "accuracy",
        "split": "test",
        "test": "exact McNemar",
        "p_value": p_value,
        "fixed": fixed,
        "broken": broken,
        "labels": labels,
        **figures,
        "changed": _changed(baseline, tuned, examples, labels),
    }


def _confusion(scored: Scored, n_labels: int) -> list[list[int]]:
    """Rows are true labels, columns are answers."""
    table = np.zeros((n_labels, n_labels), dtype=int)
    np.add.at(table, (scored.targets, scored.predicted), 1)
    return [[int(n) for n in row] for row in table]


def _changed(
    baseline: Scored, tuned: Scored, examples: list[Example], labels: list[str]
) -> list[dict[str, Any]]:
    return [
        {
            "inputs": dict(example.inputs),
            "label": example.label,
            "baseline": labels[before],
            "tuned": labels[after],
        }
        for example, before, after in zip(
            examples, baseline.predicted, tuned.predicted, strict=True
        )
        if before != after
    ]


def _message(figures: dict[str, Any], fixed: int, broken: int, p_value: float) -> str:
    was, now, n = (
        figures["baseline"]["accuracy"],
        figures["tuned"]["accuracy"],
        figures["tuned"]["n"],
    )
    facts = (
        f"{100 * was:.1f} % to {100 * now:.1f} % on {n} test rows; "
        f"{fixed} fixed, {broken} broken, p = {p_value:.2g}"
    )
    if p_value < SIGNIFICANT:
        verdict = "The tuned prompt is better" if fixed > broken else "The tuned prompt is worse"
        return f"{verdict} than the baseline: {facts}."
    return f"No improvement that could not be chance: {facts}."
