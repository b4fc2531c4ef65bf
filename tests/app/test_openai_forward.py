"""Prompts on a real OpenAI-compatible server, tuned and asked by OpenAI's own client."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest
from openai.types import Completion
from openai.types.chat import ChatCompletion

from tests.app.openai_types import body, client, strict
from tests.model_servers import ModelServer, llama_server
from tests.servers import Service
from tests.test_api_jobs import films_csv
from tests.test_generation_jobs import verdicts_csv
from tests.tiny_llama import tiny_llama

KEY, VARIABLE = "sk-forwarded-3b91", "FACE_API_KEY"
FILM: list[Any] = [{"role": "user", "content": "the film was great ."}]
BDPL = {"name": "bdpl", "n_prompt_tokens": 2, "sample_size": 4}
WRITING = {
    "method": BDPL,
    "budget": {"queries": 12 + 8 * 8},
    "task": {"template": "{prompt} {text} It was", "metric": "rouge_l", "max_tokens": 2},
}
LABELLING = {
    "method": BDPL,
    "budget": {"queries": 300},
    "task": {
        "template": "{prompt} {text} It was {label}",
        "verbalizer": {"good": "great", "bad": "terrible"},
    },
}


class Relay:
    """A wire to a server; `cut` ends every answer behind its first event."""

    def __init__(self, server: ModelServer) -> None:
        parts = urlsplit(server.base_url)
        self._target = (str(parts.hostname), int(parts.port or 80))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.cut = False
        self.base_url = f"http://127.0.0.1:{self._listening.getsockname()[1]}{parts.path}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            far = socket.create_connection(self._target)
            for pair in ((near, far, False), (far, near, True)):
                threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        try:
            while data := source.recv(65_536):
                head, event, _ = data.partition(b"\n\n") if answers else (data, b"", b"")
                sink.sendall(head + event if self.cut else data)
                if self.cut and b"data: " in head:
                    break
        except OSError:
            pass
        for end in (source, sink):
            with closing(end), suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def relay() -> Iterator[Relay]:
    with llama_server(tiny_llama(), key=KEY) as server:
        relay = Relay(server)
        yield relay
        relay.close()


@pytest.fixture(scope="module")
def service(relay: Relay, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    os.environ[VARIABLE] = KEY
    service = Service(tmp_path_factory.mktemp("forward"), {"threads": "1"})
    try:
        service.start()
        options = {"base_url": relay.base_url, "key_variable": VARIABLE}
        endpoint = {"id": "tiny", "kind": "openai", "model": "tiny", "options": options}
        answer = service.http.post("/api/endpoints", json=endpoint)
        assert answer.status_code == 201, answer.text
        yield service
    finally:
        service.close()
        del os.environ[VARIABLE]


def tuned(service: Service, file: str, prompt: dict[str, Any], **reading: str) -> str:
    """The model that a whole job makes, by the client alone."""
    with client(service) as ours:
        data = ("rows.csv", file.encode())
        uploaded = ours.files.create(file=data, purpose="fine-tune", extra_body=reading)
        method: Any = {"type": "prompt", "prompt": prompt}
        job = ours.fine_tuning.jobs.create(
            model="tiny", training_file=uploaded.id, method=method, seed=3
        )
        service.ended(job.id)
        job = ours.fine_tuning.jobs.retrieve(job.id)
        assert job.status == "succeeded", job.error
        assert job.trained_tokens
        return str(job.fine_tuned_model)


@pytest.fixture(scope="module")
def writer(service: Service) -> str:
    return tuned(service, verdicts_csv(), WRITING, target_column="verdict")


@pytest.fixture(scope="module")
def judge(service: Service) -> str:
    return tuned(service, films_csv(), LABELLING)


def test_a_chat_is_passed_on(writer: str, service: Service) -> None:
    said = service.http.post(
        f"/api/jobs/{writer.split(':')[2]}/predict", json={"inputs": [FILM[0]["content"]]}
    ).json()["data"][0]
    with client(service) as ours:
        raw = ours.chat.completions.with_raw_response.create(model=writer, messages=FILM)
        text = ours.completions.with_raw_response.create(model=writer, prompt=FILM[0]["content"])
    strict(ChatCompletion, body(raw), may_lack="metadata moderation")
    strict(Completion, body(text))
    answer = raw.parse()
    assert (answer.choices[0].message.content or "").strip() == said["text"]
    assert text.parse().choices[0].text.strip() == said["text"]
    assert answer.usage is not None and 0 < answer.usage.completion_tokens <= 2
    assert answer.usage.prompt_tokens > 5, "the server's own count"
    assert answer.model == writer


def test_sampling_is_passed_on(writer: str, service: Service) -> None:
    with client(service) as ours:
        [plain] = ours.chat.completions.create(model=writer, messages=FILM).choices
        many = ours.chat.completions.create(model=writer, messages=FILM, n=3, stop=["great"])
    assert "great" in (plain.message.content or "")
    assert [choice.index for choice in many.choices] == [0, 1, 2]
    assert not any("great" in (choice.message.content or "") for choice in many.choices)


def test_a_stream_is_passed_on(writer: str, service: Service) -> None:
    with client(service) as ours:
        whole = ours.chat.completions.create(model=writer, messages=FILM, max_tokens=8)
        chunks = list(
            ours.chat.completions.create(
                model=writer,
                messages=FILM,
                max_tokens=8,
                stream=True,
                stream_options={"include_usage": True},
            )
        )
    said = [choice for chunk in chunks for choice in chunk.choices]
    assert (
        "".join(choice.delta.content or "" for choice in said) == whole.choices[0].message.content
    )
    assert said[-1].finish_reason == whole.choices[0].finish_reason
    assert len(chunks) > 3, "words come as they are written"
    assert chunks[-1].usage is not None and whole.usage is not None
    assert chunks[-1].usage.total_tokens == whole.usage.total_tokens


def test_a_stream_that_breaks_off_says_so(writer: str, service: Service, relay: Relay) -> None:
    relay.cut = True
    try:
        with client(service) as ours:
            stream = ours.chat.completions.create(
                model=writer, messages=FILM, max_tokens=8, stream=True
            )
            with pytest.raises(openai.APIError, match="broke off") as broken:
                list(stream)
    finally:
        relay.cut = False
    assert (broken.value.code, broken.value.type) == ("backend_unavailable", "service_error")


def test_what_cannot_be_passed_on_is_refused(writer: str, service: Service) -> None:
    with client(service) as ours, pytest.raises(openai.UnprocessableEntityError) as refused:
        ours.chat.completions.create(model=writer, messages=FILM, logprobs=True)
    assert refused.value.code == "no_logprobs"
    with client(service) as ours, pytest.raises(openai.UnprocessableEntityError) as refused:
        ours.completions.create(model=writer, prompt=["a", "b"])
    assert refused.value.code == "too_many_prompts"


def test_labels_come_with_what_they_have_cost(judge: str, service: Service) -> None:
    with client(service) as ours:
        answer = ours.chat.completions.create(model=judge, messages=FILM, logprobs=True)
        dull = ours.completions.create(model=judge, prompt="the plot was awful .")
    assert answer.choices[0].message.content == "great"
    assert dull.choices[0].text == "terrible"
    assert answer.usage is not None and answer.usage.prompt_tokens > 5
    assert answer.choices[0].logprobs is not None


def test_a_name_follows_its_version(writer: str, judge: str, service: Service) -> None:
    for model in (writer, judge):
        named = {"name": "films", "job": model.split(":")[2]}
        assert service.http.post("/api/prompts", json=named).status_code == 201
    with client(service) as ours:

        def logprobs() -> bool:
            answer = ours.chat.completions.create(
                model="pt:films", messages=FILM, logprobs=True, top_logprobs=1
            )
            return answer.choices[0].logprobs is not None

        assert logprobs(), "labels"
        assert service.http.post("/api/prompts/films/rollback", json={}).status_code == 200
        with pytest.raises(openai.UnprocessableEntityError):
            logprobs()
    old, new = (row["text"] for row in service.get("/api/prompts/films/versions")["data"][::-1])
    compared = service.get("/api/prompts/films/diff", first=1, second=2)
    assert old != new and compared["lines"] == [f"- {old}", f"+ {new}"]
    assert service.get("/api/prompts/films/diff", first=2, second=2)["lines"] == [f"  {new}"]


def test_the_key_is_nowhere(writer: str, service: Service) -> None:
    assert KEY.encode() not in service.log.read_bytes()
    for file in service.data.rglob("*"):
        assert file.is_dir() or KEY.encode() not in file.read_bytes(), file
