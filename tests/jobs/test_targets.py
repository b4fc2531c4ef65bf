import pytest

from jobs.datasets import SPLITS, BadDataset, Reading, make_dataset
from jobs.readers import Table

COLUMNS = ("question", "reply")


def table(n, *, splits=(), columns=COLUMNS):
    rows = [(f"question {i}", f"reply {i}") for i in range(n)]
    if splits:
        rows = [(*row, split) for row, split in zip(rows, splits, strict=True)]
        columns = (*columns, "split")
    return Table(columns, tuple(dict(zip(columns, row, strict=True)) for row in rows))


def refusal(*args, **reading):
    with pytest.raises(BadDataset) as caught:
        make_dataset(*args, Reading(**{"target_column": "reply"} | reading))
    return caught.value


def test_targets_are_read_in_place_of_labels():
    dataset = make_dataset(table(9), Reading(target_column="reply", shots=3))
    assert (dataset.columns, dataset.labels, dataset.source) == (("question",), (), "drawn")
    assert dataset.counts() == {"train": {"": 3}, "dev": {"": 3}, "test": {"": 3}}
    rows = [row for name in SPLITS for row in dataset.splits[name]]
    assert sorted(row.label for row in rows) == sorted(f"reply {i}" for i in range(9))
    for row in rows:
        assert row.label.removeprefix("reply") == row.inputs["question"].removeprefix("question")


def test_the_seed_decides_the_draw():
    first, again, other = (
        make_dataset(table(40), Reading(target_column="reply", shots=8, seed=seed))
        for seed in (0, 0, 1)
    )
    assert first == again
    assert first.splits["train"] != other.splits["train"]


def test_shots_count_rows_in_all():
    error = refusal(table(8), shots=4)
    assert error.param == "shots"
    assert "the file has 8 rows; 4 shots need 4 for train, 4 for dev and at least 1" in str(error)


def test_splits_are_taken_as_they_are():
    splits = ("test", "train", "dev", "train")
    dataset = make_dataset(table(4, splits=splits), Reading(target_column="reply"))
    assert dataset.source == "given"
    assert [row.label for row in dataset.splits["train"]] == ["reply 1", "reply 3"]
    assert dataset.counts() == {"train": {"": 2}, "dev": {"": 1}, "test": {"": 1}}


@pytest.mark.parametrize(
    ("table", "reading", "param", "message"),
    [
        (table(9), {"target_column": "repli"}, "target_column", "no column 'repli'; did you mean"),
        (table(9), {"label_column": "reply"}, "target_column", "labels or targets; name"),
        (table(9), {"text_columns": ("reply",)}, "text_columns", "'reply' is the target or"),
        (table(3, splits=("train", "dev", "dev")), {}, "split_column", "'test' has no row; .*one"),
        (Table(COLUMNS, ({"question": "x", "reply": " "},)), {}, "file", "row 1: the target is"),
        (table(9, columns=("label", "reply")), {"shots": 3}, "text_columns", "rename it"),
    ],
)
def test_refusals(table, reading, param, message):
    with pytest.raises(BadDataset, match=message) as caught:
        make_dataset(table, Reading(**{"target_column": "reply"} | reading))
    assert caught.value.param == param


def test_labels_of_every_row_point_to_targets():
    error = refusal(table(300), target_column="", label_column="reply")
    assert "300 different labels" in str(error) and "target_column" in str(error)


def test_targets_are_another_dataset_than_labels():
    rows = [("a", "x", "train"), ("b", "y", "train")] + [
        (question, reply, split) for split in ("dev", "test") for question, reply in ("ax", "by")
    ]
    columns = (*COLUMNS, "split")
    source = Table(columns, tuple(dict(zip(columns, row, strict=True)) for row in rows))
    readings = (Reading(label_column="reply"), Reading(target_column="reply"))
    labelled, targeted = (make_dataset(source, reading) for reading in readings)
    assert labelled.splits == targeted.splits
    assert labelled.sha256() != targeted.sha256()
