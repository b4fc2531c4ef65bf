"""Methods side by side at equal query counts: `python -m benchmarks.compare NAME`.

A comparison is a name in `comparisons.py`: its methods, sets, seeds and budget. Every run is
written to `results/NAME.json` as it ends, so that one that was stopped goes on where it was.
"""

import argparse
import json
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import TypeAdapter
from scipy.stats import t as student

from backends.base import Backend
from backends.registry import open_backend
from benchmarks.accuracy import Tuned, classifier, p_value, tune
from benchmarks.comparisons import (
    CLASSIFIER,
    COMPARISONS,
    GRADIENTS,
    MANUAL,
    Benchmark,
    Comparison,
)
from jobs.methods import AnyMethod, Method
from jobs.objective import Objective, Scored
from jobs.prompts import Prompt, TextPrompt
from jobs.report import summary
from jobs.task import Split, Task

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
_Rows: TypeAlias = list[dict[str, Any]]
POINTS = 12  # of a curve, at most: to measure every incumbent may cost more than to find it


def main() -> None:
    options = _options()
    comparison, file = COMPARISONS[options.name], RESULTS / f"{options.name}.json"
    done = json.loads(file.read_text())["rows"] if file.exists() else []
    known = {(row["set"], row["seed"], row["method"]) for row in done}
    backend = open_backend(*comparison.endpoint, threads=options.threads)
    for benchmark, seed, contender in comparison.runs():
        if (benchmark.name, seed, contender) in known:
            continue
        task, split = benchmark.problem(options.data, seed, comparison.test_rows)
        run = _Run(backend, benchmark, task, split, seed, comparison)
        done.append(run.row(contender))
        print(f"{benchmark.name} {seed} {contender}: {done[-1]['accuracy']:.1%}", flush=True)
        _write(options.name, done)
    _write(options.name, done)  # a table whose form has changed is written anew


class _Run:
    """One set and seed, on which every contender is measured alike."""

    def __init__(
        self,
        backend: Backend,
        benchmark: Benchmark,
        task: Task,
        split: Split,
        seed: int,
        comparison: Comparison,
    ) -> None:
        self.backend, self.benchmark, self.task, self.split = backend, benchmark, task, split
        self.seed, self.comparison = seed, comparison

    def row(self, contender: str) -> dict[str, Any]:
        start = time.perf_counter()
        tuned = Tuned(TextPrompt(""), 0, 0, 0.0)
        if contender == MANUAL:
            tuned = Tuned(TextPrompt(self.benchmark.manual), 0, 0, 0.0)
        elif contender in self.comparison.methods:
            tuned = self._tuned(self.comparison.methods[contender])
        seconds = time.perf_counter() - start
        incumbents = _some(tuned.incumbents) if self.comparison.curves else []
        before, after, *others = self._on_test(
            [TextPrompt(""), tuned.prompt, *(prompt for _, prompt in incumbents)]
        )
        if contender == CLASSIFIER:
            after = classifier(self.backend, self.task, self.split)
        curve = zip(incumbents, others, strict=True)
        return {
            "set": self.benchmark.name,
            "seed": self.seed,
            "method": contender,
            **summary(after),
            "p_value": p_value(before, after),
            "no_prompt_accuracy": before.accuracy,
            "queries": tuned.queries,
            "seconds": round(seconds, 1),
            "prompt": tuned.prompt.text if isinstance(tuned.prompt, TextPrompt) else None,
            "curve": [[queries, round(scored.accuracy, 4)] for (queries, _), scored in curve],
        }

    def _tuned(self, spec: Mapping[str, Any]) -> Tuned:
        told = self.benchmark.manual if self.comparison.tells_manual else ""
        budget = self.comparison.budget
        return tune(self.backend, self.task, self.split, method(spec), budget, self.seed, told)

    def _on_test(self, asked: Sequence[Prompt]) -> list[Scored]:
        test = Objective(self.task, self.backend, self.split.test)
        return test.score([(prompt, None) for prompt in asked])


def _some(incumbents: Sequence[tuple[int, Prompt]]) -> list[tuple[int, Prompt]]:
    """The last and some before it, evenly spread."""
    last = len(incumbents) - 1
    steps = min(POINTS, len(incumbents))
    return [incumbents[round(last * n / max(1, steps - 1))] for n in range(steps)]


def method(spec: Mapping[str, Any]) -> Method:
    """A method from what a job would write."""
    made: Method = TypeAdapter(AnyMethod).validate_python(spec)
    return made


def _write(name: str, rows: _Rows) -> None:
    RESULTS.mkdir(exist_ok=True)
    command = f"python -m benchmarks.compare {name}"
    comparison = COMPARISONS[name]
    body = {"command": command, "budget": comparison.budget, "methods": comparison.methods}
    (RESULTS / f"{name}.json").write_text(json.dumps({**body, "rows": rows}, indent=1) + "\n")
    (RESULTS / f"{name}.md").write_text(f"`{command}`\n\n{_table(comparison, rows)}\n")


def _table(comparison: Comparison, rows: _Rows) -> str:
    """One line a contender: test accuracy on each set, and its gain over no prompt."""
    gains = [f"gain over {name} (95 %)" for name in comparison.references]
    head = ["method", *comparison.sets, *gains, "p < 0.05", "queries a run"]
    lines = [" | ".join(head), " | ".join(["---"] * len(head))]
    every = [*rows, *(_of_gradients() if GRADIENTS in comparison.references else [])]
    for contender in comparison.contenders:
        mine = [row for row in rows if row["method"] == contender]
        if mine:
            lines.append(" | ".join([contender, *_cells(mine, every, comparison)]))
    return "\n".join(f"| {line} |" for line in lines) + "\n\n" + _note(comparison)


def _cells(mine: _Rows, every: _Rows, comparison: Comparison) -> list[str]:
    cells = []
    for name in comparison.sets:
        some = [row["accuracy"] for row in mine if row["set"] == name]
        cells.append(interval(some, "{:.1f}") if some else "")
    gains = [interval(_gains(mine, every, name), "{:+.1f}") for name in comparison.references]
    queries = f"{round(statistics.mean(row['queries'] for row in mine)):,}"
    return [*cells, *gains, _verdicts(mine), queries]


def _of_gradients() -> _Rows:
    """What the yardstick has measured on the same sets and seeds."""
    measured = json.loads((RESULTS / "yardstick.json").read_text())["rows"]
    return [
        {"method": GRADIENTS, "accuracy": row["gradients"]["accuracy"], **row} for row in measured
    ]


def _gains(mine: _Rows, every: _Rows, reference: str) -> list[float]:
    """On the same set and seed, where both have been run."""
    theirs = {
        (row["set"], row["seed"]): row["accuracy"] for row in every if row["method"] == reference
    }
    pairs = [(row["accuracy"], theirs.get((row["set"], row["seed"]))) for row in mine]
    return [ours - other for ours, other in pairs if other is not None]


def _verdicts(mine: _Rows) -> str:
    sure = [row for row in mine if row["p_value"] < 0.05]
    better = sum(row["accuracy"] > row["no_prompt_accuracy"] for row in sure)
    return f"{better} better, {len(sure) - better} worse of {len(mine)}"


def interval(shares: list[float], form: str) -> str:
    """Mean in percent with Student's 95 % interval over the runs."""
    if not shares:
        return ""
    mean = form.format(100 * statistics.mean(shares))
    if len(shares) < 2:
        return mean
    half = float(student.ppf(0.975, len(shares) - 1)) * statistics.stdev(shares)
    return f"{mean} ± {100 * half / len(shares) ** 0.5:.1f}"


def _note(comparison: Comparison) -> str:
    return (
        f"{comparison.note} Percent of right answers. "
        f"16-shot splits of the seeds {', '.join(map(str, comparison.seeds))}; each search spends "
        f"at most {comparison.budget:,} train and dev queries; {comparison.test_rows} test rows a "
        "set. Means and Student's 95 % intervals are over seeds, for the gain over all runs; p by "
        "exact McNemar against no prompt, one run at a time."
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("name", choices=list(COMPARISONS))
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "few-shot")
    parser.add_argument("--threads", type=int, help="batches side by side; default: every core")
    return parser.parse_args()


if __name__ == "__main__":
    main()
