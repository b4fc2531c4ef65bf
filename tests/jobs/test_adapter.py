"""The adapter as a method: what it costs, learns and serves, and what it is refused for."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from pydantic import ValidationError

import jobs.serving
from backends.bridge import Bridge
from backends.registry import KINDS, Capability
from jobs import checkpoint, prompts
from jobs.admission import Refused, admit
from jobs.bridges import Adapters
from jobs.meter import BudgetSpent, Meter
from jobs.methods import METHODS, Problem
from jobs.methods.adapter import Adapter
from jobs.pictures import Pictures
from jobs.serving import Served, answer
from jobs.spec import JobSpec
from jobs.task import Example, Split, Task
from optimizers.ops import OPSState
from tests.backends.clip import tiny as tiny_clip
from tests.backends.local import tiny
from tests.image_files import picture
from tests.toy import ToyBackend

TASK = Task("{prompt} {text}", {"b": "blue", "r": "red"})
SMALL = {"batch_size": 5, "queries_per_example": 11, "sigma": 0.2}
N_TRAIN, N_DEV = 8, 6


@dataclass
class ToyBridge(ToyBackend):
    """Sees whether the text says blue; a word's score is the adapter's output at its place."""

    adapter_shape: tuple[int, int] = (3, 2)
    read: int = 0

    def features(self, queries):
        self.read += len(queries)
        found = np.array([["blue" in q.before, "red" in q.before] for q in queries], dtype=float)
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def score(self, queries, labels):
        self.calls.append(list(queries))
        seen = np.array([["blue" in q.before, "red" in q.before] for q in queries], dtype=float)
        scores = np.zeros((len(queries), len(labels)))
        for row, query in enumerate(queries):
            if query.soft is not None:
                adapter = query.soft[0].astype(float)
                scores[row] = adapter[-1] + (seen[row] @ adapter[:-1] if len(adapter) > 1 else 0.0)
        return self.meddle(queries, scores)


def rows(split, n):
    texts = [(f"{word} {split} {i}", word[0]) for word in ("blue", "red") for i in range(n)]
    return tuple(Example({"text": text}, label) for text, label in texts)


SPLIT = Split(rows("train", N_TRAIN // 2), rows("dev", N_DEV // 2), ())


def search(toy, budget=10**6, **settings):
    meter = Meter(toy, budget)
    method = Adapter(**(SMALL | settings))
    return method.search(Problem(toy, TASK, SPLIT, "", seed=3), meter), meter


@pytest.mark.parametrize("allocator", ["equal", "bernoulli", "gaussian", "neyman"])
def test_it_learns_within_its_budget(allocator):
    toy = ToyBridge()
    searching, meter = search(toy, 8 + 25 * 61, allocator=allocator)
    generations = list(searching.run(searching.start()))
    assert len(generations) == 25
    assert meter.spent == toy.asked + N_TRAIN == 8 + 25 * 61
    assert generations[-1].champion.train_loss < 0.3 * generations[0].champion.train_loss
    assert generations[-1].incumbent.dev_accuracy == 1.0


@pytest.mark.parametrize("settings", [{}, {"queries_per_example": 6}, {"batch_size": 50}])
def test_what_it_costs(settings):
    toy = ToyBridge()
    searching, meter = search(toy, **settings)
    method = Adapter(**(SMALL | settings))
    assert meter.spent == toy.read == N_TRAIN
    searching.advance(searching.start())
    assert toy.asked == method.generation_queries(N_TRAIN, N_DEV)
    assert meter.spent == method.least_queries(N_TRAIN, N_DEV)
    assert toy.read == N_TRAIN


def test_a_budget_without_room_for_the_features_is_refused():
    toy = ToyBridge()
    with pytest.raises(BudgetSpent):
        search(toy, N_TRAIN - 1)
    assert toy.read == 0


def test_resuming_equals_never_having_stopped():
    straight, _ = search(ToyBridge())
    run = straight.run(straight.start())
    generations = [next(run) for _ in range(5)]
    half = generations[2]
    state = checkpoint.loads(OPSState, checkpoint.dumps(half.state))
    resumed, _ = search(ToyBridge())
    again = resumed.run(replace(half, state=state))
    for mine in generations[3:]:
        assert checkpoint.dumps(next(again).state) == checkpoint.dumps(mine.state)


def test_lost_answers_do_not_stop_it():
    draws = np.random.default_rng(0)

    def lose(queries, scores):
        scores[draws.random(len(scores)) < 0.2] = np.nan
        return scores

    searching, _ = search(ToyBridge(meddle=lose), 8 + 15 * 61)
    last = list(searching.run(searching.start()))[-1]
    assert np.isfinite(last.state.point).all() and last.state.point.any()


def test_candidates_are_in_units_of_the_embeddings():
    searching, _ = search(ToyBridge(), alpha=3.0)
    assert searching.space == Adapters(3.0 * 0.5)
    found = searching.space.decode(np.full((1, 2), 2.0, np.float32)).vectors
    assert found.tolist() == [[[3.0, 3.0]]] and found.dtype == np.float32


def test_settings_reach_the_optimizer():
    given = {"by_query": True, "n_pilots": 3, "clip_norm": 2.0, "learning_rate": 0.7}
    searching, _ = search(ToyBridge(), loss="hinge", **given)
    optimizer = searching.optimizer
    assert (optimizer.by_query, optimizer.n_pilots, optimizer.batch_size) == (True, 3, 5)
    assert (optimizer.longest_gradient, optimizer.learning_rate) == (2.0, 0.7)
    assert (optimizer.sigma, optimizer.queries, optimizer.allocator) == (0.2, 11, "neyman")
    assert (searching.train.loss, searching.dev.loss) == ("hinge", "hinge")


def test_presets():
    paper, fast = Adapter.with_preset("paper"), Adapter.with_preset("fast")
    assert (paper.batch_size, paper.queries_per_example) == (64, 60)
    assert (fast.batch_size, fast.queries_per_example) == (32, 9)
    with pytest.raises(ValidationError, match="need 12"):
        Adapter(n_pilots=11, queries_per_example=11)


IMAGES = {
    f"{name}{i}": picture(color=(200 - i, 10, 10 + i) if name == "red" else (10 + i, 10, 200 - i))
    for name in ("blue", "red")
    for i in range(6)
}
SEEN = Task("{prompt} {image}", {"b": "good", "r": "bad"}, pictures=Pictures("image", IMAGES))


def test_a_search_between_real_models_and_what_is_served(catalog, tmp_path_factory):
    reader = str(tiny.build("llama", tmp_path_factory.mktemp("llama")))
    source = str(tiny_clip.write(tmp_path_factory.mktemp("clip")))
    options = {"reader": "causal", "source": source, "n_tokens": 2, "threads": 1}
    catalog.add_endpoint("pair", "bridge", reader, options)
    row = catalog.endpoint("pair")
    backend = jobs.serving.open_endpoint(row)
    assert isinstance(backend, Bridge)
    examples = [Example({"image": name}, name[0]) for name in IMAGES]
    split = Split(tuple(examples[::2]), tuple(examples[1::2]), ())
    meter = Meter(backend, 6 + 15 * 72)
    method = Adapter(batch_size=6, queries_per_example=11)
    searching = method.search(Problem(backend, SEEN, split, "", seed=0), meter)
    first, *_, last = searching.run(searching.start())
    assert last.champion.train_loss < 0.7 * first.champion.train_loss
    assert last.incumbent.dev_accuracy == 1.0
    kind, content = (f(last.incumbent.prompt) for f in (prompts.kind_of, prompts.dumps))
    answers = answer(Served(row, SEEN, kind, content), [each.inputs for each in split.dev])
    assert kind == "soft"
    assert [each.label for each in answers] == [each.label for each in split.dev]


class TestAdmission:
    @pytest.fixture
    def catalog(self, catalog):
        catalog.add_endpoint("pair", "bridge", "minilm", {})
        return catalog

    @pytest.mark.parametrize("method", ["bbt", "grips", "blackvip", "ops-lr"])
    def test_a_bridge_is_for_adapters(self, catalog, method):
        with pytest.raises(Refused) as refused:
            admit(spec(method=METHODS[method]().model_dump()), catalog)
        assert (refused.value.param, refused.value.code) == (
            "method.name",
            "method_endpoint_mismatch",
        )
        assert "'pair' (kind bridge) offers adapter, features, images" in str(refused.value)

    def test_an_adapter_is_for_bridges(self):
        able = [name for name, kind in KINDS.items() if Adapter().requires() <= kind.capabilities]
        assert able == ["bridge"]
        assert Capability.ADAPTER in Adapter().requires()


def spec(**changes):
    wanted = {"endpoint": "pair", "dataset": "two-digits", "budget": {"queries": 10**6}}
    return JobSpec.model_validate(wanted | changes)
