"""A small /api by the contract, moved on demand by a test: `advance`, `finish`, `drop_streams`."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse

from tests.web import samples
from web.figures import FIGURES, REPORT_FIGURES

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
        self.uploads: list[Object] = []
        self.posted: list[Object] = []
        self.predicted: list[Object] = []
        self.refusal: Refused | None = None  # of the next POST /api/jobs
        self.runner_alive = True
        self.refuse_streams = False
        self.streams = 0  # open now
        self.opened: list[int] = []  # the id each stream was asked to go on after
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

    def end(self, job_id: str, status: str) -> None:
        job = self.jobs[job_id]
        job["status"] = status
        job["progress"]["seconds_left"] = None
        self._status(job)
        self.events[job_id].append(("done", {"status": status}))

    def drop_streams(self) -> None:
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
                await asyncio.sleep(0.02)
        finally:
            self.streams -= 1

    def _status(self, job: Object) -> None:
        self.events[job["id"]].append(("status", {"status": job["status"], "job": {**job}}))


def listing(data: list[Object], limit: int = 100) -> Object:
    return {"object": "list", "data": data[:limit], "has_more": len(data) > limit}


def found(table: dict[str, Object], key: str, noun: str) -> Object:
    if key not in table:
        raise Refused(404, f"There is no {noun} {key}.", "id", f"{noun}_not_found")
    return table[key]


def create_api(fake: FakeApi) -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.exception_handler(Refused)
    def refused(_: Request, why: Refused) -> JSONResponse:
        headers = {"x-request-id": "req_0042"}
        return JSONResponse({"error": why.error}, status_code=why.status, headers=headers)

    @app.get("/healthz")
    def health() -> Object:
        runner = {"name": "runner-1", "pid": 1, "alive": fake.runner_alive, "job": None}
        return {"status": "ok", "version": "0.1.0", "runners": [runner], "jobs": {}}

    for routes in (catalog_routes(fake), job_routes(fake), outcome_routes(fake)):
        app.include_router(routes, prefix="/api")
    return app


def catalog_routes(fake: FakeApi) -> APIRouter:
    router = APIRouter()
    router.get("/methods")(lambda: listing(samples.METHODS))
    router.get("/endpoints")(lambda: listing(samples.ENDPOINTS))
    router.get("/datasets")(lambda: listing(list(fake.datasets.values())))

    @router.get("/datasets/{key}")
    def dataset(key: str) -> Object:
        return found(fake.datasets, key, "dataset")

    @router.get("/datasets/{key}/rows")
    def rows(key: str, split: str, after: int = 0, limit: int = 50) -> Object:
        n = found(fake.datasets, key, "dataset")["splits"][split]["rows"]
        numbers = range(after + 1, min(n, after + limit + 1) + 1)
        return listing([samples.row(number, split) for number in numbers], limit)

    @router.post("/datasets", status_code=201)
    async def upload(request: Request) -> Object:
        async with request.form() as form:
            fields = {name: value for name, value in form.items() if isinstance(value, str)}
            file = form["file"]
            assert not isinstance(file, str)
            head = (await file.read()).decode().splitlines()[0]
        fake.uploads.append(fields)
        column = fields.get("label_column", "label")
        if column not in head.split(","):
            message = f"The file has no column “{column}”; it has: {head}. Name the label column."
            raise Refused(422, message, "label_column", "unknown_column")
        made = samples.dataset("mine", ["no", "yes"], split_source="drawn", shots=16, seed=0)
        fake.datasets["mine"] = made
        return made

    return router


def job_routes(fake: FakeApi) -> APIRouter:
    router = APIRouter()

    @router.get("/jobs")
    def jobs(limit: int = 20) -> Object:
        return listing(list(reversed(fake.jobs.values())), limit)

    @router.post("/jobs", status_code=202)
    async def create(request: Request) -> Object:
        body = await request.json()
        fake.posted.append(body)
        if fake.refusal:
            raise fake.refusal
        job = samples.job(f"job_{len(fake.jobs):03}", name=body.get("name"))
        job["spec"] |= body
        fake.add(job)
        return job

    @router.get("/jobs/{key}")
    def job(key: str) -> Object:
        return found(fake.jobs, key, "job")

    @router.post("/jobs/{key}/cancel")
    def cancel(key: str) -> Object:
        if found(fake.jobs, key, "job")["status"] in ENDED:
            raise Refused(409, "The job has already ended.")
        fake.end(key, "cancelled")
        return fake.jobs[key]

    @router.get("/jobs/{key}/generations")
    def generations(key: str, after: int = 0, limit: int = 1000) -> Object:
        return listing(fake.generations[key][after:], limit)

    @router.get("/jobs/{key}/events", response_model=None)
    def events(key: str, after: int = 0) -> StreamingResponse:
        if fake.refuse_streams:
            raise Refused(503, "No stream now.")
        found(fake.jobs, key, "job")
        return StreamingResponse(fake.stream(key, after), media_type="text/event-stream")

    @router.get("/jobs/{key}/figures/{name}")
    def figure(key: str, name: str, theme: str = "light") -> Object:
        if name in REPORT_FIGURES:
            return REPORT_FIGURES[name](samples.report(key, fake.jobs[key]["result"]), theme)
        return FIGURES[name](fake.jobs[key], fake.generations[key], theme)

    return router


def outcome_routes(fake: FakeApi) -> APIRouter:
    router = APIRouter()

    @router.get("/jobs/{key}/report")
    def report(key: str) -> Object:
        if not fake.jobs[key]["result"]:
            raise Refused(409, "There is no report before the job succeeded.")
        return samples.report(key, fake.jobs[key]["result"])

    @router.get("/jobs/{key}/prompt", response_model=None)
    def prompt(key: str, format: str = "json") -> Object | PlainTextResponse:
        if format == "safetensors":
            return PlainTextResponse("bytes", media_type="application/octet-stream")
        return {"object": "prompt", "job": key, **fake.jobs[key]["incumbent"]}

    @router.post("/jobs/{key}/predict")
    async def predict(key: str, request: Request) -> Object:
        body = await request.json()
        fake.predicted.append(body)
        rest = dict.fromkeys(samples.LABELS[1:], 0.018)
        sure = {"label": "Billing", "probabilities": {"Billing": 0.91, **rest}}
        spread = {"Billing": 0.2, "Bug report": 0.4, **dict.fromkeys(samples.LABELS[2:], 0.1)}
        other = {"label": "Bug report", "probabilities": spread}
        return listing([{"object": "prediction", **sure, "baseline": other}])

    return router
