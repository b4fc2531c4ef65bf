"""Plays the runner: jobs are submitted by the API and moved by a test, in the service's own rows.

Everything is written by the code that a real runner uses, so events, incumbents, reports and
figures come from the real API. Only what the model would have answered is made up (`script`).
"""

import os
from collections.abc import Mapping
from typing import Any

import httpx

from app.deps import Service
from backends.base import BackendUnavailable
from jobs.database import Database
from jobs.models import EndpointRow, JobRow, Status
from jobs.outcome import report
from jobs.prompts import Kind
from jobs.queue import JobQueue
from jobs.records import checkpoint_row, prompt_row
from jobs.store import Ending
from tests.web import script
from tests.web.acting import Act, change, timing
from tests.web.endpoint_samples import OPTIONS, probed

Object = dict[str, Any]

DEFAULT = "default"  # the project
FIRST = 1000  # a priority above all others
DOWN = "nobody answers at http://127.0.0.1:8080/v1"
FAILED = "The model gave no number for 3 of 96 rows; it was asked 3 times."
FORGET = (
    "DELETE FROM jobs",
    "DELETE FROM datasets WHERE NOT built_in",
    "DELETE FROM endpoints WHERE NOT built_in",
    "DELETE FROM names",
    "DELETE FROM keys",
    "DELETE FROM webhooks",
    "DELETE FROM repeats",
    "DELETE FROM answers",
    "DELETE FROM audit",
    f"DELETE FROM projects WHERE id != '{DEFAULT}'",
)


class Stage:
    """What a user and a runner do, by name. A job that is not yet claimed is claimed on the way."""

    def __init__(self, service: Service, url: str) -> None:
        self._database = Database(service.database.url)
        self._queue = JobQueue(self._database)
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=30)
        self._acts: dict[str, Act] = {}
        self.runner_alive = True
        pid = os.getpid()
        service.supervisor.runners = lambda: [("runner-1", pid, self.runner_alive)]  # type: ignore[method-assign]

    def clear(self) -> None:
        """As after the first start: built-ins alone."""
        self.runner_alive = True
        self._acts.clear()
        with self._database.writing() as session:
            for statement in FORGET:
                session.connection().exec_driver_sql(statement)

    def close(self) -> None:
        self._http.close()
        self._database.close()

    # by HTTP, as a user

    def get(self, path: str, **query: Any) -> Any:
        """The body of a good answer."""
        return self._good(self._http.get(path, params=query))

    def post(self, path: str, body: object = None, **more: Any) -> Any:
        """The body of a good answer."""
        return self._good(self._http.post(path, json=body, **more))

    def delete(self, path: str) -> None:
        self._good(self._http.delete(path))

    def job(self, name: str | None = None, **spec: Any) -> str:
        """The id of a new job, in the queue; BBT on the tickets where nothing else is said."""
        body = {
            "name": name,
            "endpoint": "minilm",
            "dataset": "tickets",
            "method": {"name": "bbt", "preset": "fast"},
            "budget": {"queries": 40_000},
            **spec,
        }
        return str(self.post("/api/jobs", body)["id"])

    def dataset(self, content: str, name: str = "mine", **fields: str) -> str:
        """The id of an uploaded CSV file; `fields` as in the form: target_column="headline"."""
        file = {"file": (f"{name}.csv", content.encode())}
        answer = self._http.post("/api/datasets", files=file, data={"name": name, **fields})
        return str(self._good(answer)["id"])

    @staticmethod
    def _good(answer: httpx.Response) -> Any:
        assert answer.is_success, f"{answer.request.url} {answer.status_code}: {answer.text}"
        return answer.json() if answer.content else None

    # straight into the database, where a real model server would be asked

    def endpoint(self, id_: str = "hosted", facts: Object | None = None, **options: Any) -> str:
        """An endpoint behind an API, with what probing has shown: see endpoint_samples.probed."""
        row = EndpointRow(
            id=id_,
            kind="openai",
            model="qwen3-0.6b",
            options={**OPTIONS, **options},
            probed=probed() if facts is None else facts,
        )
        with self._database.writing() as session:
            session.add(row)
        return id_

    def change(self, job_id: str, **fields: Any) -> None:
        """Columns of a job's row: created_at, say."""
        with self._database.writing() as session:
            change(session, job_id, **fields)

    # as a runner

    def begin(self, job_id: str, prompt: str = "") -> None:
        """Claims the job and measures the baseline; `prompt` is put into its spec first."""
        if prompt:
            spec = self.get(f"/api/jobs/{job_id}")["spec"]
            spec["task"]["baseline"] = prompt
            self.change(job_id, spec=spec)
        before = self._acts.pop(job_id, None)
        act = self._acts[job_id] = Act.of(self._claimed(job_id), self._database)
        if before is not None:  # it goes on
            act.last, act.work.meter.spent = before.last, before.work.meter.spent
            return
        measured, spent = act.measure_baseline(), act.work.meter.spent
        start = checkpoint_row(job_id, spent, act.last)
        lap = timing(job_id, 0, spent)
        self._queue.record_baseline(act.work.job, measured, start, lap, act.work.rung)

    def advance(
        self,
        job_id: str,
        n: int = 1,
        kind: Kind = "soft",
        *,
        internals: Mapping[str, float] | None = None,
        allocation: Mapping[int, int] | None = None,
    ) -> None:
        """So many more generations; the last as a runner records it, those before in one go."""
        act = self._act(job_id)
        told = {"internals": internals or {"sigma": 0.98}, "allocation": allocation}
        found = list(act.search(n, kind, told))
        if n > 1:
            act.record_all([row for row, _ in found[:-1]])
        row, last = found[-1]
        lap = timing(job_id, last.number, act.spend(row.queries))
        changed = last.incumbent is not act.last.incumbent
        prompt = prompt_row(job_id, act.model, last.incumbent) if changed else None
        saved = checkpoint_row(job_id, row.queries, last)
        self._queue.record(act.work.job, row, lap, saved, prompt)
        act.last = last

    def finish(self, job_id: str, outcome: str = "improved") -> None:
        """Measures test: "improved", "no_improvement" or "not_measured"; it has succeeded."""
        act = self._act(job_id)
        if act.last.incumbent is None:
            self.advance(job_id)
        tuned, test = act.last.incumbent, act.work.split.test
        assert tuned is not None
        prompts = act.baseline, tuned.prompt
        for prompt, right in zip(prompts, script.rows_right(len(test), outcome), strict=True):
            act.model.learn(prompt, test, right)
        act.model.wall = "cost" if outcome == "not_measured" else ""
        act.work.meter.ran_out = "queries"
        self._queue.finish(act.work.job, report(act.work, tuned))

    def fail(self, job_id: str, message: str = FAILED) -> None:
        error = {"message": message, "type": "service_error", "param": None}
        ending = Ending(Status.FAILED, "failed", {**error, "code": "backend_failed"})
        self._queue.finish(self._act(job_id).work.job, ending)

    def pause(self, job_id: str, by: str = "endpoint") -> None:
        """The endpoint does not answer, so the job waits until retry_at; or a "person" wants it."""
        job = self._act(job_id).work.job
        if by == "person":
            self.post(f"/api/jobs/{job_id}/pause")
            return self.heed(job_id)
        error = BackendUnavailable(DOWN)
        told = {"message": f"BackendUnavailable: {error}", "type": "service_error", "param": None}
        return self._queue.pause(job, {**told, "code": "BackendUnavailable"})

    def heed(self, job_id: str) -> None:
        """The runner sees that it is to leave a job which was cancelled or paused meanwhile."""
        assert self._queue.beat(self._acts[job_id].work.job), "nobody wants it to stop"
        self._queue.hand_back(self._acts[job_id].work.job)

    def end(self, job_id: str, status: str = "cancelled") -> None:
        """succeeded, failed or cancelled."""
        if status == "succeeded":
            return self.finish(job_id)
        if status == "failed":
            return self.fail(job_id)
        self.post(f"/api/jobs/{job_id}/cancel")
        if self.get(f"/api/jobs/{job_id}")["status"] == "running":
            self.heed(job_id)
        return None

    def _act(self, job_id: str) -> Act:
        if job_id not in self._acts or self.get(f"/api/jobs/{job_id}")["status"] == Status.QUEUED:
            self.begin(job_id)
        return self._acts[job_id]

    def _claimed(self, job_id: str) -> JobRow:
        with self._database.writing() as session:
            priority = session.get_one(JobRow, job_id).priority
            change(session, job_id, priority=FIRST)
        job = self._queue.claim(f"runner-{len(self._acts) + 1}")
        self.change(job_id, priority=priority)
        assert job is not None and job.id == job_id, f"{job_id} does not wait to be claimed"
        return job
