"""What every registered method says it costs, against counted calls of a model that can do all."""

from collections.abc import Mapping, Sequence
from zlib import crc32

import numpy as np
import pytest

from backends.base import Query, Thinking
from jobs.estimates import expected_queries
from jobs.meter import BudgetSpent, Meter
from jobs.methods import METHODS, Problem
from jobs.models import DatasetRow
from jobs.pictures import Pictures
from jobs.spec import JobSpec
from jobs.task import Example, Split, Task
from tests.image_files import picture
from tests.toy import ToyBackend

HIDDEN = 4
LABELS = ("blue", "red")
WORDS = ("navy", "sky", "rose", "wine", "leaf", "the", *LABELS)
SMALL = {
    "bbt": {"intrinsic_dim": 6, "n_prompt_tokens": 2},
    "race": {"methods": [{"name": "bbt", "preset": "fast"}, {"name": "grips", "preset": "fast"}]},
}  # instead of the preset "fast"
ROWS = {"train": 9, "dev": 5, "test": 4}
ENDS = {"promptboosting", "deep-thinking"}  # by itself, before its budget is spent
GENERATIONS = 4


class Everything(ToyBackend):
    """Answers whatever is asked by a hash of the question, and counts: it offers all there is."""

    prompt_shape = visual_shape = (3, HIDDEN)
    patch_statistics = (0.0, 0.1)
    adapter_shape = (3, HIDDEN)
    has_subnetworks = True

    def score(self, queries: Sequence[Query], labels: Sequence[str]) -> np.ndarray:
        self.calls.append(list(queries))
        return np.array([[-2 * _chance(query, label) for label in labels] for query in queries])

    def rank(self, queries: Sequence[Query], k: int) -> list[Mapping[str, float]]:
        self.calls.append(list(queries))
        return [{word: -4 * _chance(query, word) for word in WORDS[:k]} for query in queries]

    def generate(self, queries: Sequence[Query], **how: object) -> list[str]:
        self.calls.append(list(queries))
        asked = zip(queries, how.get("samples") or range(len(queries)), strict=True)
        return [f"Is it {WORDS[int(8 * _chance(query, sample))]}?" for query, sample in asked]

    def features(self, queries: Sequence[Query]) -> np.ndarray:
        self.calls.append(list(queries))
        found = np.array([[0.1 + _chance(query, i) for i in range(2)] for query in queries])
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def think(self, recipes: Sequence[Thinking]) -> np.ndarray:
        self.calls.append([Query("", thinking=recipe) for recipe in recipes])
        return np.full(len(recipes), 0.5)

    def hidden(self, queries: Sequence[Query], *, padded: bool = False) -> list[np.ndarray]:
        self.calls.append(list(queries))
        return [np.tile([-1.0, 1.0], (5, 2)).astype(np.float32) for _ in range(2)]


def _chance(query: Query, salt: object) -> float:
    """From 0 to 1, a function of everything that is asked."""
    arrays = (b"" if part is None else part.tobytes() for part in (query.soft, query.visual))
    said = f"{query.before}|{query.after}|{salt}".encode()
    return crc32(b"|".join([said, query.image, *arrays])) / 2**32


def split() -> tuple[Split, Pictures]:
    files: dict[str, bytes] = {}

    def rows(name: str) -> tuple[Example, ...]:
        made = []
        for i in range(ROWS[name]):
            image = f"{name}{i}.png"
            files[image] = picture(color=(len(files), 10, 10))
            inputs = {"text": f"{WORDS[i % 5]} row {i} of {name}", "image": image}
            made.append(Example(inputs, LABELS[i % 2]))
        return tuple(made)

    return Split(rows("train"), rows("dev"), rows("test")), Pictures("image", files)


def dataset() -> DatasetRow:
    return DatasetRow(
        id="rows",
        filename="rows.csv",
        sha256="",
        split_source="given",
        counts={name: {"blue": n} for name, n in ROWS.items()},
    )


def spec(name: str, budget: int = 10**6) -> JobSpec:
    settings = SMALL.get(name, {"preset": "fast"})
    method = {"name": name, **settings}
    budget_ = {"queries": budget}
    return JobSpec.model_validate(
        {"endpoint": "e", "dataset": "d", "method": method, "budget": budget_}
    )


def told(name: str) -> tuple[int, int, int]:
    """The baseline's queries, the least besides, and the most of one generation."""
    method, n_train, n_dev = spec(name).method, ROWS["train"], ROWS["dev"]
    least = method.least_queries(n_train, n_dev)
    return n_train + n_dev, least, method.generation_queries(n_train, n_dev)


def searched(name: str, budget: int) -> tuple[list[int], Meter, Everything]:
    """Queries spent after each generation, the baseline counted as it is before a search."""
    parts, pictures = split()
    task = Task("{prompt} {image} {text}", {label: label for label in LABELS}, None, 0, pictures)
    toy = Everything()
    meter = Meter(toy, budget, spent=len(parts.train) + len(parts.dev))
    search = spec(name, budget).method.search(Problem(toy, task, parts, "", seed=1), meter)
    return [meter.spent for _ in search.run(search.start())], meter, toy


@pytest.mark.parametrize("name", METHODS)
def test_a_method_costs_what_it_says(name: str) -> None:
    """No generation more than told, all within the budget, every query of the model counted."""
    baseline, least, generation = told(name)
    budget = baseline + least + (GENERATIONS - 1) * generation
    spent, meter, toy = searched(name, budget)
    assert meter.spent - baseline == toy.asked
    assert meter.spent <= budget
    assert spent[0] <= baseline + least
    assert np.diff(spent).max(initial=0) <= generation
    expected, fitting = expected_queries(spec(name, budget), dataset())
    assert expected.low <= budget == expected.ceiling
    if name not in ENDS:
        assert budget - generation < meter.spent
        assert len(spent) >= GENERATIONS
        assert fitting >= GENERATIONS
        assert expected.typical == budget


@pytest.mark.parametrize("name", METHODS)
def test_the_least_is_enough_for_a_generation(name: str) -> None:
    """Or admission would let a job in that fails for want of queries."""
    baseline, least, _ = told(name)
    spent, meter, _ = searched(name, baseline + least)
    assert spent and meter.spent <= baseline + least


@pytest.mark.parametrize("name", METHODS)
def test_with_less_nothing_is_asked_beyond_it(name: str) -> None:
    baseline, least, _ = told(name)
    budget = baseline + least // 2
    try:
        _, meter, toy = searched(name, budget)
    except BudgetSpent:
        return
    assert meter.spent <= budget
    assert toy.asked == meter.spent - baseline
