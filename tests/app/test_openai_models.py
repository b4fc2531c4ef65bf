"""Tuned prompts for labels, asked by OpenAI's own client: whole, streamed, refused."""

import math
from typing import Any

import openai
import pytest
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from app.errors import BadField
from app.openai.asked import ChatBody, CompletionBody
from tests.app.openai_types import body, client, strict
from tests.servers import Service, spec

SKY: list[Any] = [{"role": "user", "content": "the sky 9 is"}]
ABSENT = "metadata moderation"  # fields of newer servers


@pytest.fixture(scope="module")
def model(finished: dict[str, Any]) -> str:
    return f"pt:minilm:{finished['id']}"


@pytest.fixture(scope="module")
def probabilities(tuning: Service, finished: dict[str, Any]) -> dict[str, float]:
    asked = {"inputs": [SKY[0]["content"]]}
    answer = tuning.http.post(f"/api/jobs/{finished['id']}/predict", json=asked).json()["data"][0]
    found: dict[str, float] = answer["probabilities"]
    return found


def test_a_chat_says_the_label(
    model: str, tuning: Service, probabilities: dict[str, float]
) -> None:
    with client(tuning) as ours:
        raw = ours.chat.completions.with_raw_response.create(
            model=model, messages=SKY, logprobs=True, top_logprobs=2
        )
    strict(ChatCompletion, body(raw), may_lack=ABSENT)
    [choice] = raw.parse().choices
    assert choice.message.content == max(probabilities, key=lambda label: probabilities[label])
    assert choice.logprobs is not None and choice.logprobs.content is not None
    [token] = choice.logprobs.content
    top = {each.token: math.exp(each.logprob) for each in token.top_logprobs}
    assert top == pytest.approx(probabilities, rel=1e-6)
    assert [each.logprob for each in token.top_logprobs] == sorted(
        (each.logprob for each in token.top_logprobs), reverse=True
    )
    assert bytes(token.bytes or []).decode() == token.token == choice.message.content


def test_null_where_nothing_is_told(model: str, tuning: Service) -> None:
    """A client's own type would forgive what is left out; others do not."""
    with client(tuning) as ours:
        chat = body(ours.chat.completions.with_raw_response.create(model=model, messages=SKY))
        text = body(ours.completions.with_raw_response.create(model=model, prompt="a rose"))
    assert chat["usage"] is None and chat["choices"][0]["logprobs"] is None
    assert chat["choices"][0]["message"]["refusal"] is None
    assert text["usage"] is None and text["choices"][0]["logprobs"] is None


def test_completions_answer_each_prompt(model: str, tuning: Service) -> None:
    with client(tuning) as ours:
        raw = ours.completions.with_raw_response.create(
            model=model, prompt=["the sky is", "a rose is"], logprobs=1, max_tokens=16
        )
    strict(Completion, body(raw))
    choices = raw.parse().choices
    assert [(choice.index, choice.text) for choice in choices] == [(0, "blue"), (1, "red")]
    for choice in choices:
        assert choice.logprobs is not None and choice.logprobs.top_logprobs is not None
        assert choice.logprobs.tokens == [choice.text] == list(choice.logprobs.top_logprobs[0])


@pytest.mark.parametrize("usage", [False, True])
def test_a_stream_says_what_the_whole_says(usage: bool, model: str, tuning: Service) -> None:
    with client(tuning) as ours:
        whole = ours.chat.completions.create(model=model, messages=SKY)
        options: Any = {"include_usage": True} if usage else openai.omit
        chunks = list(
            ours.chat.completions.create(
                model=model, messages=SKY, stream=True, stream_options=options
            )
        )
        texts = list(ours.completions.create(model=model, prompt="a rose is", stream=True))
    for chunk in chunks:
        strict(ChatCompletionChunk, chunk.model_dump(mode="json"))
    assert len({(chunk.id, chunk.model, chunk.created) for chunk in chunks}) == 1
    said = [choice for chunk in chunks for choice in chunk.choices]
    assert said[0].delta.role == "assistant"
    assert (
        "".join(choice.delta.content or "" for choice in said) == whole.choices[0].message.content
    )
    assert said[-1].finish_reason == "stop"
    assert (chunks[-1].choices == []) == usage
    assert "".join(text.choices[0].text for text in texts) == "red"


@pytest.mark.parametrize(
    "name",
    [
        "gpt-4o",
        "minilm",
        "",
        "pt:",
        "pt:minilm:none",
        "pt:minilm:job_00000000000000000000",
        "a:b:c:d",
    ],
)
def test_other_models_are_not_found(name: str, tuning: Service) -> None:
    with client(tuning) as ours:
        for ask in (
            lambda: ours.chat.completions.create(model=name, messages=SKY),
            lambda: ours.completions.create(model=name, prompt="x"),
            lambda: ours.chat.completions.create(model=name, messages=SKY, stream=True),
        ):
            with pytest.raises(openai.NotFoundError) as missing:
                ask()
            assert missing.value.code == "model_not_found"
            assert missing.value.type == "invalid_request_error"


def test_a_model_of_another_endpoint_or_without_a_prompt(
    model: str, idle: Service, tuning: Service
) -> None:
    with client(tuning) as ours, pytest.raises(openai.NotFoundError):
        ours.chat.completions.create(model=model.replace("minilm", "digits-clip"), messages=SKY)
    waiting = idle.submit(spec())
    with client(idle) as ours, pytest.raises(openai.NotFoundError) as missing:
        ours.models.retrieve(f"pt:minilm:{waiting}")
    assert missing.value.code == "model_not_found"


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"messages": [{"role": "assistant", "content": "x"}]}, "messages.0", "no_input"),
    ({"messages": []}, "messages", "too_short"),
    ({"messages": [{"role": "user", "content": ""}]}, "messages.0", "no_input"),
    ({"n": 2}, "n", "not_one"),
    ({"tools": []}, "tools", "unknown_field"),
]


@pytest.mark.parametrize(("change", "param", "code"), BAD)
def test_what_is_not_read_is_refused(
    change: dict[str, Any], param: str, code: str, model: str, tuning: Service
) -> None:
    asked: dict[str, Any] = {"model": model, "messages": SKY}
    with client(tuning) as ours, pytest.raises(openai.UnprocessableEntityError) as refused:
        ours.chat.completions.create(**(asked | change))
    assert (refused.value.param, refused.value.code) == (param, code)


PAIR = '{"title": "t", "text": "w"}'
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


@pytest.mark.parametrize(
    ("content", "columns", "given"),
    [
        (PAIR, ["text"], PAIR),
        (PAIR, ["title", "text"], {"title": "t", "text": "w"}),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], ["text"], "ab"),
        ([IMAGE], ["image"], {"image": IMAGE["image_url"]["url"]}),  # type: ignore[index]
        (
            [{"type": "text", "text": "a"}, IMAGE],
            ["image", "text"],
            {"image": IMAGE["image_url"]["url"], "text": "a"},  # type: ignore[index]
        ),
    ],
)
def test_how_a_message_is_an_input(content: Any, columns: list[str], given: Any) -> None:
    before = {"role": "system", "content": "be brief"}
    asked = ChatBody.model_validate(
        {"model": "m", "messages": [before, {"role": "user", "content": content}]}
    )
    assert asked.given(columns) == ([given], ["messages.1"])
    assert asked.before == [before]


@pytest.mark.parametrize("text", ["a", "[1]", '{"text": 3}', '{"text": ""}', "[" * 5000])
def test_several_columns_are_an_object_of_texts(text: str) -> None:
    asked = CompletionBody(model="m", prompt=[PAIR, text])
    with pytest.raises(BadField, match="title, text") as refused:
        asked.given(["title", "text"])
    assert refused.value.param == "prompt.1"
