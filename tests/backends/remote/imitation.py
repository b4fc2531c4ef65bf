"""The tiny Llama behind a server with chosen quirks, for what no server at hand does.

It speaks real HTTP on loopback. What it imitates was seen on llama-cpp-python and on vLLM, or read
in vLLM's source; that those still do so is for test_real_servers to say.
"""

import base64
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
import uvicorn

from tests.conftest import eventually
from tests.tiny_llama import TinyLlama

END = 2  # the token that ends a text


@dataclass(frozen=True)
class Quirks:
    """What a server does with fields that are not everybody's."""

    most: int = 10_000  # likeliest tokens it tells at most; more are refused
    echo: str = ""  # "right", "late" (a token has the next one's distribution), or ignored
    n: bool = True  # several draws at once; else ignored
    named: bool = False  # logprob_token_ids, /tokenize
    embeds: bool = False  # prompt_embeds
    embeds_scale: float = 1.0  # a model that changes its embeddings
    choice: bool = False  # structured_outputs
    hot: bool = False  # log-probabilities after the temperature
    chat: bool = False  # /chat/completions too
    key: str = ""
    repeats: bool = False  # its refusals repeat the key


LLAMA_CPP_PYTHON = Quirks(echo="late", n=False)
VLLM = Quirks(most=20, echo="right", named=True, embeds=True, choice=True)


@dataclass
class Imitation:
    tiny: TinyLlama
    quirks: Quirks
    asked: list[dict[str, Any]] = field(default_factory=list)  # bodies, in order
    _rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(1))

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        body = b""
        while (part := await receive())["type"] == "http.request":
            body += part["body"]
            if not part.get("more_body"):
                break
        keys = [value for name, value in scope["headers"] if name == b"authorization"]
        if self.quirks.key and keys != [f"Bearer {self.quirks.key}".encode()]:
            told = keys[0].decode() if keys else "none"
            status, answer = 401, _error(f"Incorrect API key provided: {told}")
        else:
            status, answer = self.answer(scope["path"], json.loads(body or b"{}"))
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        self.asked.append(body)
        if path == "/v1/models":
            return 200, {"data": [{"id": "tiny", "owned_by": "imitation", "max_model_len": 512}]}
        if path == "/tokenize" and self.quirks.named:
            return 200, {"tokens": self.tiny.ids(body["prompt"])}
        if path == "/v1/completions":
            return self.checked(body)
        if path == "/v1/chat/completions" and self.quirks.chat:
            if "max_tokens" in body:
                return 400, _error("Unsupported parameter: use 'max_completion_tokens' instead.")
            return 200, self.chat(body)
        return 404, _error("Not Found")

    def checked(self, body: dict[str, Any]) -> tuple[int, Any]:
        if body.get("logprobs", 0) > self.quirks.most:
            return 400, _error(f"at most {self.quirks.most} log-probabilities")
        if not isinstance(body.get("prompt"), str) and "prompt_embeds" not in body:
            told = self.quirks.key if self.quirks.repeats else ""
            return 400, _error(f"prompt must be a string {told}")
        if "prompt_embeds" in body and not self.quirks.embeds:
            return 422, _error("unexpected field prompt_embeds")
        return 200, self.complete(body)

    def chat(self, body: dict[str, Any]) -> dict[str, Any]:
        prompt = body["messages"][-1]["content"] + " It was"
        asked = {**body, "prompt": prompt, "logprobs": body.get("top_logprobs")}
        answer = self.complete({**asked, "max_tokens": body["max_completion_tokens"]})
        for choice in answer["choices"]:
            choice["message"] = {"role": "assistant", "content": choice.pop("text")}
            if told := choice["logprobs"]:
                lists = zip(*(told[name] for name in _LISTS), strict=True)
                content = [
                    {
                        "token": token,
                        "logprob": nats,
                        "top_logprobs": [{"token": t, "logprob": v} for t, v in top.items()],
                    }
                    for token, nats, top in lists
                ]
                choice["logprobs"] = {**dict.fromkeys(told), "content": content}  # as litellm
        return answer

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        vectors = self._vectors(body)
        rng = np.random.default_rng(body["seed"]) if "seed" in body else self._rng
        n = body.get("n", 1) if self.quirks.n else 1
        choices = [{"index": i, **self._choice(body, vectors, rng)} for i in range(n)]
        usage = {"prompt_tokens": len(vectors), "completion_tokens": body["max_tokens"] * n}
        return {"choices": choices, "usage": usage}

    def _vectors(self, body: dict[str, Any]) -> np.ndarray:
        if self.quirks.embeds and "prompt_embeds" in body:
            import torch

            payload = BytesIO(base64.b64decode(body["prompt_embeds"], validate=True))
            return torch.load(payload, weights_only=True).numpy() * self.quirks.embeds_scale
        return self.tiny.embed(self.tiny.ids(body["prompt"]))

    def _choice(
        self, body: dict[str, Any], vectors: np.ndarray, rng: np.random.Generator
    ) -> dict[str, Any]:
        told = _Told(self.tiny, body, self.quirks)
        if body.get("echo") and self.quirks.echo:
            told.echo(self.tiny.ids(body["prompt"]), self.tiny.every(vectors))
        only = body.get("structured_outputs", {}).get("choice") if self.quirks.choice else None
        if only:
            return {"text": only[-1], "logprobs": None}
        for _ in range(body["max_tokens"]):
            table = self.tiny.every(vectors)[-1]
            heat = body.get("temperature", 1.0)
            if self.quirks.hot and not heat:
                table = np.where(table == table.max(), 0.0, -9999.0)
            token = int(rng.choice(len(table), p=np.exp(table)) if heat else table.argmax())
            told.say(token, table)
            if token == END:
                break
            vectors = np.concatenate([vectors, self.tiny.embed([token])])
        return told.choice()


_LISTS = ("tokens", "token_logprobs", "top_logprobs")


@dataclass
class _Told:
    """One choice as it grows."""

    tiny: TinyLlama
    body: dict[str, Any]
    quirks: Quirks
    text: str = ""
    logprobs: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in _LISTS})

    def echo(self, ids: list[int], tables: np.ndarray) -> None:
        late = self.quirks.echo == "late"
        for place, token in enumerate(ids):
            self.say(token, tables[place] if late else tables[place - 1] if place else None)

    def say(self, token: int, table: np.ndarray | None) -> None:
        text = "" if token == END else self.tiny.text([token])
        self.text += text
        nats = None if table is None else float(table[token])
        top = None if table is None else self._top(table)
        for name, value in zip(_LISTS, (text, nats, top), strict=True):
            self.logprobs[name].append(value)

    def _top(self, table: np.ndarray) -> dict[str, float]:
        if self.quirks.named and (ids := self.body.get("logprob_token_ids")):
            return {f"token_id:{token}": float(table[token]) for token in ids}
        likely = [int(token) for token in table.argsort()[::-1][: self.body.get("logprobs") or 0]]
        names = self.body.get("return_tokens_as_token_ids") and self.quirks.named
        return {
            f"token_id:{token}" if names else self.tiny.text([token]): float(table[token])
            for token in likely
        }

    def choice(self) -> dict[str, Any]:
        asked = self.body.get("logprobs") is not None
        return {"text": self.text, "logprobs": self.logprobs if asked else None}


@contextmanager
def serving(tiny: TinyLlama, quirks: Quirks) -> Iterator[tuple[str, Imitation]]:
    """Its base URL, and itself; on a port that the system has chosen."""
    app = Imitation(tiny, quirks)
    config = uvicorn.Config(
        app, "127.0.0.1", 0, lifespan="off", log_level="error", access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/v1", app
    finally:
        server.should_exit = True
        thread.join(10)


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "x", "param": None, "code": None}}
