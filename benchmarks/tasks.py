"""The few-shot benchmark sets: where they lie, what their labels are called, a manual prompt."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jobs.task import Example, Split, Task


@dataclass(frozen=True)
class Benchmark:
    """One data set: label words in the order of its label numbers, and a person's prompt."""

    name: str
    words: tuple[str, ...]
    manual: str

    def task(self) -> Task:
        verbalizer: Mapping[str, str] = {str(i): word for i, word in enumerate(self.words)}
        return Task("{prompt} {text}", verbalizer)

    def problem(self, root: Path, seed: int, test_rows: int) -> tuple[Task, Split]:
        return self.task(), self.load(root, seed, test_rows)

    def load(self, root: Path, seed: int, test_rows: int) -> Split:
        """The 16-shot split of a seed, with the first rows of an evenly thinned test set."""
        folder = root / self.name
        test = _read(folder / "test.tsv")
        step = max(1, len(test) // test_rows)
        shots = folder / f"16-{seed}"
        return Split(_read(shots / "train.tsv"), _read(shots / "dev.tsv"), test[::step][:test_rows])


BENCHMARKS = (
    Benchmark("sst-2", ("bad", "great"), "movie review:"),
    Benchmark("agnews", ("World", "Sports", "Business", "Tech"), "news about"),
    Benchmark(
        "trec",
        ("Description", "Entity", "Abbreviation", "Human", "Location", "Number"),
        "this question asks about a",
    ),
    Benchmark("subj", ("subjective", "objective"), "this sentence is"),
    Benchmark("mr", ("bad", "great"), "movie review:"),
)


def _read(file: Path) -> tuple[Example, ...]:
    """A TSV without quoting; the first column is the text, the second the label's number."""
    with file.open(encoding="utf-8", newline="") as lines:
        rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        next(rows)
        return tuple(Example({"text": text}, label) for text, label in rows)
