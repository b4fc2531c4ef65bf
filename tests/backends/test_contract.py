"""What every backend promises, checked for each because it is in the list."""

from dataclasses import replace

import numpy as np
import pytest

from backends.base import (
    Backend,
    Generates,
    GivesFeatures,
    HasSubnetworks,
    Query,
    RanksVocabulary,
    Subnetwork,
    TakesSoftPrompts,
    TakesVisualPrompts,
    TellsHidden,
    Thinking,
    Thinks,
)
from backends.bridge import TakesAdapters
from backends.registry import KINDS, Capability, find, open_backend
from tests.backends.clip import tiny as tiny_clip
from tests.backends.local import tiny
from tests.image_files import picture

LOCAL = [name for name, kind in KINDS.items() if not kind.probe]  # the others: tests/…/remote
PROTOCOLS = {
    Capability.TEXT_PROMPTS: Backend,
    Capability.LABEL_PROBABILITIES: Backend,
    Capability.GENERATION: Generates,
    Capability.VOCABULARY: RanksVocabulary,
    Capability.SOFT_PROMPTS: TakesSoftPrompts,
    Capability.DEEP_PROMPTS: TakesSoftPrompts,
    Capability.HIDDEN_STATES: TellsHidden,
    Capability.INFILL: Backend,
    Capability.FEATURES: GivesFeatures,
    Capability.IMAGES: Backend,
    Capability.VISUAL_PROMPTS: TakesVisualPrompts,
    Capability.SUBNETWORKS: HasSubnetworks,
    Capability.ADAPTER: TakesAdapters,
    Capability.THINKING: Thinks,
}
LABELS = ["good", "bad", "a plain film"]
TEXTS = ["good", "a very good film !", "", "bad films", "a " * 40, "a very very plain film"]


@pytest.fixture(scope="module")
def models(tiny_folder, tmp_path_factory):
    """One small model of each kind: a kind that has none here fails the tests below."""
    families = {"masked": "bert", "causal": "llama", "seq2seq": "t5"}
    made = {
        kind: str(tiny.build(family, tmp_path_factory.mktemp(family)))
        for kind, family in families.items()
    }
    clip = str(tiny_clip.write(tmp_path_factory.mktemp("clip")))
    return {"encoder": str(tiny_folder), "clip": clip, "bridge": str(tiny_folder), **made}


@pytest.fixture(params=LOCAL, scope="module")
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def backend(kind, models):
    options = {"source": models["clip"]} if kind == "bridge" else {}
    return open_backend(kind, models[kind], **options)


@pytest.fixture(scope="module")
def queries(kind, backend):
    """Texts of unlike lengths, with every sort of prompt that this kind declares."""
    rng = np.random.default_rng(7)
    can = find(kind).capabilities
    after = " !" if Capability.INFILL in can else ""
    image = picture(color=(200, 10, 10)) if Capability.IMAGES in can else b""
    asked = [Query(text, after, image=image) for text in TEXTS]
    if Capability.SOFT_PROMPTS in can:
        n_layers, hidden = backend.prompt_shape
        depths = [1, n_layers] if Capability.DEEP_PROMPTS in can else [1]
        shapes = [(depth, n_tokens, hidden) for depth in depths for n_tokens in (1, 3)]
        prompts = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
        asked += [Query(text, soft=soft, image=image) for text in TEXTS for soft in prompts]
    if Capability.VISUAL_PROMPTS in can:
        visual = rng.normal(size=(1, 2, backend.visual_shape[1])).astype(np.float32)
        other = picture(color=(10, 10, 200))
        asked += [Query(TEXTS[0], image=image, visual=visual), Query(TEXTS[0], image=other)]
    if Capability.SUBNETWORKS in can:
        assert backend.has_subnetworks
        parts = [Subnetwork(0, 0.1), Subnetwork(1, 0.1)]
        asked += [replace(query, subnetwork=one) for query in asked[::3] for one in parts]
    if Capability.THINKING in can:
        recipes = [Thinking("good film . ", passes, 0.1, 0.9) for passes in (0, 2)]
        asked += [Query(text, thinking=each) for text in TEXTS for each in recipes]
    if Capability.ADAPTER in can:
        adapter = rng.normal(size=(1, *backend.adapter_shape)).astype(np.float32)
        asked += [
            Query(text, soft=each, image=image)
            for text in TEXTS
            for each in (adapter, adapter[:, -1:])
        ]
        asked += [Query(TEXTS[0], soft=adapter, image=picture(color=(10, 10, 200)))]
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
