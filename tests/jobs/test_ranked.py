"""Which words of a ranking are kept, and what is known of them."""

import numpy as np
import pytest

from jobs import checkpoint
from jobs.ranked import Ranked, ranked

TOLD = [
    {"blue": -0.5, "the": -1.0, "navy": -3.0},
    {"red": -0.25, "the": -1.0, " ": -0.1, "rose": -4.0},
    {"the": -0.5, "red": -1.0, "sea": -1.5, "navy": -6.0},  # a dev row
    {},  # a failed one
]
TARGETS = np.array([0, 1])


def test_words_that_tell_the_labels_apart_are_kept():
    found = ranked(TOLD, TARGETS, ["b", "r"], size=2)
    assert set(found.words) == {"blue", "red"}
    assert found.logs.dtype == np.float16
    table = found.table(["red", "blue", "unheard"])
    never = -np.inf
    assert table.tolist() == [
        [never, -0.5, never],
        [-0.25, never, never],
        [-1.0, never, never],
        [never, never, never],
    ]


def test_each_label_has_an_equal_part_and_the_own_words_come_on_top():
    assert set(ranked(TOLD, TARGETS, ["b", "r"], size=4).words) >= {"blue", "navy", "red", "rose"}
    found = ranked(TOLD, TARGETS, ["rose", "unheard"], size=2)
    assert set(found.words) == {"blue", "red", "rose"}
    everything = ranked(TOLD, TARGETS, ["b", "r"], size=100).words
    assert set(everything) == {"blue", "the", "navy", "red", "rose"}, "no space, no dev words"


@pytest.mark.parametrize("told", [[{}] * 3, [{" ": -1.0}, {"\n": 0.0}, {"dev": -1.0}]])
def test_nothing_told(told):
    found = ranked(told, TARGETS, ["b", "r"], size=4)
    assert (found.words, found.logs.shape) == ((), (3, 0))
    assert np.isneginf(found.table(["b", "r"])).all()
    again = checkpoint.loads(Ranked, checkpoint.dumps(found))
    assert again.logs.shape == (3, 0)


def test_a_word_of_many_rows_is_known_in_each():
    random = np.random.default_rng(0)
    words = [f"w{i}" for i in range(40)]
    told = [
        {words[i]: -float(random.random()) for i in random.permutation(40)[:25]} for _ in range(30)
    ]
    found = ranked(told, np.arange(20) % 4, list("abcd"), size=1000)
    table = found.table(words)
    for row, answer in zip(table, told, strict=True):
        expected = [np.float16(answer.get(word, -np.inf)) for word in words]
        assert row.tolist() == expected
