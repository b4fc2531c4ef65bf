"""How near local scoring comes to this machine's own matrix products, and what CMA-ES costs."""

import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from backends.base import Query
from backends.encoder import Encoder
from benchmarks.tasks import BENCHMARKS
from jobs.meter import Meter
from jobs.methods import BBT, Problem
from jobs.search import Search
from jobs.task import Split

ROUNDS = 5
SIZE = 2048  # of the square matrices whose product is the peak
SEED = 13


def measure(root: Path, backend: Encoder) -> dict[str, Any]:
    """BBT's own setting on SST-2, 16-shot: 20 prompts of 50 vectors on 32 rows.

    The peak is measured before every round, in the same process, so that a machine whose speed
    drifts changes both alike; medians over rounds are reported.
    """
    split = BENCHMARKS[0].load(root, SEED, test_rows=100)
    queries = _population(split, backend)
    backend.score(queries[:64], BENCHMARKS[0].words)  # warm-up
    rounds = [_round(backend, queries) for _ in range(ROUNDS)]
    median = {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}
    return {
        "setting": "SST-2 16-shot, 20 prompts x 50 vectors x 32 rows, float32",
        "threads": backend.threads,
        **{key: round(value, 3) for key, value in median.items()},
        **_optimizer_share(split, backend),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def peak_flops(threads: int) -> float:
    """Multiplications and additions a second of `torch.mm` in fp32 on `threads` threads."""
    torch.set_num_threads(threads)
    a, b = torch.randn(SIZE, SIZE), torch.randn(SIZE, SIZE)
    best = min(_seconds(lambda: torch.mm(a, b)) for _ in range(6))
    torch.set_num_threads(1)  # MKL's number is the whole process's, and the encoder's threads' too
    return 2.0 * SIZE**3 / best


def _round(backend: Encoder, queries: list[Query]) -> dict[str, float]:
    peak = peak_flops(backend.threads)
    seconds = _seconds(lambda: backend.score(queries, BENCHMARKS[0].words))
    flops = backend.flops(queries) / seconds
    return {
        "peak_gflops": peak / 1e9,
        "gflops": flops / 1e9,
        "share_of_peak": flops / peak,
        "queries_per_second": len(queries) / seconds,
    }


def _population(split: Split, backend: Encoder) -> list[Query]:
    task = BENCHMARKS[0].task()
    plan = BBT.with_preset("paper").plan(Problem(backend, task, split, "", SEED))
    prompts = [
        plan.space.decode(t.candidate) for t in plan.optimizer.ask(plan.optimizer.init(SEED))
    ]
    return [task.query(prompt, row.inputs) for prompt in prompts for row in split.train]


def _optimizer_share(split: Split, backend: Encoder) -> dict[str, float]:
    """The part of a generation that is not waiting for the model, at the paper's settings."""
    method, task = BBT.with_preset("paper"), BENCHMARKS[0].task()
    meter = Meter(backend, 4 * method.generation_queries(len(split.train), len(split.dev)))
    search = method.search(Problem(backend, task, split, "", SEED), meter)
    assert isinstance(search, Search)
    last = search.start()
    search.space.decode(search.optimizer.ask(last.state)[0].candidate)  # draws A
    start = time.perf_counter()
    generations = len(list(search.run(last)))
    seconds = time.perf_counter() - start
    return {
        "generation_seconds": round(seconds / generations, 3),
        "optimizer_share": round(1 - meter.seconds / seconds, 4),
    }


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
