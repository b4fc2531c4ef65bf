"""What is compared: methods, sets, seeds and budgets. Data only."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmarks.digits_task import DIGITS
from benchmarks.tasks import BENCHMARKS
from jobs.task import Split, Task

NO_PROMPT, MANUAL = "no prompt", "manual prompt"
PROMPTS = (NO_PROMPT, MANUAL)  # contenders that search nothing


class Benchmark(Protocol):
    """A set of examples and a person's prompt for it."""

    @property
    def name(self) -> str: ...

    @property
    def manual(self) -> str: ...

    def problem(self, root: Path, seed: int, test_rows: int) -> tuple[Task, Split]: ...


@dataclass(frozen=True)
class Comparison:
    """Each method is a spec as a job would name it."""

    endpoint: tuple[str, str]  # kind and model
    methods: Mapping[str, Mapping[str, Any]]
    sets: tuple[str, ...]
    seeds: tuple[int, ...]
    budget: int  # train and dev queries of each run
    test_rows: int
    tells_manual: bool  # whether searches start from the manual prompt
    note: str = ""

    def benchmarks(self) -> list[Benchmark]:
        every: tuple[Benchmark, ...] = (*BENCHMARKS, *DIGITS)
        return [benchmark for benchmark in every if benchmark.name in self.sets]

    def runs(self) -> Iterator[tuple[Benchmark, int, str]]:
        for benchmark in self.benchmarks():
            for seed in self.seeds:
                for contender in (*PROMPTS, *self.methods):
                    yield benchmark, seed, contender


_BBT = {"name": "bbt", "preset": "fast"}
_RACE = [_BBT, {"name": "grips", "preset": "fast"}, {"name": "bdpl", "preset": "fast"}]


def _vision(**settings: Any) -> dict[str, Any]:
    return {"preset": "fast", **settings}


COMPARISONS = {
    "discrete": Comparison(
        ("encoder", "minilm"),
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
        tells_manual=True,
        note="Every search is told the manual prompt, which GrIPS starts from.",
    ),
}
