"""Candidates for prompts: what counts as a word and a phrase, and what fills a short list."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.ngrams import Candidates, Wanted, candidates

LABELS = ["Order status", "Refund"]


def words(*texts, size=50, **wanted):
    return candidates(texts, LABELS, Wanted(size, **({"min_count": 1} | wanted))).words


def test_words_that_always_meet_are_a_phrase():
    texts = ["we love new york"] * 5 + ["we see rome", "they love rome", "they see new york"] * 5
    found = candidates(texts, LABELS, Wanted(6, min_count=5, min_pmi=2.0))
    assert found == Candidates(("we", "love", "new york", "see", "rome", "they"), 5)


@pytest.mark.parametrize(("min_pmi", "whole"), [(1.0, True), (1.7, False)])
def test_the_threshold_is_pmi_in_nats(min_pmi, whole):
    # 8 words, 4 pairs: PMI(a, b) = ln((2 / 4) / (2 / 8 * 3 / 8)) = ln 5.33 = 1.674
    texts = ["a b", "a b", "c d", "b c"]
    assert math.log((2 / 4) / (2 / 8 * 3 / 8)) == pytest.approx(1.674, abs=5e-4)
    assert ("a b" in words(*texts, min_pmi=min_pmi, size=1)) == whole


def test_a_rare_neighbor_does_not_hide_a_phrase():
    texts = ["new york", "new york", "new york rarely"]
    assert candidates(texts, LABELS, Wanted(1, min_count=3, min_pmi=0.0)).words == ("new york",)


def test_long_runs_are_cut():
    assert words("a b c d e f g", min_pmi=-9, max_n=3, size=3) == ("a b c", "d e f", "g")
    assert words("a b c", min_pmi=-9, max_n=1, size=9)[:3] == ("a", "b", "c")


def test_punctuation_and_lines_end_a_phrase():
    found = words("so good, really! (film) 👍🏽 yes\nno", min_pmi=-9, size=6)
    assert found == ("so good", "really", "film", "yes", "no", "so")
    assert words("don't e-mail -me- 'now'", min_pmi=-9, size=3) == ("don't e-mail", "me", "now")


def test_frequency_decides_and_ties_keep_their_order():
    texts = ["b", "a", "c", "c"]
    assert words(*texts, size=3) == ("c", "b", "a")
    assert words(*texts, size=1) == ("c",)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (1, Candidates(("a",), 3)),
        (2, Candidates(("a", "b c"), 2)),
        (3, Candidates(("a", "b c", "x y"), 1)),
        (5, Candidates(("a", "b c", "x y", "b", "c"), 0)),
        (9, Candidates(("a", "b c", "x y", "b", "c", "x", "y", "order", "status"), 0)),
        (50, Candidates(("a", "b c", "x y", "b", "c", "x", "y", "order", "status", "refund"), 0)),
    ],
)
def test_thresholds_give_way_in_order(size, expected):
    texts = ["a", "a", "a", "b c", "b c", "x y"]
    assert candidates(texts, LABELS, Wanted(size, min_count=3, min_pmi=0.0)) == expected


def test_scripts_without_spaces():
    assert words("今天天气很好，我们去公园。", min_pmi=-9, max_n=9, size=2) == (
        "今天天气很好",
        "我们去公园",
    )
    assert words("天气 weather 天气", min_pmi=-9, max_n=9, size=1) == ("天气 weather 天气",)
    assert words("ที่นี่", min_pmi=-9, size=3) == ("ที่นี่", "ที่", "นี่")


def test_marks_belong_to_their_letters():
    assert words("مَرحبا हिन्दी", size=2, min_pmi=9) == ("مَرحبا", "हिन्दी")
    assert words("CAFE\u0301", "café", size=1, min_count=2) == ("café",)


def test_texts_without_words():
    assert candidates(["👍", "?!"], LABELS, Wanted(9)).words == ("order", "status", "refund")
    assert candidates([], ["👍", "👎"], Wanted(9)) == Candidates(("👍", "👎"), 0)
    with pytest.raises(ValueError, match="no word to build a prompt of"):
        candidates(["👍", "?!"], [], Wanted(9))


@given(st.lists(st.text(), max_size=8), st.integers(1, 30), st.integers(1, 6))
def test_any_text_gives_different_candidates(texts, size, min_count):
    found = candidates(texts, LABELS, Wanted(size, min_count=min_count))
    assert 1 <= len(found.words) <= size
    assert len(set(found.words)) == len(found.words)
    assert all(word == " ".join(word.split()) and word for word in found.words)
