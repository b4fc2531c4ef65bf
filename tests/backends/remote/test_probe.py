"""A probe believes what it has seen: what is ignored, wrong or refused is found out and named."""

import json
import logging
from dataclasses import replace

import pytest

from backends.base import BackendRefused, BackendUnavailable
from backends.registry import RUNGS, Capability, probe_backend
from backends.remote.facts import Facts
from backends.remote.probe import probe
from tests.backends.remote.imitation import LLAMA_CPP_PYTHON, VLLM, Quirks, serving
from tests.servers import free_port
from tests.tiny_llama import tiny_llama

KEY = "sk-planted-7f3a9c"
VARIABLE = "GRADLESS_TEST_KEY"


@pytest.fixture(scope="module")
def tiny():
    return tiny_llama()


def probed(tiny, quirks, **options):
    with serving(tiny, quirks) as (url, app):
        return probe("tiny", base_url=url, **options), app


@pytest.fixture(scope="module")
def vllm(tiny):
    return probed(tiny, VLLM, embeddings=str(tiny.folder))


def test_an_echo_that_is_off_by_one_is_caught(tiny):
    facts, _ = probed(tiny, LLAMA_CPP_PYTHON)
    assert facts["echo"] is None
    assert "sequence" not in facts["rungs"]
    assert facts["missing"]["sequence"].startswith("wrong: ' terrible' has -")


def test_an_n_that_is_ignored_is_caught(tiny):
    facts, _ = probed(tiny, LLAMA_CPP_PYTHON)
    assert facts["n"] == 1
    assert facts["draws"]


def test_an_echo_that_is_right_is_used(vllm):
    facts, _ = vllm
    assert facts["echo"] == 0
    assert facts["rungs"] == list(RUNGS)
    assert facts["rung"] == "named"


def test_everything_found_is_told(vllm):
    facts, _ = vllm
    assert facts["logprobs"] == 20
    assert facts["n"] == 16
    assert facts["noise"] == 0.0
    assert facts["choice"] == "structured_outputs"
    assert facts["prompt_embeds"] < 1e-4
    assert (facts["seed"], facts["usage"], facts["context"]) == (True, True, 512)
    beyond = {"adapter", "deep_prompts", "features", "hidden_states", "images"}
    beyond |= {"subnetworks", "thinking", "visual_prompts"}
    assert set(facts["capabilities"]) == set(Capability) - beyond


def test_facts_are_json_and_come_back(vllm):
    facts, _ = vllm
    assert json.loads(json.dumps(facts)) == facts
    assert Facts.from_json({**facts, "of another version": 1}).to_json() == facts


@pytest.mark.parametrize("quirks", [LLAMA_CPP_PYTHON, VLLM, Quirks(chat=True)])
def test_a_probe_is_short(tiny, quirks):
    _, app = probed(tiny, quirks)
    assert len(app.asked) <= 25
    assert all(body.get("max_tokens", 0) <= 48 for body in app.asked)


def test_fewer_likely_tokens_rank_no_vocabulary(tiny):
    facts, _ = probed(tiny, replace(VLLM, most=5))
    assert facts["logprobs"] == 5
    assert Capability.VOCABULARY not in facts["capabilities"]


def test_embeddings_that_answer_otherwise_than_their_text_are_not_used(tiny):
    scaled = replace(VLLM, embeds_scale=3.0)
    facts, _ = probed(tiny, scaled, embeddings=str(tiny.folder))
    assert facts["prompt_embeds"] is None
    assert "nats apart" in facts["missing"]["prompt_embeds"]
    assert Capability.SOFT_PROMPTS not in facts["capabilities"]


def test_without_a_folder_no_vectors_are_tried(tiny):
    facts, app = probed(tiny, VLLM)
    assert "names no folder" in facts["missing"]["prompt_embeds"]
    assert not any("prompt_embeds" in body for body in app.asked)


def test_chat_is_asked_as_newer_models_want_it(tiny):
    facts, _ = probed(tiny, Quirks(chat=True), route="chat")
    assert (facts["route"], facts["limit"]) == ("chat", "max_completion_tokens")
    assert facts["rung"] == "top"
    assert facts["missing"]["sequence"] == "only asked on completions"


def test_a_rung_can_be_forced_if_it_works(tiny):
    facts, _ = probed(tiny, VLLM, scores="match")
    assert facts["rung"] == "match"
    assert Capability.LABEL_PROBABILITIES not in facts["capabilities"]
    with pytest.raises(BackendRefused, match="scores='sequence' does not work: wrong: "):
        probed(tiny, LLAMA_CPP_PYTHON, scores="sequence")


def test_a_mistyped_model_is_answered_with_the_right_one(tiny):
    with (
        serving(tiny, VLLM) as (url, _),
        pytest.raises(BackendRefused, match="no model 'tinny', did you mean 'tiny'"),
    ):
        probe_backend("openai", "tinny", base_url=url)


def test_a_route_that_is_not_there_is_refused(tiny):
    with pytest.raises(BackendRefused, match="chat answered 404"):
        probed(tiny, VLLM, route="chat")


def test_nobody_there_is_unavailable():
    with pytest.raises(BackendUnavailable):
        probe("tiny", base_url=f"http://127.0.0.1:{free_port()}/v1", timeout=2.0)


def test_a_key_is_asked_for_by_the_name_of_its_variable(tiny, monkeypatch):
    guarded = replace(VLLM, key=KEY)
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(BackendRefused, match="key_variable"):
        probed(tiny, guarded)
    with pytest.raises(BackendRefused, match=f"variable {VARIABLE} is not set"):
        probed(tiny, guarded, key_variable=VARIABLE)
    monkeypatch.setenv(VARIABLE, "sk-wrong")
    with pytest.raises(BackendRefused, match=f"refuses the key .* {VARIABLE}") as refusal:
        probed(tiny, guarded, key_variable=VARIABLE)
    assert "sk-wrong" not in str(refusal.value)


def test_a_key_is_in_no_log_and_no_fact(tiny, monkeypatch, caplog):
    monkeypatch.setenv(VARIABLE, KEY)
    with caplog.at_level(logging.DEBUG):
        facts, app = probed(tiny, replace(VLLM, key=KEY), key_variable=VARIABLE)
    assert facts["rung"] == "named"
    assert len(app.asked) > 10
    assert KEY not in json.dumps(facts)
    assert KEY not in caplog.text


def test_a_key_that_a_server_repeats_is_taken_out(tiny, monkeypatch):
    monkeypatch.setenv(VARIABLE, KEY)
    guarded = replace(VLLM, key=KEY, most=5, repeats=True)
    facts, _ = probed(tiny, guarded, key_variable=VARIABLE)
    assert "(the key)" in facts["missing"]["prompt_lists"]
    assert KEY not in json.dumps(facts)
