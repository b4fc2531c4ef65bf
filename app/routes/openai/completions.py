"""Tuned prompts as models: chat/completions and completions, whole or as a stream."""

import json
import math
from collections.abc import AsyncIterator
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from anyio import to_thread
from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse

from app.deps import Service, ServiceDep
from app.errors import BadField, answer_to
from app.inputs import columns_of, served, taken_in
from app.openai.asked import ChatBody, CompletionBody
from app.openai.parts import NamesDep
from app.openai.said import ChatCompletion, ChatForm, Form, TextCompletion, TextForm, Whole
from backends.base import BackendError, Usage
from jobs.forwarding import Part, Piece, forward, is_forwarded, spliced
from jobs.names import Model, Names, NoSuchModel
from jobs.serving import Answer, Served

router = APIRouter(prefix="/v1", tags=["openai"])

STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": HTTPStatus.OK.phrase, "content": {"text/event-stream": {}}}
}
Body = ChatBody | CompletionBody
Inputs = list[dict[str, str]]


@router.post(
    "/chat/completions",
    summary="Ask a tuned prompt by chat",
    responses=STREAM,
    response_model=ChatCompletion,
)
async def create_chat_completion(
    body: ChatBody, service: ServiceDep, names: NamesDep
) -> ChatCompletion | Response:
    """The user's last message is the input: a text, or a JSON object where there are columns.

    A prompt for labels answers with the likeliest label's word, and with `logprobs` over the
    words of all labels: the very answer that was measured, so earlier messages and sampling change
    nothing. A prompt for texts of an API's model is put in front of the input, and the request is
    passed on: with its sampling, and with its earlier messages where that API is asked by chat.
    """
    return await _answered(body, ChatForm(body), service, names)


@router.post(
    "/completions", summary="Ask a tuned prompt", responses=STREAM, response_model=TextCompletion
)
async def create_completion(
    body: CompletionBody, service: ServiceDep, names: NamesDep
) -> TextCompletion | Response:
    """As chat/completions; each text of `prompt` is an input."""
    return await _answered(body, TextForm(body), service, names)


async def _answered(
    body: Body, form: Form[Whole], service: Service, names: Names
) -> Whole | Response:
    prompt, inputs = await to_thread.run_sync(_prepared, body, service, names)
    if not is_forwarded(prompt):
        part = await to_thread.run_sync(_predicted, body, prompt, inputs, service)
        return _streamed(form, _only(part), body) if body.stream else form.whole(part)
    if len(inputs) > 1:
        raise BadField("prompt", "this model answers one prompt at a time", "too_many_prompts")
    if body.wants_logprobs:
        raise BadField("logprobs", "there are none of this model; leave it out", "no_logprobs")
    outgoing = spliced(
        prompt, inputs[0], body.before, body.sampling, body.most, stream=bool(body.stream)
    )
    answer = await forward(outgoing)
    if body.stream:
        return _streamed(form, answer.parts(), body)
    return form.whole(await answer.whole())


def _prepared(body: Body, service: Service, names: Names) -> tuple[Served, Inputs]:
    """The prompt that is asked for, and its inputs."""
    prompt, dataset = _found(names.find(body.model), service)
    given, places = body.given(columns_of(prompt))
    return taken_in(prompt, given, places, dataset, service.catalog)


def _found(model: Model, service: Service) -> tuple[Served, str]:
    """A model's prompt, and its job's dataset."""
    if (kept := model.version) is not None:
        return served(kept.spec, kept.kind, kept.content, service.catalog), kept.spec["dataset"]
    job, row = service.store.job(model.job_id), service.store.prompt(model.job_id)
    if row is None:
        raise NoSuchModel(f"the model {model.id!r} has no prompt yet")
    return served(job.spec, row.kind, row.content, service.catalog), job.spec["dataset"]


def _predicted(body: Body, prompt: Served, inputs: Inputs, service: Service) -> Part:
    if (body.n or 1) > 1:
        raise BadField("n", "every answer of this model would be the same; leave it out", "not_one")
    if body.most is not None and prompt.task.metric is not None:
        prompt = replace(prompt, task=replace(prompt.task, max_tokens=body.most))
    told = service.predictor.said(prompt, inputs)
    pieces = [_piece(index, answer, prompt) for index, answer in enumerate(told.answers)]
    return Part(tuple(pieces), _usage(told.usage))


def _piece(index: int, answer: Answer, prompt: Served) -> Piece:
    if answer.label is None:
        return Piece(index, answer.text or "", "stop")
    words = prompt.task.verbalizer
    nats = {words[label]: _log(p) for label, p in answer.probabilities.items()}
    return Piece(index, words[answer.label], "stop", nats)


def _log(probability: float) -> float:
    return math.log(probability) if probability > 0 else -math.inf


def _usage(usage: Usage | None) -> dict[str, int] | None:
    """Null where no tokens are counted: of models on this machine."""
    if usage is None:
        return None
    tokens = {"prompt_tokens": usage.tokens_in, "completion_tokens": usage.tokens_out}
    return {**tokens, "total_tokens": usage.tokens_in + usage.tokens_out}


async def _only(part: Part) -> AsyncIterator[Part]:
    yield part


def _streamed(form: Form[Any], parts: AsyncIterator[Part], body: Body) -> StreamingResponse:
    headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
    lines = _lines(form, parts, body.tells_usage)
    return StreamingResponse(lines, media_type="text/event-stream", headers=headers)


async def _lines(
    form: Form[Any], parts: AsyncIterator[Part], tells_usage: bool
) -> AsyncIterator[str]:
    """Server-Sent Events; what goes wrong on the way is the last one, as the clients expect it."""
    usage = None
    try:
        for chunk in form.start():
            yield _line(chunk)
        async for part in parts:
            usage = part.usage or usage
            if part.pieces:
                yield _line(form.chunk(part.pieces))
    except BackendError as error:
        yield f"data: {bytes(answer_to(error).body).decode()}\n\n"
        return
    if tells_usage:
        yield _line(form.chunk([], usage))
    yield "data: [DONE]\n\n"


def _line(said: dict[str, Any]) -> str:
    return f"data: {json.dumps(said)}\n\n"
