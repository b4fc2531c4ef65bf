"""The method race: what it accepts, what it needs, and a race of real methods."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from backends.registry import Capability
from jobs import checkpoint
from jobs.meter import Meter
from jobs.methods.base import Problem
from jobs.methods.contenders import CONTENDERS
from jobs.methods.race import Race
from jobs.race import RaceState
from jobs.task import Example, Split, Task
from tests.toy import ToyBackend

SMALL = {"name": "bbt", "intrinsic_dim": 4, "n_prompt_tokens": 2, "population_size": 4}
FROZEN = SMALL | {"sigma0": 1e-6, "alpha": 1e-6}  # hardly moves at all
LLM = {"name": "llm", "n_candidates": 2}
TASK = Task("{prompt} {text}", {"b": "blue", "r": "red"})
TRAIN, DEV, TEST = (
    tuple(
        Example({"text": f"{word} {split} {i}"}, word[0]) for i in "123" for word in ("blue", "red")
    )
    for split in ("train", "dev", "test")
)


def searching(budget, *methods, spent=0, **settings):
    toy = ToyBackend()
    meter = Meter(toy, budget, spent=spent)
    problem = Problem(toy, TASK, Split(TRAIN, DEV, TEST), "", seed=2)
    return Race(methods=methods, **settings).search(problem, meter)


def test_a_race_of_real_methods():
    search = searching(1000, FROZEN, SMALL)
    generations = list(search.run(search.start()))
    last = generations[-1]
    assert [standing.status for standing in last.state.standings] == ["out", "racing"]
    assert last.incumbent.dev_loss < 0.5 < generations[0].incumbent.dev_loss
    assert search.meter.spent == search.meter.backend.asked <= 1000


def test_resuming_equals_never_having_stopped():
    search = searching(600, FROZEN, SMALL)
    straight, spent = [], [0]
    for generation in search.run(search.start()):
        straight.append(generation)
        spent.append(search.meter.spent)
    for stop in (1, 3, 9):
        half = straight[stop - 1]
        state = checkpoint.loads(RaceState, checkpoint.dumps(half.state))
        resumed = searching(600, FROZEN, SMALL, spent=spent[stop])
        rest = list(resumed.run(replace(half, state=state)))
        assert [checkpoint.dumps(g.state) for g in rest] == [
            checkpoint.dumps(g.state) for g in straight[stop:]
        ]
        assert [g.champion for g in rest] == [g.champion for g in straight[stop:]]


def test_all_are_compared_by_one_loss_on_dev():
    search = searching(400, SMALL | {"loss": "hinge"}, SMALL | {"loss": "accuracy"}, loss="ce")
    assert [each.search.dev.loss for each in search.contenders] == ["ce", "ce"]
    assert [each.search.train.loss for each in search.contenders] == ["hinge", "accuracy"]
    assert search.dev.loss == search.train.loss == "ce"
    last = list(search.run(search.start()))[-1]
    again = search.dev
    search.meter.budget += len(DEV)
    assert again.score([(last.incumbent.prompt, None)])[0].loss == last.incumbent.dev_loss


def test_what_it_costs():
    race = Race(methods=[SMALL, SMALL | {"population_size": 9}, LLM])
    costs = [each.generation_queries(20, 7) for each in race.methods]
    assert costs == [87, 187, 2 + 3 * 8 + 7]
    assert race.generation_queries(20, 7) == 187
    assert race.least_queries(20, 7) == sum(costs)
    search = searching(400, SMALL, SMALL | {"population_size": 9})
    assert [each.cost for each in search.contenders] == [4 * 6 + 6, 9 * 6 + 6]


def test_it_needs_what_its_contenders_need():
    soft, text = {Capability.SOFT_PROMPTS}, {Capability.TEXT_PROMPTS}
    assert Race(methods=[SMALL, SMALL]).requires() == soft
    assert Race(methods=[SMALL, LLM]).requires() == soft | text | {Capability.GENERATION}
    named = Race(methods=[SMALL, LLM, LLM | {"writer": "big"}])
    assert named.requires() == soft | text, "the writer that one names serves them all"
    assert named.writer_endpoint == "big"
    assert Race(methods=[SMALL, LLM]).writer_endpoint == ""


@pytest.mark.parametrize(
    ("methods", "said"),
    [
        ([SMALL], "at least 2"),
        ([SMALL] * 9, "at most 8"),
        ([SMALL, {"name": "race"}], "no method 'race'"),
        ([SMALL, "rac"], "no method 'rac'; "),
        ([SMALL, {"preset": "fast"}], "no method name"),
        ([SMALL, {"name": "bbt", "sigma": 1}], "did you mean 'sigma0'"),
        ([SMALL, {"name": "bbt", "preset": "slow"}], "'paper' or 'fast'"),
        ([LLM | {"writer": "a"}, LLM | {"writer": "b"}], "2 writers, a, b"),
    ],
)
def test_what_is_refused(methods, said):
    with pytest.raises(ValidationError, match=said):
        Race(methods=methods)


def test_it_reads_back_what_it_wrote():
    race = Race(methods=["bbt", {"name": "bbt", "preset": "fast"}, LLM])
    assert [each.preset for each in race.methods] == ["paper", "fast", "paper"]
    assert Race.model_validate(race.model_dump(mode="json")) == race


def test_any_method_but_itself_can_run():
    assert "race" not in CONTENDERS
    for name, kind in CONTENDERS.items():
        race = Race(methods=[name, name], loss="accuracy")
        assert race.methods == (kind(), kind())
