"""Packing answers as padding would, and a model that cannot be packed or trusted is refused."""

import json
import shutil

import numpy as np
import pytest
import torch

from backends.base import BackendRefused, Query
from backends.batching import PackedEncoder, load
from backends.encoder import Encoder
from backends.planning import plan


def test_plan_keeps_every_row_once_and_the_budget():
    lengths = [5, 90, 1, 5, 30, 5, 99]
    batches = plan(lengths, 40)
    assert sorted(row for batch in batches for row in batch) == list(range(7))
    assert batches == [[2, 0, 3, 5], [4], [1], [6]]
    assert plan([], 40) == []


@torch.inference_mode()
def test_packing_answers_as_padding_with_a_mask_does(minilm, reference):
    model, tokenizer = reference
    texts = ["film", "", "a wonderful film", "a film", "the plot goes nowhere " * 90]
    batch = tokenizer(
        texts, padding="max_length", max_length=256, truncation=True, return_tensors="pt"
    )
    hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None]
    wanted = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1))
    found = minilm.features([Query(text) for text in texts])
    assert found == pytest.approx(wanted.numpy(), abs=1e-5)


def test_flops_count_real_tokens_only(minilm):
    per_token, per_pair = 6 * 2 * (4 * 384**2 + 2 * 384 * 1536), 6 * 4 * 384
    film, prompted = Query("film"), Query("film", soft=np.zeros((3, 50, 384), np.float32))
    wanted = [n * (per_token + per_pair * n) for n in (3, 53)]
    assert [minilm.flops([film]), minilm.flops([prompted])] == wanted
    assert minilm.flops([film, prompted]) == sum(wanted)


def test_pickled_weights_are_refused(tiny_folder, tmp_path):
    from safetensors.torch import load_file

    shutil.copytree(tiny_folder, tmp_path, dirs_exist_ok=True)
    torch.save(load_file(tmp_path / "model.safetensors"), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(BackendRefused, match="cannot read the model"):
        Encoder(str(tmp_path))


def test_missing_weights_are_not_drawn_at_random(tiny_folder, tmp_path):
    shutil.copytree(tiny_folder, tmp_path, dirs_exist_ok=True)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 4}))
    with pytest.raises(BackendRefused, match=r"no weights for encoder\.layer\.3"):
        Encoder(str(tmp_path))


def test_broken_weights_are_refused(tiny_folder, tmp_path):
    shutil.copytree(tiny_folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(BackendRefused, match="cannot read the model"):
        Encoder(str(tmp_path))


def test_a_model_that_is_not_built_like_bert_is_refused(tmp_path):
    from transformers import GPT2Config, GPT2Model

    GPT2Model(GPT2Config(vocab_size=20, n_embd=8, n_layer=1, n_head=1)).save_pretrained(tmp_path)
    with pytest.raises(BackendRefused, match="GPT2Model is not built like BERT"):
        Encoder(str(tmp_path))


def test_a_model_with_attention_of_its_own_is_refused(tiny_folder, monkeypatch):
    from transformers import AttentionInterface

    def meets_strangers(module, query, key, value, mask, *, scaling=None, **_):
        mixed = torch.nn.functional.scaled_dot_product_attention(query, key, value, scale=scaling)
        return mixed.transpose(1, 2), None

    model = load(tiny_folder, "float32")
    monkeypatch.setitem(AttentionInterface._global_mapping, "gradless_packed", meets_strangers)
    with pytest.raises(ValueError, match="does not use the attention it is given"):
        PackedEncoder(model)


def test_a_model_is_packed_once(tiny):
    with pytest.raises(ValueError, match="BertModel is read by a PackedEncoder already"):
        PackedEncoder(tiny._model._model)
