from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizers.drafts import LONGEST, Draft, Drafting
from optimizers.phrases import find_words
from tests.optimizers.instructions import LEVELS, SAMPLES, TEXTS

EDITS = ("delete", "swap", "add", "paraphrase")
PARENT = "one two three four"


def stream(seed):
    return np.random.default_rng(seed)


def draws(edits, pool=(), n=200, parent=PARENT, n_edits=1, wording=""):
    drafting = Drafting("word", edits, n_edits)
    return [drafting.draft(parent, pool, stream(seed), wording) for seed in range(n)]


def kind(draft):
    if draft.deleted or draft.added:
        return "delete" if draft.deleted else "add"
    return "swap" if sorted(draft.text.split()) == sorted(PARENT.split()) else "paraphrase"


def test_edits_are_drawn_alike():
    found = Counter(map(kind, draws(EDITS, pool=("five",), n=800, wording="NEW")))
    assert set(found) == set(EDITS)
    assert all(150 < n < 250 for n in found.values())


def test_without_a_wording_the_others_take_its_place():
    found = Counter(map(kind, draws(EDITS, pool=("five",), n=600)))
    assert set(found) == {"delete", "swap", "add"}
    assert all(150 < n < 250 for n in found.values())


def test_add_wants_a_pool():
    assert {kind(draft) for draft in draws(EDITS)} == {"delete", "swap"}
    assert draws(["add"]) == [Draft(PARENT)] * 200


def test_a_draft_says_what_it_took_and_gave():
    for draft in draws(["delete", "add"], pool=("five",)):
        words = Counter(PARENT.split())
        words.subtract(draft.deleted)
        words.update(draft.added)
        assert +words == Counter(draft.text.split())
        assert len(draft.deleted) + len(draft.added) == 1


def test_every_place_is_reached():
    assert {draft.text for draft in draws(["delete"])} == {
        *("two three four", "one three four", "one two four", "one two three")
    }
    assert len({draft.text for draft in draws(["swap"])}) == 6
    assert len({draft.text for draft in draws(["add"], pool=("five",))}) == 5


def test_edits_in_a_row():
    drafts = draws(["delete"], n_edits=2)
    assert {len(draft.text.split()) for draft in drafts} == {2}
    assert {len(draft.deleted) for draft in drafts} == {2}
    added = draws(["add"], pool=("five", "six"), n_edits=5)
    assert {tuple(sorted(draft.added)) for draft in added} == {("five", "six")}, "each once"


def test_a_wish_names_the_phrase_that_is_reworded():
    drafting = Drafting("span", EDITS, 1)
    for seed in range(50):
        wish = drafting.wish(PARENT, (), stream(seed))
        draft = drafting.draft(PARENT, (), stream(seed), "NEW")
        assert ("NEW" in draft.text) == (wish is not None)
        if wish:
            text, position = wish
            assert text.text.replace(text.phrases[position], "NEW", 1) == draft.text
    assert Drafting("span", ("delete", "swap"), 1).wish(PARENT, (), stream(0)) is None


def test_one_word_can_only_grow_or_be_reworded():
    assert draws(["delete", "swap"], parent="one") == [Draft("one")] * 200
    assert {draft.text for draft in draws(EDITS, ("five",), parent="one")} == {
        *("one five", "five one")
    }
    assert {draft.text for draft in draws(EDITS, parent="one", wording="NEW")} == {"NEW"}


def test_what_grows_too_long_is_no_draft():
    pool, parent = ("long" * 990,), "one two three four five six seven eight nine ten"
    assert draws(["add"], pool, n=3, parent=parent) == [None] * 3
    assert len(pool[0]) + len(parent) > LONGEST
    longer = "word " * 1000
    assert all(draws(["swap"], n=3, parent=longer)), "one that is long already may stay so"


@given(TEXTS, st.sampled_from(LEVELS), st.integers(1, 4), st.integers(0, 99))
def test_no_draft_is_empty_or_half_a_letter(parent, level, n_edits, seed):
    draft = Drafting(level, EDITS, n_edits).draft(parent, ("add me",), stream(seed), "new words")
    if draft is not None:
        assert find_words(draft.text) or draft.text == parent
        draft.text.encode()
        assert draft == Drafting(level, EDITS, n_edits).draft(
            parent, ("add me",), stream(seed), "new words"
        )


@pytest.mark.parametrize("parent", SAMPLES[:6])
@pytest.mark.parametrize(("level", "n_texts"), [("phrase", 3), ("word", 8), ("span", 6)])
def test_texts_of_all_kinds_are_edited(parent, level, n_texts):
    drafting = Drafting(level, ("delete", "swap"), 1)
    found = {drafting.draft(parent, (), stream(seed)).text for seed in range(30)}
    assert len(found - {parent}) >= n_texts
