import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.objective import Scored
from jobs.report import compare, mcnemar, summary, wilson
from jobs.task import Example

Z = 1.959963984540054  # the 97.5 % quantile of the standard normal
LABELS = ["a", "b", "c"]


def scored(predicted, targets, losses=None):
    losses = np.zeros(len(targets)) if losses is None else np.array(losses)
    return Scored(losses, np.array(predicted), np.array(targets), losses)


def examples(targets):
    return [Example({"text": f"row {i}"}, LABELS[t]) for i, t in enumerate(targets)]


def compared(before, after, targets):
    return compare(scored(before, targets), scored(after, targets), examples(targets), LABELS)


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_its_closed_form(case):  # Wilson 1927, equation 1
    k, n = case
    center = (k + Z**2 / 2) / (n + Z**2)
    half = Z / (n + Z**2) * math.sqrt(k * (n - k) / n + Z**2 / 4)
    low, high = wilson(k, n)
    assert low == pytest.approx(center - half, abs=1e-9)
    assert high == pytest.approx(center + half, abs=1e-9)
    assert 0 <= low <= k / n <= high <= 1


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_sum(fixed, broken):
    n, fewer = fixed + broken, min(fixed, broken)
    tail = sum(math.comb(n, k) for k in range(fewer + 1)) / 2**n
    assert mcnemar(fixed, broken) == pytest.approx(min(1.0, 2 * tail), rel=1e-9)
    assert mcnemar(fixed, broken) == mcnemar(broken, fixed)


def test_mcnemar_by_hand():
    assert mcnemar(6, 0) == pytest.approx(2 / 64)
    assert mcnemar(5, 0) == pytest.approx(2 / 32)
    assert mcnemar(0, 0) == mcnemar(1, 1) == 1.0


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
        {"inputs": {"text": "row 1"}, "label": "c", "baseline": "b", "tuned": "c"},
        {"inputs": {"text": "row 2"}, "label": "c", "baseline": "c", "tuned": "b"},
    ]


def test_losses_are_shown_and_lost_ones_are_null():
    before = scored([0, 1], [0, 0], [0.5, 1.5])
    after = scored([0, 0], [0, 0], [0.5, np.nan])
    report = compare(before, after, examples([0, 0]), LABELS)
    assert report["baseline"]["loss"] == 1.0
    assert report["tuned"]["loss"] is None
