"""BPT-VLM: both sides of the prompt are searched, at the cost that it says."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from pydantic import ValidationError

from backends.registry import Capability
from jobs import checkpoint
from jobs.meter import Meter
from jobs.methods import Problem
from jobs.methods.bpt_vlm import BPTVLM
from jobs.task import Example, Split, Task
from optimizers.replayed import ReplayedState
from tests.toy import ToyBackend, confidence

TASK = Task("{prompt} {text}", {"b": "blue", "r": "red"})


@dataclass
class TwoSidedToy(ToyBackend):
    """Believes as far as the visual prompt is all ones, too."""

    visual_shape: tuple[int, int] = (1, 6)
    patch_statistics: tuple[float, float] = (0.01, 0.02)

    def score(self, queries, labels):
        seen = np.array([[4.0 + confidence(query.visual)] for query in queries])
        return super().score(queries, labels) * seen / 8.0


def rows(split, n):
    return tuple(
        Example({"text": f"{word} {split} {i}"}, word[0])
        for word in ("blue", "red")
        for i in range(n)
    )


SPLIT = Split(rows("train", 4), rows("dev", 3), ())
SMALL = {
    "intrinsic_dim": 12,
    "n_prompt_tokens": 3,
    "n_visual_tokens": 2,
    "population_size": 8,
    "sigma0": 0.3,
}


def problem(toy=None):
    return Problem(toy or TwoSidedToy(), TASK, SPLIT, "", seed=1)


def search(toy, budget=10**6, **settings):
    meter = Meter(toy, budget)
    return BPTVLM(**(SMALL | settings)).search(problem(toy), meter), meter


def test_the_papers_numbers():
    paper = BPTVLM.with_preset("paper")
    space = paper.plan(problem()).space
    assert space.dims == (500, 500)
    prompt = space.decode(np.zeros(1000))
    assert (prompt.vectors.shape, prompt.visual.shape) == ((1, 8, 4), (1, 5, 6))
    assert paper.generation_queries(1600, 160) == 30 * 1600 + 160
    assert (paper.sigma0, paper.step_size, paper.covariance) == (1.0, "csa", "full")


def test_each_half_of_z_moves_its_side():
    space = BPTVLM(**SMALL).plan(problem()).space
    still, z = space.decode(np.zeros(12)), np.ones(12)
    text, visual = space.decode(z * (np.arange(12) < 6)), space.decode(z * (np.arange(12) >= 6))
    assert (text.visual == still.visual).all() and (text.vectors != still.vectors).all()
    assert (visual.vectors == still.vectors).all() and (visual.visual != still.visual).all()


def test_it_learns_on_both_sides():
    run, _ = search(TwoSidedToy(), budget=8_000)
    generations = list(run.run(run.start()))
    first, last = generations[0].incumbent, generations[-1].incumbent
    assert last.dev_loss < 0.5 * first.dev_loss
    assert confidence(last.prompt.vectors) > confidence(first.prompt.vectors)
    assert confidence(last.prompt.visual) > confidence(first.prompt.visual)
    assert last.dev_accuracy == 1.0


def test_a_generation_costs_what_it_says():
    toy = TwoSidedToy()
    run, meter = search(toy)
    cost = BPTVLM(**SMALL).generation_queries(8, 6)
    for generation in run.run(run.start()):
        assert toy.asked == meter.spent == generation.number * cost
        if generation.number == 3:
            break


def test_resuming_equals_never_having_stopped():
    run, _ = search(TwoSidedToy(), budget=700)
    straight = list(run.run(run.start()))
    state = checkpoint.loads(ReplayedState, checkpoint.dumps(straight[4].state))
    again, _ = search(TwoSidedToy(), budget=700)
    rest = list(again.run(replace(straight[4], state=state)))[: len(straight) - 5]
    assert [g.champion for g in rest] == [g.champion for g in straight[5:]] != []
    assert [checkpoint.dumps(g.state) for g in rest] == [
        checkpoint.dumps(g.state) for g in straight[5:]
    ]


@pytest.mark.parametrize("tokens", [5, 0, None])
def test_what_it_needs_of_an_endpoint(tokens):
    method = BPTVLM(n_visual_tokens=tokens)
    assert method.requires() == {Capability.SOFT_PROMPTS, Capability.VISUAL_PROMPTS}
    assert BPTVLM().n_visual_tokens == 5


def test_words_alone():
    """Where nothing is put beside the patches, all of z moves the words."""
    space = BPTVLM(**SMALL | {"n_visual_tokens": 0}).plan(problem(ToyBackend())).space
    assert space.dims == (12, 0)
    assert space.decode(np.ones(12)).visual is None
    with pytest.raises(ValidationError, match="nothing is tuned"):
        BPTVLM(n_visual_tokens=0, n_prompt_tokens=0)


def test_the_fast_preset():
    fast = BPTVLM.with_preset("fast")
    assert fast.generation_queries(20, 20) < 400 < BPTVLM().generation_queries(20, 20)
    assert fast.plan(problem()).space.dims == (32, 32)
