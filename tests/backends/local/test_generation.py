"""What the models write, against a plain loop, and how draws are repeated."""

import numpy as np
import pytest
import torch

from backends.base import BackendRefused, Query
from backends.local.decoding import chooser, decode
from tests.backends.local import by_hand, tiny

TEXTS = ["the movie was", "it", "what a film : it was very good and i liked", "is it good ? it is"]
MOST = 6


def by_loop(family, plain, before, after):
    model, tokenizer = plain(family)
    ends = {tokenizer.eos_token_id}
    if family in tiny.CAUSAL:
        written = by_hand.greedy(model, tokenizer(before)["input_ids"], ends, MOST)
    else:
        head, tail = by_hand.cut(tokenizer, before), by_hand.cut(tokenizer, after)
        start = model.config.decoder_start_token_id
        if family == "t5":
            gap, other = tokenizer.convert_tokens_to_ids(["<extra_id_0>", "<extra_id_1>"])
            read, said = [*head, gap, *tail, tokenizer.eos_token_id], [start, gap]
            ends.add(other)
        else:
            head = [tokenizer.bos_token_id, *head]
            read = [*head, tokenizer.mask_token_id, *tail, tokenizer.eos_token_id]
            said = [start, *head]
        written = by_hand.greedy(model, said, ends, MOST, input_ids=read)
    return tokenizer.decode(written, skip_special_tokens=True).strip()


@pytest.mark.parametrize("family", [*tiny.CAUSAL, *tiny.SEQ2SEQ])
def test_the_likeliest_words_are_those_of_a_plain_loop(opened, plain, family):
    """Side by side, padded on the left, with a cache: as one by one without."""
    after = "" if family in tiny.CAUSAL else " , and"
    said = opened(family).generate([Query(text, after) for text in TEXTS], max_tokens=MOST)
    assert said == [by_loop(family, plain, text, after) for text in TEXTS]
    assert len(set(said)) > 1


@pytest.mark.parametrize("family", [*tiny.CAUSAL, *tiny.SEQ2SEQ])
def test_prompts_are_read_and_embedded_words_write_as_the_words(opened, family):
    soft = opened(family).embed("a greater film")[None]
    written = opened(family).generate([Query("a greater film " + t) for t in TEXTS], max_tokens=8)
    inserted = [Query(" " + text, soft=soft) for text in TEXTS]
    assert opened(family).generate(inserted, max_tokens=8) == written
    row = 9 * np.random.default_rng(0).normal(size=soft.shape).astype(np.float32)
    deep = np.concatenate([soft, row, np.zeros_like(soft)])
    changed = [Query(" " + text, soft=deep) for text in TEXTS]
    assert opened(family).generate(changed, max_tokens=8) != written


@pytest.mark.parametrize("family", ["llama", "t5", "bart"])
def test_draws_depend_on_the_query_and_its_number_alone(opened, family):
    def draws(queries, samples):
        return opened(family).generate(queries, max_tokens=5, temperature=1.5, samples=samples)

    queries = [Query(text) for text in TEXTS]
    first = draws(queries, [0, 1, 2, 3])
    assert first == draws(queries, [0, 1, 2, 3])
    assert draws(queries[2:3], [2]) == first[2:3]
    assert draws(queries[::-1], [3, 2, 1, 0]) == first[::-1]
    assert len(set(draws([queries[0]] * 20, list(range(20))))) > 10
    assert len(set(draws([queries[0]] * 3, None))) == 1


def test_draws_are_as_likely_as_told():
    logits = torch.tensor([[0.0, 2.0, 1.0, -1e9]]).repeat(2000, 1)
    drawn = chooser(0.5, range(2000))(logits)
    shares = np.bincount(drawn.numpy(), minlength=4) / 2000
    wanted = (logits[0].double() / 0.5).softmax(-1).numpy()
    assert shares == pytest.approx(wanted, abs=0.04)
    assert shares[3] == 0


def test_an_end_is_an_end():
    script = [[5, 9, 5], [9, 5, 6], [7, 7, 7]]
    told = iter(script[1:])

    def one_hot(tokens):
        return torch.nn.functional.one_hot(torch.tensor(tokens), 10).float()

    said = decode(
        one_hot(script[0]), lambda _: one_hot(next(told)), chooser(0, []), frozenset({9}), 3
    )
    assert said == [(5,), (), (5, 6, 7)]
    assert decode(one_hot([9, 9]), lambda _: pytest.fail(), chooser(0, []), frozenset({9}), 3) == [
        (),
        (),
    ]


def test_what_stands_behind_the_gap_ends_the_answer_of_a_model_that_repeats(opened):
    whole = opened("bart").generate([Query("it was", " , and")], max_tokens=8)[0]
    cut = whole[2:4]
    model = opened("bart")
    texts = iter([whole])
    original, model._words.text = model._words.text, lambda ids: next(texts)
    try:
        assert model.generate([Query("it was", cut)], max_tokens=8) == [whole[:2].strip()]
    finally:
        model._words.text = original


@pytest.mark.parametrize("family", ["llama", "t5"])
def test_long_texts_leave_room_for_the_answer(opened, family):
    asked = [Query("good " * 300 + "it was")]
    assert len(opened(family).generate(asked, max_tokens=20)) == 1
    assert opened(family).generate([], max_tokens=20) == []
    if family == "llama":
        with pytest.raises(BackendRefused, match="at least 1 is wanted"):
            opened(family).generate(asked, max_tokens=48)
