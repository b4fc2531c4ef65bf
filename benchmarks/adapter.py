"""Can a map of numbers let MiniLM read what a CLIP sees? `python -m benchmarks.adapter`.

Both models are frozen. The CLIP's 64 features of an image of two digits become one vector before
an empty text; MiniLM, which has never met an image, names the digit on the right.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from backends.bridge import Bridge
from backends.clip.model import Clip
from benchmarks.accuracy import NO_PROMPT
from benchmarks.digits_task import Digits
from jobs.bridges import Adapters
from jobs.meter import Meter
from jobs.methods import Problem
from jobs.methods.adapter import Adapter
from jobs.methods.base import Plan
from jobs.objective import Objective
from jobs.prompts import Prompt, SoftPrompt, TextPrompt
from jobs.report import versions
from jobs.search import Search, Searching
from jobs.significance import wilson
from jobs.spaces import Projection, normal_scale
from jobs.task import Split, Task
from optimizers.cma import cma_es
from optimizers.ops import OPS

RESULTS = Path(__file__).parent / "results"
TEMPLATE = "{prompt} {image}"  # so that the adapter's vector is all that is read
METHOD = Adapter.with_preset("fast")
BBT_DIM = 500
NOTE = (
    "Each search had the same budget, the features of the train rows and dev included, and stopped "
    "before the generation that would not fit. `allocated` and `equal` are the method `adapter`, "
    "noise on the output; `noise on the map` is LR on all 24,960 numbers at once; `bbt` is CMA-ES "
    "on 500 of their dimensions. The step size and sigma were tried on another seed, its test rows "
    "seen, for the method `adapter` alone. The CLIP's own answers need its text tower, which the "
    "bridge never asks; the classifier sees features and labels, not queries. Accuracies are of "
    "the seeds' test rows together, with 95% intervals: the seeds pair the same drawings anew, so "
    "these are a little too narrow."
)


@dataclass(frozen=True)
class Flat:
    """A map as one row of numbers, for optimizers that know nothing of its shape."""

    adapters: Adapters
    shape: tuple[int, int]

    def decode(self, candidate: NDArray[np.float32]) -> SoftPrompt:
        return self.adapters.decode(candidate.reshape(self.shape))


def main() -> None:
    options = _options()
    bridge, clip = Bridge(threads=options.threads), Clip(threads=options.threads)
    rows: list[dict[str, Any]] = []
    for seed in range(1, options.seeds + 1):
        task, split = Digits("clean").problem(Path(), seed, options.test_rows)
        found = {name: (right, 0, 0.0) for name, right in _untuned(bridge, clip, task, split, seed)}
        for name, how in SEARCHES.items():
            found[name] = _tuned(how, bridge, task, split, options.budget, seed)
        for name, (right, spent, seconds) in found.items():
            row = {"contender": name, "seed": seed, "right": int(right.sum()), "n": len(right)}
            rows.append(row | {"queries": spent, "seconds": round(seconds, 1)})
        _write(options, rows)


def _untuned(
    bridge: Bridge, clip: Clip, task: Task, split: Split, seed: int
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """What needs no search: the CLIP by itself, the bridge without a map, a trained classifier."""
    for words in ("", "the right digit is"):
        asked = replace(task, template="{prompt} {image} {label}" if words else task.template)
        name = f"CLIP itself, {words or 'a photo of a'!r}"
        yield name, _right(clip, asked, split, TextPrompt(words))
    shape = (1, *bridge.adapter_shape)
    drawn = bridge.embedding_std * np.random.default_rng(seed).standard_normal(shape)
    shown = replace(task, template=TEMPLATE)
    yield "no adapter", _right(bridge, shown, split, NO_PROMPT)
    yield "zero", _right(bridge, shown, split, SoftPrompt(np.zeros(shape, np.float32)))
    yield "random", _right(bridge, shown, split, SoftPrompt(drawn.astype(np.float32)))
    yield "classifier on the features", _classifier(bridge, shown, split)


def _right(backend: Any, task: Task, split: Split, prompt: Prompt) -> NDArray[np.float64]:
    return Objective(task, backend, split.test).score([(prompt, None)])[0].right


def _classifier(bridge: Bridge, task: Task, split: Split) -> NDArray[np.float64]:
    """Logistic regression, trained by gradients on the same train rows; C chosen on dev."""
    x, y = {}, {}
    for part in ("train", "dev", "test"):
        examples = getattr(split, part)
        x[part] = bridge.features([task.query(NO_PROMPT, each.inputs) for each in examples])
        y[part] = np.array([each.label for each in examples])
    fitted = [
        LogisticRegression(C=c, max_iter=2000).fit(x["train"], y["train"]) for c in (1, 10, 100)
    ]
    best = max(fitted, key=lambda model: float(model.score(x["dev"], y["dev"])))
    return np.asarray(best.predict(x["test"]) == y["test"], dtype=np.float64)


def _tuned(
    how: Callable[[Problem, Meter], Searching],
    bridge: Bridge,
    task: Task,
    split: Split,
    budget: int,
    seed: int,
) -> tuple[NDArray[np.float64], int, float]:
    """How right the incumbent is on test, the queries spent, and the seconds."""
    meter, shown = Meter(bridge, budget), replace(task, template=TEMPLATE)
    start = time.perf_counter()
    search = how(Problem(bridge, shown, split, "", seed), meter)
    *_, last = search.run(search.start())
    assert last.incumbent is not None  # the first generation has one
    right = _right(bridge, shown, split, last.incumbent.prompt)
    return right, meter.spent, time.perf_counter() - start


def _by_map(problem: Problem, meter: Meter) -> Searching:
    """LR with noise on every entry of the map itself, as if it were any soft prompt."""
    bridge: Any = problem.backend
    optimizer = OPS(
        np.zeros(int(np.prod(bridge.adapter_shape))),
        len(problem.split.train),
        estimator="lr",
        allocator="equal",
        batch_size=METHOD.batch_size,
        queries=METHOD.queries_per_example,
        sigma=METHOD.sigma,
        learning_rate=METHOD.learning_rate,
    )
    space = Flat(Adapters(bridge.embedding_std), bridge.adapter_shape)
    return _search(Plan(optimizer, space, "ce"), problem, meter)


def _bbt(problem: Problem, meter: Meter) -> Searching:
    bridge: Any = problem.backend
    start = np.zeros(bridge.adapter_shape, dtype=np.float32)
    scale = normal_scale(bridge.embedding_std, BBT_DIM, sigma0=1.0, alpha=1.0)
    space = Projection(BBT_DIM, start, "normal", scale, problem.seed)
    return _search(Plan(cma_es(BBT_DIM), space, "ce"), problem, meter)


def _search(plan: Plan, problem: Problem, meter: Meter) -> Searching:
    train, dev = (
        Objective(problem.task, meter, rows) for rows in (problem.split.train, problem.split.dev)
    )
    return Search(plan.optimizer, plan.space, train, dev, meter, problem.seed)


SEARCHES: Mapping[str, Callable[[Problem, Meter], Searching]] = {
    "adapter, allocated": METHOD.search,
    "adapter, equal": METHOD.model_copy(update={"allocator": "equal"}).search,
    "noise on the map": _by_map,
    "bbt": _bbt,
}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", type=int, default=30_000, help="queries of each search")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--test-rows", type=int, default=400)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def _write(options: argparse.Namespace, rows: list[dict[str, Any]]) -> None:
    command = f"python -m benchmarks.adapter --budget {options.budget} --seeds {options.seeds}"
    body = {"command": command, "versions": versions(), "note": NOTE, "rows": rows}
    (RESULTS / "adapter.json").write_text(json.dumps(body, indent=1) + "\n")
    head = "| contender | queries | test accuracy | n | each seed |\n" + "|---" * 5 + "|"
    names = dict.fromkeys(row["contender"] for row in rows)
    table = [_line(name, [row for row in rows if row["contender"] == name]) for name in names]
    text = "\n".join([head, *table])
    (RESULTS / "adapter.md").write_text(f"`{command}`\n\n{text}\n\n{NOTE}\n")


def _line(name: str, rows: list[dict[str, Any]]) -> str:
    right, n = (sum(row[key] for row in rows) for key in ("right", "n"))
    low, high = wilson(right, n)
    each = ", ".join(f"{row['right'] / row['n']:.1%}" for row in rows)
    spent = f"{mean(row['queries'] for row in rows):,.0f}"
    return f"| {name} | {spent} | {right / n:.1%} ({low:.1%}-{high:.1%}) | {n} | {each} |"


if __name__ == "__main__":
    main()
