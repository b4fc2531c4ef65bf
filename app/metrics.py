"""What the service tells a Prometheus server. No label has an id, a name or a text of a user.

Totals are counted from the service's start: their sums come from the database, whoever did the
work, and a job that is deleted takes nothing back, which a server would read as a restart.
"""

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from prometheus_client import CollectorRegistry, Histogram, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from jobs.census import Census

F = TypeVar("F", CounterMetricFamily, GaugeMetricFamily)

PREFIX = "gradless_"

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # seconds
VERBS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
TOTALS = {
    "generation": ("generations", "Generations recorded."),
    "queries": ("queries", "Queries spent on train and dev."),
    "seconds": ("tuning_seconds", "Seconds of tuning."),
    "model_seconds": ("model_seconds", "Of these, seconds of waiting for models."),
    "requests": ("model_requests", "Requests answered by APIs."),
    "recalled": ("recalled_answers", "Answers remembered in place of a request."),
}


class Totals:
    """Sums that only grow, from sums that may shrink when jobs are deleted."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}
        self._total: dict[str, float] = defaultdict(float)
        self._lock = threading.Lock()

    def seen(self, sums: dict[str, float]) -> dict[str, float]:
        """Growth since the first call, which is taken for the start.

        A sum that was not there before begins at nothing, unless this is the first call.
        """
        with self._lock:
            is_first = not self._last
            for name, value in sums.items():
                last = self._last.get(name, value if is_first else 0.0)
                self._total[name] += max(0.0, value - last)
                self._last[name] = value
            return {name: self._total[name] for name in sums}


class Metrics:
    """All families of one service, in the text format of Prometheus."""

    def __init__(self, version: str) -> None:
        self._totals, self._version = Totals(), version
        self._registry = CollectorRegistry()
        self._durations = Histogram(
            "gradless_http_request_duration_seconds",
            "Seconds until an answer began.",
            ("method", "route", "status"),
            buckets=BUCKETS,
            registry=self._registry,
        )

    def observe(self, verb: str, route: str, status: int, seconds: float) -> None:
        """One answer. `route` is a template; what no route was found for is told as none."""
        method = verb if verb in VERBS else "other"
        self._durations.labels(method, route or "none", f"{status // 100}xx").observe(seconds)

    def start(self, now: Census) -> None:
        """What is there already counts for nothing."""
        self._totals.seen(_growing(now))

    def text(self, now: Census, runners_alive: int) -> bytes:
        families = [*self._present(now, runners_alive), *self._grown(now)]
        return generate_latest(_Families(families)) + generate_latest(self._registry)

    def _present(self, now: Census, runners_alive: int) -> list[Metric]:
        return [
            _gauge("info", "The service's version.", {self._version: 1}, "version"),
            _gauge("jobs", "Jobs that are kept, by status.", now.jobs, "status"),
            _gauge("queue_depth", "Jobs that wait for a runner.", now.jobs["queued"]),
            _gauge("running_jobs", "Jobs in the hands of a runner.", now.jobs["running"]),
            _gauge("runners", "Runners of this service that live.", runners_alive),
            _gauge(
                "heartbeat_age_seconds",
                "Silence of the running job that was silent longest.",
                now.heartbeat_age,
            ),
            _gauge(
                "webhook_deliveries",
                "Messages to webhooks that are kept, by status.",
                now.deliveries,
                "status",
            ),
        ]

    def _grown(self, now: Census) -> list[Metric]:
        grown = self._totals.seen(_growing(now))
        tokens = {way: grown[f"tokens_{way}"] for way in ("in", "out")}
        costs = {currency: grown[f"cost:{currency}"] for currency in now.cost}
        return [
            *(_counter(name, help_, grown[key]) for key, (name, help_) in TOTALS.items()),
            _counter("tokens", "Tokens billed.", tokens, "direction"),
            _counter("cost", "Money spent.", costs, "currency"),
        ]


class _Families(Collector):
    """What one scrape reads from the database, as a registry has it."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _gauge(
    name: str, help_: str, value: float | Mapping[str, float], label: str = ""
) -> GaugeMetricFamily:
    return _filled(GaugeMetricFamily(PREFIX + name, help_, labels=_labels(label)), value)


def _counter(
    name: str, help_: str, value: float | Mapping[str, float], label: str = ""
) -> CounterMetricFamily:
    return _filled(CounterMetricFamily(PREFIX + name, help_, labels=_labels(label)), value)


def _labels(label: str) -> tuple[str, ...]:
    return (label,) if label else ()


def _filled(family: F, value: float | Mapping[str, float]) -> F:
    """One sample, or one for each value of the only label."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            family.add_metric([name], each)
    else:
        family.add_metric([], value)
    return family


def _growing(now: Census) -> dict[str, float]:
    return now.sums | {f"cost:{currency}": cost for currency, cost in now.cost.items()}
