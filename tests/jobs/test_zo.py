"""ZO as a method: what it costs, what it moves, and whole searches on the toy model."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from backends.registry import Capability
from jobs import checkpoint
from jobs.meter import Meter
from jobs.methods import Problem
from jobs.methods.random_search import RandomDraws
from jobs.methods.zo import ZeroOrder
from jobs.spaces import Shifts, TwoSided
from jobs.task import Example, Split, Task
from optimizers.zo import RULES, ZOState
from tests.toy import ToyBackend

TASK = Task("{prompt} {text}", {"b": "blue", "r": "red"})
SMALL = {
    "n_prompt_tokens": 2,
    "intrinsic_dim": 12,
    "batch_size": 5,
    "steps": 5,
    "sigma": 0.1,
    "learning_rate": 0.1,
}
each_rule = pytest.mark.parametrize("rule", RULES)


def rows(split, n):
    texts = [(f"{word} {split} {i}", word[0]) for word in ("blue", "red") for i in range(n)]
    return tuple(Example({"text": text}, label) for text, label in texts)


SPLIT = Split(rows("train", 4), rows("dev", 3), ())


def problem(toy=None, baseline=""):
    return Problem(toy or ToyBackend(), TASK, SPLIT, baseline, seed=3)


def search(method, toy, budget=10**6):
    meter = Meter(toy, budget)
    return method.search(problem(toy), meter), meter


def made(**settings):
    return ZeroOrder(**(SMALL | settings))


@each_rule
@pytest.mark.parametrize("tuned", ["prompt", "intrinsic"])
def test_it_learns(rule, tuned):
    toy = ToyBackend()
    rate = {"momentum": 0.2, "sgd": 1.0, "conservative": 1.0}.get(rule, 0.1)
    searching, meter = search(made(rule=rule, tuned=tuned, learning_rate=rate), toy, 4000)
    generations = list(searching.run(searching.start()))
    assert meter.spent == toy.asked <= 4000
    assert generations[-1].champion.train_loss < 0.6 * generations[0].champion.train_loss
    assert generations[-1].incumbent.dev_accuracy == 1.0


@each_rule
@pytest.mark.parametrize("sides", ["one", "two"])
@pytest.mark.parametrize(
    "settings", [{}, {"batch_size": 50}, {"n_directions": 3}, {"steps": 1, "n_directions": 2}]
)
def test_what_a_generation_costs(rule, sides, settings):
    toy, method = ToyBackend(), made(rule=rule, sides=sides, **settings)
    searching, _ = search(method, toy)
    last = searching.advance(searching.start())
    assert toy.asked == method.generation_queries(len(SPLIT.train), len(SPLIT.dev))
    searching.advance(last)
    assert toy.asked == 2 * method.generation_queries(len(SPLIT.train), len(SPLIT.dev))


def test_a_budget_short_of_one_query_is_not_begun():
    method = made()
    cost = method.generation_queries(len(SPLIT.train), len(SPLIT.dev))
    for budget, n in ((cost, 1), (cost - 1, 0)):
        searching, _ = search(method, ToyBackend(), budget)
        assert len(list(searching.run(searching.start()))) == n


def test_the_incumbent_is_the_point_itself_and_starts_from_the_baseline():
    searching = made().search(problem(baseline="a bcd"), Meter(ToyBackend(), 10**6))
    served = searching.advance(searching.start()).incumbent.prompt
    np.testing.assert_array_equal(served.vectors[0], ToyBackend().embed("a bcd"))


@each_rule
def test_resuming_equals_never_having_stopped(rule):
    straight, _ = search(made(rule=rule), ToyBackend())
    run = straight.run(straight.start())
    generations = [next(run) for _ in range(5)]
    state = checkpoint.loads(ZOState, checkpoint.dumps(generations[1].state))
    resumed, _ = search(made(rule=rule), ToyBackend())
    again = resumed.run(replace(generations[1], state=state))
    for mine in generations[2:]:
        theirs = next(again)
        assert checkpoint.dumps(theirs.state) == checkpoint.dumps(mine.state)
        assert (theirs.champion, theirs.internals) == (mine.champion, mine.internals)


@each_rule
def test_lost_answers_do_not_stop_it(rule):
    draws = np.random.default_rng(0)

    def lose(queries, scores):
        scores[draws.random(len(scores)) < 0.2] = np.nan
        return scores

    searching, _ = search(made(rule=rule), ToyBackend(meddle=lose), 2000)
    last = list(searching.run(searching.start()))[-1]
    assert np.isfinite(last.state.point).all() and last.state.point.any()


@pytest.mark.parametrize(
    ("tuned", "space", "dim"), [("prompt", Shifts, 8), ("intrinsic", TwoSided, 12)]
)
def test_settings_reach_the_optimizer(tuned, space, dim):
    given = {"rule": "sign", "sides": "one", "n_directions": 3, "sigma": 0.5}
    plan = made(tuned=tuned, **given).plan(problem())
    assert isinstance(plan.space, space) and plan.optimizer.start.shape == (dim,)
    optimizer = plan.optimizer
    assert (optimizer.rule, optimizer.one_sided, optimizer.n_directions) == ("sign", True, 3)
    assert (optimizer.batch_size, optimizer.steps, optimizer.n_train) == (5, 5, 8)
    assert (optimizer.sigma, optimizer.learning_rate) == (0.5, 0.1)
    assert optimizer.longest_gradient == pytest.approx(np.sqrt(dim))
    assert made(clip=False).plan(problem()).optimizer.longest_gradient == 0


def test_presets_and_needs():
    paper, fast = (ZeroOrder.with_preset(preset) for preset in ("paper", "fast"))
    assert (paper.n_prompt_tokens, paper.batch_size, paper.rule) == (10, 16, "adam")
    assert (paper.sigma, paper.learning_rate, paper.n_directions) == (0.01, 0.001, 1)
    assert fast.generation_queries(32, 32) < paper.generation_queries(32, 32) / 4
    assert paper.requires() == {Capability.SOFT_PROMPTS}
    with pytest.raises(ValidationError, match="rule"):
        made(rule="lion")


class TestRandomSearch:
    def test_its_best_draw_is_the_champion(self):
        toy = ToyBackend()
        method = RandomDraws(n_prompt_tokens=2, intrinsic_dim=12, population_size=40)
        searching, meter = search(method, toy, 3 * 326)
        generations = list(searching.run(searching.start()))
        assert len(generations) == 3 and meter.spent == toy.asked == 3 * 326
        assert method.generation_queries(8, 6) == 326
        for each in generations:
            assert each.champion.train_loss < each.champion.population_loss
        assert len({each.champion.train_loss for each in generations}) == 3

    def test_draws_spread_as_embeddings_do(self):
        plan = RandomDraws(population_size=100, alpha=2.0).plan(problem())
        trials = plan.optimizer.ask(plan.optimizer.init(0))
        shifts = [plan.space.decode(trial.candidate).vectors for trial in trials]
        assert np.std(shifts) == pytest.approx(2.0 * 0.5, rel=0.1)

    def test_presets_are_bbts(self):
        paper, fast = (RandomDraws.with_preset(preset) for preset in ("paper", "fast"))
        assert (paper.intrinsic_dim, paper.n_prompt_tokens, paper.population_size) == (500, 50, 20)
        assert (fast.intrinsic_dim, fast.n_prompt_tokens, fast.population_size) == (32, 5, 16)
