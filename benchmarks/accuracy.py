"""Is a tuned prompt better than none, a manual one, and a classifier on the same embeddings?"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from backends.base import Backend
from backends.encoder import Encoder
from benchmarks.tasks import Benchmark
from jobs.meter import Meter
from jobs.methods import Method, Problem
from jobs.objective import Objective, Scored
from jobs.prompts import Prompt, TextPrompt
from jobs.report import summary
from jobs.significance import COUNTED
from jobs.task import Split, Task

NO_PROMPT = TextPrompt("")


@dataclass(frozen=True)
class Tuned:
    """What a search found and what it cost."""

    prompt: Prompt
    generation: int
    queries: int
    seconds: float
    incumbents: tuple[
        tuple[int, Prompt], ...
    ] = ()  # each, and the queries spent until it was found


def measure(
    benchmark: Benchmark,
    split: Split,
    backend: Encoder,
    method: Method,
    *,
    budget: int,
    seed: int,
) -> dict[str, Any]:
    """Test accuracy of every contender on one split: one row of the table."""
    task = benchmark.task()
    tuned = tune(backend, task, split, method, budget, seed)
    test = Objective(task, backend, split.test)
    contenders = {
        "no_prompt": NO_PROMPT,
        "manual": TextPrompt(benchmark.manual),
        "tuned": tuned.prompt,
    }
    scored = {name: test.score([(prompt, None)])[0] for name, prompt in contenders.items()}
    return {
        "dataset": benchmark.name,
        "seed": seed,
        "n_train": len(split.train),
        "queries": tuned.queries,
        "tuning_seconds": round(tuned.seconds, 1),
        **{name: summary(each) for name, each in scored.items()},
        "p_value": p_value(scored["no_prompt"], scored["tuned"]),
        "logistic_regression": summary(classifier(backend, task, split)),
    }


def tune(
    backend: Backend,
    task: Task,
    split: Split,
    method: Method,
    budget: int,
    seed: int,
    baseline: str = "",
) -> Tuned:
    """A whole search without a service; `baseline` is the manual prompt it may start from."""
    meter = Meter(backend, budget)
    search = method.search(Problem(backend, task, split, baseline, seed), meter)
    start = time.perf_counter()
    incumbent, found = None, []
    for generation in search.run(search.start()):
        if generation.incumbent is not incumbent and generation.incumbent is not None:
            incumbent = generation.incumbent
            found.append((meter.spent, incumbent.prompt))
    if incumbent is None:
        raise ValueError(
            f"{budget} queries are less than one generation on {len(split.train)} rows"
        )
    seconds = time.perf_counter() - start
    return Tuned(incumbent.prompt, incumbent.generation, meter.spent, seconds, tuple(found))


def p_value(before: Scored, after: Scored) -> float:
    return COUNTED.p_value(after.right - before.right)


def classifier(backend: Any, task: Task, split: Split) -> Scored:
    """Logistic regression on the embeddings of the same train rows; C chosen on dev."""
    x, y = {}, {}
    for name in ("train", "dev", "test"):
        examples = getattr(split, name)
        queries = [task.query(NO_PROMPT, example.inputs) for example in examples]
        x[name] = backend.features(queries)
        y[name] = np.array([task.labels.index(example.label) for example in examples])
    fitted = [
        LogisticRegression(C=c, max_iter=2000).fit(x["train"], y["train"]) for c in (1, 10, 100)
    ]
    best = max(fitted, key=lambda model: model.score(x["dev"], y["dev"]))
    answers = best.predict(x["test"])
    losses = np.zeros(len(answers))  # it has none of ours
    right = (answers == y["test"]).astype(np.float64)
    return Scored(losses, right, np.array(task.labels, dtype=object)[answers], losses)
