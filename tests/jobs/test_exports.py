"""Exports, opened by the libraries that they are for, and scored there as they were scored here."""

import io
import json
import zipfile
from functools import cache

import numpy as np
import pytest
from safetensors import safe_open

from backends.registry import open_backend
from jobs import prompts
from jobs.exports import HOLDS, Tuned, Unfit, export
from jobs.models import EndpointRow
from jobs.prompts import EnsemblePrompt, Member, PixelPrompt, SoftPrompt, TextPrompt
from jobs.task import Task
from tests.backends.local import tiny

TASK = Task("{prompt} {text} It was {label}", {"neg": "bad", "pos": "good"})
INPUTS = {"text": "the plot was dull"}
SOFT = SoftPrompt(np.random.default_rng(0).normal(0, 1, (1, 3, tiny.WIDTH)).astype(np.float32))
DEEP = SoftPrompt(np.concatenate([SOFT.vectors, SOFT.vectors]))
SEEN = SoftPrompt(SOFT.vectors, SOFT.vectors[:, :2])
MIXED = SoftPrompt(DEEP.vectors, words=(("bad", "dull"), ("good", "gréat")))
PIXELS = PixelPrompt(np.full((2, 4, 3), 0.125, np.float32))
VOTERS = EnsemblePrompt((Member("{text} is {label}", ("bad", "good"), 0.5),))


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory):
    return cache(lambda family: str(tiny.build(family, tmp_path_factory.mktemp(family))))


def endpoint(kind, model="any", **options):
    return EndpointRow(id="mine", kind=kind, model=model, options=options)


def kind_of(family):
    return "causal" if family in tiny.CAUSAL else "seq2seq" if family in tiny.SEQ2SEQ else "masked"


def files_of(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


CASES = [
    (TextPrompt("Be honest:"), "causal", {"text"}),
    (VOTERS, "masked", set()),
    (PIXELS, "clip", {"safetensors"}),
    (SEEN, "clip", {"safetensors"}),
    (SOFT, "encoder", {"safetensors"}),
    (DEEP, "causal", {"safetensors"}),
    (SOFT, "openai", {"safetensors", "vllm"}),
    (SoftPrompt(np.empty((1, 0, 0), np.float32)), "causal", {"safetensors"}),
]


@pytest.mark.parametrize(("prompt", "kind", "fit"), CASES)
def test_formats_that_cannot_hold_a_prompt_say_which_can(prompt, kind, fit):
    tuned = Tuned(prompt, TASK, endpoint(kind))
    for format in set(HOLDS) - fit - {"json"}:
        with pytest.raises(Unfit) as caught:
            export(tuned, format)
        reason, _, others = str(caught.value).partition("; try ")
        assert reason.startswith(f"this prompt cannot be written as {format}: ")
        assert set(others.split(" or ")) == fit | {"json"}
    for format in fit:
        assert export(tuned, format).content


@pytest.mark.parametrize(
    ("prompt", "row", "words"),
    [
        (SOFT, None, "has been deleted"),
        (DEEP, endpoint("causal"), "this prompt stands at 2 layers"),
        (SOFT, endpoint("clip"), "kind causal, masked, seq2seq, and this was clip"),
        (VOTERS, endpoint("causal"), "not ensemble prompts"),
    ],
)
def test_why_there_is_no_adapter(prompt, row, words):
    with pytest.raises(Unfit, match=words):
        export(Tuned(prompt, TASK, row), "peft")


def test_text_is_utf8():
    file = export(Tuned(TextPrompt("Größe: 大\n"), TASK, endpoint("causal")), "text")
    assert (file.content.decode(), file.ending) == ("Größe: 大\n", ".txt")


@pytest.mark.parametrize("prompt", [SOFT, SEEN, MIXED, PIXELS])
def test_tensors_come_back_bit_for_bit(prompt):
    content = export(Tuned(prompt, TASK, None), "safetensors").content
    assert prompts.dumps(prompts.loads(prompts.kind_of(prompt), content)) == prompts.dumps(prompt)


def test_a_file_of_tensors_is_enough_to_score_again(folder_of, tmp_path):
    row = endpoint("seq2seq", folder_of("t5"), gap="answer", dtype="float32", threads=1)
    task = Task("{prompt} {text} »{label}", {"neg": "bad", "pos": "good"})
    (tmp_path / "a").write_bytes(export(Tuned(DEEP, task, row), "safetensors").content)
    with safe_open(tmp_path / "a", "np") as file:
        told, vectors = file.metadata(), file.get_tensor("prompt")
    assert {"max_tokens", "members"}.isdisjoint(told)
    assert (told["layers"], told["metric"], told["kind"]) == ("2", "accuracy", "soft")
    assert told["position"].startswith("right after the special tokens")
    again = Task(told["template"], json.loads(told["verbalizer"]))
    backend = open_backend(told["endpoint_kind"], told["model"], **json.loads(told["options"]))
    ours = open_backend(row.kind, row.model, **row.options)
    scores = [
        one.score([by.query(soft, INPUTS)], by.words)
        for one, by, soft in ((backend, again, SoftPrompt(vectors)), (ours, task, DEEP))
    ]
    assert scores[0].tobytes() == scores[1].tobytes()
    assert scores[0].tobytes() != ours.score([task.query(SOFT, INPUTS)], task.words).tobytes()


def test_label_words_go_along(tmp_path):
    tuned = Tuned(MIXED, TASK, endpoint("masked"))
    words = {"neg": ["bad", "dull"], "pos": ["good", "gréat"]}
    assert tuned.facts()["label_words"] == words
    assert Tuned(DEEP, TASK, None).facts()["label_words"] is None
    (tmp_path / "a").write_bytes(export(tuned, "safetensors").content)
    with safe_open(tmp_path / "a", "np") as file:
        assert json.loads(file.metadata()["label_words"]) == words


def test_an_ensemble_and_its_facts():
    facts = Tuned(VOTERS, TASK, endpoint("masked")).facts()
    [member] = json.loads(json.dumps(facts))["members"]
    assert Member(member["template"], tuple(member["words"]), member["weight"]) == VOTERS.members[0]


def test_only_options_that_change_the_reading_are_told():
    row = endpoint("clip", soft_position="label", threads=3, key_variable="MY_KEY", base_url="x")
    facts = Tuned(SEEN, TASK, row).facts()
    assert facts["options"] == {"soft_position": "label"}
    assert facts["position"].startswith("right before the label")
    assert facts["position"].endswith("visual: behind the patches of the image")


def test_an_adapter_between_models_is_no_soft_prompt_of_one():
    row = endpoint("bridge", reader="causal", source="digits-clip", n_tokens=2, threads=1)
    tuned = Tuned(SOFT, TASK, row)
    assert tuned.facts()["options"] == {"n_tokens": 2, "reader": "causal", "source": "digits-clip"}
    assert tuned.facts()["position"].startswith("between two models")
    with pytest.raises(Unfit, match="and this was bridge; try json or safetensors"):
        export(tuned, "vllm")
