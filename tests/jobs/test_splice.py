"""What goes along in exports for vLLM, run as a file on its own against what we send ourselves."""

import base64
import io
import json
import os
import runpy
import zipfile

import httpx
import numpy as np
import pytest
import torch
from safetensors import safe_open

from backends.registry import open_backend
from backends.remote.embeds import Embeddings
from jobs.exports import Tuned, export
from jobs.models import EndpointRow
from jobs.prompts import SoftPrompt
from jobs.task import Task
from tests.backends.local import tiny
from tests.model_servers import VLLM_PYTHON, vllm_server
from tests.tiny_llama import HIDDEN, tiny_llama

INPUTS = {"text": "the {plot} was dull"}
DRAWS = np.random.default_rng(0).normal(0, 1, (1, 3, 256)).astype(np.float32)


def task(template):
    return Task(template, {"neg": "bad", "pos": "good"})


def endpoint(model):
    return EndpointRow(id="mine", kind="causal", model=model, options={})


def soft(width):
    return SoftPrompt(np.ascontiguousarray(DRAWS[:, :, :width]))


class Exported:
    """The files of an export, and nothing else of ours."""

    def __init__(self, tuned, folder):
        file = export(tuned, "vllm")
        assert (file.ending, file.media_type) == ("-vllm.zip", "application/zip")
        with zipfile.ZipFile(io.BytesIO(file.content)) as archive:
            assert archive.namelist() == ["soft_prompt.safetensors", "splice.py"]
            archive.extractall(folder)
        self._tensor = str(folder / "soft_prompt.safetensors")
        self._code = runpy.run_path(str(folder / "splice.py"))
        with safe_open(self._tensor, "np") as opened:
            self.facts = opened.metadata()

    def sent(self, inputs):
        """What vLLM is sent for one input, in base64."""
        from transformers import AutoModelForCausalLM, AutoTokenizer

        name = self.facts["model"]
        embed = AutoModelForCausalLM.from_pretrained(name, dtype="float32").get_input_embeddings()
        text = self._code["shown"](self.facts["template"], inputs)
        tokenizer = AutoTokenizer.from_pretrained(name)
        return self._code["prompt_embeds"](text, self._tensor, tokenizer, embed)


def tensor(sent):
    return torch.load(io.BytesIO(base64.b64decode(sent)), weights_only=True)


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_vectors_are_those_that_we_send(family, tmp_path):
    folder, prompt = str(tiny.build(family, tmp_path)), soft(tiny.WIDTH)
    tuned = Tuned(prompt, task("{prompt} {text} It was "), endpoint(folder))
    sent = tensor(Exported(tuned, tmp_path).sent(INPUTS))
    text = tuned.task.query(prompt, INPUTS).before.rstrip()
    ours = tensor(Embeddings(folder).prompt(text, prompt.vectors[0]).payload)
    assert (sent.dtype, sent.shape[1]) == (torch.float32, tiny.WIDTH)
    assert torch.equal(sent, ours)


def test_a_model_that_reads_the_vectors_scores_as_we_did(tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, prompt = str(tiny.build("llama", tmp_path)), soft(tiny.WIDTH)
    tuned = Tuned(prompt, task("{prompt} {text} It was {label}"), endpoint(folder))
    backend = open_backend("causal", folder, threads=1)
    [likely] = backend.rank([tuned.task.query(prompt, INPUTS)], 3)
    vectors = tensor(Exported(tuned, tmp_path).sent(INPUTS))
    with torch.inference_mode():
        said = AutoModelForCausalLM.from_pretrained(folder)(inputs_embeds=vectors[None])
    number = AutoTokenizer.from_pretrained(folder).convert_tokens_to_ids
    logs = said.logits[0, -1].double().log_softmax(-1)
    assert {word: float(logs[number(f"Ġ{word}")]) for word in likely} == pytest.approx(likely)


@pytest.mark.parametrize(
    "template", ["{prompt} {text}", "{text} {prompt}\nIt: {label} !", "{prompt}{text} 'so' {label}"]
)
def test_texts_are_shown_as_tasks_show_them(template, tmp_path):
    tuned = Tuned(soft(4), task(template), endpoint("any"))
    Exported(tuned, tmp_path)
    shown = runpy.run_path(str(tmp_path / "splice.py"))["shown"]
    assert shown(template, INPUTS) == tuned.task.query(soft(4), INPUTS).before.rstrip(" ")


@pytest.mark.slow
@pytest.mark.skipif(
    VLLM_PYTHON not in os.environ, reason=f"{VLLM_PYTHON} names no Python that has vLLM"
)
def test_vllm_answers_an_export_as_the_model_itself(tmp_path):
    model, prompt = tiny_llama(), soft(HIDDEN)
    row = endpoint(str(model.folder))
    sent = Exported(Tuned(prompt, task("{prompt} {text}"), row), tmp_path).sent(INPUTS)
    known = model.every(tensor(sent).numpy())[-1]
    with vllm_server(model) as server:
        body = {"model": server.model, "prompt": "", "prompt_embeds": sent, "max_tokens": 1}
        body |= {"logprobs": 1, "temperature": 0}
        address = f"{server.base_url}/completions"
        answer = httpx.post(address, json=body, timeout=60, trust_env=False)
    assert answer.status_code == 200, answer.text
    [told] = json.loads(answer.text)["choices"][0]["logprobs"]["token_logprobs"]
    assert told == pytest.approx(float(known.max()), abs=1e-2)
