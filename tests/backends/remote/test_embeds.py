"""Soft prompts by embeddings: the wire format, and parity with the model's own arithmetic."""

import base64
from io import BytesIO

import numpy as np
import pytest
import torch

from backends.base import BackendRefused, Query, TakesSoftPrompts
from backends.remote.backend import open_remote
from backends.remote.embeds import Embeddings, written
from backends.remote.probe import probe
from tests.backends.remote.imitation import VLLM, serving
from tests.tiny_llama import HIDDEN, tiny_llama

TEXT = "the movie was great . It was"
LABELS = ["great", "terrible", "great movie"]


@pytest.fixture(scope="module")
def tiny():
    return tiny_llama()


@pytest.fixture(scope="module")
def embeddings(tiny):
    return Embeddings(str(tiny.folder))


@pytest.fixture(scope="module")
def backend(tiny):
    with serving(tiny, VLLM) as (url, _):
        options = {"base_url": url, "embeddings": str(tiny.folder)}
        opened = open_remote("tiny", probe("tiny", **options), **options)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def soft(tiny):
    rng = np.random.default_rng(5)
    return rng.normal(0, 0.05, (1, 5, HIDDEN)).astype(np.float32)


def test_the_wire_carries_a_tensor_that_a_safe_loader_takes():
    sequence = np.arange(6, dtype=np.float32).reshape(2, 3)
    payload = BytesIO(base64.b64decode(written(sequence), validate=True))
    loaded = torch.load(payload, weights_only=True)
    assert loaded.dtype == torch.float32
    assert np.array_equal(loaded.numpy(), sequence)
    assert written(sequence) == written(sequence.copy())  # so that answers can be remembered


def test_the_table_is_the_models_own(embeddings, tiny):
    assert embeddings.hidden == HIDDEN
    assert np.array_equal(embeddings.embed(TEXT), tiny.embed(tiny.ids(TEXT)))


def test_a_soft_prompt_stands_before_the_text(embeddings, soft):
    prompt = embeddings.prompt(TEXT, soft[0])
    payload = BytesIO(base64.b64decode(prompt.payload))
    sent = torch.load(payload, weights_only=True).numpy()
    assert np.array_equal(sent, np.concatenate([soft[0], embeddings.embed(TEXT)]))
    assert prompt.n_tokens == len(sent)


def test_words_are_near_themselves(embeddings):
    [(word, cosine)] = embeddings.nearest(embeddings.embed(" great"))
    assert (word, cosine) == ("great", pytest.approx(1))
    with pytest.raises(BackendRefused, match="wanted"):
        embeddings.nearest(np.zeros((1, HIDDEN + 1), np.float32))


def test_it_takes_soft_prompts(backend, embeddings):
    assert isinstance(backend, TakesSoftPrompts)
    assert backend.prompt_shape == (1, HIDDEN)
    assert backend.embedding_std == pytest.approx(float(embeddings.table.std()))


def test_scores_behind_a_soft_prompt_are_the_models_own(backend, tiny, soft):
    found = backend.score([Query(TEXT, soft=soft), Query(TEXT)], LABELS)
    for row, vectors in zip(found, (soft[0], None), strict=True):
        wanted = [tiny.score(TEXT, f" {label}", vectors) for label in LABELS]
        assert row == pytest.approx(wanted, abs=1e-4)
    assert abs(found[0] - found[1]).max() > 1e-3


def test_a_text_as_a_soft_prompt_answers_as_the_text(backend):
    start, end = "the movie was", " great . It was"
    vectors = backend.embed(start)[None]
    by_vectors = backend.score([Query(end, soft=vectors)], LABELS)
    assert by_vectors == pytest.approx(backend.score([Query(start + end)], LABELS), abs=1e-4)


def test_it_writes_behind_a_soft_prompt(backend):
    vectors = backend.embed("the movie was")[None]
    assert backend.generate([Query(" dull . It was", soft=vectors)], max_tokens=2) == ["terrible"]


@pytest.mark.parametrize(
    "shape", [(2, 3, HIDDEN), (1, 3, HIDDEN + 1), (3, HIDDEN)], ids=["deep", "wide", "flat"]
)
def test_vectors_of_another_shape_are_refused(backend, shape):
    with pytest.raises(BackendRefused, match="is wanted"):
        backend.score([Query(TEXT, soft=np.zeros(shape, np.float32))], LABELS)


def test_numbers_that_are_none_are_refused(backend, soft):
    with pytest.raises(BackendRefused, match="not finite"):
        backend.score([Query(TEXT, soft=soft * np.nan)], LABELS)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(BackendRefused, match="a folder with the model is wanted"):
        Embeddings(str(tmp_path / "nowhere"))
    with pytest.raises(BackendRefused, match="tokenizer"):
        Embeddings(str(tmp_path))
