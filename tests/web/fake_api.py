"""The state behind the fake /api, moved by a test: `advance`, `finish`, `drop_streams`."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from typing import Any

from tests.web import endpoint_samples, samples

Object = dict[str, Any]
ENDED = ("succeeded", "failed", "cancelled")


class Refused(Exception):
    """An error of the API, by status and envelope."""

    def __init__(
        self, status: int, message: str, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        kind = {404: "not_found_error", 409: "conflict_error"}.get(status, "invalid_request_error")
        self.status = status
        self.error = {"message": message, "type": kind, "param": param, "code": code}


class FakeApi:
    """All state of the service, changed from the test's thread and read from the server's."""

    def __init__(self) -> None:
        self.jobs: dict[str, Object] = {}
        self.generations: dict[str, list[Object]] = {}
        self.events: dict[str, list[tuple[str, Object]]] = {}
        self.datasets = {"tickets": samples.dataset("tickets")}
        self.endpoints: dict[str, Object] = {"minilm": {**endpoint_samples.MINILM}}
        self.uploads: list[Object] = []
        self.posted: list[Object] = []
        self.predicted: list[Object] = []
        self.refusal: Refused | None = None  # of every POST /api/jobs, and of endpoints
        self.runner_alive = True
        self.refuse_streams = False
        self.streams = 0  # open now
        self.opened: list[int] = []  # the id each stream was asked to go on after
        self.caught_up = threading.Event()  # a stream has sent all there is
        self._epoch = 0

    def add(self, job: Object) -> str:
        self.jobs[job["id"]] = job
        self.generations[job["id"]] = []
        self.events[job["id"]] = []
        self._status(job)
        return str(job["id"])

    def begin(self, job_id: str, prompt: str = "") -> None:
        job = self.jobs[job_id]
        job["status"] = "running"
        job["baseline"] = samples.baseline(prompt)
        self._status(job)

    def advance(self, job_id: str, n: int = 1, kind: str = "soft") -> None:
        job, rounds = self.jobs[job_id], self.generations[job_id]
        for _ in range(n):
            rounds.append(
                samples.generation(len(rounds) + 1, before=rounds[-1] if rounds else None)
            )
            last = rounds[-1]
            job["progress"] = samples.progress(
                last["number"], last["queries"], job["progress"]["budget"]
            )
            job["incumbent"] = samples.incumbent(last, kind)
            self.events[job_id].append(("generation", last))

    def finish(self, job_id: str, outcome: str = "improved") -> None:
        job = self.jobs[job_id]
        job["result"] = samples.result(outcome)
        job["termination_reason"] = "budget_spent"
        self.events[job_id].append(("result", {"result": job["result"]}))
        self.end(job_id, "succeeded")

    def fail(self, job_id: str) -> None:
        message = "The model gave no number for 3 of 96 rows; it was asked 3 times."
        self.jobs[job_id]["error"] = {
            "message": message,
            "type": "service_error",
            "param": None,
            "code": "backend_failed",
        }
        self.end(job_id, "failed")

    def pause(self, job_id: str) -> None:
        job = self.jobs[job_id]
        job |= {"status": "paused", "retry_at": "2026-11-21T14:05:10Z", "error": samples.DOWN}
        self._status(job)

    def resume(self, job_id: str) -> None:
        self.jobs[job_id] |= {"status": "queued", "retry_at": None, "error": None}
        self._status(self.jobs[job_id])

    def end(self, job_id: str, status: str) -> None:
        job = self.jobs[job_id]
        job["status"] = status
        job["progress"]["seconds_left"] = None
        self._status(job)
        self.events[job_id].append(("done", {"status": status}))

    def drop_streams(self) -> None:
        self.caught_up.clear()
        self._epoch += 1

    async def stream(self, job_id: str, after: int) -> AsyncIterator[str]:
        epoch, sent = self._epoch, after
        self.streams += 1
        self.opened.append(after)
        try:
            while self._epoch == epoch:
                for kind, data in self.events[job_id][sent:]:
                    sent += 1
                    yield f"id: {sent}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"
                    if kind == "done":
                        return
                self.caught_up.set()
                await asyncio.sleep(0.02)
        finally:
            self.streams -= 1

    def _status(self, job: Object) -> None:
        self.events[job["id"]].append(("status", {"status": job["status"], "job": {**job}}))
