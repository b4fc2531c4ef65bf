"""Servers that are not ours: llama.cpp always, `transformers serve` slowly, vLLM where it is."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from backends.base import Query, TakesSoftPrompts
from backends.registry import Capability
from backends.remote.backend import open_remote
from backends.remote.probe import probe
from tests.model_servers import (
    VLLM_PYTHON,
    ModelServer,
    llama_server,
    transformers_server,
    vllm_server,
)
from tests.tiny_llama import HIDDEN, tiny_llama

TEXTS = ["the movie was great . It was", "a dull plot . It was", "what a cast ! It was"]
LABELS = ["great", "terrible"]
LONG = ["great movie", "great film", "wonderful !"]  # several tokens, and a shared first one
CLOSE = 1e-3  # nats between another engine and torch, float32 on both sides

needs_vllm = pytest.mark.skipif(
    VLLM_PYTHON not in os.environ, reason=f"{VLLM_PYTHON} names no Python that has vLLM"
)


@dataclass(frozen=True)
class Probed:
    server: ModelServer
    facts: dict[str, Any]

    def score(self, rung: str, labels: list[str], **options: Any) -> np.ndarray:
        """Of TEXTS, shape (3, n_labels)."""
        address = {"base_url": self.server.base_url, "scores": rung}
        backend = open_remote(self.server.model, self.facts, **address, **options)
        try:
            return backend.score([Query(text) for text in TEXTS], labels)
        finally:
            backend.close()


def probing(serving: AbstractContextManager[ModelServer], **options: str) -> Iterator[Probed]:
    with serving as server:
        yield Probed(server, probe(server.model, base_url=server.base_url, **options))


@pytest.fixture(scope="module")
def llama() -> Iterator[Probed]:
    yield from probing(llama_server(tiny_llama()))


@pytest.fixture(scope="module")
def transformers() -> Iterator[Probed]:
    yield from probing(transformers_server(tiny_llama()))


@pytest.fixture(scope="module")
def vllm() -> Iterator[Probed]:
    yield from probing(vllm_server(tiny_llama()), embeddings=str(tiny_llama().folder))


def wanted(labels: list[str]) -> np.ndarray:
    """The same by torch."""
    return np.array([[tiny_llama().score(text, f" {label}") for label in labels] for text in TEXTS])


def test_llama_cpp_what_the_probe_finds(llama):
    facts = llama.facts
    assert facts["rungs"] == ["top", "choice", "samples", "match"]
    assert facts["routes"] == ["completions", "chat"]
    assert facts["whole_vocabulary"]
    assert (facts["choice"], facts["n"], facts["seed"]) == ("grammar", 4, True)
    assert facts["noise"] < CLOSE
    assert facts["context"] == 2048
    assert facts["missing"]["sequence"].startswith("ignored: ")
    assert Capability.VOCABULARY in facts["capabilities"]


@pytest.mark.parametrize("labels", [LABELS, LONG], ids=["short", "long"])
def test_llama_cpp_likeliest_tokens_score_as_torch_does(llama, labels):
    assert llama.score("top", labels) == pytest.approx(wanted(labels), abs=CLOSE)


@pytest.mark.parametrize("rung", ["choice", "match"])
def test_llama_cpp_writes_the_likelier_label(llama, rung):
    exact = wanted(LABELS)
    sure = abs(exact[:, 0] - exact[:, 1]) > 1
    assert sure.sum() >= 2
    assert (llama.score(rung, LABELS).argmax(1) == exact.argmax(1))[sure].all()


def test_llama_cpp_draws_as_often_as_torch_says(llama):
    found = llama.score("samples", LABELS, samples=200)
    assert np.exp(found) == pytest.approx(np.exp(wanted(LABELS)), abs=0.15)


def test_llama_cpp_answers_chats_on_their_route(llama):
    server = llama.server
    chat = Probed(server, probe(server.model, base_url=server.base_url, route="chat"))
    assert chat.facts["rung"] == "top"
    # its template ends each text with one more " It was"
    exact = [tiny_llama().score(f"<s>{text} It was", " great") for text in TEXTS]
    found = chat.score("top", LABELS)[:, 0]  # plus what "great" and "gr" add to " great"
    assert np.exp(found) == pytest.approx(np.exp(exact), abs=0.01)


@pytest.mark.slow
def test_transformers_tells_no_log_probabilities(transformers):
    facts = transformers.facts
    assert facts["logprobs"] == 0
    for rung in ("named", "sequence", "top"):
        assert "were asked for and did not come" in facts["missing"][rung]
    assert Capability.LABEL_PROBABILITIES not in facts["capabilities"]


@pytest.mark.slow
def test_transformers_ignores_the_temperature(transformers):
    """It draws only where the model's own settings say so; these do not."""
    assert "do not vary" in transformers.facts["missing"]["samples"]


@pytest.mark.slow
def test_transformers_is_left_with_what_it_writes(transformers):
    assert transformers.facts["rungs"] == ["match"]
    exact = wanted(LABELS)
    assert (transformers.score("auto", LABELS).argmax(1) == exact.argmax(1)).all()


@pytest.mark.slow
@needs_vllm
def test_vllm_what_the_probe_finds(vllm):
    assert vllm.facts["rung"] == "named"
    assert vllm.facts["prompt_embeds"] < CLOSE
    assert Capability.SOFT_PROMPTS in vllm.facts["capabilities"]


@pytest.mark.slow
@needs_vllm
@pytest.mark.parametrize(
    "rung, labels", [("named", LABELS), ("sequence", LABELS), ("sequence", LONG)]
)
def test_vllm_scores_as_torch_does(vllm, rung, labels):
    folder = str(tiny_llama().folder)
    found = vllm.score(rung, labels, embeddings=folder)
    assert found == pytest.approx(wanted(labels), abs=CLOSE)


@pytest.mark.slow
@needs_vllm
def test_vllm_reads_soft_prompts_as_torch_does(vllm):
    soft = np.random.default_rng(5).normal(0, 0.05, (1, 5, HIDDEN)).astype(np.float32)
    options = {"base_url": vllm.server.base_url, "embeddings": str(tiny_llama().folder)}
    backend = open_remote("tiny", vllm.facts, **options)
    assert isinstance(backend, TakesSoftPrompts)
    found = backend.score([Query(TEXTS[0], soft=soft)], LABELS + LONG)[0]
    backend.close()
    exact = [tiny_llama().score(TEXTS[0], f" {label}", soft[0]) for label in LABELS + LONG]
    assert found == pytest.approx(exact, abs=CLOSE)
