import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import report as reports
from jobs.metrics import ExactMatch, RougeL
from jobs.objective import Scored
from jobs.report import compare, summary
from jobs.significance import bootstrap_interval, mcnemar, paired_bootstrap, wilson
from jobs.task import Example, Task

LABELS = ["a", "b", "c"]
TASK = Task("{prompt} {text}", {label: label for label in LABELS})


def scored(predicted, targets, losses=None):
    losses = np.zeros(len(targets)) if losses is None else np.array(losses)
    right = (np.array(predicted) == np.array(targets)).astype(float)
    return Scored(losses, right, np.array(LABELS, dtype=object)[predicted], losses)


def examples(targets):
    return [Example({"text": f"row {i}"}, LABELS[t]) for i, t in enumerate(targets)]


def compared(before, after, targets):
    return compare(scored(before, targets), scored(after, targets), examples(targets), TASK)


def test_a_summary():
    figures = summary(scored([0, 1, 1, 2], [0, 1, 2, 2]))
    assert (figures["accuracy"], figures["n"]) == (0.75, 4)
    assert (figures["low"], figures["high"]) == wilson(3, 4)


@pytest.mark.parametrize(
    ("fixed", "broken", "outcome", "message"),
    [
        (6, 0, "improved", "The tuned prompt is better than the baseline"),
        (5, 0, "no_improvement", "No improvement that could not be chance"),
        (0, 0, "no_improvement", "No improvement that could not be chance"),
        (9, 8, "no_improvement", "No improvement that could not be chance"),
        (0, 6, "no_improvement", "The tuned prompt is worse than the baseline"),
        (0, 5, "no_improvement", "No improvement that could not be chance"),
    ],
)
def test_the_outcome(fixed, broken, outcome, message):
    targets = [0] * (fixed + broken + 3)
    before = [1] * fixed + [0] * broken + [0, 1, 1]
    after = [0] * fixed + [1] * broken + [0, 1, 2]
    report = compared(before, after, targets)
    assert report["outcome"] == outcome and report["message"].startswith(message)
    assert (report["fixed"], report["broken"]) == (fixed, broken)
    assert report["p_value"] == mcnemar(fixed, broken)
    assert (report["metric"], report["split"], report["test"]) == (
        "accuracy",
        "test",
        "exact McNemar",
    )


def test_the_message_has_the_numbers():
    message = compared([1] * 6 + [0] * 2, [0] * 8, [0] * 8)["message"]
    assert "25.0 % to 100.0 % on 8 test rows; 6 fixed, 0 broken, p = 0.031" in message


def test_confusion_is_true_by_answered():
    targets = [0, 0, 0, 1, 1, 2]
    report = compared([0, 1, 1, 1, 2, 0], targets, targets)
    assert report["baseline"]["confusion"] == [[1, 2, 0], [0, 1, 1], [1, 0, 0]]
    assert report["tuned"]["confusion"] == [[3, 0, 0], [0, 2, 0], [0, 0, 1]]


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=40))
def test_the_sums_agree(rows):
    before, after, targets = (list(column) for column in zip(*rows, strict=True))
    report = compared(before, after, targets)
    for name in ("baseline", "tuned"):
        table = np.array(report[name]["confusion"])
        assert table.sum() == report[name]["n"] == len(rows)
        assert table.trace() / len(rows) == report[name]["accuracy"]
        assert table.sum(axis=1).tolist() == [targets.count(label) for label in range(3)]
    gained = report["tuned"]["accuracy"] - report["baseline"]["accuracy"]
    assert gained * len(rows) == pytest.approx(report["fixed"] - report["broken"])
    assert len(report["changed"]) == sum(b != a for b, a in zip(before, after, strict=True))


def test_changed_rows_are_shown():
    assert compared([0, 1, 2], [0, 2, 1], [0, 2, 2])["changed"] == [
        {
            "inputs": {"text": "row 1"},
            "label": "c",
            "baseline": "b",
            "tuned": "c",
            "baseline_right": 0.0,
            "tuned_right": 1.0,
        },
        {
            "inputs": {"text": "row 2"},
            "label": "c",
            "baseline": "c",
            "tuned": "b",
            "baseline_right": 1.0,
            "tuned_right": 0.0,
        },
    ]


def test_some_rows_that_stayed_right_are_shown_from_all_over():
    n, wrong = 4 * reports.N_KEPT, 3
    kept = compared([0] * (n + wrong), [0] * (n + wrong), [0] * n + [1] * wrong)["kept"]
    assert [row["inputs"]["text"] for row in kept] == [f"row {i}" for i in range(0, n, 4)]
    assert all(row["baseline"] == row["tuned"] == row["label"] for row in kept)
    assert compared([1, 0], [1, 1], [0, 0])["kept"] == []


def test_a_long_list_of_changed_rows_is_cut(monkeypatch):
    monkeypatch.setattr(reports, "MOST_CHANGED", 3)
    report = compared([0] * 5, [1] * 5, [1] * 5)
    assert report["n_changed"] == 5
    assert [row["inputs"]["text"] for row in report["changed"]] == ["row 0", "row 1", "row 2"]


def test_losses_are_shown_and_lost_ones_are_null():
    before = scored([0, 1], [0, 0], [0.5, 1.5])
    after = scored([0, 0], [0, 0], [0.5, np.nan])
    report = compare(before, after, examples([0, 0]), TASK)
    assert report["baseline"]["loss"] == 1.0
    assert report["tuned"]["loss"] is None


def written(answers, targets, metric):
    right = np.array([metric.score(*pair) for pair in zip(answers, targets, strict=True)])
    return Scored(1 - right, right, np.array(answers, dtype=object), 1 - right)


def compared_texts(before, after, targets, metric):
    rows = [Example({"text": f"row {i}"}, target) for i, target in enumerate(targets)]
    task = Task("{prompt} {text}", {}, metric, 9)
    return compare(written(before, targets, metric), written(after, targets, metric), rows, task)


def test_graded_texts_are_judged_by_the_bootstrap():
    before = ["a", "a b c x", "none", ""] * 5
    after = ["a b c", "a b c", "a c", ""] * 5
    report = compared_texts(before, after, ["a b c"] * 20, RougeL())
    gains = np.array([0.5, 1 / 7, 0.8, 0.0] * 5)
    assert report["test"] == "paired bootstrap" and report["metric"] == "rouge_l"
    assert report["p_value"] == pytest.approx(paired_bootstrap(gains))
    assert report["outcome"] == "improved"
    assert (report["fixed"], report["broken"], report["n_changed"]) == (15, 0, 15)
    tuned = report["tuned"]
    assert (tuned["accuracy"], tuned["n"]) == (pytest.approx(0.7), 20)
    right = np.array([1.0, 1.0, 0.8, 0.0] * 5)
    assert (tuned["low"], tuned["high"]) == pytest.approx(bootstrap_interval(right))
    assert tuned["loss"] == pytest.approx(0.3)
    assert (tuned["confusion"], report["labels"]) == ([], [])
    facts = "ROUGE-L 33.9 % to 70.0 % on 20 test rows; 15 better, 0 worse, p ="
    assert report["message"].startswith(f"The tuned prompt is better than the baseline: {facts}")
    assert report["changed"][1] == {
        "inputs": {"text": "row 1"},
        "label": "a b c",
        "baseline": "a b c x",
        "tuned": "a b c",
        "baseline_right": pytest.approx(6 / 7),
        "tuned_right": 1.0,
    }


def test_counted_texts_are_judged_as_labels_are():
    report = compared_texts(["x"] * 6 + ["a"], ["a"] * 6 + ["x"], ["a"] * 7, ExactMatch())
    assert (report["test"], report["metric"]) == ("exact McNemar", "exact_match")
    assert report["p_value"] == mcnemar(6, 1)
    assert (report["tuned"]["low"], report["tuned"]["high"]) == wilson(6, 7)
    assert "Exact match 14.3 % to 85.7 % on 7 test rows; 6 fixed, 1 broken" in report["message"]


def test_a_worse_text_is_called_worse():
    report = compared_texts(["a b c"] * 9, ["a"] * 9, ["a b c"] * 9, RougeL())
    assert report["outcome"] == "no_improvement"
    assert report["message"].startswith("The tuned prompt is worse than the baseline")
