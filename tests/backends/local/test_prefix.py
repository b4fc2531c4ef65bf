"""What stands before many texts is read once: soft prompts of causal models, layers of masked."""

import numpy as np
import pytest
import torch

from backends.base import Query
from backends.local.causal import Causal
from backends.local.masked import Masked
from tests.backends.local import tiny

LABELS = ["great", "not good"]
TEXTS = ["it was", "the whole film , all of it , was", "", "is it"]


def softs_of(rng, *depths, n_tokens=26):
    """One prompt a depth, longer than Mistral's window of 24."""
    return [rng.normal(size=(depth, n_tokens, tiny.WIDTH)).astype(np.float32) for depth in depths]


def asked(softs, after=""):
    return [Query(text, after, soft) for soft in softs for text in TEXTS]


@pytest.fixture
def counted(opened, monkeypatch):
    """Family -> our backend, and the tokens that each call of its first layer reads."""

    def start(family):
        backend = opened(family)
        stack = backend._reader.model.base_model
        layers = next(m for m in stack.modules() if isinstance(m, torch.nn.ModuleList))
        read = [[] for _ in layers]
        for layer, sizes in zip(layers, read, strict=True):
            hook = layer.register_forward_hook(_counter(sizes), with_kwargs=True)
            hooks.append(hook)
        return backend, read

    hooks = []
    yield start
    for hook in hooks:
        hook.remove()


def _counter(sizes):
    def count(module, args, kwargs, output):
        hidden = output[0] if isinstance(output, tuple) else output
        sizes.append(tuple(hidden.shape[:2]))

    return count


@pytest.mark.parametrize("family", tiny.CAUSAL)
def test_a_causal_model_answers_as_without_a_shared_prefix(opened, family, monkeypatch):
    backend = opened(family)
    assert backend._prefixes.shares
    rng = np.random.default_rng(0)
    queries = [*asked(softs_of(rng, 1, 3, 3, 2)), *asked(softs_of(rng, 2, 1, n_tokens=3))]
    queries += [Query("it was"), Query("alone", soft=softs_of(rng, 3)[0])]
    shared, ranked = backend.score(queries, LABELS), backend.rank(queries[:6], 4)
    monkeypatch.setattr(backend._prefixes, "shares", False)
    assert shared == pytest.approx(backend.score(queries, LABELS), abs=1e-4)
    for found, wanted in zip(ranked, backend.rank(queries[:6], 4), strict=True):
        assert found == pytest.approx(wanted, abs=1e-4)


def test_a_prefix_is_read_once_and_texts_alone_behind_it(counted):
    backend, read = counted("llama")
    softs = softs_of(np.random.default_rng(1), 3, 1)
    backend.score([Query("it was", "", soft) for soft in softs for _ in range(3)], ["great"])
    (first, second), *others = read
    assert (first, second) == ((2, 27), (6, len(backend._words.ids("it was"))))
    assert others == [[first, second]] * 2


def test_more_prefixes_than_are_held_at_once(opened, monkeypatch):
    softs = softs_of(np.random.default_rng(2), *[1] * 5)
    wanted = opened("llama").score(asked(softs), LABELS)
    monkeypatch.setattr("backends.local.prefix.TOGETHER", 2)
    assert opened("llama").score(asked(softs), LABELS) == pytest.approx(wanted, abs=1e-4)


def test_threads_do_not_show_in_the_bits(folder_of):
    queries = asked(softs_of(np.random.default_rng(3), *[2] * 30))
    one, three = (Causal(folder_of("llama"), threads=n) for n in (1, 3))
    assert one.score(queries, LABELS).tobytes() == three.score(queries, LABELS).tobytes()


def test_a_model_that_forgets_its_prefix_is_read_plainly(folder_of, monkeypatch):
    from transformers import DynamicCache

    soft = softs_of(np.random.default_rng(4), 2)
    wanted = Causal(folder_of("llama"), threads=1).score(asked(soft), LABELS)
    kept = DynamicCache.update
    monkeypatch.setattr(
        DynamicCache, "update", lambda cache, k, v, *rest, **more: kept(cache, k, 0 * v, *rest)
    )
    backend = Causal(folder_of("llama"), threads=1)
    assert not backend._prefixes.shares
    assert backend.score(asked(soft), LABELS) == pytest.approx(wanted, abs=1e-4)


def population(rng, layer, n=5):
    """Prompts that differ from each other at one layer alone."""
    common = softs_of(rng, 3, n_tokens=4)[0]
    softs = np.repeat(common[None], n, axis=0)
    softs[:, layer] = rng.normal(size=(n, 4, tiny.WIDTH))
    return asked(list(softs), " , and so on .")


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("family", tiny.MASKED)
def test_a_masked_model_answers_as_alone(opened, family, layer):
    queries = population(np.random.default_rng(5), layer)
    found = opened(family).score(queries, LABELS)
    alone = np.concatenate([opened(family).score([query], LABELS) for query in queries])
    assert found == pytest.approx(alone, abs=1e-4)
    assert len(np.unique(found.round(5), axis=0)) == len(queries)


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_layers_below_the_first_difference_are_read_once_a_text(counted, layer):
    backend, read = counted("bert")
    queries = population(np.random.default_rng(6), layer)
    backend.score(queries, ["great"])
    rows = [sum(n for n, _ in sizes) for sizes in read]
    assert rows == [len(queries) if number >= layer else len(TEXTS) for number in range(3)]


def test_masked_queries_of_every_depth_share_a_call(opened):
    rng = np.random.default_rng(7)
    queries = [*population(rng, 1), *population(rng, 2), *asked([None, None])]
    queries += asked([queries[0].soft.copy(), queries[0].soft[:2], queries[0].soft[:, :2]])
    order = rng.permutation(len(queries))
    found = opened("roberta").score([queries[row] for row in order], LABELS)
    alone = np.concatenate([opened("roberta").score([query], LABELS) for query in queries])
    assert found == pytest.approx(alone[order], abs=1e-4)


@pytest.mark.parametrize("family", ["bert", "roberta", "gpt2", "llama"])
def test_what_the_layers_read(opened, plain, family):
    """Against transformers' hidden states: of the tokens, and with the padding."""
    model, tokenizer = plain(family)
    mask = tokenizer.mask_token
    texts = ["it was", "the story was very dull and it was"]
    shown = [text + (mask or "") for text in texts]
    tokenizer.pad_token_id = 0  # what our padding reads
    batch = tokenizer(shown, padding=True, return_tensors="pt")
    batch.pop("token_type_ids", None)
    ids, real = batch["input_ids"], batch["attention_mask"]
    vectors = model.get_input_embeddings()(ids)
    with torch.inference_mode():
        states = model(inputs_embeds=vectors, attention_mask=real, output_hidden_states=True)
    queries = [Query(text) for text in texts]
    for padded in (False, True):
        read = opened(family).hidden(queries, padded=padded)
        keep = real.bool() | padded
        assert len(read) == 2
        for layer, found in enumerate(read, start=1):
            wanted = states.hidden_states[layer][keep].numpy()
            assert found == pytest.approx(wanted, abs=1e-4)


def test_layers_of_another_width_tell_nothing(opened):
    assert isinstance(opened("narrow"), Masked)
    assert opened("narrow").hidden([Query("it was")]) == []
