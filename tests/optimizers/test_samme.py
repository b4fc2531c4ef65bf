"""SAMME by its numbers: weights of learners and rows, verbalizers, the best of them, the vote."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array

from optimizers import samme

NEVER = -np.inf


@pytest.mark.parametrize(
    ("error", "n_labels", "expected", "multiplier"),
    [(0.25, 2, 1.098612, 3), (0.25, 4, 2.197225, 9), (0.6, 4, 0.693147, 2)],
)
def test_golden_alpha(error, n_labels, expected, multiplier):  # methods.md §15.4, golden vector 8
    found = samme.alpha(error, n_labels)
    assert found == pytest.approx(expected, abs=5e-7)
    weights = samme.reweighted(np.array([0.5, 0.5]), np.array([False, True]), found)
    assert weights[1] / weights[0] == pytest.approx(multiplier)
    assert samme.alpha(error, n_labels, 0.5) == pytest.approx(found / 2)


@pytest.mark.parametrize("error", [0.0, 1.0, 1e-300])
def test_errors_at_the_ends_have_a_finite_weight(error):
    assert abs(samme.alpha(error, 2)) == pytest.approx(np.log(1e10), rel=1e-6)
    assert samme.alpha(0.5, 2) == 0.0


@pytest.mark.parametrize("n_labels", [2, 3, 7])
def test_a_learner_is_no_better_than_chance_on_the_weights_it_leaves(n_labels):
    random = np.random.default_rng(n_labels)
    weights, wrong = random.dirichlet(np.ones(50)), random.random(50) < 0.3
    alpha = samme.alpha(float(weights @ wrong), n_labels)
    after = samme.reweighted(weights, wrong, alpha)
    assert after.sum() == pytest.approx(1.0)
    assert after @ wrong == pytest.approx(1 - 1 / n_labels)


def test_weights_of_a_huge_alpha_stay_finite():
    weights = samme.reweighted(np.full(4, 0.25), np.array([True, False, False, True]), 1e4)
    assert weights.tolist() == [0.5, 0, 0, 0.5]


def test_word_scores():
    shares = np.array([[0.5, 0.25, 0.0], [0.125, 0.5, 0.25]], np.float32)
    targets, weights = np.array([0, 1]), np.array([0.25, 0.75])
    expected = 0.25 * shares[0] - 0.75 * shares[1]
    scores = samme.word_scores(shares, targets, weights, 3)
    assert_allclose(scores, [expected, -expected, -0.25 * shares[0] - 0.75 * shares[1]])
    assert_allclose(samme.word_scores(csr_array(shares), targets, weights, 3), scores)


def test_shortlists_hold_words_that_are_best_for_their_label():
    scores = np.array([[3.0, 1.0, 0.0, -1], [0.0, 2.0, 4.0, 9], [-5.0, -6.0, -4.0, -7]])
    first, second, third = samme.shortlists(scores, 2)
    assert (first.tolist(), second.tolist()) == ([0], [3, 2])
    assert third.tolist() == [2, 0], "no word is best for it: it takes its own best"
    assert [len(words) for words in samme.shortlists(np.empty((3, 0)), 2)] == [0, 0, 0]


def lists(*sizes):
    ends = np.cumsum(sizes)
    return [np.arange(end - size, end) for size, end in zip(sizes, ends, strict=True)]


def test_verbalizers_are_all_ways_and_for_two_labels_swapped():
    random = np.random.default_rng(0)
    three = samme.verbalizers(lists(2, 1, 2), 4, random)
    assert three.tolist() == [[0, 2, 3], [0, 2, 4], [1, 2, 3], [1, 2, 4]]
    two = samme.verbalizers(lists(2, 1), 4, random)
    assert two.tolist() == [[0, 2], [1, 2], [2, 0], [2, 1]]
    assert samme.verbalizers(lists(2, 0), 4, random).shape == (0, 2)
    shared = [np.array([5, 6]), np.array([6, 5]), np.array([7])]
    assert samme.verbalizers(shared, 9, random).tolist() == [[5, 6, 7], [6, 5, 7]]
    assert samme.verbalizers([np.array([5])] * 2, 9, random).shape == (0, 2)


def test_too_many_verbalizers_are_drawn_with_the_best_among_them():
    drawn = samme.verbalizers(lists(*[9] * 30), 500, np.random.default_rng(1))
    again = samme.verbalizers(lists(*[9] * 30), 500, np.random.default_rng(1))
    assert drawn.shape == (500, 30)
    assert drawn[0].tolist() == [9 * i for i in range(30)]
    assert (drawn // 9 == np.arange(30)).all() and len(np.unique(drawn, axis=0)) == 500
    assert (drawn == again).all()


def test_answers():
    table = np.array([[0.0, -1, NEVER], [NEVER, -9, NEVER], [NEVER, NEVER, -2]])
    ways = np.array([[0, 1], [2, 1], [0, 2]])
    assert samme.answers(table, ways).tolist() == [[0, 1, -1], [1, 1, 0], [0, -1, 1]]


@pytest.mark.parametrize("together", [1, 100, 10**7])
def test_the_best_has_the_least_weighted_error(together, monkeypatch):
    monkeypatch.setattr(samme, "TOGETHER", together)
    random = np.random.default_rng(2)
    table = random.normal(size=(12, 7)).astype(np.float32)
    table[random.random(table.shape) < 0.2] = NEVER
    targets, weights = random.integers(3, size=12), random.dirichlet(np.ones(12))
    ways = np.array(list(itertools.permutations(range(7), 3)))
    errors = [
        sum(
            w
            for row, y, w in zip(table[:, way], targets, weights, strict=True)
            if row.max() == NEVER or row.argmax() != y
        )
        for way in ways
    ]
    chosen, error = samme.best(table, targets, weights, ways)
    assert error == pytest.approx(min(errors))
    assert errors[chosen] == pytest.approx(min(errors))


def test_equals_are_told_apart_by_how_sure_they_are():
    table = np.log([[0.6, 0.4, 0.9, 0.1], [0.3, 0.7, 0.2, 0.8]])
    ways = np.array([[0, 1], [2, 3], [3, 2]])
    assert samme.best(table, np.array([0, 1]), np.array([0.5, 0.5]), ways) == (1, 0.0)
    one_word = np.array([[NEVER, NEVER], [NEVER, NEVER]])
    assert samme.best(one_word, np.array([0, 1]), np.array([0.5, 0.5]), ways[:1])[1] == 1.0


def test_votes():
    answers = np.array([[0, 1, -1], [1, 1, -1], [0, -1, 2]])
    shares = samme.votes(answers, [1.0, 3.0, 4.0], 3)
    assert_allclose(shares, np.array([[5, 3, 0], [0, 4, 0], [0, 0, 4]]) / 8)
