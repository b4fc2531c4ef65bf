"""Iterative forward tuning, against a plain loop of transformers that shares no code with it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from backends.base import BackendRefused, Query, Subnetwork, Thinking, Thinks
from backends.local import thinking
from backends.local.causal import Causal
from tests.backends.local import tiny
from tests.backends.local.by_hand import cut

DEMONSTRATIONS = "a dull film : bad . a good story : great . "
RECIPE = Thinking(DEMONSTRATIONS, 3, 0.1, 0.9)
LABELS = ["great", "not good", "bad"]
TEXTS = ["it was", "the film , a movie , was :", "", "is it"]
BEHIND = [Query(text, thinking=RECIPE) for text in TEXTS]


@torch.inference_mode()
def passed(model, ids, recipe):
    """[(keys, values)] of each layer after the passes, and how far the last one was from them."""
    from transformers import DynamicCache

    kept, steps, moved = pairs(model(input_ids=ids, use_cache=True).past_key_values), None, 0.0
    for _ in range(recipe.passes):
        past = filled(DynamicCache(), kept)
        whole = torch.ones(1, 2 * ids.shape[1], dtype=torch.int64)
        said = model(input_ids=ids, attention_mask=whole, past_key_values=past, use_cache=True)
        new = [one[:, :, ids.shape[1] :] for one in pairs(said.past_key_values)]
        gaps = [after - before for after, before in zip(new, kept, strict=True)]
        moved = norm(gaps) / norm(kept)
        steps = [
            gap + recipe.momentum * (0 if steps is None else steps[i]) for i, gap in enumerate(gaps)
        ]
        kept = [one + recipe.step_size * step for one, step in zip(kept, steps, strict=True)]
    return filled(DynamicCache(), kept), moved


def pairs(cache):
    return [one for layer in cache.layers for one in (layer.keys, layer.values)]


def filled(cache, kept):
    for number in range(0, len(kept), 2):
        cache.update(kept[number], kept[number + 1], number // 2)
    return cache


def norm(tensors):
    return float(torch.cat([one.flatten() for one in tensors]).norm())


@torch.inference_mode()
def by_hand(plain, family, before, label, recipe):
    """The label's log-probability, its text alone read behind the moved cache."""
    model, tokenizer = plain(family)
    ids = torch.tensor([tokenizer(recipe.demonstrations)["input_ids"]])
    past, _ = passed(model, ids, recipe)
    head = cut(tokenizer, before) or [tokenizer.bos_token_id]
    tokens = cut(tokenizer, " " + label if before else label)
    read = torch.tensor([[*head, *tokens]])
    whole = torch.ones(1, ids.shape[1] + read.shape[1], dtype=torch.int64)
    logits = model(input_ids=read, attention_mask=whole, past_key_values=past).logits[0]
    table = logits.double().log_softmax(-1)[len(head) - 1 :]
    return float(sum(table[i, token] for i, token in enumerate(tokens)))


@pytest.mark.parametrize("passes", [0, 1, 4])
@pytest.mark.parametrize("family", tiny.CAUSAL)
def test_labels_behind_demonstrations_score_as_by_hand(opened, plain, family, passes):
    recipe = replace(RECIPE, passes=passes)
    found = opened(family).score([replace(one, thinking=recipe) for one in BEHIND], LABELS)
    wanted = [[by_hand(plain, family, text, one, recipe) for one in LABELS] for text in TEXTS]
    assert found == pytest.approx(np.array(wanted), abs=1e-5)


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_how_far_the_last_pass_was(opened, plain, family):
    model, tokenizer = plain(family)
    ids = torch.tensor([tokenizer(DEMONSTRATIONS)["input_ids"]])
    recipes = [replace(RECIPE, passes=n) for n in (0, 1, 3)]
    assert isinstance(opened(family), Thinks)
    found = opened(family).think(recipes)
    assert found == pytest.approx([passed(model, ids, one)[1] for one in recipes], rel=1e-4)
    assert found[0] == 0 and found[1] > 0.01


def test_without_a_pass_it_is_the_whole_text(opened):
    """Plain in-context learning, where the tokens part as the texts do."""
    whole = [Query(DEMONSTRATIONS + text) for text in TEXTS if text]
    shown = replace(RECIPE, demonstrations=DEMONSTRATIONS.rstrip(), passes=0)
    behind = [Query(" " + text, thinking=shown) for text in TEXTS if text]
    found = opened("gpt2").score(behind, LABELS)
    assert found == pytest.approx(opened("gpt2").score(whole, LABELS), abs=1e-4)


@pytest.mark.parametrize("change", [{"passes": 4}, {"step_size": 0.2}, {"momentum": 0.5}])
def test_every_part_of_the_recipe_matters(opened, change):
    other = [replace(one, thinking=replace(RECIPE, **change)) for one in BEHIND]
    known, found = (opened("llama").score(queries, LABELS) for queries in (BEHIND, other))
    assert np.abs(found - known).max() > 1e-3


def test_recipes_and_other_queries_share_a_call(opened):
    rng = np.random.default_rng(0)
    soft = rng.normal(size=(1, 3, tiny.WIDTH)).astype(np.float32)
    queries = [Query(text, soft=each) for text in TEXTS for each in (None, soft)]
    queries += [replace(one, thinking=replace(RECIPE, passes=n)) for n in (2, 0) for one in BEHIND]
    order = rng.permutation(len(queries))
    found = opened("llama").score([queries[row] for row in order], LABELS)
    alone = np.concatenate([opened("llama").score([query], LABELS) for query in queries])
    assert found == pytest.approx(alone[order], abs=1e-4)
    ranked = opened("llama").rank([BEHIND[0], queries[0]], 4)
    assert [len(one) for one in ranked] == [4, 4] and ranked[0] != ranked[1]


@pytest.fixture
def counted(folder_of, monkeypatch):
    """Our backend, opened anew, and how many tokens each forward of the model reads."""
    backend, read = Causal(folder_of("llama"), threads=1), []
    forward = backend._reader.model.forward
    monkeypatch.setattr(
        backend._reader.model,
        "forward",
        lambda **given: read.append(given["inputs_embeds"].shape[:2]) or forward(**given),
    )
    return backend, read


def test_demonstrations_are_read_once_a_pass_and_then_texts_alone(counted):
    backend, read = counted
    ids = backend._words.ids
    first = (1, 1 + len(ids(DEMONSTRATIONS)))
    backend.think([replace(RECIPE, passes=n) for n in range(4)])
    assert read == [first] * 4
    read.clear()
    backend.score([replace(BEHIND[0])] * 2, ["great"])
    assert read == [(2, len(ids(TEXTS[0])))]
    read.clear()
    backend.think([replace(RECIPE, passes=5)])
    assert read == [first] * 2


def test_a_batch_holds_no_more_copies_of_the_demonstrations_than_tokens_fit(counted):
    backend, read = counted
    backend._reader.workers._budget = 2 * (1 + len(backend._words.ids(DEMONSTRATIONS))) + 20
    backend.score([BEHIND[0]] * 5, ["great"])
    assert [rows for rows, _ in read[4:]] == [2, 2, 1]


def test_going_on_gives_the_same_bits_as_from_the_start(counted, folder_of, monkeypatch):
    backend, read = counted
    monkeypatch.setattr(thinking, "KEPT", 1)
    for passes in (0, 1, 3):
        backend.think([replace(RECIPE, passes=passes)])
    fresh = Causal(folder_of("llama"), threads=3)
    assert backend.score(BEHIND, LABELS).tobytes() == fresh.score(BEHIND, LABELS).tobytes()
    other = replace(RECIPE, step_size=0.3)
    before = len(read)
    backend.think([other])
    assert len(read) - before == 4  # nothing of another recipe is taken over
    backend.think([replace(RECIPE, passes=0)])
    assert len(read) - before == 5
    assert len(backend._thinker._thoughts) == 1


def test_halves_keep_small_steps(folder_of):
    recipe = replace(RECIPE, passes=8, step_size=1e-4)
    backend = Causal(folder_of("llama"), threads=1, dtype="bfloat16")
    backend.think([recipe])
    [thought] = backend._thinker._thoughts.values()
    first = Causal(folder_of("llama"), threads=1, dtype="bfloat16")._thinker._thought(
        replace(recipe, passes=0)
    )
    apart = [a != b for a, b in zip(thought.keys_values, first.keys_values, strict=True)]
    # a value of the first layer sees no context: nothing moves it
    assert float(torch.cat([one.flatten() for one in apart[2:]]).float().mean()) > 0.9
    assert all(one.dtype == torch.float32 for one in thought.keys_values)
    assert np.isfinite(backend.score(BEHIND, LABELS)).all()


def test_of_a_text_too_long_the_middle_is_left_out(opened):
    backend = opened("llama")
    longer = [replace(BEHIND[0], before="the film " * n + "it was") for n in (40, 90)]
    scores = backend.score(longer, LABELS)
    np.testing.assert_array_equal(scores[0], scores[1])


def test_what_is_refused(opened, monkeypatch):
    backend, soft = opened("llama"), np.zeros((1, 2, tiny.WIDTH), np.float32)
    for query in (
        replace(BEHIND[0], soft=soft),
        replace(BEHIND[0], subnetwork=Subnetwork(0, 0.1)),
    ):
        with pytest.raises(BackendRefused, match="no soft prompt and with no sub-network"):
            backend.score([query], LABELS)
    for ask in (backend.hidden, lambda queries: backend.generate(queries, max_tokens=1)):
        with pytest.raises(BackendRefused, match="only labels and words"):
            ask(BEHIND)
    for family, change in (("llama", {"passes": -1}), ("gpt2", {"demonstrations": ""})):
        with pytest.raises(BackendRefused, match="some words and 0 passes or more"):
            opened(family).think([replace(RECIPE, **change)])
    for passes, said in ((1, "at most 24 are wanted"), (0, "the prompt leaves")):
        long = Thinking("a b " * 23, passes, 0.1, 0.9)
        with pytest.raises(BackendRefused, match=said):
            backend.score([Query("it was", thinking=long)], LABELS)
    monkeypatch.setattr(backend._prefixes, "shares", False)
    with pytest.raises(BackendRefused, match="keeps no keys and values"):
        backend.score(BEHIND, LABELS)
