"""Sub-networks: masks fixed by a seed, on the encoder as hooks by hand on the same weights."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from backends.base import BackendRefused, Query, Subnetwork
from backends.encoder import Encoder
from backends.subnetworks import LastMaps, factors
from tests.backends.test_encoder import by_hand
from tests.backends.test_reuse import TEXTS, deep, population, rows_read  # noqa: F401

PARTS = [None, Subnetwork(0, 0.1), Subnetwork(1, 0.1), Subnetwork(0, 0.3)]


def asked(queries, networks=PARTS):
    return [Query(q.before, soft=q.soft, subnetwork=one) for one in networks for q in queries]


@contextmanager
def masked_by_hand(reference, network):
    """The plain model, its two sums in every layer without the units that are left out."""
    places = [
        (layer.attention.output.dense, 2 * number) for number, layer in enumerate(layers(reference))
    ]
    places += [(layer.output.dense, 2 * n + 1) for n, layer in enumerate(layers(reference))]
    hooks = []
    for module, place in places if network is not None else ():
        drawn = np.random.default_rng((network.seed, 0, place)).random(384)
        mask = torch.tensor((drawn >= network.rate) / (1 - network.rate), dtype=torch.float32)
        hooks.append(module.register_forward_hook(lambda *call, mask=mask: call[-1] * mask))
    yield
    for hook in hooks:
        hook.remove()


def layers(reference):
    return reference[0].encoder.layer


def test_masks_are_the_same_in_every_process():
    kept = 4 / 3
    first, second = factors(Subnetwork(3, 0.25), (0, 1), 8), factors(Subnetwork(3, 0.25), (1, 1), 8)
    assert first == pytest.approx([*[kept] * 7, 0])
    assert second == pytest.approx([*[kept] * 3, 0, *[kept] * 4])
    assert factors(None, (0, 1), 3).tolist() == factors(Subnetwork(9, 0), (0, 1), 3).tolist()


def test_as_many_units_are_left_out_as_said_and_others_at_each_place():
    masks = [factors(Subnetwork(seed, 0.1), (0, n), 4000) for seed in (0, 1) for n in (0, 1)]
    assert [(mask == 0).mean() for mask in masks] == pytest.approx([0.1] * 4, abs=0.02)
    assert [mask.mean() for mask in masks] == pytest.approx([1.0] * 4, abs=0.02)
    both = np.mean([mask == 0 for mask in masks[:2]], axis=0) == 1
    assert both.mean() == pytest.approx(0.01, abs=0.006)
    assert len({mask.tobytes() for mask in masks}) == 4


@pytest.mark.parametrize(("seed", "rate"), [(-1, 0.1), (0, -0.1), (0, 1.0), (0, float("nan"))])
def test_a_network_that_is_none_is_refused(seed, rate):
    with pytest.raises(ValueError, match="a seed of 0 or more and a rate in"):
        Subnetwork(seed, rate)


@pytest.mark.parametrize("depth", [0, 6])
def test_of_minilm_as_hooks_by_hand(minilm, reference, rng, depth):
    soft = 0.1 * rng.standard_normal((max(depth, 1), 5 if depth else 0, 384)).astype(np.float32)
    texts = ["film", "An honest, funny and very well acted film."]
    found = minilm.features(asked([Query(text, soft=soft) for text in texts]))
    wanted = []
    for network in PARTS:
        with masked_by_hand(reference, network):
            wanted += [by_hand(reference, text, soft) for text in texts]
    assert found == pytest.approx(np.array(wanted), abs=1e-5)
    assert len(np.unique(found.round(4), axis=0)) == len(found)


def test_a_network_reads_the_labels_too(minilm, reference):
    none = np.zeros((1, 0, 384), np.float32)
    scores = minilm.score(asked([Query("the striker scored")]), ["sport", "cooking"])
    for row, network in zip(scores, PARTS, strict=True):
        with masked_by_hand(reference, network):
            text, *labels = [
                by_hand(reference, text, none)
                for text in ("the striker scored", "sport", "cooking")
            ]
        assert row == pytest.approx([20 * text @ label for label in labels], abs=1e-4)


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_what_is_shared_is_shared_within_a_network_alone(tiny, rng, rows_read, layer):  # noqa: F811
    queries = asked(population(deep(rng, layer)))[: -2 * len(TEXTS)]  # the last has fewer prompts
    found = tiny.features(queries)
    shared = len(TEXTS) * len(PARTS)
    assert rows_read == [len(queries) if number >= layer else shared for number in range(3)]
    alone = np.concatenate([tiny.features([query]) for query in queries])
    assert found == pytest.approx(alone, abs=1e-5)
    assert len(np.unique(found.round(5), axis=0)) == len(queries)


def test_the_whole_model_is_itself_in_any_company(tiny, rng):
    plain = population([*deep(rng, 1), None])
    before = tiny.score(plain, ["good", "bad"])
    together = tiny.score(asked(plain), ["good", "bad"])
    assert together[: len(plain)] == pytest.approx(before, abs=1e-5)
    nothing_left_out = tiny.score(asked(plain, [Subnetwork(7, 0.0)]), ["good", "bad"])
    assert nothing_left_out.tobytes() == before.tobytes()
    assert tiny.score(plain, ["good", "bad"]).tobytes() == before.tobytes()


def test_what_its_layers_read_is_its_own(minilm, reference):
    for network in PARTS:
        read = minilm.hidden([Query("a film", subnetwork=network)])
        with masked_by_hand(reference, network):
            model, tokenizer = reference
            states = model(**tokenizer("a film", return_tensors="pt"), output_hidden_states=True)
        for layer, found in enumerate(read, start=1):
            assert found == pytest.approx(states.hidden_states[layer][0].detach(), abs=1e-4)


def test_threads_do_not_show_in_the_bits(tiny_folder, rng):
    queries = asked(population([*deep(rng, 1, 30), *deep(rng, 2, 30)]))
    one, three = (Encoder(str(tiny_folder), threads=n) for n in (1, 3))
    assert one.features(queries).tobytes() == three.features(queries).tobytes()


def test_a_model_of_unknown_layers_has_none():
    maps = LastMaps([torch.nn.ModuleDict({"o_proj": torch.nn.Linear(2, 2)})])
    assert not maps.known
    with pytest.raises(BackendRefused, match="it has no sub-networks"), maps.read_by(PARTS):
        pass
    with maps.read_by([None]):
        pass
