"""Methods side by side at equal query counts: `python -m benchmarks.compare NAME`.

A comparison is a name in COMPARISONS: its methods, sets, seeds and budget. Every run is written to
`results/NAME.json` as it ends, so that a comparison that was stopped goes on where it was.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from scipy.stats import t as student

from backends.encoder import Encoder
from benchmarks.accuracy import p_value, tune
from benchmarks.tasks import BENCHMARKS, Benchmark
from jobs.methods import AnyMethod, Method
from jobs.objective import Objective, Scored
from jobs.prompts import Prompt, TextPrompt
from jobs.report import summary
from jobs.task import Split, Task

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
NO_PROMPT, MANUAL = "no prompt", "manual prompt"
PROMPTS = (NO_PROMPT, MANUAL)  # contenders that search nothing


@dataclass(frozen=True)
class Comparison:
    """What is compared; each method is a spec as a job would name it."""

    methods: Mapping[str, Mapping[str, Any]]
    sets: tuple[str, ...]
    seeds: tuple[int, ...]
    budget: int  # train and dev queries of each run
    test_rows: int

    def runs(self) -> Iterator[tuple[Benchmark, int, str]]:
        for benchmark in BENCHMARKS:
            if benchmark.name in self.sets:
                for seed in self.seeds:
                    for contender in (*PROMPTS, *self.methods):
                        yield benchmark, seed, contender


_BBT = {"name": "bbt", "preset": "fast"}
_RACE = [_BBT, {"name": "grips", "preset": "fast"}, {"name": "bdpl", "preset": "fast"}]
COMPARISONS = {
    "discrete": Comparison(
        {
            "bbt": _BBT,
            "grips": {"name": "grips", "preset": "fast"},
            "rlprompt": {"name": "rlprompt", "preset": "fast"},
            "bdpl": {"name": "bdpl", "preset": "fast"},
            "promptboosting": {"name": "promptboosting", "preset": "fast"},
            "race (bbt, grips, bdpl)": {"name": "race", "methods": _RACE},
        },
        ("sst-2", "agnews", "trec"),
        (13, 21, 42),
        6_000,
        500,
    ),
}


def main() -> None:
    options = _options()
    comparison, file = COMPARISONS[options.name], RESULTS / f"{options.name}.json"
    done = json.loads(file.read_text())["rows"] if file.exists() else []
    known = {(row["set"], row["seed"], row["method"]) for row in done}
    backend = Encoder(threads=options.threads)
    for benchmark, seed, contender in comparison.runs():
        if (benchmark.name, seed, contender) in known:
            continue
        split = benchmark.load(options.data, seed, comparison.test_rows)
        row = _run(backend, benchmark, split, seed, contender, comparison)
        done.append(row)
        print(f"{benchmark.name} {seed} {contender}: {row['accuracy']:.1%}", flush=True)
        _write(options.name, done)


def _run(
    backend: Encoder,
    benchmark: Benchmark,
    split: Split,
    seed: int,
    contender: str,
    comparison: Comparison,
) -> dict[str, Any]:
    task, start = benchmark.task(), time.perf_counter()
    queries, prompt = 0, TextPrompt(benchmark.manual if contender == MANUAL else "")
    found: Prompt = prompt
    if contender not in PROMPTS:
        method = _method(comparison.methods[contender])
        tuned = tune(backend, task, split, method, comparison.budget, seed, benchmark.manual)
        found, queries = tuned.prompt, tuned.queries
    seconds = time.perf_counter() - start
    before, after = _on_test(backend, task, split, [TextPrompt(""), found])
    return {
        "set": benchmark.name,
        "seed": seed,
        "method": contender,
        **summary(after),
        "p_value": p_value(before, after),
        "no_prompt_accuracy": before.accuracy,
        "queries": queries,
        "seconds": round(seconds, 1),
        "prompt": found.text if isinstance(found, TextPrompt) else None,
    }


def _method(spec: Mapping[str, Any]) -> Method:
    method: Method = TypeAdapter(AnyMethod).validate_python(spec)
    return method


def _on_test(backend: Encoder, task: Task, split: Split, asked: list[Prompt]) -> list[Scored]:
    return Objective(task, backend, split.test).score([(prompt, None) for prompt in asked])


def _write(name: str, rows: list[dict[str, Any]]) -> None:
    RESULTS.mkdir(exist_ok=True)
    command = f"python -m benchmarks.compare {name}"
    body = {"command": command, "budget": COMPARISONS[name].budget, "rows": rows}
    (RESULTS / f"{name}.json").write_text(json.dumps(body, indent=1) + "\n")
    (RESULTS / f"{name}.md").write_text(f"`{command}`\n\n{_table(name, rows)}\n")


def _table(name: str, rows: list[dict[str, Any]]) -> str:
    """One line a contender: test accuracy on each set, and its gain over no prompt."""
    comparison = COMPARISONS[name]
    head = ["method", *comparison.sets, "gain over no prompt (95 %)", "p < 0.05", "queries a run"]
    lines = [" | ".join(head), "|".join(["---"] * len(head))]
    for contender in (*PROMPTS, *comparison.methods):
        mine = [row for row in rows if row["method"] == contender]
        if mine:
            lines.append(" | ".join([contender, *_cells(mine, comparison)]))
    return "\n".join(f"| {line} |" for line in lines) + "\n\n" + _note(comparison)


def _cells(mine: list[dict[str, Any]], comparison: Comparison) -> list[str]:
    cells = []
    for name in comparison.sets:
        some = [row["accuracy"] for row in mine if row["set"] == name]
        cells.append(f"{statistics.mean(some):.1%}" if some else "")
    gains = [row["accuracy"] - row["no_prompt_accuracy"] for row in mine]
    better = sum(row["p_value"] < 0.05 and gain > 0 for row, gain in zip(mine, gains, strict=True))
    worse = sum(row["p_value"] < 0.05 and gain < 0 for row, gain in zip(mine, gains, strict=True))
    queries = f"{round(statistics.mean(row['queries'] for row in mine)):,}"
    verdicts = f"{better} better, {worse} worse of {len(mine)}"
    return [*cells, _interval(gains), verdicts, queries]


def _interval(gains: list[float]) -> str:
    """Mean gain in points with Student's 95 % interval over the runs."""
    mean = 100 * statistics.mean(gains)
    if len(gains) < 2:
        return f"{mean:+.1f}"
    half = float(student.ppf(0.975, len(gains) - 1)) * statistics.stdev(gains)
    return f"{mean:+.1f} ± {100 * half / len(gains) ** 0.5:.1f} points"


def _note(comparison: Comparison) -> str:
    return (
        "Every search is told the manual prompt, which GrIPS starts from. "
        f"16-shot splits of the seeds {', '.join(map(str, comparison.seeds))}; each search spends "
        f"at most {comparison.budget:,} train and dev queries; {comparison.test_rows} test rows a "
        "set; the means are over seeds, the interval over all runs, p by exact McNemar against no "
        "prompt."
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("name", choices=list(COMPARISONS))
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "few-shot")
    parser.add_argument("--threads", type=int, help="batches side by side; default: every core")
    return parser.parse_args()


if __name__ == "__main__":
    main()
