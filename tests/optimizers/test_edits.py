import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from optimizers.edits import add, delete, substitute, swap
from optimizers.phrases import Cut, find_words
from tests.optimizers.instructions import CUTS

POSITIONS = st.integers(0, 10**6)
THE = Cut(("the", "cat", "the", "theme"), ("", " ", " ", " ", "."))


@given(CUTS, POSITIONS)
def test_delete_takes_out_exactly_one_phrase(text, position):
    n = len(text.phrases)
    assume(n > 1)
    left = delete(text, position % n)
    assert left.phrases == text.phrases[: position % n] + text.phrases[position % n + 1 :]
    assert find_words(left.text), "never an empty instruction"
    assert [find_words(gap) for gap in left.gaps] == [[]] * n


@given(CUTS, POSITIONS)
def test_delete_leaves_no_stray_spaces(text, position):
    n = len(text.phrases)
    assume(n > 1)
    left = delete(text, position % n).text
    for stray in ("  ", " ,", "\n ,", ",,", "()"):
        assert left.count(stray) <= text.text.count(stray)
    assert len(left) < len(text.text)


@pytest.mark.parametrize("text", [Cut(("one",), ("", ".")), Cut((), ("",))])
def test_the_only_phrase_stays(text):
    with pytest.raises(ValueError, match=f"a text of {len(text.phrases)} phrases"):
        delete(text, 0)


@given(CUTS, POSITIONS, POSITIONS)
def test_swap_is_a_permutation(text, one, other):
    n = len(text.phrases)
    assume(n > 0)
    one, other = one % n, other % n
    swapped = swap(text, one, other)
    assert sorted(swapped.phrases) == sorted(text.phrases)
    assert (swapped.phrases[one], swapped.phrases[other]) == (
        text.phrases[other],
        text.phrases[one],
    )
    assert swapped.gaps == text.gaps
    assert swap(swapped, one, other) == text


@given(CUTS, POSITIONS)
def test_add_puts_one_phrase_in(text, position):
    n = len(text.phrases)
    assume(n > 0)
    position %= n + 1
    added = add(text, position, "new words")
    assert added.phrases == (*text.phrases[:position], "new words", *text.phrases[position:])
    assert len(added.text) == len(text.text) + len("new words") + 1
    assert "new words" in added.text


def test_where_a_phrase_is_added():
    text = Cut(("Read", "the text"), ("- ", ", ", "."))
    assert [add(text, i, "well").text for i in range(3)] == [
        "- well Read, the text.",
        "- Read well, the text.",
        "- Read, the text well.",
    ]


@given(CUTS, POSITIONS)
def test_substitute_changes_one_phrase(text, position):
    n = len(text.phrases)
    assume(n > 0)
    position %= n
    changed = substitute(text, position, "new")
    assert changed.gaps == text.gaps
    assert changed.phrases[:position] == text.phrases[:position]
    assert changed.phrases[position:] == ("new", *text.phrases[position + 1 :])


def test_an_edit_touches_one_occurrence():
    assert delete(THE, 2).text == "the cat theme."
    assert substitute(THE, 0, "a").text == "a cat the theme."
    assert swap(THE, 1, 2).text == "the the cat theme."


def test_the_first_letter_is_left_as_it_is():
    assert swap(Cut(("Read", "the text"), ("", " ", ".")), 0, 1).text == "the text Read."
