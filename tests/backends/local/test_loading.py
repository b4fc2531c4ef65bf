"""Which models are opened, and what is said of those that are not."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from backends.base import BackendRefused, Generates, Query, RanksVocabulary, TakesSoftPrompts
from backends.local.causal import Causal
from backends.local.masked import Masked
from backends.local.seq2seq import Seq2Seq
from tests.backends.local import tiny


@pytest.fixture
def copied(folder_of, tmp_path):
    def copy(family):
        return Path(shutil.copytree(folder_of(family), tmp_path / family))

    return copy


def test_what_each_kind_can(opened):
    for family in ("bert", "llama", "t5"):
        assert isinstance(opened(family), TakesSoftPrompts)
        assert isinstance(opened(family), RanksVocabulary)
        assert isinstance(opened(family), Generates) == (family != "bert")


def test_how_much_a_model_reads(opened):
    assert opened("bert").max_tokens == 48
    assert opened("roberta").max_tokens == 52 - 2  # its places are counted from the padding token
    assert opened("bart").max_tokens == opened("opt").max_tokens == 48
    assert opened("t5").max_tokens == 40  # no table of places: as its tokenizer says


@pytest.mark.parametrize("kind", [Masked, Causal, Seq2Seq])
def test_a_model_that_is_not_there_is_refused(kind, tmp_path):
    with pytest.raises(BackendRefused, match="cannot read the model"):
        kind(str(tmp_path / "nothing"))


def test_a_pickled_model_is_refused(copied):
    folder = copied("bert")
    torch.save({}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(BackendRefused, match="cannot read the model"):
        Masked(str(folder))


def test_a_models_own_code_is_refused(copied):
    folder = copied("bert")
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "own",
        "auto_map": {"AutoConfig": "own.Own", "AutoModelForMaskedLM": "own.M"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(BackendRefused, match="cannot read the model"):
        Masked(str(folder))


def test_a_head_without_weights_is_refused(folder_of, tmp_path):
    from transformers import AutoModel, AutoTokenizer

    AutoModel.from_pretrained(folder_of("bert")).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(folder_of("bert")).save_pretrained(tmp_path)
    with pytest.raises(BackendRefused, match=r"has no weights for .* they would be random"):
        Masked(str(tmp_path))


@pytest.mark.parametrize(
    "kind, family, message",
    [
        (Masked, "llama", "cannot read the model"),
        (Masked, "bart", "is no encoder with a mask token"),
        (Causal, "t5", "cannot read the model"),
        (Causal, "bert", "does not answer alike"),
        (Seq2Seq, "gpt2", "cannot read the model"),
    ],
)
def test_a_model_of_another_family_is_refused(kind, family, message, folder_of):
    with pytest.raises(BackendRefused, match=message):
        kind(folder_of(family), threads=1)


def test_options_out_of_range_are_refused(folder_of):
    with pytest.raises(ValueError, match="threads 0: a whole number above 0 is wanted"):
        Masked(folder_of("bert"), threads=0)
    for option in ("dtype", "device", "download", "gap"):
        with pytest.raises(ValueError, match=f"{option} 'any': '.* is wanted"):
            Seq2Seq(folder_of("t5"), **{option: "any"})
    if not torch.cuda.is_available():
        with pytest.raises(BackendRefused, match="device 'cuda'"):
            Masked(folder_of("bert"), device="cuda")


def test_a_model_told_to_answer_is_shown_no_gap(folder_of, plain):
    from tests.backends.local import by_hand

    for family in tiny.SEQ2SEQ:
        model, tokenizer = plain(family)
        backend = Seq2Seq(folder_of(family), threads=1, gap="answer")
        found = backend.score([Query("is it good ?")], ["great", "not bad"])[0]
        read = tokenizer("is it good ?")["input_ids"]
        start = [model.config.decoder_start_token_id]
        for label, nats in zip(["great", "not bad"], found, strict=True):
            tokens = by_hand.cut(tokenizer, " " + label)
            table = by_hand.logs(model, input_ids=read, decoder_input_ids=[*start, *tokens])
            wanted = float(sum(table[i, token] for i, token in enumerate(tokens)))
            assert nats == pytest.approx(wanted, abs=1e-4)
        with pytest.raises(BackendRefused, match="reads no text after the gap"):
            backend.score([Query("is it", " ?")], ["good"])
