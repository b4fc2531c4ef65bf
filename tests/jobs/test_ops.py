"""LR, SPSA and OPS as methods: what they cost, need and start from, and searches on toy models."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from pydantic import ValidationError

from backends.base import BackendRefused
from backends.registry import Capability
from jobs import checkpoint
from jobs.meter import BudgetSpent, Meter
from jobs.methods import METHODS, Problem
from jobs.records import generation_row
from jobs.spaces import Shifts, TwoSided
from jobs.task import Example, Split, Task
from optimizers.ops import OPSState
from tests.toy import ToyBackend, confidence

NAMES = ["lr", "spsa", "ops-lr", "ops-spsa"]
TASK = Task("{prompt} {text}", {"b": "blue", "r": "red"})
SMALL = {
    "intrinsic_dim": 12,
    "n_prompt_tokens": 2,
    "batch_size": 5,
    "queries_per_example": 11,
    "learning_rate": 0.3,
}

GAUSSIAN = {"allocator": "gaussian"}

each_method = pytest.mark.parametrize("name", NAMES)


def rows(split, n):
    texts = [(f"{word} {split} {i}", word[0]) for word in ("blue", "red") for i in range(n)]
    return tuple(Example({"text": text}, label) for text, label in texts)


SPLIT = Split(rows("train", 4), rows("dev", 3), ())


@dataclass
class TwoSidedToy(ToyBackend):
    """Believes as far as the visual prompt is all ones, too."""

    visual_shape: tuple[int, int] = (1, 6)
    patch_statistics: tuple[float, float] = (0.0, 0.01)

    def score(self, queries, labels):
        seen = np.array([[4.0 + confidence(query.visual)] for query in queries])
        return super().score(queries, labels) * seen / 8.0


@dataclass
class FeaturesToy(ToyBackend):
    """Tells of each input whether it is blue, and how long it is."""

    read: int = 0

    def features(self, queries):
        self.read += len(queries)
        found = np.array([["blue" in q.before, len(q.before) / 99] for q in queries], dtype=float)
        return found / np.linalg.norm(found, axis=1, keepdims=True)


def made(name, **settings):
    return METHODS[name](**(SMALL | settings))


def problem(toy=None, baseline=""):
    return Problem(toy or ToyBackend(), TASK, SPLIT, baseline, seed=3)


def search(name, toy, budget=10**6, **settings):
    meter = Meter(toy, budget)
    return made(name, **settings).search(problem(toy), meter), meter


def start_of(name, toy=None, baseline="", **settings):
    plan = made(name, **settings).plan(problem(toy, baseline))
    return plan.space.decode(plan.optimizer.ask(plan.optimizer.init(0))[0].candidate)


@each_method
@pytest.mark.parametrize("perturb", ["intrinsic", "prompt"])
def test_it_learns(name, perturb):
    toy = ToyBackend()
    searching, meter = search(name, toy, budget=25 * 61, perturb=perturb)
    generations = list(searching.run(searching.start()))
    assert len(generations) >= 25
    assert meter.spent == toy.asked <= 25 * 61
    assert generations[-1].champion.train_loss < 0.6 * generations[0].champion.train_loss
    assert generations[-1].incumbent.dev_accuracy == 1.0


@each_method
@pytest.mark.parametrize("settings", [{}, {"queries_per_example": 6}, {"batch_size": 50}])
def test_what_a_generation_costs(name, settings):
    """The most it can; pairs, and pairs on a whole batch, may leave a rest."""
    toy = ToyBackend()
    searching, _ = search(name, toy, **settings)
    searching.advance(searching.start())
    most = made(name, **settings).generation_queries(len(SPLIT.train), len(SPLIT.dev))
    batch = min(settings.get("batch_size", 5), len(SPLIT.train))
    rest = {"lr": 1, "ops-lr": 1, "spsa": 2 * batch, "ops-spsa": 2}[name]
    assert 0 <= most - toy.asked < rest


@pytest.mark.parametrize("family", [["lr", "ops-lr"], ["spsa", "ops-spsa"]])
def test_allocators_cost_the_same(family):
    base, ours = family
    asked = set()
    for name, settings in [
        (base, {"direction": "example"} if base == "spsa" else {}),
        *[(ours, {"allocator": each}) for each in ("equal", "bernoulli", "gaussian", "neyman")],
    ]:
        toy = FeaturesToy()
        searching, _ = search(name, toy, **settings)
        searching.advance(searching.start())
        asked.add(toy.asked)
    assert len(asked) == 1


def test_the_incumbent_is_the_point_itself():
    searching, _ = search("ops-spsa", ToyBackend())
    first = searching.start()
    point = searching.space.decode(searching.optimizer.ask(first.state)[0].candidate)
    served = searching.advance(first).incumbent.prompt
    assert served.vectors.tobytes() == point.vectors.tobytes()


@each_method
def test_resuming_equals_never_having_stopped(name):
    straight, _ = search(name, ToyBackend())
    run = straight.run(straight.start())
    generations = [next(run) for _ in range(6)]
    half = generations[2]
    state = checkpoint.loads(OPSState, checkpoint.dumps(half.state))
    resumed, _ = search(name, ToyBackend())
    again = resumed.run(replace(half, state=state))
    for mine in generations[3:]:
        theirs = next(again)
        assert checkpoint.dumps(theirs.state) == checkpoint.dumps(mine.state)
        assert (theirs.champion, theirs.internals) == (mine.champion, mine.internals)


@each_method
def test_lost_answers_do_not_stop_it(name):
    draws = np.random.default_rng(0)

    def lose(queries, scores):
        scores[draws.random(len(scores)) < 0.2] = np.nan
        return scores

    searching, _ = search(name, ToyBackend(meddle=lose), budget=15 * 61)
    last = list(searching.run(searching.start()))[-1]
    assert np.isfinite(last.state.point).all() and last.state.point.any()


def test_internals_tell_of_the_allocation():
    searching, _ = search("ops-spsa", ToyBackend())
    generation = searching.advance(searching.start())
    assert set(generation.internals) == {
        "sigma",
        "gradient_norm",
        "fewest_draws",
        "most_draws",
        "spread_of_deviations",
        "variance_ratio",
    }
    asked = searching.optimizer.allocation(generation.state)
    assert sum(asked.values()) == 5 * 11
    row = generation_row("job_1", 55, generation)
    assert dict(row.allocation) == asked
    assert set(asked) < set(range(8))


class TestStart:
    def test_from_nothing(self):
        prompt = start_of("lr")
        assert prompt.visual is None
        assert prompt.vectors.shape == (1, 2, 4) and not prompt.vectors.any()

    @pytest.mark.parametrize(
        ("text", "baseline", "words"),
        [("a bcd ef", "one", [0, 1]), ("", "a bcd ef", [0, 1]), (" ", "one", [0, 0])],
    )
    def test_from_words_or_the_baseline(self, text, baseline, words):
        found = start_of("spsa", baseline=baseline, initial_text=text)
        embedded = ToyBackend().embed(text.strip() or baseline)
        np.testing.assert_array_equal(found.vectors[0], embedded[words])

    def test_visual_tokens_where_the_endpoint_takes_them(self):
        prompt = start_of("ops-lr", TwoSidedToy())
        assert prompt.visual.shape == (1, 5, 6)
        assert prompt.visual.std() == pytest.approx(0.01 * np.sqrt(3072), rel=0.4)
        assert start_of("ops-lr", TwoSidedToy(), n_visual_tokens=0).visual is None
        assert start_of("ops-lr", TwoSidedToy(visual_shape=(0, 0))).visual is None
        only = start_of("ops-lr", TwoSidedToy(), n_prompt_tokens=0, n_visual_tokens=2)
        assert (only.vectors.size, only.visual.shape) == (0, (1, 2, 6))
        with pytest.raises(BackendRefused, match="n_visual_tokens is 3"):
            start_of("ops-lr", TwoSidedToy(visual_shape=(0, 0)), n_visual_tokens=3)

    @pytest.mark.parametrize(
        ("tokens", "dims"), [((2, 3), (6, 6)), ((2, 0), (12, 0)), ((0, 3), (0, 12))]
    )
    def test_each_side_has_its_share_of_z(self, tokens, dims):
        settings = dict(zip(("n_prompt_tokens", "n_visual_tokens"), tokens, strict=True))
        plan = made("spsa", **settings).plan(problem(TwoSidedToy()))
        assert plan.space.dims == dims


def test_both_sides_learn():
    searching, _ = search("ops-spsa", TwoSidedToy(), budget=25 * 61, n_visual_tokens=2)
    generations = list(searching.run(searching.start()))
    first, last = generations[0], generations[-1]
    assert last.champion.train_loss < 0.75 * first.champion.train_loss
    assert (last.incumbent.prompt.visual != first.incumbent.prompt.visual).all()


def test_the_noise_is_alike_on_z_and_on_the_prompt():
    spreads = []
    for perturb, kind in (("intrinsic", TwoSided), ("prompt", Shifts)):
        plan = made("lr", perturb=perturb, n_prompt_tokens=50, alpha=2.0).plan(problem())
        assert isinstance(plan.space, kind)
        point, *draws = plan.optimizer.ask(plan.optimizer.init(0))
        at = plan.space.decode(point.candidate).vectors
        spreads.append(np.std([plan.space.decode(d.candidate).vectors - at for d in draws[:50]]))
    assert spreads == pytest.approx([0.1 * 2.0 * 0.5] * 2, rel=0.1)


@pytest.mark.parametrize(
    ("settings", "more"),
    [
        ({}, set()),
        ({"n_visual_tokens": 2}, {Capability.VISUAL_PROMPTS}),
        ({"n_prompt_tokens": 0}, {Capability.VISUAL_PROMPTS}),
        ({"n_visual_tokens": 0}, set()),
        ({"allocator": "gaussian"}, {Capability.FEATURES}),
    ],
)
def test_what_it_needs_of_an_endpoint(settings, more):
    assert made("ops-lr", **settings).requires() == {Capability.SOFT_PROMPTS} | more


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"n_prompt_tokens": 0, "n_visual_tokens": 0}, "nothing is tuned"),
        ({"queries_per_example": 4}, "need 5"),
        ({"queries_per_example": 20, "n_pilots": 10}, "need 21"),
    ],
)
def test_what_is_refused(settings, said):
    with pytest.raises(ValidationError, match=said):
        made("ops-spsa", **settings)
    assert made("ops-spsa", allocator="equal", queries_per_example=4)


class TestGaussian:
    def test_features_are_read_once_and_counted(self):
        toy = FeaturesToy()
        searching, meter = search("ops-lr", toy, **GAUSSIAN)
        assert meter.spent == toy.read == len(SPLIT.train)
        searching.advance(searching.start())
        assert toy.read == len(SPLIT.train)
        assert meter.spent == toy.asked + toy.read
        method = made("ops-lr", **GAUSSIAN)
        assert meter.spent == method.least_queries(len(SPLIT.train), len(SPLIT.dev))

    def test_alike_rows_are_drawn_alike(self):
        searching, _ = search("ops-lr", FeaturesToy(), **GAUSSIAN)
        unlike = searching.optimizer.unlike
        blue = np.array([row.label == "b" for row in SPLIT.train])
        assert unlike[np.ix_(blue, blue)].max() < unlike[np.ix_(blue, ~blue)].min()

    def test_a_budget_without_room_for_them_is_refused(self):
        toy = FeaturesToy()
        with pytest.raises(BudgetSpent):
            search("ops-lr", toy, budget=3, **GAUSSIAN)
        assert toy.read == 0


def test_settings_reach_the_optimizer():
    given = {"by_query": True, "n_pilots": 3, "clip_norm": 2.0, "sigma": 0.5, "sigma_rate": 0.1}
    optimizer = made("ops-lr", **given).plan(problem()).optimizer
    assert (optimizer.by_query, optimizer.n_pilots) == (True, 3)
    assert (optimizer.longest_gradient, optimizer.sigma, optimizer.sigma_rate) == (2.0, 0.5, 0.1)
    assert (optimizer.allocator, optimizer.estimator) == ("neyman", "lr")
    assert made("spsa").plan(problem()).optimizer.shared
    assert not made("spsa", direction="example").plan(problem()).optimizer.shared


@each_method
def test_presets(name):
    paper, fast = (METHODS[name].with_preset(preset) for preset in ("paper", "fast"))
    assert (paper.intrinsic_dim, paper.n_prompt_tokens, paper.n_visual_tokens) == (1000, 8, None)
    assert (paper.batch_size, paper.queries_per_example) == (64, 60)
    assert fast.generation_queries(32, 32) < paper.generation_queries(32, 32) / 4
