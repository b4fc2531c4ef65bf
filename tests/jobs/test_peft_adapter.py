"""Adapters, loaded by PEFT and scored there as the prompts were scored here."""

from dataclasses import dataclass, replace
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from backends.registry import open_backend
from jobs import peft_adapter
from jobs.exports import Tuned, Unfit, export
from jobs.models import EndpointRow
from jobs.prompts import SoftPrompt
from jobs.task import Task
from tests.backends.local import by_hand, tiny

# said by PEFT to transformers, and no business of ours
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

TASK = Task("{prompt} {text} It was {label}", {"neg": "bad", "pos": "good"})
INPUTS = {"text": "the plot was dull"}
N_SOFT = 3
VECTORS = np.random.default_rng(0).normal(0, 1, (1, N_SOFT, tiny.WIDTH))
SOFT = SoftPrompt(VECTORS.astype(np.float32))
TABLES = ("embed_tokens.weight", "word_embeddings.weight")


@pytest.fixture(scope="module")
def row_of(tmp_path_factory):
    """Family -> an endpoint of its small model."""

    @cache
    def row(family, **options):
        kinds = {**dict.fromkeys(tiny.CAUSAL, "causal"), **dict.fromkeys(tiny.SEQ2SEQ, "seq2seq")}
        folder = tiny.build(family, tmp_path_factory.mktemp(family))
        kind = kinds.get(family, "masked")
        return EndpointRow(id=family, kind=kind, model=str(folder), options=options)

    return row


def test_an_adapter_tells_how_it_is_read():
    start, row = np.ones((2, tiny.WIDTH), np.float32), EndpointRow(id="a", kind="masked", model="b")
    files = peft_adapter.files(start, SOFT.vectors[0], row)
    [(name, vectors)] = safetensors.numpy.load(files["adapter_model.safetensors"]).items()
    assert (name, vectors.tolist()) == (
        "prompt_embeddings",
        [*start.tolist(), *SOFT.vectors[0].tolist()],
    )
    assert b'["input_ids"][:, 2:]' in files["README.md"]
    assert b"base = AutoModelForMaskedLM.from_pretrained(name)" in files["README.md"]


def test_no_adapter_where_the_decoder_reads_the_prompt_too(row_of):
    with pytest.raises(Unfit, match=r"repeats the text.*; try json or safetensors$"):
        export(Tuned(SOFT, TASK, row_of("bart")), "peft")


def test_special_tokens_that_begin_texts_are_vectors_of_the_model(row_of):
    assert peft_adapter.outset(row_of("gpt2")).shape == (0, tiny.WIDTH)
    for family in ("llama", "bert"):
        row = row_of(family)
        [file] = [safetensors.numpy.load_file(f"{row.model}/model.safetensors")]
        [table] = [value for name, value in file.items() if name.endswith(TABLES)]
        found = (table == peft_adapter.outset(row)).all(axis=1).nonzero()[0]
        assert found.tolist() == [{"llama": 0, "bert": 2}[family]]  # <s>, [CLS]


@dataclass(eq=False)
class Adapted:
    """A model with its adapter that is asked as the model alone is, special tokens and all."""

    model: Any
    n_first: int  # tokens that the adapter brings along

    @property
    def config(self):
        return self.model.config

    def __call__(self, input_ids, attention_mask, **decoder):
        read = {"input_ids": input_ids, "attention_mask": attention_mask}
        said = self.model(**{name: ids[:, self.n_first :] for name, ids in read.items()}, **decoder)
        return said if decoder else SimpleNamespace(logits=said.logits[:, N_SOFT:])


def by_peft(row, folder, **changes):
    """Each label's score, by plain forwards of what PEFT makes of the folder."""
    transformers, peft = pytest.importorskip("transformers"), pytest.importorskip("peft")
    start = peft_adapter.outset(row)
    for name, content in peft_adapter.files(start, SOFT.vectors[0], row).items():
        (folder / name).write_bytes(content)
    base = getattr(transformers, peft_adapter.FAMILIES[row.kind].head).from_pretrained(row.model)
    model = Adapted(peft.PeftModel.from_pretrained(base, folder).eval(), len(start))
    model = replace(model, **changes)
    tokenizer = transformers.AutoTokenizer.from_pretrained(row.model)
    before = TASK.query(SOFT, INPUTS).before.rstrip()
    if row.options:
        return [answered(model, tokenizer, before, word) for word in TASK.words]
    plain = {row.id: (model, tokenizer)}.__getitem__
    return [by_hand.score(row.id, plain, before, "", word) for word in TASK.words]


def answered(model, tokenizer, before, label):
    tokens = by_hand.cut(tokenizer, " " + label)
    said = [model.config.decoder_start_token_id, *tokens]
    table = by_hand.logs(model, input_ids=tokenizer(before)["input_ids"], decoder_input_ids=said)
    return float(sum(table[i, token] for i, token in enumerate(tokens)))


def by_us(row, prompt):
    backend = open_backend(row.kind, row.model, threads=1, **row.options)
    return backend.score([TASK.query(prompt, INPUTS)], TASK.words)[0]


@pytest.mark.parametrize("family", [*tiny.MASKED, *tiny.CAUSAL, "t5"])
def test_peft_scores_as_we_did(family, row_of, tmp_path):
    row = row_of(family)
    assert by_peft(row, tmp_path) == pytest.approx(by_us(row, SOFT), rel=1e-5)


def test_peft_answers_as_we_did(row_of, tmp_path):
    row = row_of("bart", gap="answer")
    assert by_peft(row, tmp_path) == pytest.approx(by_us(row, SOFT), rel=1e-5)


@pytest.mark.parametrize("family", ["llama", "bert"])
def test_special_tokens_read_twice_are_another_prompt(family, row_of, tmp_path):
    """So what the README in an adapter says of them matters."""
    row = row_of(family)
    assert by_peft(row, tmp_path, n_first=0) != pytest.approx(by_us(row, SOFT), rel=1e-3)
