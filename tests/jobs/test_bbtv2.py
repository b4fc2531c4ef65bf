"""BBTv2: a prompt at every layer, fitted to what the layers read, at the cost that it says."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from backends.registry import Capability
from jobs import checkpoint
from jobs.layers import clipped_statistics, deep_projection
from jobs.meter import BudgetSpent, Meter
from jobs.methods.bbtv2 import BBTv2
from jobs.methods.layerwise import MEASURED
from jobs.spaces import normal_scale, uniform_scale
from optimizers.layered import LayeredState
from tests.jobs.deep import DeepToy, problem, rows
from tests.toy import ToyBackend

SMALL = {"intrinsic_dim": 4, "n_prompt_tokens": 2, "population_size": 6, "sigma0": 0.5, "alpha": 1}


def search(toy, budget=10**6, **settings):
    meter = Meter(toy, budget)
    return BBTv2(**(SMALL | settings)).search(problem(toy), meter), meter


def test_clipped_statistics_are_those_of_the_released_code():
    values = np.append(np.linspace(-1, 1, 99), 50.0).reshape(10, 10)
    wanted = [(0.5, 5.008666), (0.15526, 1.650211), (0.051059, 0.771252), (0.023648, 0.626178)]
    wanted += [(0.019022, 0.610374), (0.018501, 0.608788)]
    for clippings, numbers in enumerate(wanted):
        assert clipped_statistics(values, clippings) == pytest.approx(numbers, abs=1e-6)
    assert clipped_statistics(values) == pytest.approx(wanted[-1], abs=1e-6)
    assert clipped_statistics(values.astype(np.float32)) == pytest.approx(wanted[-1], abs=1e-5)


def test_the_papers_numbers():
    paper = BBTv2.with_preset("paper")
    assert paper.generation_queries(32, 32) == 20 * 32 + 32
    assert (paper.intrinsic_dim, paper.n_prompt_tokens, paper.keep) == (500, 50, "best")
    assert normal_scale(0.04, 500, 0.2, 0.2) == pytest.approx(0.00178885, abs=1e-8)
    assert paper.alpha / paper.sigma0 == 1.0
    deep = {Capability.SOFT_PROMPTS, Capability.DEEP_PROMPTS}
    assert paper.requires() == deep | {Capability.HIDDEN_STATES}
    assert BBTv2(projection="uniform").requires() == deep


def test_every_layer_has_a_matrix_of_its_own_as_wide_as_what_it_reads():
    toy = DeepToy()
    plan = BBTv2(**SMALL).plan(problem(toy))
    scales = [normal_scale(std, 4, 0.5, 1.0) for std in (0.5, 2.0, 3.0)]
    assert [layer.scale for layer in plan.space.layers] == pytest.approx(scales)
    assert toy.shown == [([f" {row.inputs['text']}".strip() for row in rows("train", 4)], False)]
    first, second, _ = plan.space.layers
    assert not np.allclose(first.matrix / first.scale, second.matrix / second.scale)
    assert toy.asked == 0


def test_a_fitted_prompt_spreads_as_what_it_is_added_to():
    space = deep_projection(
        50,
        np.zeros((20, 8), np.float32),
        "normal",
        [normal_scale(s, 50, 0.2, 1) for s in (1, 4)],
        0,
    )
    rng = np.random.default_rng(0)
    some = [space.decode(0.2 * rng.standard_normal((2, 50))).vectors for _ in range(40)]
    assert np.std(some, axis=(0, 2, 3)) == pytest.approx([1.0, 4.0], rel=0.1)


def test_only_the_first_layer_starts_from_words():
    start = DeepToy().embed("a bcd")
    space = BBTv2(**SMALL, initial_text="a bcd").plan(problem()).space
    still = space.decode(np.zeros((3, 4))).vectors
    assert still[0].tolist() == start.tolist()
    assert not still[1:].any()
    moved = space.decode(np.eye(3)[1][:, None] * np.ones(4)).vectors
    assert (moved[[0, 2]] == still[[0, 2]]).all() and (moved[1] != 0).all()


def test_layers_that_stand_still_have_the_same_bytes_in_a_whole_population():
    plan = BBTv2(**SMALL).plan(problem())
    state = plan.optimizer.init(0)
    candidates = [trial.candidate for trial in plan.optimizer.ask(state)]
    prompts = plan.space.decode_all(candidates)
    assert len({prompt.vectors[0].tobytes() for prompt in prompts}) == 6
    for layer in (1, 2):
        assert len({prompt.vectors[layer].tobytes() for prompt in prompts}) == 1
    alone = [plan.space.decode(candidate).vectors for candidate in candidates]
    np.testing.assert_array_equal([prompt.vectors for prompt in prompts], alone)


def test_what_is_fitted_to_and_what_is_not():
    toy = DeepToy()
    padded = BBTv2(**SMALL, statistics="padded").plan(problem(toy))
    assert toy.shown[0][1]
    assert len(padded.space.layers) == 3
    plain = ToyBackend(prompt_shape=(3, 4))
    uniform = BBTv2(**SMALL, projection="uniform").plan(problem(plain)).space
    assert [layer.scale for layer in uniform.layers] == [uniform_scale(4)] * 3


def test_few_rows_are_measured_and_paid_for():
    toy, method = DeepToy(), BBTv2(**SMALL)
    many = problem(toy, n=40)
    meter = Meter(toy, 10**6)
    method.search(many, meter)
    assert meter.spent == len(toy.shown[0][0]) == MEASURED
    assert method.least_queries(80, 6) == MEASURED + method.generation_queries(80, 6)
    assert method.least_queries(8, 6) == 8 + method.generation_queries(8, 6)
    uniform = BBTv2(**SMALL, projection="uniform")
    assert uniform.least_queries(8, 6) == uniform.generation_queries(8, 6)
    with pytest.raises(BudgetSpent):
        method.search(many, Meter(DeepToy(), MEASURED - 1))


def test_a_generation_costs_what_it_says():
    toy = DeepToy()
    run, meter = search(toy)
    cost = BBTv2(**SMALL).generation_queries(8, 6)
    for generation in run.run(run.start()):
        assert toy.asked == meter.spent - 8 == generation.number * cost
        if generation.number == 4:
            break


@pytest.mark.parametrize("keep", ["best", "latest"])
def test_it_learns_at_every_layer(keep):
    run, _ = search(DeepToy(), budget=6_000, keep=keep, n_prompt_tokens=2)
    generations = list(run.run(run.start()))
    first, last = generations[0].incumbent, generations[-1].incumbent
    assert last.prompt.vectors.shape == (3, 2, 4)
    assert last.dev_loss < 0.5 * first.dev_loss
    assert last.dev_accuracy == 1.0
    assert (last.prompt.vectors != 0).all()


def test_resuming_equals_never_having_stopped():
    run, _ = search(DeepToy(), budget=700)
    straight = list(run.run(run.start()))
    state = checkpoint.loads(LayeredState, checkpoint.dumps(straight[4].state))
    again, _ = search(DeepToy(), budget=700)
    rest = list(again.run(replace(straight[4], state=state)))[: len(straight) - 5]
    assert [g.champion for g in rest] == [g.champion for g in straight[5:]] != []
    assert [checkpoint.dumps(g.state) for g in rest] == [
        checkpoint.dumps(g.state) for g in straight[5:]
    ]


def test_settings_that_do_not_fit():
    with pytest.raises(ValidationError, match="more than a third of the domain"):
        BBTv2(**SMALL | {"bound": 0.5})
    fast = BBTv2.with_preset("fast")
    assert fast.least_queries(20, 20) < 300 < BBTv2().least_queries(20, 20)
