from collections import Counter

import pytest

from jobs.catalog import BUILT_IN
from jobs.datasets import SPLITS, BadDataset, Reading, draw, make_dataset
from jobs.readers import Table, read_table
from jobs.task import Example


def table(*rows, columns=("text", "label", "split")):
    return Table(columns, tuple(dict(zip(columns, row, strict=True)) for row in rows))


def given(n=1):
    """Two labels, `n` rows of each in each split."""
    return [
        (f"{split} {label} {i}", label, split)
        for split in SPLITS
        for label in ("no", "yes")
        for i in range(n)
    ]


def pool(n, labels=("no", "yes")):
    return table(*((f"{x} {i}", x) for i in range(n) for x in labels), columns=("text", "label"))


def refusal(*args, **reading):
    with pytest.raises(BadDataset) as caught:
        make_dataset(*args, Reading(**reading))
    return caught.value


def test_given_splits_are_taken_as_they_are():
    dataset = make_dataset(table(*given(2)), Reading())
    assert (dataset.source, dataset.columns, dataset.labels) == ("given", ("text",), ("no", "yes"))
    assert [row.inputs["text"] for row in dataset.splits["dev"]] == [
        "dev no 0",
        "dev no 1",
        "dev yes 0",
        "dev yes 1",
    ]
    assert dataset.counts() == {split: {"no": 2, "yes": 2} for split in SPLITS}
    assert dataset.split().test == dataset.splits["test"]
    assert dataset.split().train == dataset.splits["train"]


def test_labels_and_texts_are_trimmed():
    rows = [(f"  {text}\n", f" {label} ", f" {split} ") for text, label, split in given()]
    assert make_dataset(table(*rows), Reading()) == make_dataset(table(*given()), Reading())


def test_several_columns():
    rows = [(text, "second", label, split) for text, label, split in given()]
    columns = ("a", "b", "label", "split")
    every = make_dataset(table(*rows, columns=columns), Reading())
    assert every.columns == ("a", "b")
    turned = make_dataset(table(*rows, columns=columns), Reading(text_columns=("b", "a")))
    assert turned.columns == ("b", "a")
    one = make_dataset(table(*rows, columns=columns), Reading(text_columns=("a",)))
    assert set(one.splits["train"][0].inputs) == {"a"}


def test_drawn_splits_are_stratified_and_disjoint():
    source = pool(10, ("a", "b", "c"))
    dataset = make_dataset(source, Reading(shots=4, seed=1))
    assert dataset.source == "drawn"
    assert dataset.counts() == {
        "train": {"a": 4, "b": 4, "c": 4},
        "dev": {"a": 4, "b": 4, "c": 4},
        "test": {"a": 2, "b": 2, "c": 2},
    }
    texts = Counter(row.inputs["text"] for rows in dataset.splits.values() for row in rows)
    assert texts == Counter(row["text"] for row in source.rows)


def test_the_seed_decides_the_draw():
    first, again, other = (
        make_dataset(pool(30), Reading(shots=8, seed=seed)) for seed in (0, 0, 1)
    )
    assert first == again
    assert first.splits["train"] != other.splits["train"]
    assert {row.inputs["text"] for row in first.splits["train"]} != {
        f"{label} {i}" for i in range(8) for label in ("no", "yes")
    }, "the first rows are not a sample"


def test_one_row_has_to_be_left_for_test():
    assert make_dataset(pool(9), Reading(shots=4)).counts()["test"] == {"no": 1, "yes": 1}
    error = refusal(pool(8), shots=4)
    assert error.param == "shots"
    assert "'no' has 8 rows; 4 shots need 4 for train, 4 for dev and at least 1" in str(error)


def test_draw_names_the_rare_label():
    rows = [Example({"text": str(i)}, "common") for i in range(9)] + [Example({}, "rare")]
    with pytest.raises(BadDataset, match="'rare' has 1 rows"):
        draw(rows, ["common", "rare"], 2, 0)


@pytest.mark.parametrize(
    ("rows", "reading", "param", "message"),
    [
        (
            given(),
            {"label_column": "labl"},
            "label_column",
            "no column 'labl'; did you mean 'label'",
        ),
        (
            given(),
            {"text_columns": ("txt",)},
            "text_columns",
            "no column 'txt'; did you mean 'text'",
        ),
        (given(), {"text_columns": ("label",)}, "text_columns", "'label' is the label or"),
        (given(), {"text_columns": ("text", "text")}, "text_columns", "twice"),
        (
            [(label, text, split) for text, label, split in given()],
            {"label_column": "text", "text_columns": ("text",)},
            "text_columns",
            "'text' .*label",
        ),
        (given(), {"text_columns": ("split",)}, "text_columns", "'split'"),
        ([("", "no", "train"), *given()], {}, "file", "row 1: column 'text' is empty"),
        ([*given(), (" \n", "no", "dev")], {}, "file", "row 7: column 'text' is empty"),
        ([*given(), ("x", "  ", "dev")], {}, "file", "row 7: the label is empty"),
        (
            [(t, "one", s) for t, _, s in given()],
            {},
            "label_column",
            "1 different labels; wanted 2",
        ),
        ([*given(), ("x", "no", "tset")], {}, "split_column", "row 7: no split 'tset'; .*'test'"),
        ([*given(), ("x", "no", "")], {}, "split_column", "row 7: no split ''"),
        (given()[:-1], {}, "split_column", "split 'test' has no row of 'yes'"),
        (given()[2:], {}, "split_column", "split 'train' has no row of 'no', 'yes'"),
        ([*given(), ("x", "new", "dev")], {}, "split_column", "split 'train' has no row of 'new'"),
    ],
)
def test_refusals(rows, reading, param, message):
    with pytest.raises(BadDataset, match=message) as caught:
        make_dataset(table(*rows), Reading(**reading))
    assert caught.value.param == param


def test_too_many_labels():
    rows = [(f"{label} {split}", f"l{label}", split) for label in range(201) for split in SPLITS]
    assert "201 different labels; wanted 2 to 200" in str(refusal(table(*rows)))


@pytest.mark.parametrize("column", ["prompt", "two words", "a-b", "{x}", "1st"])
def test_columns_that_cannot_be_slots(column):
    rows = table(*given(), columns=(column, "label", "split"))
    error = refusal(rows)
    assert error.param == "text_columns" and "cannot be a slot" in str(error)


def test_a_text_may_not_be_called_label():
    rows = table(*given(), columns=("label", "queue", "split"))
    assert "'label' cannot be a slot" in str(refusal(rows, label_column="queue"))


def test_no_column_for_the_text():
    rows = table(*[row[1:] for row in given()], columns=("label", "split"))
    assert "no column is left for the text" in str(refusal(rows))


def test_the_hash_changes_with_any_change():
    rows = given(2)
    variants = [
        rows,
        [("other", *rows[0][1:]), *rows[1:]],
        [(rows[0][0], "yes", rows[0][2]), *rows[1:]],
        [rows[1], rows[0], *rows[2:]],
        [*rows, ("more", "no", "train")],
        [*rows[:4], ("train no 1", "no", "dev"), *rows[4:]],
        rows[1:],
    ]
    hashes = {make_dataset(table(*each), Reading()).sha256() for each in variants}
    renamed = make_dataset(table(*rows, columns=("words", "label", "split")), Reading()).sha256()
    assert len(hashes | {renamed}) == len(variants) + 1
    assert make_dataset(table(*rows), Reading()).sha256() in hashes


def test_the_hash_knows_where_a_text_ends():
    def pair(a, b):
        rows = [(a, b, label, split) for _, label, split in given()]
        columns = ("a", "b", "label", "split")
        return make_dataset(table(*rows, columns=columns), Reading()).sha256()

    assert pair("x,y", "z") != pair("x", "y,z")


def test_the_built_in_tickets():
    rows = read_table("tickets.csv", (BUILT_IN / "tickets.csv").read_bytes())
    dataset = make_dataset(rows, Reading())
    assert dataset.columns == ("text",) and dataset.source == "given"
    assert len(dataset.labels) == 6
    assert dataset.counts() == {
        split: dict.fromkeys(dataset.labels, n)
        for split, n in {"train": 16, "dev": 16, "test": 60}.items()
    }
    texts = [row["text"].casefold() for row in rows.rows]
    assert len(set(texts)) == len(texts) == 552
