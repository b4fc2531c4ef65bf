"""Objects of the API as the contract describes them, with numbers that look like a real job's."""

import math
import random
from typing import Any

Object = dict[str, Any]

SCRIPT = "<script>alert(1)</script>"
LABELS = ["Billing", "Bug report", "Cancellation", "Feature request", "Login", "Shipping"]
WORDS = [["refund", 0.41], ["invoice", 0.38], ["urgent", 0.36], ["##ment", 0.33], ["ticket", 0.31]]
NOW = "2026-11-21T03:00:00.123456Z"


def spec(name: str | None = None, budget: int = 40000) -> Object:
    return {
        "name": name,
        "endpoint": "minilm",
        "dataset": "tickets",
        "task": {
            "template": "{prompt} {text}",
            "verbalizer": {label: label for label in LABELS},
            "baseline": "",
        },
        "method": {"name": "bbt", "preset": "fast", "population_size": 20, "sigma0": 1.0},
        "budget": {"queries": budget},
        "seed": 0,
        "metadata": {},
    }


def job(job_id: str, status: str = "queued", name: str | None = None, **more: Any) -> Object:
    budget = more.pop("budget", 40000)
    return {
        "object": "job",
        "id": job_id,
        "name": name,
        "status": status,
        "termination_reason": None,
        "error": None,
        "spec": spec(name, budget),
        "created_at": NOW,
        "started_at": None,
        "finished_at": None,
        "runner": None,
        "progress": progress(0, 0, budget),
        "usage": {"requests": 0, "recalled": 0, "tokens_in": 0, "tokens_out": 0, "cost": 0.0},
        "scores": None,
        "metric": "accuracy",
        "retry_at": None,
        "baseline": None,
        "incumbent": None,
        "result": None,
        **more,
    }


def on_api(**budget: Any) -> Object:
    """What differs in a job on the endpoint `hosted`."""
    walls = {"queries": 40000, "tokens": 900_000, "cost": 1.5, **budget}
    meaning = "log-probabilities among the likeliest tokens; a label that is not there gets a floor"
    return {
        "spec": {**spec(), "endpoint": "hosted", "budget": walls, "cache": "read"},
        "usage": {
            "requests": 5321,
            "recalled": 919,
            "tokens_in": 412_345,
            "tokens_out": 5_321,
            "cost": 0.0433629,
        },
        "scores": {"rung": "top", "meaning": meaning},
    }


def progress(number: int, queries: int, budget: int) -> Object:
    known = number > 0
    return {
        "generation": number,
        "queries": queries,
        "budget": budget,
        "fraction": queries / budget,
        "seconds": number * 5.1,
        "queries_per_second": 395.1 if known else None,
        "seconds_left": (budget - queries) / 395.1 if known else None,
        "optimizer_share": 0.0043 if known else None,
    }


def baseline(prompt: str = "") -> Object:
    return {
        "prompt": prompt,
        "train_loss": 1.31,
        "train_accuracy": 0.71,
        "dev_loss": 1.284,
        "dev_accuracy": 0.7292,
        "queries": 192,
    }


def generation(number: int, before: Object | None = None) -> Object:
    wobble = random.Random(number)
    fall = math.exp(-number / 6)
    train = 0.45 + 0.85 * fall + wobble.uniform(-0.03, 0.03)
    dev = 0.62 + 0.66 * fall + wobble.uniform(-0.05, 0.05)
    dev_accuracy = round(96 * (0.90 - 0.17 * fall + wobble.uniform(-0.015, 0.015))) / 96
    kept = before is not None and before["incumbent_dev_loss"] <= dev
    return {
        "object": "generation",
        "number": number,
        "queries": 192 + number * 2016,
        "train_loss": train,
        "train_accuracy": 0.93 - 0.2 * fall,
        "population_loss": train + 0.2,
        "dev_loss": dev,
        "dev_accuracy": dev_accuracy,
        "incumbent_dev_loss": before["incumbent_dev_loss"] if kept else dev,
        "incumbent_dev_accuracy": before["incumbent_dev_accuracy"] if kept else dev_accuracy,
        "incumbent_generation": before["incumbent_generation"] if kept else number,
        "internals": {"sigma": 0.98},
        "seconds": 5.1,
        "model_seconds": 5.0,
    }


def incumbent(of: Object, kind: str = "soft") -> Object:
    return {
        "generation": of["incumbent_generation"],
        "kind": kind,
        "dev_loss": of["incumbent_dev_loss"],
        "dev_accuracy": of["incumbent_dev_accuracy"],
        "train_loss": of["train_loss"],
        "text": "Which team should answer this support ticket?" if kind == "text" else None,
        "nearest_words": WORDS if kind == "soft" else None,
    }


def result(outcome: str = "improved") -> Object:
    better = outcome == "improved"
    if outcome == "not_measured":
        message = "Not measured on test: the budget of cost left too little for it."
        return {"outcome": outcome, "message": message, "queries": 38496, "seconds": 96.9}
    return {
        "outcome": outcome,
        "message": "On 360 test rows the tuned prompt answers 87.5 % right, the baseline 72.8 %: "
        "a difference of 14.7 points, larger than chance explains (p < 0.001)."
        if better
        else "On 360 test rows the tuned prompt and the baseline differ by 0.8 points, which "
        "chance alone explains (p = 0.76). Keep the prompt you have.",
        "baseline": {"accuracy": 0.7278, "n": 360, "low": 0.6797, "high": 0.7712},
        "tuned": {"accuracy": 0.875, "n": 360, "low": 0.8369, "high": 0.9053}
        if better
        else {"accuracy": 0.7361, "n": 360, "low": 0.6884, "high": 0.7789},
        "p_value": 0.0000012 if better else 0.76,
        "queries": 38496,
        "seconds": 96.9,
    }


def report(job_id: str, of: Object) -> Object:
    text = "I was charged twice this month and nobody answers my mails, please help"
    changed = [
        {
            "inputs": {"text": SCRIPT if k == 0 else f"{text} ({k})"},
            "label": LABELS[k % 6],
            "baseline": LABELS[(k + 1) % 6] if k % 4 else LABELS[k % 6],
            "tuned": LABELS[k % 6] if k % 4 else LABELS[(k + 2) % 6],
            "baseline_right": float(k % 4 == 0),
            "tuned_right": float(k % 4 != 0),
        }
        for k in range(24)
    ]
    return {
        "object": "report",
        "job": job_id,
        "outcome": of["outcome"],
        "message": of["message"],
        "metric": "accuracy",
        "split": "test",
        "test": "exact McNemar",
        "p_value": of["p_value"],
        "fixed": 62,
        "broken": 9,
        "labels": LABELS,
        "baseline": {**of["baseline"], "prompt": "", "loss": 1.301, "confusion": confusion(43)},
        "tuned": {
            **of["tuned"],
            "kind": "soft",
            "generation": 17,
            "loss": 0.633,
            "confusion": confusion(53),
        },
        "n_changed": len(changed),
        "changed": changed,
        "usage": {"queries": 38496, "report_queries": 720, "seconds": 96.9},
        "versions": {"gradless": "0.1.0"},
    }


def confusion(right: int) -> list[list[int]]:
    rows = []
    for i in range(6):
        row = [(60 - right) // 5 + (1 if (i + k) % 6 < (60 - right) % 5 else 0) for k in range(6)]
        row[i] = 0
        row[i] = 60 - sum(row)
        rows.append(row)
    return rows
