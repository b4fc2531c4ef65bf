"""What is opened, and what is refused with a sentence that says what to do."""

import json
import shutil

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file

from backends.base import BackendRefused, Query
from backends.clip.loading import CONFIG, TOKENIZER, WEIGHTS, Parts, opened
from backends.clip.model import Clip
from backends.clip.words import from_bpe
from tests.backends.clip.tiny import LABELS, OWN_WORDS, TEXT, VISION


@pytest.fixture
def copy(folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return tmp_path


def change(copy, **changes):
    config = json.loads((copy / CONFIG).read_text())
    config["model_cfg"].update(changes)
    (copy / CONFIG).write_text(json.dumps(config))


def test_pickled_weights_are_not_read(copy):
    torch.save(load_file(copy / WEIGHTS), copy / "open_clip_pytorch_model.bin")
    (copy / WEIGHTS).unlink()
    with pytest.raises(BackendRefused, match=rf"{WEIGHTS} is not there, and no other form is read"):
        Clip(str(copy))


@pytest.mark.parametrize("file", [CONFIG, WEIGHTS, TOKENIZER])
@pytest.mark.parametrize("content", [b"nonsense", b"{}", b"[]", b""])
def test_broken_files_are_refused(copy, file, content):
    (copy / file).write_bytes(content)
    with pytest.raises(BackendRefused, match="cannot read the model in"):
        Clip(str(copy))


def test_missing_weights_are_not_drawn_at_random(copy):
    weights = load_file(copy / WEIGHTS)
    save_file({k: v for k, v in weights.items() if k != "ln_final.bias"}, copy / WEIGHTS)
    with pytest.raises(BackendRefused, match=r"ln_final\.bias"):
        Clip(str(copy))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"vision_cfg": {**VISION, "timm_model_name": "resnet18"}}, "names 'resnet18'"),
        ({"text_cfg": {**OWN_WORDS, "hf_model_name": "some/model"}}, "names 'some/model'"),
        ({"vision_cfg": {**VISION, "nonsense": 1}}, "nonsense"),
        ({"embed_dim": 33}, "size mismatch"),
    ],
)
def test_a_config_that_does_not_describe_what_is_there_is_refused(copy, changes, message):
    change(copy, **changes)
    with pytest.raises(BackendRefused, match=message):
        Clip(str(copy))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"custom_text": True, "text_cfg": {**OWN_WORDS, "no_causal_mask": True}}, "only causal"),
        ({"text_cfg": {**OWN_WORDS, "pool_type": "last"}}, "only causal"),
        ({"custom_text": True, "text_cfg": {**OWN_WORDS, "embed_cls": True}}, "only causal"),
        ({"text_cfg": {**OWN_WORDS, "pool_type": "eos", "eos_id": 3}}, "ends a text with 17"),
        ({"text_cfg": {**OWN_WORDS, "vocab_size": 12}}, "18 tokens .* the model reads 12"),
    ],
)
def test_texts_that_would_be_read_at_another_place_are_refused(make_folder, changes, message):
    with pytest.raises(BackendRefused, match=message):
        Clip(str(make_folder(**changes)))


@pytest.mark.parametrize(
    "model, message",
    [
        ("ViT-B-32", r"ViT-B-32 is only a shape, .* there are .*laion2b_s34b_b79k"),
        ("ViT-B-32/nonsense", "its weights have to be named after a slash"),
        ("nonsense", "'digits-clip', a folder with open_clip_config.json, or weights"),
        ("ViT-B-16-SigLIP/webli", "its tokenizer, .* has to be fetched"),
        ("ViT-B-32/laion2b_s34b_b79k", "not on this machine and cannot be fetched"),
    ],
)
def test_names_without_weights_are_refused(model, message, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(BackendRefused, match=message):
        opened(model)


def test_named_weights_are_taken_from_the_hubs_cache(make_folder, monkeypatch, queries):
    """A hub of one file: the tag says where the weights are and how images are prepared."""
    folder = make_folder(text_cfg={**TEXT, "vocab_size": 49408}, quick_gelu=True)
    config = {"embed_dim": 32, "vision_cfg": VISION, "text_cfg": {**TEXT, "vocab_size": 49408}}
    tag = {"hf_hub": "some/where/", "quick_gelu": True, "mean": (0.4,) * 3, "std": (0.3,) * 3}
    tag["interpolation"] = "bilinear"
    asked = []

    def download(repository, file):
        asked.append((repository, file))
        return str(folder / file)

    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "tiny", config)
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "tiny", {"tag": tag})
    monkeypatch.setattr("backends.clip.loading.hf_hub_download", download)
    found = Clip("tiny/tag", threads=1).score(queries, LABELS)
    assert asked == [("some/where", WEIGHTS)]
    assert found.tobytes() == Clip(str(folder), threads=1).score(queries, LABELS).tobytes()


def test_the_shipped_model_has_a_name(files):
    backend = Clip("digits-clip", threads=1)
    scores = backend.score([Query("the right digit is ", image=files[0])], ["one", "two"])
    assert np.isfinite(scores).all()


def test_a_model_made_elsewhere_is_taken_as_it_is(make_folder, queries):
    folder = make_folder(text_cfg={**TEXT, "vocab_size": 49408})
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    made = Clip(Parts(model, from_bpe(open_clip.SimpleTokenizer()), preprocess), threads=1)
    wanted = Clip(str(folder), threads=1).score(queries, LABELS)
    assert made.score(queries, LABELS).tobytes() == wanted.tobytes()
