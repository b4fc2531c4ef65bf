import numpy as np
import pytest

from jobs.methods import BBT, Problem
from jobs.spaces import normal_scale, uniform_scale
from jobs.task import Split, Task
from tests.toy import ToyBackend

PROBLEM = Problem(ToyBackend(), Task("{prompt} {text}", {}), Split((), (), ()), "", seed=3)
SMALL = {"intrinsic_dim": 6, "n_prompt_tokens": 5, "population_size": 4}


def plan(**settings):
    return BBT(**(SMALL | settings)).plan(PROBLEM)


def test_what_a_generation_costs():
    assert BBT(**SMALL).generation_queries(n_train=10, n_dev=7) == 4 * 10 + 7
    assert len(plan().optimizer.ask(plan().optimizer.init(0))) == 4


@pytest.mark.parametrize(
    ("settings", "scale"),
    [
        ({}, normal_scale(0.5, 6, 1.0, 1.0)),
        ({"sigma0": 0.5, "alpha": 2.0}, normal_scale(0.5, 6, 0.5, 2.0)),
        ({"projection": "uniform"}, uniform_scale(6)),
    ],
)
def test_the_projection_fits_the_model(settings, scale):
    space = plan(**settings).space
    assert (space.scale, space.dim, space.seed) == (scale, 6, 3)
    assert space.decode(np.zeros(6)).vectors.shape == (1, 5, 4)


@pytest.mark.parametrize("text", ["", "  "])
def test_without_words_it_starts_from_zeros(text):
    assert not plan(initial_text=text).space.decode(np.zeros(6)).vectors.any()


@pytest.mark.parametrize(
    ("text", "words"),
    [("a bcd ef", [0, 1, 2, 0, 1]), ("a b c d e f g", [0, 1, 2, 3, 4]), ("one", [0] * 5)],
)
def test_words_are_repeated_or_cut(text, words):
    start = plan(initial_text=text).space.decode(np.zeros(6)).vectors[0]
    np.testing.assert_array_equal(start, ToyBackend().embed(text)[words])


def test_settings_reach_the_optimizer():
    def first(**settings):
        optimizer = plan(**settings).optimizer
        return np.array([t.candidate for t in optimizer.ask(optimizer.init(0))])

    np.testing.assert_allclose(first(sigma0=3.0), 3 * first())
    assert np.abs(first(bound=1.0, sigma0=0.6)).max() <= 1.0
    assert plan(loss="hinge").loss == "hinge"
