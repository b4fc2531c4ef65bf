"""A small service that answers as the HTTP contract says, from canned data; it tunes nothing.

A job moves on when somebody watches: with each event of its stream, or (`polled`) with each GET.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Form, Request, UploadFile
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

N_GENERATIONS = 4
PAUSED_AFTER = 2  # generations, of a job whose metadata says "pause"
RETRY_AT = "2026-11-21T14:05:10Z"
QUERIES = 1000  # of one generation
BUDGET = N_GENERATIONS * QUERIES


class Refused(Exception):
    def __init__(self, status: int, message: str, **more: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": "t", "param": None, "code": None} | more}


@dataclass
class World:
    """What the service knows, and how a test wants it to behave."""

    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    uploads: list[dict[str, Any]] = field(default_factory=list)
    endpoints: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    faults: list[int] = field(default_factory=list)  # statuses to answer next, in order
    retry_after: str = ""  # what they say of the time to wait
    breaks: list[int] = field(default_factory=list)  # events after which each stream breaks
    faults_after_break: list[int] = field(default_factory=list)
    silent: bool = False  # streams that say nothing
    no_streams: int | None = None  # a status that every stream answers
    polled: bool = False
    key: str | None = None

    def asked(self, method: str, ending: str) -> list[dict[str, str]]:
        """Headers of the requests so far with this method and end of path."""
        return [
            head for how, path, head in self.requests if how == method and path.endswith(ending)
        ]

    def add(self, spec: dict[str, Any]) -> dict[str, Any]:
        job = {"id": f"job_{len(self.jobs) + 1:02}", "spec": spec, "reached": 0, "cancelled": False}
        self.jobs[job["id"]] = job
        return job

    def find(self, job_id: str) -> dict[str, Any]:
        if job_id not in self.jobs:
            raise Refused(404, f"no job {job_id}", code="unknown_job")
        return self.jobs[job_id]


def generation(number: int) -> dict[str, Any]:
    return {
        "object": "generation",
        "number": number,
        "queries": number * QUERIES,
        "train_loss": 1.0 / number,
        "dev_loss": 1.1 / number,
        "dev_accuracy": 0.5 + number / 10,
        "incumbent_dev_loss": 1.1 / number,
        "incumbent_dev_accuracy": 0.5 + number / 10,
        "incumbent_generation": number,
        "internals": {"sigma": 0.9, "note": "a\u2028b"},
        "text": f"words {number}",
        "tokens": number * 100,
        "cost": number * 0.001,
        "seconds": 0.5,
        "model_seconds": 0.4,
    }


def events(job: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    end = "failed" if job["spec"].get("metadata", {}).get("end") == "failed" else "succeeded"
    made = [("generation", generation(n)) for n in range(1, N_GENERATIONS + 1)]
    last = [("result", {"result": result(job)})] if end == "succeeded" else []
    if "pause" in job["spec"].get("metadata", {}):
        made[PAUSED_AFTER:PAUSED_AFTER] = [("status", {"paused": True}), ("status", {})]
    return [("status", {}), *made, *last, ("status", {}), ("done", {"status": end})]


def result(job: dict[str, Any]) -> dict[str, Any]:
    if job["spec"].get("metadata", {}).get("end") == "not_measured":
        return {"outcome": "not_measured", "message": "Not measured on test.", "queries": BUDGET}
    return {
        "outcome": "improved",
        "message": "The tuned prompt is better.",
        "baseline": {"accuracy": 0.7, "n": 200, "low": 0.63, "high": 0.76},
        "tuned": {"accuracy": 0.85, "n": 200, "low": 0.79, "high": 0.89},
        "p_value": 0.0004,
        "queries": BUDGET,
        "seconds": 75.0,
        "news": "a field of a later version",
    }


def public(job: dict[str, Any]) -> dict[str, Any]:
    """The job as the service shows it, from how far its events are."""
    plan = events(job)
    seen = plan[: job["reached"]]
    done = [data["number"] for kind, data in seen if kind == "generation"]
    number = done[-1] if done else 0
    status = "queued" if not seen else "running"
    if job["reached"] >= len(plan) - 1:
        status = plan[-1][1]["status"]
    if seen and seen[-1][1].get("paused"):
        status = "queued" if job.get("resumed") else "paused"
    status = "cancelled" if job["cancelled"] else status
    reasons = {"failed": "the model is gone", "paused": "no answer from\x1b[31m the endpoint"}
    reason = reasons.get(status)
    return {
        "object": "job",
        "id": job["id"],
        "name": job["spec"].get("name"),
        "status": status,
        "termination_reason": None,
        "error": {"message": reason, "type": "t", "param": None, "code": None} if reason else None,
        "retry_at": RETRY_AT if status == "paused" else None,
        **spending(job, number),
        "spec": job["spec"],
        "created_at": "2026-11-21T03:00:00.123456Z",
        "started_at": None,
        "finished_at": None,
        "runner": None,
        "progress": {
            "generation": number,
            "queries": number * QUERIES,
            "budget": BUDGET,
            "fraction": number / N_GENERATIONS,
            "seconds": number * 0.5,
            "queries_per_second": None,
            "seconds_left": None,
            "optimizer_share": None,
        },
        "baseline": None,
        "incumbent": {"generation": number, "kind": "soft", "dev_accuracy": 0.5 + number / 10}
        if number
        else None,
        "result": result(job) if status == "succeeded" else None,
    }


def spending(job: dict[str, Any], number: int) -> dict[str, Any]:
    """Usage and scores: of a job on an API, numbers; of any other, zeros and nothing."""
    paid = number if job["spec"].get("endpoint") == "hosted" else 0
    usage = {"requests": 900 * paid, "recalled": 100 * paid, "tokens_in": 30_000 * paid}
    meaning = "log-probabilities among the likeliest tokens"
    scores = {"rung": "top", "meaning": meaning} if paid else None
    cost = {"cost": 0.00321 * paid, "currency": "USD" if paid else None}
    return {
        "usage": usage | {"tokens_out": 900 * paid, **cost},
        "scores": scores,
    }


def listed(items: list[Any], has_more: bool = False) -> dict[str, Any]:
    return {"object": "list", "data": items, "has_more": has_more}


def dataset(**more: Any) -> dict[str, Any]:
    split = {"rows": 2, "per_label": {"A": 1, "B": 1}}
    kept = {"object": "dataset", "id": "tickets", "columns": ["text"], "labels": ["A", "B"]}
    splits = {"train": split, "dev": split, "test": split}
    return kept | {"n_rows": 6, "splits": splits, "built_in": True, "created_at": None} | more


def build(world: World) -> FastAPI:
    app = FastAPI()
    app.add_middleware(Gate, world=world)

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> JSONResponse:
        return JSONResponse(error.body, error.status)

    add_lists(app, world)
    add_endpoints(app, world)
    add_jobs(app, world)
    add_results(app, world)
    return app


class Gate:
    """Notes every request, then answers the faults a test has ordered."""

    def __init__(self, app: Any, world: World) -> None:
        self.app = app
        self.world = world

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        head = {key.decode(): value.decode() for key, value in scope["headers"]}
        self.world.requests.append((scope["method"], scope["path"], head))
        answer = self.app
        if self.world.key and head.get("authorization") != f"Bearer {self.world.key}":
            answer = refusal(401, "wrong key")
        elif self.world.faults:
            answer = refusal(self.world.faults.pop(0), "ordered by the test")
            if self.world.retry_after:
                answer.headers["retry-after"] = self.world.retry_after
        await answer(scope, receive, send)


def refusal(status: int, message: str) -> Response:
    error = {"message": message, "type": "t", "param": "a.b", "code": "c"}
    return JSONResponse({"error": error}, status, headers={"x-request-id": "req_1"})


def add_lists(app: FastAPI, world: World) -> None:
    @app.get("/healthz")
    async def health() -> Any:
        runner = {"name": "r", "pid": 1, "alive": True, "job": None}
        return {"status": "ok", "version": "0.1.0", "runners": [runner], "jobs": {"queued": 0}}

    @app.get("/api/methods")
    async def methods() -> Any:
        schema = {"properties": {"intrinsic_dim": {"type": "integer"}}}
        presets = {"fast": {"intrinsic_dim": 50}}
        return listed([{"object": "method", "name": "bbt", "presets": presets, "schema": schema}])

    @app.get("/api/datasets")
    async def datasets() -> Any:
        return listed([dataset()])

    @app.get("/api/datasets/{dataset_id:path}")
    async def one_dataset(dataset_id: str) -> Any:
        return dataset(id=dataset_id)

    @app.delete("/api/datasets/{dataset_id:path}", status_code=204)
    async def delete_dataset(dataset_id: str) -> Response:
        if dataset_id == "tickets":
            raise Refused(409, "'tickets' comes with the service", code="built_in")
        return Response(status_code=204)

    @app.post("/api/datasets", status_code=201)
    async def upload(request: Request, file: UploadFile, shots: int = Form(16)) -> Any:
        content, form = (await file.read()).decode(), await request.form()
        given = {key: value for key, value in form.items() if isinstance(value, str)}
        made = {"filename": file.filename, "text_columns": ""} | given | {"shots": shots}
        world.uploads.append(made | {"content": content})
        return dataset(id=f"up_{len(world.uploads)}", built_in=False, **made)


def add_endpoints(app: FastAPI, world: World) -> None:
    minilm = {"object": "endpoint", "id": "minilm", "kind": "encoder", "options": None}

    @app.get("/api/endpoints")
    async def endpoints() -> Any:
        return listed([minilm | {"built_in": True, "probed": None}, *world.endpoints.values()])

    @app.get("/api/endpoints/{endpoint_id}")
    async def endpoint(endpoint_id: str) -> Any:
        if endpoint_id not in world.endpoints:
            raise Refused(404, f"no endpoint {endpoint_id}", code="no_such_endpoint")
        return world.endpoints[endpoint_id]

    @app.post("/api/endpoints", status_code=201)
    async def add(body: dict[str, Any]) -> Any:
        if "base_url" not in body["options"]:
            param = "options.base_url"
            raise Refused(422, "a text is wanted", param=param, code="bad_option")
        facts = probed("2026-11-21T03:00:00+00:00")
        made = {"object": "endpoint", **body, "built_in": False, "created_at": None}
        made |= {"capabilities": facts["capabilities"], "probed": facts}
        world.endpoints[body["id"]] = made
        return made

    @app.post("/api/endpoints/{endpoint_id}/probe")
    async def probe(endpoint_id: str) -> Any:
        found = await endpoint(endpoint_id)
        found["probed"] = probed("2026-11-22T04:00:00+00:00")
        return found

    @app.delete("/api/endpoints/{endpoint_id}", status_code=204, response_class=Response)
    async def delete(endpoint_id: str) -> None:
        if endpoint_id == "minilm":
            raise Refused(409, "'minilm' comes with the service", code="built_in")
        del world.endpoints[(await endpoint(endpoint_id))["id"]]


def probed(at: str) -> dict[str, Any]:
    return {
        "probed_at": at,
        "server": "llamacpp b9999",
        "context": 2048,
        "route": "completions",
        "routes": ["completions", "chat"],
        "capabilities": ["generation", "label_probabilities", "text_prompts"],
        "rung": "top",
        "rungs": ["top", "samples", "of_tomorrow"],
        "missing": {"named": "the server \x1b[31mdid not bring them back"},
        "logprobs": 4096,
        "noise": 0.0125,
        "notes": ["21 requests were asked"],
        "news": "a fact of a later version",
    }


def add_jobs(app: FastAPI, world: World) -> None:
    @app.post("/api/jobs", status_code=202)
    async def create(spec: dict[str, Any]) -> Any:
        if "population" in spec.get("method", {}):
            param = "method.population"
            message = "unknown setting; did you mean population_size?"
            raise Refused(422, message, param=param, code="unknown_field")
        return public(world.add(spec))

    @app.get("/api/jobs")
    async def jobs(after: str = "", limit: int = 20, status: str = "") -> Any:
        newest = [public(job) for job in reversed(world.jobs.values())]
        found = [job for job in newest if status in ("", job["status"])]
        ids = [job["id"] for job in found]
        start = ids.index(after) + 1 if after else 0
        return listed(found[start : start + limit], has_more=start + limit < len(found))

    @app.get("/api/jobs/{job_id}")
    async def job(job_id: str) -> Any:
        found = world.find(job_id)
        if world.polled:
            found["reached"] += 2
        return public(found)

    @app.post("/api/jobs/{job_id}/cancel")
    async def cancel(job_id: str) -> Any:
        found = world.find(job_id)
        if public(found)["status"] in ("succeeded", "cancelled"):
            raise Refused(409, "already ended")
        found["cancelled"] = True
        return public(found)

    @app.post("/api/jobs/{job_id}/resume")
    async def resume(job_id: str) -> Any:
        found = world.find(job_id)
        if public(found)["status"] != "paused":
            raise Refused(409, "only a paused job can be resumed", code="not_paused")
        found["resumed"] = True
        return public(found)

    @app.get("/api/jobs/{job_id}/events")
    async def stream(job_id: str, request: Request) -> Any:
        if world.no_streams:
            return PlainTextResponse("a proxy's page", world.no_streams)
        after = int(request.headers.get("last-event-id", 0))
        sent = told(world, world.find(job_id), after)
        return StreamingResponse(sent, media_type="text/event-stream")


async def told(world: World, job: dict[str, Any], after: int) -> AsyncIterator[str]:
    yield ": hello\n\n"
    if world.silent:
        await asyncio.Event().wait()
    room = world.breaks.pop(0) if world.breaks else None
    for number, (kind, data) in enumerate(events(job), start=1):
        if number <= after:
            continue
        if room == 0:
            world.faults += world.faults_after_break
            world.faults_after_break = []
            raise ConnectionResetError("ordered by the test")
        room = None if room is None else room - 1
        job["reached"] = max(job["reached"], number)
        body = {"status": "x", "job": public(job)} if kind == "status" else data
        text = json.dumps(body, ensure_ascii=False)
        yield f"id: {number}\nevent: {kind}\ndata: {text}\n\n"


def add_results(app: FastAPI, world: World) -> None:
    @app.get("/api/jobs/{job_id}/generations")
    async def generations(job_id: str, after: int = 0, limit: int = 1000) -> Any:
        last = public(world.find(job_id))["progress"]["generation"]
        # Two at a time, whatever was asked: a page may be shorter than its limit.
        page = [generation(number) for number in range(after + 1, last + 1)][:2]
        return listed(page, has_more=after + len(page) < last)

    @app.get("/api/jobs/{job_id}/incumbents")
    async def incumbents(job_id: str, after: int = 0, limit: int = 100) -> Any:
        return await generations(job_id, after)  # each of them is better than the last

    @app.get("/api/jobs/{job_id}/candidates")
    async def candidates(job_id: str, limit: int = 20) -> Any:
        last = public(world.find(job_id))["progress"]["generation"]
        return listed([generation(number) for number in range(last, 0, -1)][:limit])

    @app.get("/api/compare")
    async def compare(jobs: str) -> Any:
        ids = jobs.split(",")
        if len(ids) < 2:
            raise Refused(422, f"got {len(ids)} jobs", param="jobs")
        seeds = [world.find(id_)["spec"].get("seed") for id_ in ids]
        same = {"name": "dataset", "values": ["tickets"] * len(ids), "same": True}
        pair = {"first": ids[0], "second": ids[1]}
        found = {"p_value": 0.0312, "difference": -0.125, "test": "exact McNemar", "n": 40}
        return {
            "object": "comparison",
            "jobs": [public(world.find(id_)) for id_ in ids],
            "settings": [{"name": "seed", "values": seeds, "same": False}, same],
            "tests": [pair | found, pair | {"reason": "they were not measured"}],
        }

    @app.get("/api/jobs/{job_id}/prompt")
    async def prompt(job_id: str, format: str = "json") -> Any:
        if not public(world.find(job_id))["incumbent"]:
            raise Refused(409, "no prompt yet")
        if format == "safetensors":
            return Response(b"tensor bytes", media_type="application/octet-stream")
        if format == "text":
            raise Refused(422, "a soft prompt has no text")
        words = [["refund", 0.41]]
        kept = {"object": "prompt", "job": job_id, "kind": "soft", "text": None}
        return kept | {"shape": [1, 5, 384], "nearest_words": words, "verbalizer": {"A": "A"}}

    @app.post("/api/jobs/{job_id}/predict")
    async def predict(job_id: str, body: dict[str, Any]) -> Any:
        world.find(job_id)
        said = {"object": "prediction", "label": "A", "probabilities": {"A": 0.9, "B": 0.1}}
        other = {"label": "B", "probabilities": {"A": 0.2, "B": 0.8}} if body["baseline"] else None
        return listed([said | {"baseline": other} for _ in body["inputs"]])

    @app.get("/api/jobs/{job_id}/report")
    async def report(job_id: str, format: str = "json") -> Any:
        if public(world.find(job_id))["status"] != "succeeded":
            raise Refused(409, "no report before the end")
        if format not in ("json", "markdown", "html"):
            raise Refused(422, "no such format", param="format")
        if format != "json":
            return Response(f"report in {format}", media_type=f"text/{format}")
        side = {"accuracy": 0.7, "n": 200, "low": 0.6, "high": 0.8, "confusion": [[1, 0], [0, 1]]}
        changed = {"inputs": {"text": "x"}, "label": "A", "baseline": "B", "tuned": "A"}
        kept = {"object": "report", "job": job_id, "outcome": "improved", "labels": ["A", "B"]}
        return kept | {"baseline": side, "tuned": side, "changed": [changed], "p_value": 0.01}

    @app.get("/api/jobs/{job_id}/figures/{name}")
    async def figure(job_id: str, name: str, theme: str = "light") -> Any:
        line = {"type": "scatter", "y": [0.5, 0.6]}
        return {"data": [line], "layout": {"title": {"text": f"{name} {theme}"}}}
