"""Whole words of a vocabulary, the likeliest of them, and how the encoder ranks."""

import numpy as np
import pytest
from scipy.special import log_softmax

from backends.base import Query
from backends.words import likeliest, whole_words


def test_words_that_are_one_token():
    pieces = {"[CLS]": 0, "##ing": 1, "film": 3, "2": 2, "!": 4, "<s>": 5, "it's": 6}
    assert whole_words(pieces) == {"2": 2, "film": 3, "it's": 6}
    assert list(whole_words(pieces)) == ["2", "film", "it's"], "in the vocabulary's order"
    assert whole_words({"Ġgood": 1, "ing": 2, "Ġ!": 3}) == {"good": 1}
    assert whole_words({"▁good": 1, "ing": 2}) == {"good": 1}


def test_the_likeliest_and_their_share_of_all():
    scores = np.array([[1.0, 3.0, 2.0], [0.0, 0.0, -700.0]])
    first, second = likeliest(scores, ["a", "b", "c"], 2)
    logs = log_softmax(scores, axis=1)
    assert list(first) == ["b", "c"]
    assert first == pytest.approx({"b": logs[0, 1], "c": logs[0, 2]})
    assert list(second) == ["a", "b"], "equal ones in the vocabulary's order"
    assert len(likeliest(scores, ["a", "b", "c"], 9)[0]) == 3
    assert likeliest(np.empty((0, 3)), ["a", "b", "c"], 2) == []


def test_a_rank_is_a_log_softmax_of_the_scores(tiny):
    queries = [Query("good film"), Query("a very bad", " plain film")]
    words = ["good", "bad", "film", "a", "very", "plain"]  # not "!", a special token or a piece
    expected = log_softmax(tiny.score(queries, words), axis=1)
    for answer, row in zip(tiny.rank(queries, 99), expected, strict=True):
        assert answer == pytest.approx(dict(zip(words, row, strict=True)), abs=1e-4)
        assert list(answer.values()) == sorted(answer.values(), reverse=True)
    assert [len(answer) for answer in tiny.rank(queries, 4)] == [4, 4]
    assert tiny.rank([], 4) == []


def test_slices_do_not_show(tiny, monkeypatch):
    queries = [Query("good " * n) for n in range(1, 8)]
    whole = tiny.rank(queries, 3)
    monkeypatch.setattr("backends.encoder._RANKED_TOGETHER", 3)
    assert tiny.rank(queries, 3) == [pytest.approx(answer, abs=1e-4) for answer in whole]
