import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizers import paraphrase
from optimizers.phrases import find_words


def test_the_request_shows_both_and_fills_nothing_in():
    asked = paraphrase.request("Name {phrase} of {0}.", "{phrase}")
    assert "Instruction: Name {phrase} of {0}.\n" in asked
    assert "Phrase: {phrase}\n" in asked


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ("its tone", "its tone"),
        ("  its\u00a0 tone \n", "its tone"),
        ('"its tone"', "its tone"),
        ('"its tone."', "its tone"),
        ('"its tone".', "its tone"),
        ("“‘its tone’”", "its tone"),
        ("\n---\nits tone\nor: its mood", "its tone"),
        ("don't", "don't"),
        ("(its) tone", "(its) tone"),
        ("", ""),
        ("...", ""),
        ('""', ""),
        ("tone\x00", ""),
        ("tone \ud83d", ""),
        ("long " * 20, ""),
    ],
)
def test_an_answer_is_data(answer, wanted):
    assert paraphrase.read(answer, "the mood") == wanted


def test_marks_that_the_phrase_has_stay():
    assert paraphrase.read('"A tone."', '"The mood."') == '"A tone."'
    assert paraphrase.read("Name a tone.", "Say the mood.") == "Name a tone."


def test_a_long_phrase_may_have_a_long_wording():
    assert paraphrase.read("w" * 160, "p" * 40) == "w" * 160
    assert paraphrase.read("w" * 161, "p" * 40) == ""


@given(st.text(), st.text(min_size=1).filter(find_words))
def test_whatever_comes_back_fits_or_is_empty(answer, phrase):
    wording = paraphrase.read(answer, phrase)
    assert wording == "" or find_words(wording)
    assert len(wording.splitlines()) <= 1
    assert len(wording) <= 3 * len(phrase) + 40
    wording.encode()
