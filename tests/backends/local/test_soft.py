"""Soft prompts: as words they answer as the words, and at every layer as a hook by hand does."""

import numpy as np
import pytest
import torch

from backends.base import BackendRefused, Query
from tests.backends.local import by_hand, tiny

DEEP = [*tiny.MASKED, *tiny.CAUSAL, *tiny.SEQ2SEQ]
LABELS = ["great", "not good"]
LAYERS = {
    "bert": "bert.encoder.layer",
    "electra": "electra.encoder.layer",
    "distilbert": "distilbert.transformer.layer",
    "roberta": "roberta.encoder.layer",
    "albert": "albert.encoder.albert_layer_groups",
    "gpt2": "transformer.h",
    "opt": "model.decoder.layers",
    "t5": "encoder.block",
    "bart": "model.encoder.layers",
}  # of the others: model.layers


def asked(family, before, soft=None):
    return Query(before, "" if family in tiny.CAUSAL else " , and so on .", soft)


@pytest.mark.parametrize("family", [*DEEP, "narrow"])
@pytest.mark.parametrize("words", ["a greater film", "(unheard"])
def test_embedded_words_answer_as_the_words_themselves(opened, family, words):
    soft = opened(family).embed(words)[None]
    texts = [" the movie was", " it was good , what a film it was"]
    written = opened(family).score([asked(family, words + text) for text in texts], LABELS)
    inserted = opened(family).score([asked(family, text, soft) for text in texts], LABELS)
    assert inserted == pytest.approx(written, abs=1e-4)


def by_hooks(family, plain, words, deep, text):
    """Scores of "words text" where a hook adds row i of `deep` to what layer i reads."""
    model, tokenizer = plain(family)
    n = len(by_hand.cut(tokenizer, words))
    first = 0 if family in ("gpt2", "qwen2", "qwen3", "t5") else 1  # the special token before it
    passed = iter(range(99))

    def add(module, args, kwargs):
        number = next(passed)
        if number:
            hidden = args[0].clone()
            hidden[:, first : first + n] += torch.tensor(deep[number])
            return (hidden, *args[1:]), kwargs
        return None

    layers = model.get_submodule(LAYERS.get(family, "model.layers"))
    hooks = [layer.register_forward_pre_hook(add, with_kwargs=True) for layer in layers]
    found = []
    for label in LABELS:
        passed = iter(range(99))
        query = asked(family, words + text)
        found.append(by_hand.score(family, plain, query.before, query.after, label))
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize("family", DEEP)
def test_prompts_at_every_layer_are_those_of_hooks_by_hand(opened, plain, family):
    rng = np.random.default_rng(0)
    words = "good or bad film"
    given = opened(family).embed(words)
    texts = [" it was", " the story was very dull and it was", " is it"]
    softs = []
    for n_layers in (3, 2, 1):
        soft = rng.normal(size=(n_layers, *given.shape)).astype(np.float32)
        soft[0] = given
        softs.append(soft)
    queries = [asked(family, text, soft) for text, soft in zip(texts, softs, strict=True)]
    found = opened(family).score(queries, LABELS)
    for row, text, soft in zip(found, texts, softs, strict=True):
        deep = [*soft, *np.zeros((3 - len(soft), *given.shape), np.float32)]
        assert row == pytest.approx(by_hooks(family, plain, words, deep, text), abs=1e-4)


@pytest.mark.parametrize("family", DEEP)
def test_every_row_matters_and_none_leaves_a_trace(opened, family):
    assert opened(family).prompt_shape == (3, tiny.WIDTH)
    plain = opened(family).score([asked(family, "it was")], LABELS)
    soft = np.zeros((3, 2, tiny.WIDTH), np.float32)
    soft[0] = opened(family).embed("great film")[:2]
    shallow = opened(family).score([asked(family, "it was", soft[:1])], LABELS)
    assert opened(family).score([asked(family, "it was", soft)], LABELS) == pytest.approx(
        shallow, abs=1e-5
    )
    for layer in range(3):
        changed = soft.copy()
        changed[layer] += np.linspace(-1, 1, 2 * tiny.WIDTH).reshape(2, -1).astype(np.float32)
        scores = opened(family).score([asked(family, "it was", changed)], LABELS)
        assert np.abs(scores - shallow).max() > 1e-3, layer
    assert opened(family).score([asked(family, "it was")], LABELS).tobytes() == plain.tobytes()


@pytest.mark.parametrize("family", DEEP)
def test_a_population_and_plain_queries_share_a_call(opened, family):
    rng = np.random.default_rng(1)
    shapes = [(1, 3), (3, 2), (2, 0), (2, 5)]
    softs = [rng.normal(size=(*shape, tiny.WIDTH)).astype(np.float32) for shape in shapes]
    queries = [
        asked(family, text, soft)
        for soft in [*softs, None]
        for text in ("it was", "the whole film , all of it , was")
    ]
    together = opened(family).score(queries, LABELS)
    alone = np.concatenate([opened(family).score([query], LABELS) for query in queries])
    assert alone == pytest.approx(together, abs=1e-4)
    assert len(np.unique(together.round(5), axis=0)) == len(queries) - 2  # (2, 0) is no prompt


def test_a_prompt_alone_is_text_enough(opened):
    soft = opened("gpt2").embed("the movie was")[None]
    inserted = opened("gpt2").score([Query("", soft=soft)], ["good"])[0, 0]
    ids = opened("gpt2")._words.label(("", ""), "good")  # no space is put before a first word
    model = opened("gpt2")._reader.model
    read = [*opened("gpt2")._words.ids("the movie was"), *ids]
    table = by_hand.logs(model, input_ids=read)[-len(ids) - 1 :]
    assert inserted == pytest.approx(float(sum(table[i, t] for i, t in enumerate(ids))), abs=1e-4)


@pytest.mark.parametrize(
    "soft, message",
    [
        (np.zeros((1, 2, 8), np.float32), r"\(1, 2, 8\): \(1 to 3, n_tokens, 16\) is wanted"),
        (np.zeros((4, 2, 16), np.float32), r"\(4, 2, 16\): \(1 to 3, n_tokens, 16\) is wanted"),
        (np.zeros((2, 16), np.float32), r"\(2, 16\): \(1 to 3, n_tokens, 16\) is wanted"),
        (np.full((1, 2, 16), np.nan, np.float32), "some of its numbers are not finite"),
        (np.full((1, 2, 16), 1e300), "some of its numbers are not finite"),
        (np.zeros((1, 40, 16), np.float32), "tokens for the text: at least 1 is wanted"),
    ],
)
@pytest.mark.parametrize("family", ["bert", "llama", "t5"])
def test_a_soft_prompt_it_cannot_read_is_refused(opened, family, soft, message):
    with pytest.raises(BackendRefused, match=message):
        opened(family).score([asked(family, "it was"), asked(family, "it was", soft)], ["good"])


def test_vectors_narrower_than_the_layers_are_read_at_the_input_alone(opened):
    assert opened("narrow").prompt_shape == (1, 8)
    with pytest.raises(BackendRefused, match=r"\(1 to 1, n_tokens, 8\) is wanted"):
        opened("narrow").score([Query("it was", soft=np.zeros((2, 1, 8), np.float32))], ["good"])


@pytest.mark.parametrize("family", [*DEEP, "narrow"])
def test_embeddings_are_those_that_the_model_reads(opened, plain, family):
    model, tokenizer = plain(family)
    table = model.get_input_embeddings().weight.detach().double()
    scale = 4.0 if family == "bart" else 1.0  # the root of its width
    assert opened(family).embedding_std == pytest.approx(
        scale * float(table.std(correction=0)), rel=1e-5
    )
    ids = by_hand.cut(tokenizer, "the film")
    assert opened(family).embed("the film") == pytest.approx(scale * table[ids].numpy(), abs=1e-5)
    assert opened(family).embed("").shape == (0, table.shape[1])


@pytest.mark.parametrize("family", ["bert", "gpt2", "t5"])
def test_nearest_words_are_whole_words(opened, family):
    vectors = 3 * opened(family).embed("a great film")
    assert [word for word, _ in opened(family).nearest_words(vectors)][1:] == ["great", "film"]
    assert [cosine for _, cosine in opened(family).nearest_words(vectors)][1:] == pytest.approx(
        [1, 1], abs=1e-5
    )
    with pytest.raises(BackendRefused, match=r"\(n_tokens, 16\) wanted"):
        opened(family).nearest_words(np.zeros((1, 2), np.float32))
