"""Label words that are found: those of the fewest errors, as often as they deserve."""

import numpy as np
import pytest

from backends.base import Query
from jobs.meter import BudgetSpent, Meter
from jobs.prompts import SoftPrompt, TextPrompt
from jobs.verbalizers import TOLD, best_words, searched
from tests.jobs.deep import TASK, DeepToy, rows

OWN = ["blue", "red"]


def told(*answers):
    return [{word: float(log) for word, log in answer.items()} for answer in answers]


def test_the_best_words_by_hand():
    """Means of the two labels: navy -1, -9; sky -2, -6; rose -8, -3; wine -9, -8; it -3, -3."""
    rows = told(
        {"navy": -1, "sky": -1, "rose": -8, "wine": -9, "it": -4},
        {"navy": -1, "sky": -3, "rose": -8, "wine": -9, "it": -2},
        {"navy": -9, "sky": -6, "rose": -3, "wine": -8, "it": -3},
    )
    found = best_words(rows, [0, 0, 1], OWN, 3)
    assert found == (("blue", "navy", "sky"), ("red", "rose", "wine"))
    assert best_words(rows, [0, 0, 1], OWN, 2) == (("blue", "navy"), ("red", "rose"))
    assert best_words(rows, [0, 0, 1], OWN, 9)[0] == ("blue", "navy", "sky")


def test_labels_weigh_the_same_however_many_rows_they_have():
    """Were it the rows that weigh the same, ten of the third label would put sky before navy."""
    three = ["blue", "red", "green"]
    few = told({"navy": -2, "sky": -3}, {"navy": -6, "sky": -3.2}, {"navy": -2.5, "sky": -5})
    many = [*few, *few[2:] * 9]
    found = best_words(many, [0, 1, *[2] * 10], three, 2)
    assert found == best_words(few, [0, 1, 2], three, 2)
    assert found[0] == ("blue", "navy")


def test_a_word_that_is_not_told_counts_as_the_least_that_is():
    cut = told({"navy": -2, "sky": -3}, {"rose": -2, "sky": -6})
    assert best_words(cut, [0, 1], OWN, 2) == (("blue", "navy"), ("red", "rose"))
    whole = told({"navy": -2, "sky": -3, "rose": -3}, {"rose": -2, "sky": -6, "navy": -6})
    assert best_words(cut, [0, 1], OWN, 4) == best_words(whole, [0, 1], OWN, 4)


def test_own_words_and_white_space_are_not_found_again():
    rows = told({"blue": -1, "  ": -1, "navy": -4, "red": -9}, {"red": -1, "blue": -9, "navy": -5})
    assert best_words(rows, [0, 1], OWN, 5)[0] == ("blue", "navy")


def test_where_nothing_is_told_the_own_words_are_left():
    assert best_words(told({}, {}), [0, 1], OWN, 5) == (("blue",), ("red",))
    one = told({"navy": -1, "wine": -9}, {"navy": -9, "wine": -1}, {})
    assert best_words(one, [0, 1, 1], OWN, 2) == (("blue", "navy"), ("red", "wine"))
    assert best_words(one, [0, 0, 1], OWN, 2) == (("blue",), ("red",))


def test_a_label_without_rows_keeps_its_own_word():
    three = told({"navy": -1, "wine": -9}, {"navy": -9, "wine": -1})
    found = best_words(three, [0, 2], ["blue", "green", "red"], 2)
    assert found == (("blue", "navy"), ("green",), ("red", "wine"))


def test_of_three_labels_none_has_the_words_of_another():
    random = np.random.default_rng(0)
    words = [f"{color}{i}" for color in ("blue", "red", "green") for i in range(8)]
    labels = [i % 3 for i in range(30)]
    answers = [
        {w: 3.0 * w.startswith(("blue", "red", "green")[y]) - random.random() - 9 for w in words}
        for y in labels
    ]
    found = best_words(answers, labels, ["a", "b", "c"], 6)
    assert [{word.rstrip("01234567") for word in mine[1:]} for mine in found] == [
        {"blue"},
        {"red"},
        {"green"},
    ]
    assert [len(set(mine)) for mine in found] == [6, 6, 6]


def test_one_query_a_row_with_the_prompt_that_the_search_starts_from():
    toy, soft = DeepToy(), SoftPrompt(np.ones((1, 2, 4), np.float32))
    meter = Meter(toy, 8)
    found = searched(meter, TASK, rows("train", 4), soft, 2)
    assert meter.spent == len(toy.ranked) == 8
    assert all(query.soft is soft.vectors for query in toy.ranked)
    texts = [row.inputs["text"] for row in rows("train", 4)]
    assert sorted(query.before for query in toy.ranked) == sorted(texts)
    assert found[0] == ("blue", "navy")
    assert found[1] in [("red", "wine"), ("red", "rose")]
    with pytest.raises(BudgetSpent):
        searched(Meter(toy, 7), TASK, rows("train", 4), soft, 2)


def test_so_many_words_are_asked_for():
    asked = []

    class Asked(DeepToy):
        def rank(self, queries: list[Query], k: int):
            asked.append(k)
            return super().rank(queries, k)

    searched(Meter(Asked(), 8), TASK, rows("train", 4), TextPrompt("a"), 1)
    assert asked == [TOLD]
