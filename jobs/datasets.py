"""A table becomes a dataset: columns chosen, labels found, splits taken or drawn. No storing."""

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from jobs.readers import Table
from jobs.strict import did_you_mean
from jobs.task import Example, Split

SplitName: TypeAlias = Literal["train", "dev", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "dev", "test")
MAX_LABELS = 200
RESERVED = ("prompt", "label")  # slots of a template that no column may be called
UNLABELLED = ""  # counted under this label: rows with targets, texts to be generated


class BadDataset(ValueError):
    """The rows do not make a dataset; `param` is the field of the upload to change."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True)
class Reading:
    """How an uploaded table is to be read."""

    text_columns: tuple[str, ...] = ()  # none named: every column but label and split
    label_column: str = "label"
    split_column: str = "split"
    shots: int = 16  # per label, for train and again for dev, where no split is given
    seed: int = 0
    target_column: str = ""  # texts to be generated, in place of labels; empty: there are labels

    @property
    def answer(self) -> Literal["label", "target"]:
        return "target" if self.target_column else "label"

    @property
    def answer_column(self) -> str:
        return self.target_column or self.label_column


@dataclass(frozen=True)
class Dataset:
    """Checked examples in three splits."""

    columns: tuple[str, ...]
    labels: tuple[str, ...]  # none: the rows have targets
    splits: Mapping[SplitName, tuple[Example, ...]]
    source: Literal["given", "drawn"]
    image_column: str = ""  # the one that holds the names of images; empty: none does

    def split(self) -> Split:
        return Split(self.splits["train"], self.splits["dev"], self.splits["test"])

    def counts(self) -> dict[str, dict[str, int]]:
        """Split -> label -> rows."""
        return {
            name: {label: len(group) for label, group in grouped(rows, self.labels).items()}
            for name, rows in self.splits.items()
        }

    def sha256(self) -> str:
        """Over every split, input and label, in order; images by their names, which are hashes."""
        rows = [
            [name, *(row.inputs[column] for column in self.columns), row.label]
            for name in SPLITS
            for row in self.splits[name]
        ]
        kind = ([] if self.labels else ["targets"]) + (["images"] if self.image_column else [])
        return hashlib.sha256(json.dumps([self.columns, rows, *kind]).encode()).hexdigest()


def make_dataset(table: Table, reading: Reading) -> Dataset:
    """The table read as asked; splits are taken from its column, or drawn k-shot.

    Raises:
        BadDataset: a column is missing or cannot be used, a text, label or target is empty, a
            label too rare or a split unknown.
    """
    if reading.target_column and reading.label_column != Reading.label_column:
        raise BadDataset(
            "target_column", "rows have labels or targets; name label_column or target_column"
        )
    columns = _text_columns(table, reading)
    examples = [_example(row, n, columns, reading) for n, row in enumerate(table.rows, start=1)]
    labels = () if reading.target_column else _labels(examples, reading.label_column)
    if reading.split_column in table.columns:
        given = _given(table, examples, reading.split_column)
        splits = _complete(given, labels)
        return Dataset(columns, labels, splits, "given", table.image_column)
    drawn = draw(examples, labels, reading.shots, reading.seed)
    return Dataset(columns, labels, drawn, "drawn", table.image_column)


def grouped(examples: Sequence[Example], labels: Sequence[str]) -> dict[str, list[Example]]:
    """Label -> its examples, in the labels' order; without labels all are `UNLABELLED`."""
    groups: dict[str, list[Example]] = {label: [] for label in labels or [UNLABELLED]}
    for example in examples:
        groups[example.label if labels else UNLABELLED].append(example)
    return groups


def draw(
    examples: Sequence[Example], labels: Sequence[str], shots: int, seed: int
) -> dict[SplitName, tuple[Example, ...]]:
    """`shots` examples of each label for train, as many others for dev, the rest for test.

    Raises:
        BadDataset: a label has too few examples to leave one for test.
    """
    shuffled = random.Random(seed).sample(list(examples), len(examples))  # noqa: S311
    groups = grouped(shuffled, labels)
    for label, group in groups.items():
        if len(group) <= 2 * shots:
            raise BadDataset(
                "shots",
                f"{_named(label)} has {len(group)} rows; {shots} shots need {shots} for train, "
                f"{shots} for dev and at least 1 for test: {2 * shots + 1}. "
                "Upload more rows or ask for fewer shots",
            )
    cuts = {
        "train": slice(0, shots),
        "dev": slice(shots, 2 * shots),
        "test": slice(2 * shots, None),
    }
    return {
        name: tuple(example for group in groups.values() for example in group[cuts[name]])
        for name in SPLITS
    }


def _labels(examples: Sequence[Example], column: str) -> tuple[str, ...]:
    labels = tuple(sorted({example.label for example in examples}))
    if not 2 <= len(labels) <= MAX_LABELS:
        raise BadDataset(
            "label_column",
            f"column {column!r} has {len(labels)} different labels; wanted 2 to {MAX_LABELS}. "
            "For texts to be generated, name their column in target_column",
        )
    return labels


def _named(label: str) -> str:
    return "the file" if label == UNLABELLED else f"label {label!r}"


def _text_columns(table: Table, reading: Reading) -> tuple[str, ...]:
    known = list(table.columns)
    for param, column in (
        (f"{reading.answer}_column", reading.answer_column),
        *(("text_columns", name) for name in reading.text_columns),
    ):
        if column not in known:
            raise BadDataset(param, f"no column {column!r}; {did_you_mean(column, known)}")
    spoken_for = {reading.answer_column, reading.split_column}
    columns = reading.text_columns or tuple(c for c in known if c not in spoken_for)
    if (image := table.image_column) and image not in columns:
        columns = (image, *columns)  # it is no column of texts, so nobody has to name it
    if not columns:
        raise BadDataset("text_columns", f"no column is left for the text; there are {known}")
    for column in columns:
        if column in spoken_for:
            raise BadDataset(
                "text_columns", f"{column!r} is the {reading.answer} or the split column"
            )
        if columns.count(column) > 1:
            raise BadDataset("text_columns", f"column {column!r} is named twice")
        if column in RESERVED or not column.isidentifier():
            raise BadDataset(
                "text_columns",
                f"column {column!r} cannot be a slot of a template; rename it to letters, digits "
                f"and _, and not to {' or '.join(RESERVED)}",
            )
    return columns


def _example(row: Mapping[str, str], n: int, columns: Sequence[str], reading: Reading) -> Example:
    label = row[reading.answer_column].strip()
    if not label:
        raise BadDataset("file", f"row {n}: the {reading.answer} is empty")
    inputs = {column: row[column].strip() for column in columns}
    for column, text in inputs.items():
        if not text:
            raise BadDataset("file", f"row {n}: column {column!r} is empty; wanted a text")
    return Example(inputs, label)


def _given(
    table: Table, examples: Sequence[Example], column: str
) -> dict[SplitName, tuple[Example, ...]]:
    groups: dict[str, list[Example]] = {name: [] for name in SPLITS}
    for n, (row, example) in enumerate(zip(table.rows, examples, strict=True), start=1):
        name = row[column].strip()
        if name not in groups:
            hint = did_you_mean(name, list(SPLITS))
            raise BadDataset("split_column", f"row {n}: no split {name!r}; {hint}")
        groups[name].append(example)
    return {name: tuple(groups[name]) for name in SPLITS}


def _complete(
    splits: dict[SplitName, tuple[Example, ...]], labels: Sequence[str]
) -> dict[SplitName, tuple[Example, ...]]:
    """Every split has every label, so that no label is scored without having been shown."""
    for name in SPLITS:
        groups = grouped(splits[name], labels)
        missing = [label for label, group in groups.items() if not group]
        if missing:
            of_label = f" of {', '.join(map(repr, missing))}" if labels else ""
            raise BadDataset(
                "split_column",
                f"split {name!r} has no row{of_label}; every split needs "
                + ("every label" if labels else "at least one"),
            )
    return splits
