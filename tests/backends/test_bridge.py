"""The bridge against its two models asked by hand, and what it refuses."""

import numpy as np
import pytest

from backends.base import BackendRefused, Query, TakesSoftPrompts
from backends.bridge import Bridge, TakesAdapters
from backends.clip.model import Clip
from backends.encoder import Encoder
from backends.registry import open_backend
from tests.backends.clip import tiny as tiny_clip
from tests.backends.local import tiny as tiny_local
from tests.image_files import picture

LABELS = ["good", "bad", "a plain film"]
RED, BLUE = picture(color=(200, 10, 10)), picture(color=(10, 10, 200))
N_FEATURES, HIDDEN, N_TOKENS = 32, 16, 2  # of the tiny CLIP, of the tiny readers, and ours
WIDTH = N_TOKENS * HIDDEN


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return str(tiny_clip.write(tmp_path_factory.mktemp("clip")))


@pytest.fixture(scope="module")
def bridge(tiny_folder, source):
    return Bridge(str(tiny_folder), source=source, n_tokens=N_TOKENS)


@pytest.fixture
def adapter(rng):
    return rng.normal(size=(1, N_FEATURES + 1, WIDTH)).astype(np.float32)


def test_the_reader_is_shown_the_map_of_the_features(bridge, adapter, tiny_folder, source):
    shown = []
    for image in (RED, BLUE):
        (features,) = Clip(source).features([Query("", image=image)])
        soft = features @ adapter[0, :-1] + adapter[0, -1]
        shown.append(Query("a film", soft=soft.reshape(1, N_TOKENS, HIDDEN)))
    by_hand = Encoder(str(tiny_folder)).score(shown, LABELS)
    asked = [Query("a film", soft=adapter, image=image) for image in (RED, BLUE)]
    assert bridge.score(asked, LABELS) == pytest.approx(by_hand, abs=1e-4)
    assert np.abs(by_hand[0] - by_hand[1]).max() > 0.1


def test_words_after_the_gap_are_passed_on(bridge, adapter):
    whole = Query("a film", soft=adapter, image=RED)
    cut = Query("a ", "film", soft=adapter, image=RED)
    assert bridge.score([cut], LABELS) == pytest.approx(bridge.score([whole], LABELS), abs=1e-5)


def test_where_there_is_no_image_the_source_reads_the_words(bridge, adapter, source):
    features = bridge.features([Query("a cat", " !"), Query("a cat", image=RED)])
    by_hand = Clip(source).features([Query("a cat !"), Query("", image=RED)])
    assert features == pytest.approx(by_hand, abs=1e-5)
    cat, dog = bridge.score([Query("a cat", soft=adapter), Query("a dog", soft=adapter)], LABELS)
    assert np.abs(cat - dog).max() > 0.1


def test_a_bias_alone_is_the_same_for_every_image(bridge, adapter):
    bias = adapter[:, -1:]
    red, blue = bridge.score([Query("a", soft=bias, image=each) for each in (RED, BLUE)], LABELS)
    assert red == pytest.approx(blue, abs=1e-5)
    silent = np.concatenate([np.zeros_like(adapter[:, :-1]), bias], axis=1)
    (same,) = bridge.score([Query("a", soft=silent, image=RED)], LABELS)
    assert same == pytest.approx(red, abs=1e-5)


def test_without_an_adapter_it_is_blind(bridge, tiny_folder):
    red, blue = bridge.score([Query("a film", image=each) for each in (RED, BLUE)], LABELS)
    (words,) = Encoder(str(tiny_folder)).score([Query("a film")], LABELS)
    assert red == pytest.approx(words, abs=1e-5) == blue


@pytest.mark.parametrize(("reader", "family"), [("masked", "bert"), ("causal", "llama")])
def test_other_readers(reader, family, source, tmp_path, rng):
    model = str(tiny_local.build(family, tmp_path))
    bridge = open_backend("bridge", model, reader=reader, source=source)
    adapter = rng.normal(size=(1, *bridge.adapter_shape)).astype(np.float32)
    asked = [Query("a good film", soft=adapter, image=image) for image in (RED, BLUE)]
    red, blue = bridge.score(asked, ["good", "bad"])
    assert np.isfinite(red).all() and np.abs(red - blue).max() > 1e-3


def test_what_it_says_of_itself(bridge, tiny_folder):
    assert isinstance(bridge, TakesAdapters) and not isinstance(bridge, TakesSoftPrompts)
    assert bridge.adapter_shape == (N_FEATURES + 1, WIDTH)
    assert bridge.embedding_std == Encoder(str(tiny_folder)).embedding_std


@pytest.mark.parametrize(
    "shape",
    [
        (1, N_FEATURES, WIDTH),
        (1, N_FEATURES + 1, HIDDEN),
        (2, N_FEATURES + 1, WIDTH),
        (N_FEATURES + 1, WIDTH),
        (1, N_TOKENS, HIDDEN),
    ],
)
def test_another_shape_is_refused(bridge, shape):
    with pytest.raises(BackendRefused, match=r"\(1, 33, 32\) is wanted, the bias last"):
        bridge.score([Query("a", soft=np.zeros(shape, np.float32), image=RED)], LABELS)


@pytest.mark.parametrize("number", [np.nan, np.inf, 1e300])
def test_what_is_not_finite_is_refused(bridge, adapter, number):
    spoiled = adapter.astype(np.float64)
    spoiled[0, 3, 5] = number
    with pytest.raises(BackendRefused, match=r"adapter of shape .*: some .* not finite"):
        bridge.score([Query("a", soft=spoiled, image=RED)], LABELS)


def test_a_broken_image_is_refused(bridge, adapter):
    with pytest.raises(BackendRefused):
        bridge.score([Query("a", soft=adapter, image=b"no image")], LABELS)


def test_what_cannot_be_opened_is_refused(tiny_folder, source, tmp_path):
    with pytest.raises(ValueError, match="n_tokens 0"):
        Bridge(str(tiny_folder), source=source, n_tokens=0)
    with pytest.raises(ValueError, match="reader='openai'"):
        open_backend("bridge", "x", reader="openai")
    with pytest.raises(BackendRefused):
        Bridge(str(tmp_path), source=source)
    with pytest.raises(BackendRefused):
        Bridge(str(tiny_folder), source=str(tmp_path))
