"""What is compared: methods, sets, seeds and budgets. Data only."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmarks.digits_task import DIGITS
from benchmarks.tasks import BENCHMARKS
from benchmarks.tickets_task import TICKETS
from jobs.task import Split, Task

NO_PROMPT, MANUAL = "no prompt", "manual prompt"
PROMPTS = (NO_PROMPT, MANUAL)  # contenders that search nothing
GRADIENTS = "gradients"  # of five soft tokens: `yardstick.py`, a reference that nothing here runs
CLASSIFIER = "logistic regression"  # on the endpoint's features: what needs no prompt at all


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
    classifier: bool = False  # whether one on the features is measured beside them
    curves: bool = False  # whether incumbents are judged on the test rows too, for docs/curves.py
    references: tuple[str, ...] = (NO_PROMPT,)  # that gains are over, run by run
    note: str = ""

    def benchmarks(self) -> list[Benchmark]:
        every: tuple[Benchmark, ...] = (*BENCHMARKS, TICKETS, *DIGITS)
        return [benchmark for benchmark in every if benchmark.name in self.sets]

    @property
    def contenders(self) -> tuple[str, ...]:
        return (*PROMPTS, *([CLASSIFIER] if self.classifier else []), *self.methods)

    def runs(self) -> Iterator[tuple[Benchmark, int, str]]:
        for seed in self.seeds:  # so that a table that was stopped has all sets
            for benchmark in self.benchmarks():
                for contender in self.contenders:
                    yield benchmark, seed, contender


_BBT = {"name": "bbt", "preset": "fast"}
_RACE = [_BBT, {"name": "grips", "preset": "fast"}, {"name": "bdpl", "preset": "fast"}]


def _fast(name: str, **settings: Any) -> dict[str, Any]:
    return {"name": name, "preset": "fast", **settings}


_OPS_LR = {"learning_rate": 0.6}
_ON_PROMPT = {**_OPS_LR, "perturb": "prompt"}

_WORDS = "this question asks about a"
_PLAIN = {"name": "bbt", "preset": "paper", "intrinsic_dim": 100, "n_prompt_tokens": 5}

# what the preset fast of today came from, one change at a time
_IDEAS: Mapping[str, Mapping[str, Any]] = {
    "bbt, d = 100": _PLAIN,
    "bbt, d = 100, a third of the spread": {**_PLAIN, "alpha": 0.3},
    "bbt, d = 100, three times the spread": {**_PLAIN, "alpha": 3.0},
    "bbt, d = 100, from words": {**_PLAIN, "initial_text": _WORDS},
    "bbt, fast (d = 32, tpa, diagonal)": _BBT,
    "bbt, fast, from words": {**_BBT, "initial_text": _WORDS},
    "zo, adam, from words": _fast("zo", initial_text=_WORDS),
    "lr of five vectors, from words": _fast("lr", perturb="prompt", initial_text=_WORDS),
    "lr in d = 200, from words": _fast("lr", initial_text=_WORDS),
    "shift of one layer": _fast("shift", n_layers=1),
    "shift of half of the layers": _fast("shift"),
    "shift of all layers": _fast("shift", n_layers=5),
    "shift, from zero vectors": _fast("shift", initial_text=""),
    "shift, batches of 8 rows": _fast("shift", batch_size=8),
    "shift, 3 queries a row": _fast("shift", queries_per_example=3),
    "race of bbt, zo and shift": {"name": "race", "methods": [_BBT, _fast("zo"), _fast("shift")]},
}

_VISION = {
    "spsa": _fast("spsa", learning_rate=0.3),
    "lr": _fast("lr", learning_rate=0.2, perturb="prompt"),
    "lr, noise on z": _fast("lr", learning_rate=0.6, perturb="intrinsic"),
    "ops-spsa": _fast("ops-spsa", learning_rate=0.6),
    "ops-spsa, noise on the prompt": _fast("ops-spsa", learning_rate=0.6, perturb="prompt"),
    "ops-lr, equal": _fast("ops-lr", allocator="equal", **_ON_PROMPT),
    "ops-lr, bernoulli": _fast("ops-lr", allocator="bernoulli", **_ON_PROMPT),
    "ops-lr, gaussian": _fast("ops-lr", allocator="gaussian", **_ON_PROMPT),
    "ops-lr, neyman": _fast("ops-lr", **_ON_PROMPT),
    "ops-lr, noise on z": _fast("ops-lr", perturb="intrinsic", **_OPS_LR),
    "bpt-vlm (CMA-ES)": _fast("bpt-vlm"),
    "zip": _fast("zip"),
    "blackvip": _fast("blackvip"),
}
_SEEDS = (11, 12, 13, 14, 15)
_ABOUT_VISION = (
    "No prompt is the template alone, `a photo of a {label}.`, which papers on CLIP call the "
    "manual prompt; manual prompt puts `the digit on the right,` in front of it, which no search "
    "is told. Learning rates (0.2, 0.3, 0.6; for zip 0.03, 0.1, 0.3) and the first step of "
    "bpt-vlm (1, 0.3) were picked by dev loss on faded images of seed 100 at 20,000 queries; all "
    "else is the preset fast. "
)

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
    "continuous": Comparison(
        ("encoder", "minilm"),
        {
            "bbt, paper": {"name": "bbt", "preset": "paper"},
            "bbt, fast": _BBT,
            "bbtv2": _fast("bbtv2"),
            "bbt-rgb": _fast("bbt-rgb"),
            "clip-tuning": _fast("clip-tuning"),
            "zo, adam": _fast("zo"),
            "random search": _fast("random-search"),
            "shift": _fast("shift"),
        },
        ("sst-2", "agnews", "trec", "subj", "mr"),
        (13, 21, 42),
        20_000,
        500,
        tells_manual=False,
        classifier=True,
        references=(NO_PROMPT, "random search"),
        note="No search is told the manual prompt.",
    ),
    "steps": Comparison(
        ("encoder", "minilm"),
        {
            f"bbt, {step_size}, {covariance}": _fast(
                "bbt", step_size=step_size, covariance=covariance
            )
            for step_size in ("csa", "tpa")
            for covariance in ("full", "diagonal")
        },
        ("sst-2", "agnews", "trec"),
        (13, 21, 42),
        20_000,
        500,
        tells_manual=False,
        references=(NO_PROMPT, "bbt, csa, full"),
        note="The step-size rules and covariances of CMA-ES; all else is the preset fast.",
    ),
    "long": Comparison(
        ("encoder", "minilm"),
        {"shift": {"name": "shift"}},
        ("sst-2", "agnews", "trec", "subj", "mr"),
        (13, 21, 42),
        100_000,
        500,
        tells_manual=False,
        references=(NO_PROMPT, GRADIENTS),
        note="Gradients are those of yardstick.md, on the same splits.",
    ),
    "ideas": Comparison(
        ("encoder", "minilm"),
        _IDEAS,
        ("trec",),
        (13, 21, 42),
        20_000,
        500,
        tells_manual=False,
        references=(NO_PROMPT, "bbt, d = 100"),
        note="What each idea is worth, on the set where gradients gain most (yardstick.md).",
    ),
    "first-job": Comparison(
        ("encoder", "minilm"),
        {
            "bbt, fast": _BBT,
            "bbt, fast with csa": {**_BBT, "step_size": "csa"},
            "shift": _fast("shift"),
        },
        ("tickets",),
        (11, 12, 13),
        40_000,
        360,
        tells_manual=False,
        references=(NO_PROMPT, "bbt, fast"),
        note="What a first job finds on the dataset that comes with the service; its splits are "
        "given, so that a seed is the search's alone.",
    ),
    "vision": Comparison(
        ("clip", "digits-clip"),
        _VISION,
        ("two-digits, faded",),
        _SEEDS,
        20_000,
        400,
        tells_manual=False,
        curves=True,
        note=_ABOUT_VISION + "Faded images are a shift that the model has never seen, and that "
        "words alone cannot mend.",
    ),
    "vision-clean": Comparison(
        ("clip", "digits-clip"),
        _VISION,
        ("two-digits, clean",),
        _SEEDS,
        4_000,
        400,
        tells_manual=False,
        curves=True,
        note=_ABOUT_VISION + "The images are as the model knows them: only the words have to say "
        "which digit is meant.",
    ),
}
