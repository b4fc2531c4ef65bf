"""Every family's label scores against plain transformers, and the likeliest words."""

import numpy as np
import pytest
import torch

from backends.base import BackendRefused, Query
from backends.local.workers import Workers
from tests.backends.local import by_hand, tiny

LABELS = ["great", "bad", "not good", "not bad at all", "unheard"]
BEFORE = ["the movie was", "what a film : it was very good and", "it was", "is it good ? it is not"]
ALL = [*tiny.MASKED, "narrow", *tiny.CAUSAL, *tiny.SEQ2SEQ]


def asked(family, before, after=" , and i liked it ."):
    return Query(before, "" if family in tiny.CAUSAL else after)


@pytest.mark.parametrize("family", ALL)
def test_scores_are_those_of_plain_forwards(opened, plain, family):
    queries = [asked(family, before) for before in BEFORE]
    found = opened(family).score(queries, LABELS)
    wanted = [
        [by_hand.score(family, plain, query.before, query.after, label) for label in LABELS]
        for query in queries
    ]
    assert found.dtype == np.float64
    assert found == pytest.approx(np.array(wanted), abs=1e-4)


@pytest.mark.parametrize("family", ALL)
def test_company_and_order_do_not_matter(opened, family):
    queries = [asked(family, "the film was " * n + "great and it was") for n in range(1, 8)]
    together = opened(family).score(queries, LABELS)
    alone = np.concatenate([opened(family).score([query], LABELS) for query in queries])
    single = np.hstack([opened(family).score(queries, [label]) for label in LABELS])
    back = opened(family).score(queries[::-1], LABELS)[::-1]
    for other in (alone, single, back):
        assert other == pytest.approx(together, abs=1e-4)
    assert opened(family).score(queries, LABELS).tobytes() == together.tobytes()


@pytest.mark.parametrize("family", ["bert", "llama", "bart"])
def test_the_number_of_threads_changes_no_bit(opened, folder_of, family):
    queries = [asked(family, "good " * (n % 30) + "it was") for n in range(150)]
    one = type(opened(family))(folder_of(family), threads=1)
    before = torch.get_num_threads()
    assert (one.score(queries, LABELS) == opened(family).score(queries, LABELS)).all()
    assert torch.get_num_threads() == before


def test_a_batch_is_read_by_one_thread_and_answers_keep_their_order():
    texts = ["a long text", "b", "a text", "cc"] * 500
    workers = Workers(2, "cpu")
    threads = workers.map(lambda batch: [torch.get_num_threads() for _ in batch], texts)
    assert set(threads) == {1}
    assert workers.map(lambda batch: batch, texts) == texts


@pytest.mark.parametrize("family", ALL)
def test_labels_that_begin_alike_are_told_apart(opened, family):
    labels = ["not good", "not bad", "not"]
    scores = opened(family).score([asked(family, "the film was")], labels)
    assert len(set(scores[0].round(6))) == 3


@pytest.mark.parametrize("family", ALL)
def test_ranked_words_have_the_scores_of_labels(opened, family):
    queries = [asked(family, before) for before in ("it was", "a film (", "")]
    ranked = opened(family).rank(queries, 5)
    assert [len(ranked[0]), len(ranked[2])] == [5, 5]
    assert 0 < len(ranked[1]) <= 5  # SentencePiece has few words that stand close to a bracket
    for query, row in zip(queries, ranked, strict=True):
        scores = opened(family).score([query], list(row))[0]
        assert list(row.values()) == pytest.approx(scores, abs=1e-4)
        assert list(row.values()) == sorted(row.values(), reverse=True)
        others = opened(family).rank([query], 10_000)[0]
        assert list(others)[:5] == list(row)
    assert opened(family).rank([], 5) == []


@pytest.mark.parametrize("family", ["bert", "gpt2", "t5"])
def test_nothing_asked_nothing_told(opened, family):
    assert opened(family).score([], LABELS).shape == (0, len(LABELS))
    with pytest.raises(BackendRefused, match="no labels were given"):
        opened(family).score([asked(family, "it was")], [])


@pytest.mark.parametrize("family", ["bert", "opt", "t5"])
def test_the_head_sees_only_what_is_asked(opened, family):
    """Never (batch, length, vocabulary): two places for two queries and labels of one token."""
    seen = []
    head = opened(family)._reader
    model = getattr(head, "model", None) or head._model
    hook = model.get_output_embeddings().register_forward_hook(
        lambda module, args, output: seen.append(tuple(output.shape[:-1]))
    )
    opened(family).score([asked(family, "it was"), asked(family, "a film was")], ["good", "bad"])
    hook.remove()
    assert seen == [(1, 2)]


@pytest.mark.parametrize("family", tiny.CAUSAL)
def test_a_causal_model_takes_no_text_behind_the_gap(opened, family):
    with pytest.raises(BackendRefused, match="no text after the gap"):
        opened(family).score([Query("it was", " .")], ["good"])


def test_reduced_precision_is_near(opened, folder_of):
    for family in ("bert", "llama", "t5"):
        queries = [asked(family, before) for before in BEFORE]
        near = type(opened(family))(folder_of(family), dtype="bfloat16", threads=1)
        wanted = opened(family).score(queries, ["good", "bad"])
        assert near.score(queries, ["good", "bad"]) == pytest.approx(wanted, rel=0.05, abs=0.3)
