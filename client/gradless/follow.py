"""Following a job to its end: what to ask next, and when. It sends nothing and never sleeps.

One `Follow` serves the sync and the async `wait`: they open the streams and sleep, it decides. A
stream that breaks is resumed by Last-Event-ID; every break is followed by one plain GET of the job,
so that a service whose streams never work (a buffering proxy) is polled, and one that is away is
awaited for a while.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import httpx

from gradless import calls, types
from gradless.errors import APIError, ConnectionFailed, GradlessError, JobTimeout, ServiceError
from gradless.sse import Decoder, Event
from gradless.transport import FIRST_DELAY, LONGEST_DELAY, jittered

SILENCE = 45.0  # seconds; the service sends a sign of life every 15
POLL_EVERY = 2.0  # seconds
STREAMS_TRIED = 3  # streams in a row that brought nothing, before polling
BROKEN_STREAM = (httpx.TransportError, APIError)


class Follow:
    """What is known of a job while it is awaited.

    `job` is the caller's own object, only handed on inside JobTimeout.
    """

    def __init__(
        self,
        state: types.JobState,
        job: Any,
        patience: float,
        timeout: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state = state
        self._job = job
        self._patience = patience
        self._timeout = timeout
        self._clock = clock
        self._started = clock()
        self._decoder = Decoder()
        self._last_event_id: str | None = None
        self._done = False
        self._silent_streams = 0
        self._misses = 0
        self._away_since: float | None = None

    @property
    def ended(self) -> bool:
        return self._done or self.state.ended

    @property
    def streaming(self) -> bool:
        """Whether another stream is worth opening, or plain polling has to do."""
        return self._silent_streams < STREAMS_TRIED

    def stream_call(self) -> calls.Call[bytes]:
        self._decoder = Decoder()
        return calls.events(self.state.id, self._last_event_id)

    def silence(self) -> float:
        """Longest silence of a stream: a tenth of the time left, so that a timeout is noticed."""
        left = self.seconds_left()
        return SILENCE if left is None else min(SILENCE, left, max(1.0, left / 10))

    def read(self, chunk: bytes) -> bool:
        """Take a chunk of the stream; True once nothing more has to be read."""
        self.check_time()
        for event in self._decoder.feed(chunk):
            self._silent_streams = self._misses = 0
            self._last_event_id = event.id or self._last_event_id
            self.state = advanced(self.state, event)
            self._done = self._done or event.type == "done"
        return self._done

    def broken(self, error: Exception | None) -> None:
        """A stream ended before its time, by an error or without. Mere silence is no fault."""
        if not isinstance(error, httpx.ReadTimeout):
            self._silent_streams += 1
            self._misses += 1

    def seen(self, state: types.JobState) -> None:
        """The plain GET has answered."""
        self._away_since = None
        self.state = state

    def away(self, error: GradlessError) -> None:
        """The plain GET was not answered: bear it for a while, a service may be restarting."""
        if not isinstance(error, (ConnectionFailed, ServiceError)):
            raise error
        now = self._clock()
        self._away_since = now if self._away_since is None else self._away_since
        self._silent_streams = 0  # it was not the stream's fault
        self._misses += 1
        if now - self._away_since >= self._patience:
            raise error

    def pause(self) -> float:
        """Seconds to wait before the next request."""
        self.check_time()
        grown = FIRST_DELAY * 2.0 ** min(self._misses, 10)
        delay = jittered(min(grown, LONGEST_DELAY)) if self.streaming else POLL_EVERY
        left = self.seconds_left()
        return delay if left is None else min(delay, left)

    def seconds_left(self) -> float | None:
        if self._timeout is None:
            return None
        return max(0.0, self._started + self._timeout - self._clock())

    def check_time(self) -> None:
        """Raise JobTimeout when the time is up."""
        if self.seconds_left() == 0.0 and not self.ended:
            raise JobTimeout(
                f"{self.state.id} is still {self.state.status} after {self._timeout:g} s; "
                "it goes on: wait() again or cancel() it",
                self._job,
            )


def advanced(state: types.JobState, event: Event) -> types.JobState:
    """Return what is known after an event. An event of the past, told again, changes nothing."""
    try:
        data = json.loads(event.data)
        if event.type == "status":
            return _newer(state, types.JobState.model_validate(data["job"]))
        if event.type == "generation":
            return _with_generation(state, types.Generation.model_validate(data))
        if event.type == "result":
            result = types.Result.model_validate(data["result"])
            return state.model_copy(update={"result": result})
    except (ValueError, KeyError, TypeError):
        # A newer service may say things we cannot read; the job itself is read again at the end.
        return state
    return state


def _newer(known: types.JobState, told: types.JobState) -> types.JobState:
    return told if told.progress.queries >= known.progress.queries else known


def _with_generation(state: types.JobState, made: types.Generation) -> types.JobState:
    before = state.progress
    if made.number <= before.generation:
        return state
    spent, budget = made.queries - before.queries, before.budget
    speed = spent / made.seconds if made.seconds and spent > 0 else before.queries_per_second
    left = max(0, budget - made.queries) if budget else None
    progress = before.model_copy(
        update={
            "generation": made.number,
            "queries": made.queries,
            "fraction": made.queries / budget if budget else None,
            "seconds": (before.seconds or 0.0) + (made.seconds or 0.0),
            "queries_per_second": speed,
            "seconds_left": left / speed if left is not None and speed else None,
        }
    )
    update = {"progress": progress, "incumbent": _incumbent(state, made)}
    return state.model_copy(update=update)


def _incumbent(state: types.JobState, made: types.Generation) -> types.Incumbent | None:
    if made.incumbent_generation is None:
        return state.incumbent
    known: dict[str, Any] = {
        "generation": made.incumbent_generation,
        "dev_loss": made.incumbent_dev_loss,
        "dev_accuracy": made.incumbent_dev_accuracy,
    }
    if state.incumbent is None:
        return types.Incumbent(**known)
    return state.incumbent.model_copy(update=known)
