"""The routes of the fake /api, by the contract, over the state in fake_api."""

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse

from tests.web import samples, text_samples
from tests.web.catalog_samples import METHODS, METRICS
from tests.web.fake_api import ENDED, FakeApi, Object, Refused
from tests.web.fake_endpoints import endpoint_routes
from web.figures import FIGURES, REPORT_FIGURES


def listing(data: list[Object], limit: int = 100) -> Object:
    return {"object": "list", "data": data[:limit], "has_more": len(data) > limit}


def found(table: dict[str, Object], key: str, noun: str) -> Object:
    if key not in table:
        raise Refused(404, f"There is no {noun} {key}.", "id", f"{noun}_not_found")
    return table[key]


def report_of(fake: FakeApi, key: str) -> Object:
    made = samples if fake.jobs[key]["metric"] == "accuracy" else text_samples
    report: Object = made.report(key, fake.jobs[key]["result"])
    return report


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

    for routes in ROUTES:
        app.include_router(routes(fake), prefix="/api")
    return app


def catalog_routes(fake: FakeApi) -> APIRouter:
    router = APIRouter()
    router.get("/methods")(lambda: listing(METHODS))
    router.get("/metrics")(lambda: listing(METRICS))
    router.get("/datasets")(lambda: listing(list(fake.datasets.values())))

    @router.get("/datasets/{key}")
    def dataset(key: str) -> Object:
        return found(fake.datasets, key, "dataset")

    @router.get("/datasets/{key}/rows")
    def rows(key: str, split: str, after: int = 0, limit: int = 50) -> Object:
        dataset = found(fake.datasets, key, "dataset")
        numbers = range(after + 1, min(dataset["splits"][split]["rows"], after + limit + 1) + 1)
        row = samples.row if dataset["labels"] else text_samples.row
        return listing([row(number, split) for number in numbers], limit)

    return router


def dataset_routes(fake: FakeApi) -> APIRouter:
    router = APIRouter()

    @router.post("/datasets", status_code=201)
    async def upload(request: Request) -> Object:
        async with request.form() as form:
            fields = {name: value for name, value in form.items() if isinstance(value, str)}
            file = form["file"]
            assert not isinstance(file, str)
            head = (await file.read()).decode().splitlines()[0]
        fake.uploads.append(fields)
        kind = "target" if "target_column" in fields else "label"
        column = fields.get(f"{kind}_column", kind)
        if column not in head.split(","):
            message = f"The file has no column “{column}”; it has: {head}. Name the {kind} column."
            raise Refused(422, message, f"{kind}_column", "unknown_column")
        labels = ["no", "yes"] if kind == "label" else []
        made = samples.dataset("mine", labels, split_source="drawn", shots=16, seed=0)
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

    @router.post("/jobs/{key}/resume")
    def resume(key: str) -> Object:
        if found(fake.jobs, key, "job")["status"] != "paused":
            raise Refused(409, "Only a paused job can be resumed.")
        fake.resume(key)
        return fake.jobs[key]

    return router


def progress_routes(fake: FakeApi) -> APIRouter:
    router = APIRouter()

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
            return REPORT_FIGURES[name](report_of(fake, key), theme)
        return FIGURES[name](fake.jobs[key], fake.generations[key], theme)

    return router


def outcome_routes(fake: FakeApi) -> APIRouter:
    router = APIRouter()

    @router.get("/jobs/{key}/report")
    def report(key: str) -> Object:
        if not found(fake.jobs, key, "job")["result"]:
            raise Refused(409, "There is no report before the job succeeded.")
        return report_of(fake, key)

    @router.get("/jobs/{key}/prompt", response_model=None)
    def prompt(key: str, format: str = "json") -> Object | PlainTextResponse:
        if format == "safetensors":
            return PlainTextResponse("bytes", media_type="application/octet-stream")
        return {"object": "prompt", "job": key, **fake.jobs[key]["incumbent"]}

    @router.post("/jobs/{key}/predict")
    async def predict(key: str, request: Request) -> Object:
        body = await request.json()
        fake.predicted.append(body)
        if fake.jobs[key]["metric"] != "accuracy":
            return listing([text_samples.ANSWER])
        rest = dict.fromkeys(samples.LABELS[1:], 0.018)
        sure = {"label": "Billing", "probabilities": {"Billing": 0.91, **rest}}
        spread = {"Billing": 0.2, "Bug report": 0.4, **dict.fromkeys(samples.LABELS[2:], 0.1)}
        other = {"label": "Bug report", "probabilities": spread}
        return listing([{"object": "prediction", **sure, "baseline": other}])

    return router


ROUTES = (
    catalog_routes,
    endpoint_routes,
    dataset_routes,
    job_routes,
    progress_routes,
    outcome_routes,
)
