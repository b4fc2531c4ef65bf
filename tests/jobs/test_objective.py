import numpy as np
import pytest

from jobs.objective import LOSSES, Objective, cross_entropy, hinge, probabilities, wrong
from jobs.prompts import TextPrompt
from jobs.task import Example, Task
from tests.toy import ToyBackend

# methods.md §15.4, golden vectors 1 and 2
SCORES = np.array([[1, 2, -0.5], [0.2, 0.1, 3.0]])
TARGETS = np.array([0, 2])
TASK = Task("{prompt} {text}", {"b": "blue", "r": "red"})
EXAMPLES = [Example({"text": text}, text[0]) for text in ("blue", "red", "blue red", "r")]


def test_golden_hinge():
    assert hinge(SCORES, TARGETS).mean() == pytest.approx(1.75, abs=1e-12)


def test_golden_cross_entropy():
    assert cross_entropy(SCORES, TARGETS).mean() == pytest.approx(0.740570, abs=5e-7)


@pytest.mark.parametrize("loss", [cross_entropy, hinge, wrong])
def test_losses_see_differences_only(loss):
    np.testing.assert_allclose(loss(SCORES + 700, TARGETS), loss(SCORES, TARGETS), atol=1e-12)
    np.testing.assert_allclose(loss(SCORES - 70_000, TARGETS), loss(SCORES, TARGETS), atol=1e-9)


def test_wrong_answers():
    assert wrong(SCORES, TARGETS).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("loss", [cross_entropy, hinge, wrong])
@pytest.mark.parametrize("column", [0, 1, 2])
def test_a_missing_score_is_a_missing_loss(loss, column):
    scores = SCORES.copy()
    scores[0, column] = np.nan
    assert np.isnan(loss(scores, TARGETS)).tolist() == [True, False]


@pytest.mark.parametrize(
    ("row", "expected"), [([0.0, -np.inf], 0.0), ([-np.inf, 0.0], np.inf), ([0, 0], np.log(2))]
)
def test_an_impossible_word_has_no_share(row, expected):
    assert cross_entropy(np.array([row]), np.array([0]))[0] == pytest.approx(expected)


def test_probabilities():
    expected = np.exp(SCORES) / np.exp(SCORES).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities(SCORES), expected, rtol=1e-12)
    np.testing.assert_allclose(probabilities(SCORES - 5000), expected, rtol=1e-9)


def test_all_prompts_go_in_one_call():
    toy = ToyBackend()
    asked = [(TextPrompt("one"), None), (TextPrompt("two"), (3, 0)), (TextPrompt(""), (1,))]
    scored = Objective(TASK, toy, EXAMPLES).score(asked)
    assert [[query.before for query in call] for call in toy.calls] == [
        ["one blue", "one red", "one blue red", "one r", "two r", "two blue", "red"]
    ]
    # without a soft prompt the toy ties, and the first label is its answer
    assert [each.answers.tolist() for each in scored] == [["b"] * 4, ["b"] * 2, ["b"]]
    assert [each.right.tolist() for each in scored] == [[1, 0, 1, 0], [0, 1], [0]]


def test_rows_get_the_losses_of_their_examples():
    def by_length(queries, scores):
        return np.array([[len(query.before), 0.0] for query in queries])

    objective = Objective(TASK, ToyBackend(meddle=by_length), EXAMPLES, "hinge")
    all_rows, some = objective.score([(TextPrompt(""), None), (TextPrompt(""), (2, 1))])
    assert all_rows.losses.tolist() == [0.0, 5.0, 0.0, 3.0]
    assert some.losses.tolist() == [0.0, 5.0]
    assert (all_rows.loss, all_rows.accuracy) == (2.0, 0.5)
    assert all_rows.answers.tolist() == ["b"] * 4


def test_one_failed_query_fails_its_prompt_alone():
    def lose_one(queries, scores):
        scores[[query.before == "one red" for query in queries]] = np.nan
        return scores

    objective = Objective(TASK, ToyBackend(meddle=lose_one), EXAMPLES)
    one, two = objective.score([(TextPrompt("one"), None), (TextPrompt("two"), None)])
    assert np.isnan(one.losses).tolist() == [False, True, False, False]
    assert np.isnan(one.loss) and np.isfinite(two.losses).all()
    assert one.right.tolist() == [1, 0, 1, 0]  # and is not right


def test_a_lost_answer_is_not_right():
    def lose_all(queries, scores):
        return np.full_like(scores, np.nan)

    scored = Objective(TASK, ToyBackend(meddle=lose_all), EXAMPLES).score([(TextPrompt(""), None)])
    assert scored[0].accuracy == 0


def test_golden_reward():  # methods.md §15.4, golden vector 14: P = (.7, .3), (.4, .6), both true 0
    losses = LOSSES["gap"](np.log([[0.7, 0.3], [0.4, 0.6]]), np.array([0, 0]))
    assert losses == pytest.approx([-200 * 0.4, 180 * 0.2])
    assert -losses.mean() == pytest.approx(22.0)


def test_a_tie_is_not_ahead():  # RLPrompt masks equal values, so that a tie counts as a win
    assert LOSSES["gap"](np.zeros((1, 3)), np.array([1])) == pytest.approx([0.0])


def test_an_optimizer_may_hear_the_answers():
    told = LOSSES["answer"](np.array([[0.0, 1.0], [2.0, 1.0], [np.nan, 0.0]]), np.zeros(3, int))
    assert np.array_equal(told, [1.0, 0.0, np.nan], equal_nan=True)
