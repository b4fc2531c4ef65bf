"""What a text and a label become: cutting, spaces, special tokens, and labels told apart."""

import numpy as np
import pytest

from backends.base import BackendRefused, Query
from backends.local.inputs import fit
from backends.local.spelling import by_context, by_length
from tests.backends.local import tiny

ALL = [*tiny.MASKED, *tiny.CAUSAL, *tiny.SEQ2SEQ]


def asked(family, before, after=" ."):
    return Query(before, "" if family in tiny.CAUSAL else after)


def test_the_middle_of_the_longer_text_is_left_out():
    long, short = tuple(range(10)), (91, 92)
    assert fit(long, short, 12) == (long, short)
    assert fit(long, short, 7) == ((0, 1, 7, 8, 9), short)
    assert fit(short, long, 7) == (short, (0, 1, 7, 8, 9))
    assert fit(long, long, 7) == ((0, 1, 8, 9), (0, 8, 9))
    assert fit(long, (), 3) == ((0, 8, 9), ())
    assert fit((), (), 1) == ((), ())
    with pytest.raises(BackendRefused, match="leaves 0 tokens"):
        fit((), (), 0)


@pytest.mark.parametrize("room", range(1, 25))
@pytest.mark.parametrize("sizes", [(0, 9), (9, 0), (5, 9), (9, 5), (12, 12)])
def test_all_the_room_is_used(room, sizes):
    before, after = (tuple(range(size)) for size in sizes)
    assert sum(map(len, fit(before, after, room))) == min(room, sum(sizes))


@pytest.mark.parametrize("family", ALL)
def test_a_long_text_loses_neither_its_ends_nor_the_gap_nor_the_prompt(opened, family):
    soft = np.random.default_rng(0).normal(size=(2, 6, tiny.WIDTH)).astype(np.float32)
    ends = [("is it good ?", "it was"), ("is it good ?", "it is"), ("was it bad ?", "it was")]

    def told(n, softs):
        texts = [f"{first}{' film' * n} {last}" for first, last in ends]
        behind = " , said" + " story" * (n // 2) + " things ."
        queries = [
            Query(text, "" if family in tiny.CAUSAL else behind, prompt)
            for text in texts
            for prompt in softs
        ]
        return opened(family).score(queries, ["great", "not good"])

    long = told(200, [soft, -soft, None])
    assert np.isfinite(long).all()
    assert len(np.unique(long.round(5), axis=0)) == 9  # everything at the ends is read
    assert told(300, [soft]) == pytest.approx(told(400, [soft]), abs=1e-5)


@pytest.mark.parametrize("family", ALL)
def test_a_long_text_is_the_same_for_every_label(opened, family):
    query = asked(family, "good " * 300 + "it was")
    labels = ["great", "not good", "not so very good"]
    together = opened(family).score([query], labels)
    apart = np.hstack([opened(family).score([query], [label]) for label in labels])
    assert together == pytest.approx(apart, abs=1e-4)


@pytest.mark.parametrize("family", ALL)
def test_a_space_before_the_gap_is_the_labels(opened, family):
    one, two = opened(family).score(
        [asked(family, "the film was"), asked(family, "the film was ")], ["great", "bad"]
    )
    assert one == pytest.approx(two, abs=1e-6)


def test_a_label_is_cut_as_it_stands_in_the_text(opened):
    words = opened("gpt2")._words
    (spaced,), (close,) = words.labels("it was", ["great"]), words.labels("it (", ["great"])
    assert words.text(spaced) == words.text(close) == "great"
    assert spaced != close
    assert words.labels("it was", ["good"]) == words.labels("it was ", ["good"])
    pieces = opened("albert")._words
    assert pieces.labels("it was", ["great"]) == pieces.labels("", ["great"])
    assert len(pieces.labels("(", ["great"])[0]) == 5, "no piece of its own without a space"


@pytest.mark.parametrize("family", ["bert", "roberta", "t5", "bart", "llama"])
def test_spelled_special_tokens_are_text(opened, family):
    words = opened(family)._words
    names = ("[MASK]", "[SEP]", "<mask>", "</s>", "<s>", "<extra_id_0>")
    special = {words.number(name) for name in names} - {None}
    assert special
    for spelled in ("[MASK] [SEP]", "<mask> </s>", "<s>", "<extra_id_0>"):
        assert not special & set(words.ids(f"it was {spelled} good"))
    queries = [
        asked(family, f"{spelled} it was") for spelled in ("[MASK]", "<mask>", "<extra_id_0>")
    ]
    assert np.isfinite(opened(family).score(queries, ["good", "bad"])).all()


def test_labels_it_cannot_write_or_tell_apart_are_refused(opened):
    query = Query("it was")
    for labels, message in [
        (["good", "東京"], "'東京' has no tokens"),
        (["good", ""], "'' has no tokens"),
        (["Good", "good"], "'Good' and 'good' are the same tokens"),
        (["good", "good " * 13], "is 13 tokens: at most 12"),
    ]:
        with pytest.raises(BackendRefused, match=message):
            opened("bert").score([query], labels)
    assert opened("bert").score([query], ["good", "good"]).shape == (1, 2), "the same twice is fine"


def test_labels_share_lines():
    labels = ((1,), (2, 3), (2, 4), (2, 4, 5), (6, 7))
    lines, spelling = by_context(labels)
    assert lines == ((2, 4), (6,))
    assert spelling.owners == (0, 0, 0, 0, 1)
    assert spelling.pairs(1) == ((0, 6), (1, 7))
    assert len(spelling.pairs(0)) == 1 + 2 + 2 + 3
    ones = [np.arange(8.0), np.array([10.0, 20.0])]
    assert spelling.totals(ones) == [0, 1 + 2, 3 + 4, 5 + 6 + 7, 30]
    assert by_context(((1,), (2,)))[0] == ((),)
    lengths, spelling = by_length(((1,), (2, 3), (4,)))
    assert (lengths, spelling.owners) == ((1, 2), (0, 1, 0))


@pytest.mark.parametrize("family", tiny.CAUSAL)
def test_no_text_at_all_is_read_as_after_another_texts_end(opened, family):
    scores = opened(family).score([Query(""), Query("it was")], ["good", "bad"])
    assert np.isfinite(scores).all()
