"""A real server that spans are sent to by OTLP over HTTP, and what it has been told."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.receiver import Receiver, receiving


@dataclass(frozen=True)
class Heard:
    """A span as it came in."""

    name: str
    id: bytes
    parent: bytes  # empty: none
    trace: bytes
    kind: int
    failed: bool
    began: int  # nanoseconds since the epoch
    ended: int
    told: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]]
    service: dict[str, Any]  # of the resource


class Collector:
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self.url = f"http://127.0.0.1:{receiver.server_port}"

    @property
    def raw(self) -> bytes:
        """Every byte of every body."""
        return b"".join(body for _, _, body in self._receiver.got)

    @property
    def paths(self) -> set[str]:
        return {path for path, _, _ in self._receiver.got}

    def spans(self, job_id: str = "") -> list[Heard]:
        """All, or those of one attempt at a job, once it has ended; the oldest first."""
        found = [span for _, _, body in list(self._receiver.got) for span in _parsed(body)]
        traces = {s.trace for s in found if s.told.get("gradless.job.id") == job_id}
        some = [span for span in found if span.trace in traces or not job_id]
        return sorted(some, key=lambda span: (span.began, span.name != "job"))


@contextmanager
def collecting() -> Iterator[Collector]:
    with receiving() as receiver:
        yield Collector(receiver)


def _parsed(body: bytes) -> Iterator[Heard]:
    request = ExportTraceServiceRequest.FromString(body)
    for sender in request.resource_spans:
        service = _attributes(sender.resource.attributes)
        for scope in sender.scope_spans:
            for span in scope.spans:
                yield _heard(span, service)


def _heard(span: Span, service: dict[str, Any]) -> Heard:
    events = [(event.name, _attributes(event.attributes)) for event in span.events]
    return Heard(
        span.name,
        span.span_id,
        span.parent_span_id,
        span.trace_id,
        span.kind,
        span.status.code == 2,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        _attributes(span.attributes),
        events,
        service,
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, str(kind))
