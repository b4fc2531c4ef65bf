"""What the service tells a Prometheus server. No label has an id, a name or a text of a user.

Totals are counted from the service's start: their sums come from the database, whoever did the
work, and a job that is deleted takes nothing back, which a server would read as a restart.
"""

import threading
from bisect import bisect_left
from collections import defaultdict

from app.exposition import Family, exposition
from jobs.census import Census

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # seconds
VERBS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
TOTALS = {
    "generation": ("gradless_generations_total", "Generations recorded."),
    "queries": ("gradless_queries_total", "Queries spent on train and dev."),
    "seconds": ("gradless_tuning_seconds_total", "Seconds of tuning."),
    "model_seconds": ("gradless_model_seconds_total", "Of these, seconds of waiting for models."),
    "requests": ("gradless_model_requests_total", "Requests answered by APIs."),
    "recalled": ("gradless_recalled_answers_total", "Answers remembered in place of a request."),
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


class Durations:
    """Seconds until answers began, by verb, route template and class of status."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, str], list[int]] = {}
        self._seconds: dict[tuple[str, str, str], float] = defaultdict(float)
        self._lock = threading.Lock()

    def observe(self, verb: str, route: str, status: int, seconds: float) -> None:
        """`route` is a template; what no route was found for is told as none."""
        key = (verb if verb in VERBS else "other", route or "none", f"{status // 100}xx")
        with self._lock:
            counts = self._counts.setdefault(key, [0] * (len(BUCKETS) + 1))
            counts[bisect_left(BUCKETS, seconds)] += 1
            self._seconds[key] += seconds

    def family(self) -> Family:
        help_ = "Seconds until an answer began."
        family = Family("gradless_http_request_duration_seconds", "histogram", help_)
        with self._lock:
            for (method, route, status), counts in sorted(self._counts.items()):
                labels = {"method": method, "route": route, "status": status}
                below = 0
                for bound, count in zip((*map(str, BUCKETS), "+Inf"), counts, strict=True):
                    below += count
                    family.add(below, "_bucket", **labels, le=bound)
                family.add(self._seconds[method, route, status], "_sum", **labels)
                family.add(below, "_count", **labels)
        return family


class Metrics:
    """All families of one service."""

    def __init__(self, version: str) -> None:
        self.durations = Durations()
        self._totals, self._version = Totals(), version

    def start(self, now: Census) -> None:
        """What is there already counts for nothing."""
        self._totals.seen(_growing(now))

    def text(self, now: Census, runners_alive: int) -> str:
        return exposition([*self._present(now, runners_alive), *self._grown(now)])

    def _present(self, now: Census, runners_alive: int) -> list[Family]:
        def gauge(name: str, help_: str) -> Family:
            return Family(f"gradless_{name}", "gauge", help_)

        return [
            gauge("info", "The service's version.").add(1, version=self._version),
            gauge("jobs", "Jobs that are kept, by status.").by("status", now.jobs),
            gauge("queue_depth", "Jobs that wait for a runner.").add(now.jobs["queued"]),
            gauge("running_jobs", "Jobs in the hands of a runner.").add(now.jobs["running"]),
            gauge("runners", "Runners of this service that live.").add(runners_alive),
            gauge(
                "heartbeat_age_seconds", "Silence of the running job that was silent longest."
            ).add(now.heartbeat_age),
            gauge("webhook_deliveries", "Messages to webhooks that are kept, by status.").by(
                "status", now.deliveries
            ),
        ]

    def _grown(self, now: Census) -> list[Family]:
        grown = self._totals.seen(_growing(now))
        families = [
            Family(name, "counter", help_).add(grown[key]) for key, (name, help_) in TOTALS.items()
        ]
        tokens = {way: grown[f"tokens_{way}"] for way in ("in", "out")}
        costs = {currency: grown[f"cost:{currency}"] for currency in now.cost}
        return [
            *families,
            Family("gradless_tokens_total", "counter", "Tokens billed.").by("direction", tokens),
            Family("gradless_cost_total", "counter", "Money spent.").by("currency", costs),
            self.durations.family(),
        ]


def _growing(now: Census) -> dict[str, float]:
    return now.sums | {f"cost:{currency}": cost for currency, cost in now.cost.items()}
