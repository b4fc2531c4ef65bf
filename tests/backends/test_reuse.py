"""Layers that are the same for several queries are computed once, and the answers show nothing."""

from collections.abc import Sequence

import numpy as np
import pytest

from backends import sharing
from backends.base import BackendRefused, Query
from backends.encoder import Encoder
from tests.backends.test_encoder import by_hand

TEXTS = ["film", "a good film", "a very bad film !", "plain"]
N_TEXTS = len(TEXTS)


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
    found = tiny.features([queries[row] for row in order])
    assert found == pytest.approx(one_by_one(tiny, queries)[order], abs=1e-5)


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
