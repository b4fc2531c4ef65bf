"""nevergrad as a method: its names, its budget, its cost, and a whole search on the toy model."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from backends.base import BackendRefused
from jobs import checkpoint
from jobs.meter import Meter
from jobs.methods import Problem
from jobs.methods.nevergrad import PLANNED, Nevergrad
from jobs.task import Example, Split, Task
from optimizers import nevergrad as library
from optimizers.replayed import ReplayedState
from tests.toy import ToyBackend

TASK = Task("{prompt} {text}", {"b": "blue", "r": "red"})
SMALL = {
    "n_prompt_tokens": 2,
    "intrinsic_dim": 6,
    "population_size": 10,
    "optimizer": "TwoPointsDE",
}
COST = 10 * 8 + 6


def rows(split, n):
    texts = [(f"{word} {split} {i}", word[0]) for word in ("blue", "red") for i in range(n)]
    return tuple(Example({"text": text}, label) for text, label in texts)


SPLIT = Split(rows("train", 4), rows("dev", 3), ())


def problem(toy=None):
    return Problem(toy or ToyBackend(), TASK, SPLIT, "", seed=3)


def search(toy, budget=10**6, **settings):
    meter = Meter(toy, budget)
    return Nevergrad(**(SMALL | settings)).search(problem(toy), meter), meter


def planned(optimizer):
    return optimizer.make(0).optimizer.budget


@pytest.mark.parametrize("name", ["TwoPointsDE", "PSO", "DiagonalCMA"])
def test_it_searches_and_counts(name):
    toy = ToyBackend()
    searching, meter = search(toy, 20 * COST, optimizer=name)
    generations = list(searching.run(searching.start()))
    assert len(generations) == 20 and meter.spent == toy.asked == 20 * COST
    assert Nevergrad(**SMALL).generation_queries(len(SPLIT.train), len(SPLIT.dev)) == COST
    best = min(generation.champion.train_loss for generation in generations)
    assert best < 0.9 * generations[0].champion.train_loss
    assert generations[-1].internals == {"restarts": 0}


def test_resuming_equals_never_having_stopped():
    straight, _ = search(ToyBackend(), 9 * COST)
    generations = list(straight.run(straight.start()))
    resumed, _ = search(ToyBackend(), 9 * COST)
    state = checkpoint.loads(ReplayedState, checkpoint.dumps(generations[3].state))
    run = resumed.run(replace(generations[3], state=state))
    for mine in generations[4:]:
        theirs = next(run)
        assert checkpoint.dumps(theirs.state) == checkpoint.dumps(mine.state)
        assert theirs.champion == mine.champion


def test_it_plans_for_the_jobs_budget_unless_told():
    searching, _ = search(ToyBackend(), 7 * COST + 1)
    assert planned(searching.optimizer) == 80
    searching, _ = search(ToyBackend(), COST - 1)
    assert planned(searching.optimizer) == 10
    searching, _ = search(ToyBackend(), 7 * COST, evaluations=33)
    assert planned(searching.optimizer) == 33
    assert planned(Nevergrad(**SMALL).plan(problem()).optimizer) == PLANNED
    assert planned(Nevergrad(**SMALL, evaluations=3).plan(problem()).optimizer) == 10


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"optimizer": "TwoPointDE"}, "did you mean 'TwoPointsDE'"),
        ({"optimizer": "{message}"}, "no optimizer '{message}'"),
        ({"optimizer": "Cobyla"}, "one loss at a time"),
        ({"intrinsic_dim": 300}, "less than or equal to 299"),
        ({"population_size": 1}, "greater than or equal to 2"),
    ],
)
def test_what_is_refused_before_a_job_is_queued(settings, said):
    with pytest.raises(ValidationError) as caught:
        Nevergrad(**(SMALL | settings))
    assert said in str(caught.value)
    assert len(caught.value.errors()) == 1


@pytest.mark.parametrize("name", ["FCMA", "NGOpt"])
def test_what_fails_when_it_is_tried_is_refused(name):
    with pytest.raises(BackendRefused, match=f"{name} cannot be used here"):
        settings = {"optimizer": name, "population_size": 4, "evaluations": 80}
        Nevergrad(**(SMALL | settings)).plan(problem())


def test_where_nevergrad_is_missing(monkeypatch):
    """The catalog can still tell of the method; a job with it is refused in words."""
    monkeypatch.setattr(library, "find_spec", lambda name: None)
    assert Nevergrad.with_preset("fast").optimizer == "DiagonalCMA"
    with pytest.raises(ValidationError, match="pip install nevergrad"):
        Nevergrad(optimizer="CMA")
    with pytest.raises(BackendRefused, match="pip install nevergrad"):
        Nevergrad().plan(problem())
