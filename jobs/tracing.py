"""Spans of OpenTelemetry: jobs, generations, requests to models. No text of a user, no key.

Off, and OpenTelemetry is not even imported, unless its own environment variables name a collector
(`OTEL_EXPORTER_OTLP_ENDPOINT`); what they say besides holds as in any program. Names follow its
GenAI conventions, which are still in development: every name stands here and nowhere else.
"""

import logging
import math
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

from backends.base import Backend
from backends.watching import Exchange, Watched
from jobs.models import EndpointRow, JobRow
from jobs.search import Generation

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

logger = logging.getLogger(__name__)

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
SERVICE = "gradless"  # where the environment names no other
LAST = 3.0  # seconds that the collector has for what is left at the end

JOB, GENERATION = "job", "generation"  # names of spans; a request's is "chat MODEL"
OPERATIONS = {  # by the route of an API, or by what a model of this process is asked
    "chat/completions": "chat",
    **dict.fromkeys(("completions", "generate", "write"), "text_completion"),
    "features": "embeddings",
}  # others are called what they are: the conventions have no word for them
PROVIDER = "openai"  # as the conventions call every server that speaks like OpenAI's
ENDINGS = frozenset({"stop", "length", "content_filter", "tool_calls"})
NUMBERS = {  # fields of a request's body that are told
    "gen_ai.request.max_tokens": ("max_tokens", "max_completion_tokens"),
    "gen_ai.request.temperature": ("temperature",),
    "gen_ai.request.top_p": ("top_p",),
    "gen_ai.request.top_k": ("top_k",),
    "gen_ai.request.seed": ("seed",),
    "gen_ai.request.choice.count": ("n",),
}
FAILED = "failed"

Value: TypeAlias = str | int | float | bool | list[str]
Told: TypeAlias = dict[str, Value]


class Untraced:
    """Nobody listens: nothing is done."""

    def job(self, row: JobRow) -> AbstractContextManager[object]:
        """Around one attempt at a job."""
        return nullcontext()

    def ended(self, outcome: str, error: str = "") -> None:
        """How the attempt ended, and the class of the exception that ended it."""

    def generations(
        self, run: Iterator[Generation[Any]], first: int, measure: str
    ) -> Iterator[Generation[Any]]:
        """The same; a generation lasts until the next one is asked for. `first` is its number."""
        return run

    def watch(self, backend: Backend, row: EndpointRow) -> None:
        """From now on what this model is asked is told."""

    def asking(self, backend: object, what: str, n_queries: int) -> AbstractContextManager[object]:
        """Around one call of a model."""
        return nullcontext()

    def close(self) -> None:
        """Sends what is left."""


class Traced:
    """As `Untraced`, but each is a span. For one job at a time."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry import context, trace

        self._provider, self._tracer = provider, provider.get_tracer(SERVICE)
        self._kinds, self._status = trace.SpanKind, trace.Status(trace.StatusCode.ERROR)
        self._inside, self._nowhere = trace.set_span_in_context, context.Context()
        self._open: list[Span] = []  # the innermost last
        self._models: dict[int, str] = {}  # of this process, by the backend's id

    @contextmanager
    def job(self, row: JobRow) -> Iterator[None]:
        told: Told = {
            "gradless.job.id": row.id,
            "gradless.job.attempt": row.attempts,
            "gradless.project.id": row.project,
            "gradless.method.name": row.spec["method"]["name"],
        }
        with self._span(JOB, told):
            yield

    def ended(self, outcome: str, error: str = "") -> None:
        span = self._open[0]
        span.set_attribute("gradless.job.outcome", outcome)
        if error:
            span.set_attribute("error.type", error)
        if outcome == FAILED:
            span.set_status(self._status)

    def generations(
        self, run: Iterator[Generation[Any]], first: int, measure: str
    ) -> Iterator[Generation[Any]]:
        number = first
        while True:
            with self._span(GENERATION, {"gradless.generation.number": number}) as span:
                generation = next(run, None)
                # the budget may be over in the middle of it: then it is none
                span.set_attribute("gradless.generation.finished", generation is not None)
                if generation is None:
                    return
                _describe(span, generation, measure)
                yield generation
            number += 1

    def watch(self, backend: Backend, row: EndpointRow) -> None:
        """An API's requests are told one by one, a model of this process call by call."""
        if isinstance(backend, Watched):
            backend.watch(self._request)
        else:
            self._models[id(backend)] = row.model

    @contextmanager
    def asking(self, backend: object, what: str, n_queries: int) -> Iterator[None]:
        model = self._models.get(id(backend))
        if model is None:
            yield
            return
        operation = OPERATIONS.get(what, what)
        told: Told = {
            "gen_ai.operation.name": operation,
            "gen_ai.request.model": model,
            "gradless.queries": n_queries,
        }
        with self._span(f"{operation} {model}", told):
            yield

    def close(self) -> None:
        """A collector that does not answer must not hold up the end."""
        ending = threading.Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(LAST)

    @contextmanager
    def _span(self, name: str, told: Told) -> "Iterator[Span]":
        span = self._tracer.start_span(name, self._around(), attributes=told)
        self._open.append(span)
        try:
            yield span
        except Exception as error:
            # its class alone: a message may quote what a user has written
            span.set_attribute("error.type", type(error).__name__)
            raise
        finally:
            self._open.remove(span)
            span.end()

    def _around(self) -> Any:
        """What a new span is part of: not what the thread that asks thinks it is in."""
        innermost = self._open[-1:]  # read at once: requests end on another thread
        return self._inside(innermost[0], self._nowhere) if innermost else self._nowhere

    def _request(self, exchange: Exchange) -> None:
        told = _of_request(exchange)
        span = self._tracer.start_span(
            f"{told['gen_ai.operation.name']} {exchange.model}",
            self._around(),
            self._kinds.CLIENT,
            told,
            start_time=exchange.began,
        )
        if exchange.error:
            span.set_status(self._status)
        span.end(exchange.ended)


Tracing: TypeAlias = Untraced | Traced


def open_tracing(runner: str, environment: Mapping[str, str]) -> Tracing:
    """By the environment: to a collector, or to nobody."""
    if not _is_wanted(environment):
        return Untraced()
    try:
        return Traced(_provider(runner))
    except ImportError:
        logger.warning(
            "tracing: a collector is named, but OpenTelemetry is not installed, so no span is "
            "sent; install the extra: pip install 'gradless-service[otel]'"
        )
        return Untraced()


def _is_wanted(environment: Mapping[str, str]) -> bool:
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if environment.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() not in ("", "otlp"):
        return False
    return any(environment.get(name, "").strip() for name in ENDPOINTS)


def _provider(runner: str) -> "TracerProvider":
    """Its exporter, sampler and limits are read from the environment by OpenTelemetry itself."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({"service.instance.id": runner})
    if str(resource.attributes["service.name"]).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": SERVICE}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _describe(span: "Span", generation: Generation[Any], measure: str) -> None:
    """The champion's figures, and as the conventions tell of an evaluation, how good it is."""
    champion = generation.champion
    if champion is None:
        return
    losses = {
        "gradless.train.loss": champion.train_loss,
        "gradless.dev.loss": champion.dev_loss,
    }
    span.set_attributes({name: loss for name, loss in losses.items() if math.isfinite(loss)})
    improved = generation.incumbent is not None and (
        generation.incumbent.generation == generation.number
    )
    span.set_attribute("gradless.generation.improved", improved)
    score: Told = {
        "gen_ai.evaluation.name": measure,
        "gen_ai.evaluation.score.value": champion.dev_accuracy,
    }
    span.add_event("gen_ai.evaluation.result", score)


def _of_request(exchange: Exchange) -> Told:
    """Numbers and names of what was asked; never a text of it, nor of the answer."""
    url = urlsplit(exchange.address)
    told: Told = {
        "gen_ai.operation.name": OPERATIONS.get(exchange.route, exchange.route),
        "gen_ai.provider.name": PROVIDER,
        "gen_ai.request.model": exchange.model,
        "server.address": url.hostname or "",
        "server.port": url.port or (443 if url.scheme == "https" else 80),
    }
    if exchange.usage is not None:
        told["gen_ai.usage.input_tokens"] = exchange.usage.tokens_in
        told["gen_ai.usage.output_tokens"] = exchange.usage.tokens_out
    for name, fields in NUMBERS.items():
        for value in (exchange.body.get(field) for field in fields):
            if isinstance(value, int | float):
                told[name] = value
    if endings := _endings(exchange.said):
        told["gen_ai.response.finish_reasons"] = endings
    if exchange.error:
        told["error.type"] = exchange.error
    return told


def _endings(said: Mapping[str, Any]) -> list[str]:
    """Why each choice ended; a word that is not known may be anything, and is not passed on."""
    choices = said.get("choices")
    found = [
        choice.get("finish_reason")
        for choice in (choices if isinstance(choices, list) else [])
        if isinstance(choice, Mapping)
    ]
    return [each for each in found if isinstance(each, str) and each in ENDINGS]
