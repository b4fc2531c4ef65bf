"""Endpoints as the contract describes them: a local model, and one behind an API with its facts."""

from typing import Any

from tests.web.samples import NOW, SCRIPT, Object

MINILM: Object = {
    "object": "endpoint",
    "id": "minilm",
    "kind": "encoder",
    "model": "minilm",
    "options": {"scale": 20.0},
    "capabilities": ["text_prompts", "soft_prompts"],
    "probed": None,
    "built_in": True,
    "created_at": NOW,
}
OPTIONS: Object = {
    "base_url": "http://127.0.0.1:8080/v1",
    "key_variable": "MY_API_KEY",
    "input_price": 0.1,
    "output_price": 0.4,
    "currency": "EUR",
}


def probed(**more: Any) -> Object:
    """What asking finds of a small model on llama.cpp."""
    return {
        "model": "qwen3-0.6b",
        "route": "completions",
        "routes": ["completions", "chat"],
        "server": "llamacpp b9999",
        "context": 2048,
        "usage": True,
        "overhead": 1,
        "logprobs": 4096,
        "whole_vocabulary": False,
        "noise": 0.0125,
        "named": False,
        "choice": "json_schema",
        "n": 16,
        "seed": True,
        "draws": True,
        "prompt_embeds": None,
        "capabilities": ["generation", "label_probabilities", "text_prompts", "vocabulary"],
        "rungs": ["top", "choice", "samples", "match"],
        "rung": "top",
        "missing": {
            "named": f"the server did not bring them back {SCRIPT}",
            "sequence": "an echo carries no log-probabilities",
            "prompt_embeds": "not asked: the option `embeddings` names no folder",
        },
        "notes": ["21 requests were asked"],
        "probed_at": NOW,
        **more,
    }


def hosted(id_: str = "hosted", **options: Any) -> Object:
    facts = probed()
    return {
        "object": "endpoint",
        "id": id_,
        "kind": "openai",
        "model": "qwen3-0.6b",
        "options": {**OPTIONS, **options},
        "capabilities": facts["capabilities"],
        "probed": facts,
        "built_in": False,
        "created_at": NOW,
    }
