"""What every backend promises, checked for each because it is in the list."""

import numpy as np
import pytest

from backends.base import Backend, Generates, Query, RanksVocabulary, TakesSoftPrompts
from backends.registry import KINDS, Capability, find, open_backend

LOCAL = [name for name, kind in KINDS.items() if not kind.probe]  # the others: tests/…/remote
PROTOCOLS = {
    Capability.TEXT_PROMPTS: Backend,
    Capability.LABEL_PROBABILITIES: Backend,
    Capability.GENERATION: Generates,
    Capability.VOCABULARY: RanksVocabulary,
    Capability.SOFT_PROMPTS: TakesSoftPrompts,
    Capability.DEEP_PROMPTS: TakesSoftPrompts,
}
LABELS = ["good", "bad", "a plain film"]
TEXTS = ["good", "a very good film !", "", "bad films", "a " * 40, "a very very plain film"]


@pytest.fixture(scope="module")
def models(tiny_folder):
    """One small model of each kind: a kind that has none here fails the tests below."""
    return {"encoder": str(tiny_folder)}


@pytest.fixture(params=LOCAL, scope="module")
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def backend(kind, models):
    return open_backend(kind, models[kind])


@pytest.fixture(scope="module")
def queries(kind, backend):
    """Texts of unlike lengths, with every sort of prompt that this kind declares."""
    rng = np.random.default_rng(7)
    asked = [Query(text, " !") for text in TEXTS]
    if Capability.SOFT_PROMPTS in find(kind).capabilities:
        n_layers, hidden = backend.prompt_shape
        depths = [1, n_layers] if Capability.DEEP_PROMPTS in find(kind).capabilities else [1]
        shapes = [(depth, n_tokens, hidden) for depth in depths for n_tokens in (1, 3)]
        prompts = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
        asked += [Query(text, soft=prompt) for text in TEXTS for prompt in prompts]
    return asked


def test_declared_capabilities_are_real(kind, backend):
    for capability in Capability:
        if capability in find(kind).capabilities:
            assert isinstance(backend, PROTOCOLS[capability])
    is_soft = isinstance(backend, TakesSoftPrompts)
    assert is_soft == (Capability.SOFT_PROMPTS in find(kind).capabilities)
    is_deep = is_soft and backend.prompt_shape[0] > 1
    assert is_deep == (Capability.DEEP_PROMPTS in find(kind).capabilities)


def test_scores_are_finite_float64_of_the_promised_shape(backend, queries):
    scores = backend.score(queries, LABELS)
    assert scores.dtype == np.float64
    assert scores.shape == (len(queries), len(LABELS))
    assert np.isfinite(scores).all()


def test_queries_are_told_apart(backend, queries):
    scores = backend.score(queries, LABELS)
    assert len(np.unique(scores.round(6), axis=0)) == len(queries)


def test_no_queries_no_scores(backend):
    scores = backend.score([], LABELS)
    assert scores.shape == (0, len(LABELS))
    assert scores.dtype == np.float64


def test_asking_again_gives_the_same_bits(backend, queries):
    assert backend.score(queries, LABELS).tobytes() == backend.score(queries, LABELS).tobytes()


def test_order_does_not_matter(backend, queries, rng):
    order = rng.permutation(len(queries))
    shuffled = backend.score([queries[i] for i in order], LABELS)
    assert shuffled == pytest.approx(backend.score(queries, LABELS)[order], abs=1e-5)


def test_company_does_not_matter(backend, queries):
    alone = np.concatenate([backend.score([query], LABELS) for query in queries])
    assert alone == pytest.approx(backend.score(queries, LABELS), abs=1e-5)


def test_a_label_is_scored_alike_whatever_the_others(backend, queries):
    together = backend.score(queries, LABELS)
    alone = np.hstack([backend.score(queries, [label]) for label in LABELS])
    assert alone == pytest.approx(together, abs=1e-5)


def test_queries_are_not_changed(backend, queries):
    before = [None if query.soft is None else query.soft.copy() for query in queries]
    backend.score(queries, LABELS)
    for query, soft in zip(queries, before, strict=True):
        assert (query.soft is None) == (soft is None)
        assert soft is None or np.array_equal(query.soft, soft)
