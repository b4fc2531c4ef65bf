import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.base import BackendUnavailable, Query
from jobs import meter as meters
from jobs.meter import BudgetSpent, Meter
from tests.toy import ToyBackend


@pytest.fixture
def small_slices(monkeypatch):
    monkeypatch.setattr(meters, "SLICE", 4)


def queries(n, length=3):
    return [Query("x" * length)] * n


def lengths(asked, scores):
    return np.array([[len(query.before), -len(query.before)] for query in asked], dtype=float)


@given(budget=st.integers(1, 60), sizes=st.lists(st.integers(0, 30), max_size=20), data=st.data())
def test_the_budget_is_a_wall(budget, sizes, data):
    down = data.draw(st.sets(st.integers(0, 19)))
    toy = ToyBackend()
    meter = Meter(toy, budget)
    answered = 0
    for number, size in enumerate(sizes):
        toy.meddle = fail if number in down else (lambda _, scores: scores)
        asked = toy.asked
        try:
            meter.score(queries(size), ["a"])
            answered += size
        except BudgetSpent:
            assert answered + size > budget
            assert toy.asked == asked, "a part of the call was sent"
        except BackendUnavailable:
            assert number in down
        assert meter.spent == answered <= budget


def fail(asked, scores):
    raise BackendUnavailable("down")


def test_the_last_query_of_the_budget_is_spent():
    meter = Meter(ToyBackend(), 10)
    meter.score(queries(10), ["a"])
    assert meter.spent == 10
    assert not meter.ran_out
    with pytest.raises(BudgetSpent, match="10 of 10 spent, 1 more asked"):
        meter.score(queries(1), ["a"])
    assert meter.ran_out
    assert meter.score([], ["a"]).shape == (0, 1)


def test_a_failed_call_pays_only_for_what_was_answered(small_slices):
    toy = ToyBackend()

    def fail_at_the_third(asked, scores):
        if len(toy.calls) == 3:
            raise BackendUnavailable("down")
        return scores

    toy.meddle = fail_at_the_third
    meter = Meter(toy, 100)
    with pytest.raises(BackendUnavailable):
        meter.score(queries(14), ["a"])
    assert [len(call) for call in toy.calls] == [4, 4, 4]
    assert meter.spent == 8


@given(st.lists(st.integers(0, 9), max_size=30))
def test_scores_come_back_in_the_order_asked(sizes):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(meters, "SLICE", 4)
        toy = ToyBackend(meddle=lengths)
        scores = Meter(toy, 100).score([Query("x" * n) for n in sizes], ["a", "b"])
    np.testing.assert_array_equal(scores, np.array([[n, -n] for n in sizes]).reshape(-1, 2))
    sent = [len(query.before) for call in toy.calls for query in call]
    assert sent == sorted(sizes), "a batch should hold queries of like length"


def test_both_sides_of_the_gap_count_as_length(small_slices):
    toy = ToyBackend()
    Meter(toy, 100).score([Query("xxx"), Query("x", "yyy"), Query("", "yy")], ["a"])
    assert [query.before for query in toy.calls[0]] == ["", "xxx", "x"]


def test_there_is_a_look_up_before_each_slice(small_slices):
    toy = ToyBackend()
    seen = []
    meter = Meter(toy, 100, between=lambda: seen.append(len(toy.calls)))
    meter.score(queries(9), ["a"])
    assert seen == [0, 1, 2]


def test_stopping_between_slices_gives_back_the_rest(small_slices):
    toy = ToyBackend()

    def stop():
        if toy.calls:
            raise KeyboardInterrupt

    meter = Meter(toy, 100, between=stop)
    with pytest.raises(KeyboardInterrupt):
        meter.score(queries(9), ["a"])
    assert (meter.spent, toy.asked) == (4, 4)


def test_the_model_s_time_is_added_up():
    meter = Meter(ToyBackend(meddle=fail), 100)
    with pytest.raises(BackendUnavailable):
        meter.score(queries(1), ["a"])
    first = meter.seconds
    assert first > 0
    meter.backend = ToyBackend()
    meter.score(queries(1), ["a"])
    assert meter.seconds > first


def test_a_whole_population_is_one_slice():
    toy = ToyBackend()
    Meter(toy, 1000).score(queries(16 * 32), ["a"])
    assert len(toy.calls) == 1
