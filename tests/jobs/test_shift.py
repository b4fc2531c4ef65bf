"""Shift: one vector for all tokens of many layers, in units of what these read."""

from dataclasses import replace

import numpy as np
import pytest

from backends.base import BackendRefused
from backends.registry import Capability
from jobs import checkpoint
from jobs.meter import BudgetSpent, Meter
from jobs.methods.measured import MEASURED
from jobs.methods.shift import ShiftMethod
from jobs.shift import SharedShift
from optimizers.ops import OPSState
from tests.jobs.deep import DeepToy, problem

SMALL = {"n_prompt_tokens": 2, "batch_size": 4, "queries_per_example": 5, "initial_text": ""}


def search(toy, budget=10**6, n=4, **settings):
    meter = Meter(toy, budget)
    return ShiftMethod(**(SMALL | settings)).search(problem(toy, n), meter), meter


def test_every_token_of_a_layer_is_moved_alike_and_in_units_of_its_own():
    start = np.arange(8, dtype=np.float32).reshape(2, 4)
    v = np.array([1.0, -2.0, 0.0, 4.0])
    found = SharedShift(start, (2.0, 3.0)).decode(v).vectors
    assert found.shape == (3, 2, 4) and found.dtype == np.float32
    assert (found[0] == start).all()
    for row, scale in zip(found[1:], (2.0, 3.0), strict=True):
        assert row == pytest.approx(np.tile(scale * v / 2, (2, 1)))  # 2 = sqrt(2 tokens * 2 layers)


def test_a_step_is_as_long_in_a_prompt_of_any_size():
    v = np.array([3.0, 4.0])
    for n_tokens, n_layers in ((1, 1), (5, 3)):
        space = SharedShift(np.zeros((n_tokens, 2), np.float32), (1.0,) * n_layers)
        assert np.linalg.norm(space.decode(v).vectors) == pytest.approx(5.0)


@pytest.mark.parametrize(("asked", "scales"), [(None, (2.0,)), (1, (2.0,)), (2, (2.0, 3.0))])
def test_the_layers_that_are_moved(asked, scales):
    plan = ShiftMethod(**SMALL, n_layers=asked).plan(problem())
    assert plan.space.scales == pytest.approx(scales)


def test_more_layers_than_there_are():
    with pytest.raises(BackendRefused, match="wanted a number from 1 to 2"):
        ShiftMethod(**SMALL, n_layers=3).plan(problem())


def test_what_it_needs():
    deep = {Capability.SOFT_PROMPTS, Capability.DEEP_PROMPTS}
    assert ShiftMethod().requires() == deep | {Capability.HIDDEN_STATES}


def test_words_are_repeated_or_cut():
    toy = DeepToy()
    for n_tokens in (1, 3):
        settings = SMALL | {"initial_text": "a bcd", "n_prompt_tokens": n_tokens}
        start = ShiftMethod(**settings).plan(problem(toy)).space.start
        assert (start == toy.embed("a bcd")[np.arange(n_tokens) % 2]).all()


def test_what_it_costs():
    toy = DeepToy()
    made, meter = search(toy, n=20)
    method = ShiftMethod(**SMALL)
    assert meter.spent == MEASURED == 32  # of 40 train rows
    made.advance(made.start())
    assert meter.spent - MEASURED == toy.asked == method.generation_queries(40, 6) == 4 * 5 + 6
    assert method.least_queries(40, 6) == MEASURED + 26


def test_the_measured_rows_must_be_afforded():
    with pytest.raises(BudgetSpent):
        search(DeepToy(), budget=7)


def test_the_steps_fall_to_nothing_over_the_budget():
    made, _ = search(DeepToy(), budget=8 + 26 * 10)
    assert made.optimizer.horizon == 10
    points = [generation.state.point for generation in made.run(made.start())]
    assert len(points) == 10
    steps = np.abs(np.diff([np.zeros(4), *points], axis=0)).max(axis=1)
    assert steps[0] == pytest.approx(0.3, rel=0.05)  # Adam's first step is the rate itself
    assert steps[-1] < 0.02


def test_it_learns():
    made, _ = search(DeepToy(), budget=4000)
    first, *_, last = made.run(made.start())
    assert last.incumbent.dev_loss < first.incumbent.dev_loss - 0.1


def test_resuming_equals_never_having_stopped():
    toy = DeepToy()
    made, _ = search(toy, budget=1000)
    third = made.advance(made.advance(made.advance(made.start())))
    again, _ = search(toy, budget=1000)
    state = checkpoint.loads(OPSState, checkpoint.dumps(third.state))
    on, anew = made.advance(third), again.advance(replace(third, state=state))
    assert on.state.point.tobytes() == anew.state.point.tobytes()
    assert on.champion == anew.champion
