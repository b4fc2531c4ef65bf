"""The best learner of a template: which words it may have, and what it answers."""

from dataclasses import replace

import numpy as np

from jobs.learners import Learner, Lesson, answers, best_learner
from jobs.ranked import Ranked

NEVER = -np.inf
TARGETS = np.array([0, 0, 1, 1])
EVEN = np.full(4, 0.25)
LESSON = Lesson(TARGETS, ("yes", "no"), words_per_label=3, n_verbalizers=100)
RANKED = Ranked(
    ("good", "bad", "yes", "no"),
    np.array(
        [
            [-1.0, -2.0, -5.0, -6.0],
            [-2.0, -1.0, -5.0, -6.0],
            [-2.0, -1.0, -6.0, -5.0],
            [-2.0, -1.0, -6.0, -5.0],
            [-1.0, -2.0, NEVER, NEVER],
        ],
        np.float16,
    ),
)


def find(ranked=RANKED, lesson=LESSON, weights=EVEN):
    return best_learner([ranked], 0, lesson, weights, np.random.default_rng(0))


def test_the_verbalizer_of_the_least_error():
    assert find() == Learner(0, ("yes", "no"), 0.0)
    two = Ranked(("good", "bad"), RANKED.logs[:, :2])
    assert find(two) == Learner(0, ("good", "bad"), 0.25)
    assert find(two, weights=np.array([0.1, 0.7, 0.1, 0.1])).words == ("bad", "good")


def test_the_jobs_own_words_are_tried_though_they_are_on_no_shortlist():
    narrow = replace(LESSON, words_per_label=1)
    assert find(lesson=narrow).words == ("yes", "no")
    assert find(lesson=replace(narrow, words=("a", "b"))).words == ("good", "bad")


def test_without_a_word_the_jobs_own_remain():
    nothing = Ranked((), np.empty((5, 0), np.float16))
    learner = find(nothing)
    assert learner == Learner(0, ("yes", "no"), 1.0)
    assert answers([nothing], [learner]).tolist() == [[-1] * 5]


def test_answers_of_each_learner_on_every_row():
    learners = [Learner(0, ("good", "bad"), 0.0), Learner(0, ("no", "yes"), 0.0)]
    assert answers([RANKED], learners).tolist() == [[0, 1, 1, 1, 0], [1, 1, 0, 0, -1]]
