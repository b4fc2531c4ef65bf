"""Layers that are the same for several queries are computed once, and the answers show nothing."""

import shutil
from collections import Counter
from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
import torch
from torch.nn.functional import linear
from transformers import BertConfig, RobertaPreLayerNormConfig, RobertaPreLayerNormModel

from backends import branching, sharing
from backends.base import BackendRefused, Query
from backends.encoder import Encoder, unit
from tests.backends.test_encoder import by_hand

TEXTS = ["film", "a good film", "a very bad film !", "plain"]
N_TEXTS = len(TEXTS)
MANY = [" ".join(words) for words in product(["film", "good", "bad", "plot"], repeat=3)][:20]
SIZES = (
    *("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers"),
    *("num_attention_heads", "max_position_embeddings", "type_vocab_size", "initializer_range"),
)


def deep(rng, layer, n=5, n_layers=3, shape=(4, 16)):
    """A population of BBTv2: prompts that differ from each other at one layer alone."""
    common = rng.normal(size=(n_layers, *shape)).astype(np.float32)
    softs = np.repeat(common[None], n, axis=0)
    softs[:, layer] = rng.normal(size=(n, *shape))
    return list(softs)


def population(softs, texts: Sequence[str] = TEXTS):
    return [Query(text, soft=soft) for soft in softs for text in texts]


def one_by_one(backend, queries):
    return np.concatenate([backend.features([query]) for query in queries])


@pytest.fixture
def rows_read(tiny, monkeypatch):
    """How many sequences each layer of the tiny model has read."""
    counts = [0, 0, 0]
    handles = [
        layer.register_forward_pre_hook(_counter(counts, number), with_kwargs=True)
        for number, layer in enumerate(tiny._model._layers)
    ]
    yield counts
    for handle in handles:
        handle.remove()


def _counter(counts, number):
    def count(_, args, kwargs):
        counts[number] += sum(n for n, _ in kwargs["runs"])

    return count


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_layers_below_the_first_difference_are_read_once_a_text(tiny, rng, rows_read, layer):
    queries = population(deep(rng, layer))
    tiny.features(queries)
    assert rows_read == [len(queries) if n >= layer else N_TEXTS for n in range(3)]


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_what_is_shared_does_not_show(tiny, rng, layer):
    queries = population(deep(rng, layer))
    found = tiny.features(queries)
    assert found == pytest.approx(one_by_one(tiny, queries), abs=1e-5)
    assert len(np.unique(found.round(5), axis=0)) == len(queries)


@pytest.mark.parametrize("layer", [1, 3, 5])
def test_of_minilm_as_a_plain_loop_over_its_layers(minilm, reference, rng, layer):
    texts = ["film", "An honest, funny and very well acted film."]
    softs = [0.1 * soft for soft in deep(rng, layer, 3, 6, (7, 384))]
    found = minilm.features(population(softs, texts))
    wanted = [by_hand(reference, text, soft) for soft in softs for text in texts]
    assert found == pytest.approx(np.array(wanted), abs=1e-5)


def test_populations_of_every_depth_and_repeated_queries_share_a_call(tiny, rng):
    softs = [*deep(rng, 1, 3), *deep(rng, 2, 3), *deep(rng, 1, 2, 2), np.zeros((2, 0, 16)), None]
    softs += [softs[0].copy(), softs[0][:1], softs[0][:2], softs[0][:, :2]]
    queries = [query for query in population(softs) for _ in range(2)]
    order = rng.permutation(len(queries))
    wanted = one_by_one(tiny, queries)[order]
    assert tiny.features([queries[row] for row in order]) == pytest.approx(wanted, abs=1e-5)
    in_groups = features(tiny, [queries[row] for row in order], token_budget=8)
    assert in_groups == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("layer", [1, 2])
def test_the_layers_below_see_several_texts_at_once(tiny, rng, layer):
    """20 texts with 5 prompts each: a batch a text above, and below two of them together."""
    queries = population(deep(rng, layer), MANY)
    forwards = Counter[int]()
    handles = [
        each.register_forward_pre_hook(lambda *_, number=number: forwards.update([number]))
        for number, each in enumerate(tiny._model._layers)
    ]
    try:
        found = features(tiny, queries, token_budget=40)
    finally:
        for handle in handles:
            handle.remove()
    assert found == pytest.approx(one_by_one(tiny, queries), abs=1e-5)
    assert [forwards[number] for number in range(3)] == [10 if n < layer else 20 for n in range(3)]


def features(backend, queries, token_budget):
    return unit(backend._model.pooled(backend._sequences(queries), token_budget))


def test_queries_keys_and_values_are_made_once_a_prompt(tiny, rng, monkeypatch):
    made = Counter[tuple[int, ...]]()

    def counting(row, weight):
        made[tuple(row.shape)] += 1
        return linear(row, weight)

    monkeypatch.setattr(branching, "linear", counting)
    queries = population(deep(rng, 1, 5))
    found = tiny.features(queries)
    assert made == {(4, 16): 3 * 5}
    monkeypatch.setattr(branching, "_MOST_KEPT", 0)
    assert tiny.features(queries).tobytes() == found.tobytes()
    assert made[4, 16] > 3 * 5 * 2


def test_prompts_without_tokens_may_differ_in_depth(tiny):
    softs = [np.zeros((n_layers, 0, 16), np.float32) for n_layers in (1, 2, 3)]
    found = tiny.features(population(softs))
    assert found == pytest.approx(np.tile(tiny.features([*map(Query, TEXTS)]), (3, 1)), abs=1e-5)


def test_a_model_whose_layers_are_not_all_there_is(tmp_path, tiny_folder, rng):
    """One with a last normalization above its layers, and one before its queries."""
    small = BertConfig.from_pretrained(tiny_folder)
    config = RobertaPreLayerNormConfig(**{name: getattr(small, name) for name in SIZES})
    shutil.copytree(tiny_folder, tmp_path, dirs_exist_ok=True)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        RobertaPreLayerNormModel(config).save_pretrained(tmp_path)
    backend = Encoder(str(tmp_path))
    assert not backend._model._has_parts
    queries = population(deep(rng, 1), MANY)
    wanted = one_by_one(backend, queries)
    assert features(backend, queries, token_budget=32) == pytest.approx(wanted, abs=1e-5)


def test_equal_bytes_are_the_same_prompt_and_equal_numbers_are_not(tiny, rng, rows_read):
    soft = rng.normal(size=(2, 3, 16)).astype(np.float32)
    soft[1] = 0.0
    minus = soft.copy()
    minus[1] = -0.0
    tiny.features([Query("film", soft=one) for one in (soft, soft.copy(), minus)])
    assert rows_read == [1, 2, 2]


def test_threads_do_not_show_in_the_bits(tiny_folder, rng):
    queries = population([*deep(rng, 1, 40), *deep(rng, 2, 40)])
    one, three = (Encoder(str(tiny_folder), threads=n) for n in (1, 3))
    assert one.features(queries).tobytes() == three.features(queries).tobytes()


def test_what_the_layers_read(minilm, reference, rng):
    """Against the hidden states of transformers, without a prompt and with words for one."""
    model, tokenizer = reference
    texts = ["film", "a film of words"]
    for queries in (
        [Query(text) for text in texts],
        [Query(text[1:], soft=minilm.embed(text[0])[None]) for text in ("a film", "a ! but")],
    ):
        read = minilm.hidden(queries)
        assert len(read) == 5
        words = texts if queries[0].soft is None else ["a film", "a ! but"]
        states = [
            model(**tokenizer(t, return_tensors="pt"), output_hidden_states=True) for t in words
        ]
        for layer, found in enumerate(read, start=1):
            wanted = np.concatenate([s.hidden_states[layer][0].detach() for s in states])
            assert found == pytest.approx(wanted, abs=1e-4)


def test_it_reads_no_padding(tiny):
    with pytest.raises(BackendRefused, match="reads no padding"):
        tiny.hidden([Query("film")], padded=True)


def test_owners_are_the_first_that_are_the_same_so_far(rng):
    a, b = rng.normal(size=(2, 2, 3, 4)).astype(np.float32)
    mixed = np.stack([a[0], b[1]])
    lines = sharing.lineages("xxxyx", [a, mixed, b, a, a.copy()])
    assert sharing.owners(lines, 0).tolist() == [0, 0, 2, 3, 0]
    assert sharing.owners(lines, 1).tolist() == [0, 1, 2, 3, 0]
    assert (sharing.depth([a, None]), sharing.depth([None]), sharing.depth([a[:, :0]])) == (2, 1, 1)
