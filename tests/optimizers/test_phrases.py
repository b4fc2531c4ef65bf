import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizers.phrases import LONGEST, cut, find_words
from tests.optimizers.instructions import CUTS, LEVELS, SAMPLES, TEXTS

REVIEW = SAMPLES[0]
LIST = SAMPLES[1]


def pieces(text, level, seed=0):
    return list(cut(text, level, np.random.default_rng(seed)).phrases)


@given(TEXTS, st.sampled_from(LEVELS), st.integers(0, 99))
def test_put_together_again_it_is_the_text(text, level, seed):
    assert cut(text, level, np.random.default_rng(seed)).text == text


@given(CUTS)
def test_a_phrase_has_a_word_and_no_space_around_it(text):
    assert len(text.gaps) == len(text.phrases) + 1
    for phrase in text.phrases:
        assert phrase == phrase.strip() != ""
        assert find_words(phrase)


@given(TEXTS, st.sampled_from(LEVELS))
def test_no_word_is_in_a_gap(text, level):
    whole = cut(text, level, np.random.default_rng(0))
    assert [find_words(gap) for gap in whole.gaps] == [[]] * len(whole.gaps)
    assert (whole.phrases == ()) == (find_words(text) == [])


def test_phrases_begin_at_function_words_and_end_at_marks():
    assert pieces(REVIEW, "phrase") == [
        "Classify",
        "the sentiment",
        "of the movie review",
        "as positive",
        "or negative",
    ]
    assert pieces(LIST, "phrase") == [
        *("Task", "do x", "if", "and only if", "y", "is given"),
        *("else", "rarely", 'say "no"'),
    ]


def test_a_phrase_is_not_too_long():
    assert [len(phrase.split()) for phrase in pieces("word " * 20, "phrase")] == [6, 6, 6, 2]
    assert LONGEST == 6


def test_words_leave_their_punctuation_behind():
    assert pieces(LIST, "word")[:7] == ["Task", "do", "x", "if", "and", "only", "if"]
    code = 'Call print("x") or {label}, e.g. don\'t 50%, "so" - 😀!'
    assert pieces(code, "word") == [
        *("Call", 'print("x")', "or", "label", "e.g", "don't", "50%", "so", "😀")
    ]


def test_sentences_keep_their_punctuation():
    assert pieces(LIST, "sentence") == [
        "Task:",
        "- do x, if (and only if) y is given;",
        '- else (rarely) say "no".',
    ]
    assert pieces('He said "yes!" Then, e.g. no. 3.5 is one...  Two? ...', "sentence") == [
        *('He said "yes!"', "Then, e.g. no.", "3.5 is one...", "Two?")
    ]
    assert pieces("読む。選ぶ！はい", "sentence") == ["読む。", "選ぶ！", "はい"]


def test_spans_are_two_to_four_runs_of_a_sentence():
    found = {tuple(pieces("A b c d e f g h. I j k l.", "span", seed)) for seed in range(40)}
    assert ("A b c d", "e f g h", "I j", "k l") in found
    assert ("A b", "c d", "e f", "g h", "I", "j", "k", "l") in found
    assert {len(spans) for spans in found} == {4, 5, 6, 7, 8}
    assert all(" ".join(spans) == "A b c d e f g h I j k l" for spans in found)


@pytest.mark.parametrize("level", LEVELS)
def test_one_piece_is_cut_finer(level):
    assert pieces("movie review:", level) == ["movie", "review"]
    assert pieces("one", level) == ["one"]
    assert pieces("Classify the mood.", "sentence") == ["Classify", "the mood"]


@pytest.mark.parametrize("text", ["", " \n", "...", "(-) — *", "\u200b\u200d"])
@pytest.mark.parametrize("level", LEVELS)
def test_a_text_without_words_has_no_phrases(text, level):
    assert cut(text, level, np.random.default_rng(0)).phrases == ()
