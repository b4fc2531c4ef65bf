"""An endpoint behind an API: its options, and what asking it has shown."""

from typing import Any

from tests.web.samples import NOW, SCRIPT, Object

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
