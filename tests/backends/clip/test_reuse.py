"""Each side is read once, and what is remembered never shows: not in the bits."""

import numpy as np
import pytest
import torch

from backends.base import Query
from backends.clip.files import picture
from backends.clip.memory import Memory
from backends.clip.model import Clip
from tests.backends.clip.tiny import LABELS


@pytest.fixture
def counting(folder, monkeypatch):
    """A fresh backend whose batches are never filled up, and what its towers have read."""
    monkeypatch.setattr("backends.clip.model._WORK", {"cpu": 1})
    read = {"texts": 0, "images": 0}

    def opened(**options):
        backend = Clip(str(folder), threads=1, device="cpu", **options)
        for side, tower in (("texts", backend._text), ("images", backend._images)):
            monkeypatch.setattr(tower, "features", _counted(tower.features, read, side))
        return backend

    return opened, read


def _counted(features, read, side):
    def count(items, size):
        read[side] += size
        return features(items, size)

    return count


def population(files, rng, n=4):
    """Every soft prompt with every image, each prompt one array for all of its queries."""
    softs = rng.normal(size=(n, 1, 3, 64)).astype(np.float32)
    return [Query("a ", ".", soft=soft, image=file) for soft in list(softs) for file in files]


def test_a_population_of_text_prompts_costs_prompts_times_labels_and_no_image(counting, files, rng):
    opened, read = counting
    backend = opened()
    backend.score(population(files, rng), LABELS)
    assert read == {"texts": 4 * 3, "images": 6}
    asked = population(files, rng)
    for start in range(0, len(asked), 5):  # slices that cut through prompts, as a meter's do
        backend.score(asked[start : start + 5], LABELS)
    assert read == {"texts": 8 * 3, "images": 6}


def test_a_population_of_visual_prompts_reads_the_texts_once(counting, files, rng):
    opened, read = counting
    visuals = list(rng.normal(size=(4, 1, 2, 48)).astype(np.float32))
    asked = [Query("a ", image=file, visual=visual) for visual in visuals for file in files]
    backend = opened()
    for _ in range(2):
        backend.score(asked, LABELS)
    assert read == {"texts": 3, "images": 24}


def test_images_of_a_visual_population_are_decoded_once(folder, files, rng, monkeypatch):
    decoded = []
    monkeypatch.setattr(
        "backends.clip.images.picture", lambda file: decoded.append(file) or picture(file)
    )
    visuals = list(rng.normal(size=(4, 1, 2, 48)).astype(np.float32))
    asked = [Query("a ", image=file, visual=visual) for visual in visuals for file in files]
    Clip(str(folder), threads=1).score(asked, LABELS)
    assert sorted(decoded) == sorted(files)


def test_the_same_content_is_one_prompt_whoever_holds_it(counting, files, rng):
    opened, read = counting
    soft = rng.normal(size=(1, 2, 64)).astype(np.float32)
    twins = [Query("a ", soft=soft.copy(), image=bytes(bytearray(files[0]))) for _ in range(3)]
    opened().score(twins, LABELS)
    assert read == {"texts": 3, "images": 1}


def test_a_prompt_changed_in_place_is_another(clip, files, rng):
    soft = rng.normal(size=(1, 2, 64)).astype(np.float32)
    query = Query("a ", soft=soft, image=files[0])
    first = clip.score([query], LABELS)
    soft *= -1
    assert np.abs(clip.score([query], LABELS) - first).max() > 0.01


def test_without_memory_each_call_reads_anew(counting, files, rng):
    opened, read = counting
    backend = opened(cache_mb=0)
    asked = population(files, rng)
    for _ in range(2):
        backend.score(asked, LABELS)
    assert read == {"texts": 2 * 12, "images": 2 * 6}


def mixed(files, rng, n=40):
    """Queries with every sort of prompt on either side, in no order."""
    softs = [None, *rng.normal(size=(5, 1, 3, 64)).astype(np.float32)]
    softs += list(rng.normal(size=(2, 3, 2, 64)).astype(np.float32))
    visuals = [None, *rng.normal(size=(4, 2, 2, 48)).astype(np.float32)]
    before = ["a photo of a ", "the ", ""]
    pick = rng.integers
    return [
        Query(
            before[pick(3)],
            ".",
            softs[pick(len(softs))],
            files[pick(len(files))],
            visuals[pick(len(visuals))],
        )
        for _ in range(n)
    ]


def test_what_is_remembered_does_not_show_in_the_bits(folder, clip, files, rng):
    asked = mixed(files, rng)
    wanted = clip.score(asked, LABELS).tobytes()
    assert clip.score(asked, LABELS).tobytes() == wanted
    assert Clip(str(folder), threads=1, cache_mb=0).score(asked, LABELS).tobytes() == wanted
    warm = Clip(str(folder), threads=1)
    warm.score([asked[i] for i in rng.permutation(len(asked))[:17]], LABELS[::-1])
    assert warm.score(asked, LABELS).tobytes() == wanted


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_do_not_show_in_the_bits(folder, clip, files, rng, threads):
    asked = mixed(files, rng)
    backend = Clip(str(folder), threads=threads)
    assert backend.score(asked, LABELS).tobytes() == clip.score(asked, LABELS).tobytes()


def test_parts_of_a_large_call_do_not_show_in_the_bits(folder, clip, files, rng, monkeypatch):
    asked = mixed(files, rng)
    monkeypatch.setattr("backends.clip.model._TEXTS_TOGETHER", 4)
    backend = Clip(str(folder), threads=2)
    assert backend.score(asked, LABELS).tobytes() == clip.score(asked, LABELS).tobytes()


def test_nothing_is_left_in_the_model(clip, files, rng):
    before = {name: t.clone() for name, t in clip._images._model.state_dict().items()}
    clip.score(mixed(files, rng), LABELS)
    after = clip._images._model.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert not any(p.requires_grad for p in clip._images._model.parameters())


def test_a_remembered_vector_holds_no_batch_in_memory(folder, queries):
    backend = Clip(str(folder), threads=1)
    backend.score(queries, LABELS)
    held = list(backend._known._kept.values())
    assert len(held) == len(queries) + len(LABELS)
    assert all(vector.base is None for vector in held)


def test_memory_forgets_what_was_not_used_for_longest():
    memory: Memory[str, np.ndarray] = Memory(3 * 80)
    for key in "abc":
        memory.put(key, np.full(10, ord(key), float))
    assert memory.get("a") is not None
    memory.put("d", np.zeros(10))
    assert [memory.get(key) is not None for key in "abcd"] == [True, False, True, True]
    memory.put("large", np.zeros(31))
    assert memory.get("large") is None
    assert memory.get("d") is not None


def test_memory_computes_only_what_is_missing_and_all_of_it_even_if_none_fits():
    asked = []

    def double(items):
        asked.append(list(items))
        return [np.array([2.0 * item]) for item in items]

    for limit, again in ((1000, []), (8, [1, 2]), (0, [1, 2])):
        asked.clear()
        memory: Memory[str, np.ndarray] = Memory(limit)
        for _ in range(2):
            found = memory.complete({"one": 1, "two": 2}, double)
            assert {key: value.item() for key, value in found.items()} == {"one": 2, "two": 4}
        assert asked[0] == [1, 2]
        assert set(asked[1]) <= set(again)
