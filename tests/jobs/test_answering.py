"""Label scores of every kind of prompt; ensembles as prompts, as files, and how they vote."""

import json

import numpy as np
import pytest

from jobs import prompts
from jobs.answering import label_scores, n_queries, voted
from jobs.meter import BudgetSpent, Meter
from jobs.objective import Objective
from jobs.prompts import EnsemblePrompt, Member, SoftPrompt, TextPrompt
from jobs.task import Example, Task
from tests.toy import ToyBackend

TASK = Task("{prompt} {text}", {"b": "blue", "r": "red"})
SOFT = SoftPrompt(np.full((1, 2, 4), 0.5, np.float32))
ENSEMBLE = EnsemblePrompt(
    (
        Member("{text}", ("long", "x"), 2.0),
        Member("So: {text}", ("x", "long"), 1.0),
        Member("{text}", ("y", "longer"), 1.5),
    )
)
INPUTS = [{"text": "abc"}, {"text": "abcdefgh"}]


class Lengths:
    """The nearer a word's length is to that of the text less two letters, the better."""

    def score(self, queries, labels):
        lengths = np.array([[len(word) for word in labels]] * len(queries)).reshape(-1, len(labels))
        return -np.abs(
            lengths - np.array([[len(query.before) - 2.0] for query in queries]).reshape(-1, 1)
        )


def score(toy, asked):
    return label_scores(toy, TASK, asked)


def test_texts_and_soft_prompts_are_asked_as_the_task_says():
    toy = ToyBackend()
    asked = [(TextPrompt("Say:"), {"text": "red"}), (SOFT, {"text": "blue"})]
    scores = score(toy, asked)
    (call,) = toy.calls
    assert [query.before for query in call] == ["Say: red", "blue"]
    assert call[1].soft is SOFT.vectors
    assert (scores == ToyBackend().score(call, ["blue", "red"])).all()


def test_an_ensemble_asks_one_query_a_template():
    toy = ToyBackend()
    score(toy, [(ENSEMBLE, each) for each in INPUTS])
    assert [[query.before for query in call] for call in toy.calls] == [
        ["abc", "abcdefgh"],
        ["So: abc", "So: abcdefgh"],
    ]
    assert (n_queries(ENSEMBLE), n_queries(SOFT), n_queries(TextPrompt(""))) == (2, 1, 1)


def test_members_vote_by_their_weights():
    scores = score(Lengths(), [(ENSEMBLE, each) for each in INPUTS])
    # read as 1 and 6 letters: x and y, long and longer are the nearest; with So: 5 and 10 letters
    shares = np.array([[1.5, 2.0 + 1.0], [2.0, 1.5 + 1.0]]) / 4.5
    np.testing.assert_allclose(scores, np.log((3 * shares + 1 / 2) / 4))
    assert np.exp(scores).sum(axis=1) == pytest.approx([1, 1])


def test_kinds_may_be_mixed_and_keep_their_rows():
    toy = Lengths()
    asked = [(ENSEMBLE, INPUTS[0]), (TextPrompt("a"), INPUTS[0]), (ENSEMBLE, INPUTS[1])]
    mixed = score(toy, asked)
    for row, pair in enumerate(asked):
        np.testing.assert_array_equal(mixed[row], score(Lengths(), [pair])[0])
    other = EnsemblePrompt((Member("{text} {text}", ("red", "blue"), 1.0),))
    assert score(toy, [(other, INPUTS[0]), (ENSEMBLE, INPUTS[0])])[1] == pytest.approx(mixed[0])
    assert score(toy, []).shape == (0, 2)


def test_an_input_with_a_failed_query_has_no_score():
    def lose(queries, scores):
        scores[[query.before == "So: abc" for query in queries], 0] = np.nan
        return scores

    scores = score(ToyBackend(meddle=lose), [(ENSEMBLE, each) for each in INPUTS])
    assert np.isnan(scores).tolist() == [[True, True], [False, False]]


def test_the_winner_of_a_vote_has_the_highest_score():
    random = np.random.default_rng(0)
    answers, weights = random.integers(-1, 3, size=(5, 400)), random.random(5)
    scores = voted(answers, list(weights), 3)
    shares = np.array([[weights[row == label].sum() for label in range(3)] for row in answers.T])
    assert (scores.argmax(axis=1) == shares.argmax(axis=1)).all()
    assert np.isfinite(scores).all()
    nobody = voted(np.array([[-1]]), [1.0], 3)
    assert nobody[0].tolist() == [nobody[0, 0]] * 3


def test_the_objective_scores_ensembles():
    examples = [Example({"text": "red"}, "r"), Example({"text": "blue"}, "r")]
    mine = EnsemblePrompt((Member("a {text} one", ("blue", "red"), 1.0),))

    def sees(queries, scores):
        return (
            np.array([["blue" in query.before, "red" in query.before] for query in queries]) * 2.0
        )

    (scored,) = Objective(TASK, ToyBackend(meddle=sees), examples, "accuracy").score([(mine, None)])
    assert scored.losses.tolist() == [0.0, 1.0]
    assert scored.answers.tolist() == ["r", "b"]


def test_a_budget_is_a_wall_for_ensembles_too():
    toy = ToyBackend()
    with pytest.raises(BudgetSpent):
        score(Meter(toy, 3), [(ENSEMBLE, each) for each in INPUTS])
    assert toy.asked == 2


def test_an_ensemble_is_a_json_file():
    odd = EnsemblePrompt((Member('"{text}" …\u2028 👍 {label}', ("a\n", "ü"), 0.1 + 0.2),))
    for ensemble in (ENSEMBLE, odd):
        data = prompts.dumps(ensemble)
        assert prompts.kind_of(ensemble) == "ensemble"
        assert prompts.loads("ensemble", data) == ensemble
        assert json.loads(data)["members"][0]["words"] == list(ensemble.members[0].words)
    assert ENSEMBLE.templates == ("{text}", "So: {text}")


NEGATIVE = ("ridiculous", "worse", "stupid", "pathetic", "pathetic")  # BBT-RGB, SST-2, seed 42
POSITIVE = ("exciting", "all", "exciting", "indeed", "remarkable")


def mixed(words=(NEGATIVE, POSITIVE)):
    return SoftPrompt(SOFT.vectors, words=words)


def test_a_label_scores_the_mean_of_its_words_and_twice_is_twice():
    asked = [(mixed(), each) for each in INPUTS]
    away = [abs(len(word) - 1.0) for word in NEGATIVE], [abs(len(word) - 6.0) for word in POSITIVE]
    scores = score(Lengths(), asked)
    np.testing.assert_allclose(scores[0, 0], -np.mean(away[0]))
    np.testing.assert_allclose(scores[1, 1], -np.mean(away[1]))
    single = score(Lengths(), [(mixed((("blue",), ("red",))), INPUTS[0]), (SOFT, INPUTS[0])])
    assert single[0].tolist() == single[1].tolist()


def test_prompts_of_the_same_words_are_asked_in_one_call_each_word_once():
    calls = []

    class Seen(Lengths):
        def score(self, queries, labels):
            calls.append((len(queries), list(labels)))
            return super().score(queries, labels)

    other = mixed((("x",), ("longer",)))
    asked = [(mixed(), INPUTS[0]), (SOFT, INPUTS[0]), (other, INPUTS[1]), (mixed(), INPUTS[1])]
    scores = score(Seen(), asked)
    assert calls == [
        (2, list(dict.fromkeys(NEGATIVE + POSITIVE))),
        (1, ["blue", "red"]),
        (1, ["x", "longer"]),
    ]
    alone = [score(Lengths(), [pair])[0] for pair in asked]
    np.testing.assert_array_equal(scores, alone)


def test_an_input_that_failed_has_no_mean():
    def lose(queries, scores):
        scores[0, 0] = np.nan
        return scores

    scores = score(ToyBackend(meddle=lose), [(mixed(), each) for each in INPUTS])
    assert np.isnan(scores).tolist() == [[True, False], [False, False]]
