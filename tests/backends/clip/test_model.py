"""Scores and vectors against open_clip's own, with every sort of tower that is read."""

import io

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from backends.base import (
    BackendRefused,
    GivesFeatures,
    Query,
    TakesSoftPrompts,
    TakesVisualPrompts,
)
from backends.clip.model import Clip
from tests.backends.clip.tiny import LABELS, OWN_WORDS, RESNET, TEXT, VISION

BYTE_PAIRS = {**TEXT, "vocab_size": 49408}
TOWERS = {
    "own words": {},
    "byte pairs": {"text_cfg": BYTE_PAIRS},
    "resnet": {"vision_cfg": RESNET},
    "text class": {"custom_text": True, "text_cfg": {**OWN_WORDS, "proj_bias": True}},
    "read at eos": {"text_cfg": {**OWN_WORDS, "pool_type": "eos", "eos_id": 17}},
    "mean of patches": {"vision_cfg": {**VISION, "pool_type": "avg", "final_ln_after_pool": True}},
    "blocks of its own": {"vision_cfg": {**VISION, "qk_norm": True, "ls_init_value": 0.1}},
}


@torch.inference_mode()
def by_open_clip(folder, files, texts):
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    model.eval()
    pictures = [preprocess(Image.open(io.BytesIO(file))) for file in files]
    images = model.encode_image(torch.stack(pictures), normalize=True)
    vectors = model.encode_text(tokenizer(texts), normalize=True)
    return images.numpy(), vectors.numpy(), model.logit_scale.exp().item()


@pytest.mark.parametrize("changes", TOWERS.values(), ids=TOWERS)
def test_scores_are_open_clips_own(make_folder, files, queries, changes):
    folder = make_folder(**changes)
    texts = [f"a photo of a {label}." for label in LABELS]
    images, vectors, scale = by_open_clip(folder, files, texts)
    backend = Clip(str(folder), threads=1)
    assert backend.score(queries, LABELS) == pytest.approx(scale * images @ vectors.T, abs=1e-5)
    assert np.ptp(images @ vectors.T) > 0.1


def test_features_are_of_the_image_or_else_of_the_text(clip, folder, files):
    texts = ["a photo", "", "the very small red horse"]
    images, vectors, _ = by_open_clip(folder, files, texts)
    asked = [Query("a ph", "oto"), *[Query("a dog", image=file) for file in files]]
    asked += [Query(text) for text in texts[1:]]
    wanted = np.concatenate([vectors[:1], images, vectors[1:]])
    found = clip.features(asked)
    assert found.dtype == np.float64
    assert found == pytest.approx(wanted, abs=1e-6)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1)
    assert clip.features([]).shape == (0, 32)


def test_it_keeps_the_protocols_and_tells_its_shapes(clip, reference):
    for protocol in (TakesSoftPrompts, TakesVisualPrompts, GivesFeatures):
        assert isinstance(clip, protocol)
    model = reference[0]
    assert clip.prompt_shape == (3, 64)
    assert clip.visual_shape == (3, 48)
    words, patches = model.token_embedding.weight, model.visual.conv1.weight
    assert clip.embedding_std == pytest.approx(words.std(correction=0).item())
    wanted = [patches.mean().item(), patches.std(correction=0).item()]
    assert clip.patch_statistics == pytest.approx(wanted)


def test_a_resnet_takes_words_and_soft_prompts_but_no_visual_ones(make_folder, queries):
    backend = Clip(str(make_folder(vision_cfg=RESNET)), threads=1)
    assert backend.visual_shape == (0, 0)
    soft = backend.embed("a photo")[None]
    asked = [Query(" of a ", ".", soft=soft, image=query.image) for query in queries]
    assert backend.score(asked, LABELS) == pytest.approx(backend.score(queries, LABELS), abs=1e-5)
    visual = Query("", image=queries[0].image, visual=np.zeros((1, 2, 16), np.float32))
    with pytest.raises(BackendRefused, match="image tower takes none, only words"):
        backend.score([visual], LABELS)


def test_a_query_without_an_image_and_a_call_without_labels_are_refused(clip, queries):
    with pytest.raises(BackendRefused, match="1 of 2 queries have no image"):
        clip.score([queries[0], Query("a photo")], LABELS)
    with pytest.raises(BackendRefused, match="no labels were given"):
        clip.score(queries, [])
    assert clip.score([], LABELS).shape == (0, 3)


def test_nearest_words_are_whole_words(clip, make_folder):
    vectors = clip.embed("horse , dog")
    found = clip.nearest_words(vectors[[0, 2]])
    assert [word for word, _ in found] == ["horse", "dog"]
    assert [cosine for _, cosine in found] == pytest.approx([1, 1])
    with pytest.raises(BackendRefused, match=r"\(n_tokens, 64\) wanted"):
        clip.nearest_words(vectors[0])
    pairs = Clip(str(make_folder(text_cfg=BYTE_PAIRS)), threads=1)
    words = [word for word, _ in pairs.nearest_words(pairs.embed("horse café"))]
    assert words == ["horse", "café"]


@pytest.mark.parametrize(
    "option, message",
    [
        ({"soft_position": "end"}, "soft_position 'end': 'start' or 'label' is wanted"),
        ({"device": "tpu"}, "device 'tpu'"),
        ({"dtype": "int8"}, "dtype 'int8'"),
        ({"threads": 0}, "threads 0"),
        ({"cache_mb": -1}, "cache_mb -1"),
    ],
)
def test_options_out_of_range_are_refused(folder, option, message):
    with pytest.raises(ValueError, match=message):
        Clip(str(folder), **option)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused(folder):
    with pytest.raises(BackendRefused, match="there is no GPU here"):
        Clip(str(folder), device="cuda")


@pytest.mark.parametrize("dtype, most", [("bfloat16", 1.0), ("float16", 0.1)])
def test_halves_are_near(clip, folder, queries, dtype, most):
    found = Clip(str(folder), threads=1, dtype=dtype).score(queries, LABELS)
    assert found == pytest.approx(clip.score(queries, LABELS), abs=most)
    assert np.abs(found - clip.score(queries, LABELS)).max() > 1e-4
