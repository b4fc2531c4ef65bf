"""What a job has found: its prompt, its answers, and whether they are better."""

from dataclasses import replace
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import ConfigDict, Discriminator, Field, Tag

from app.deps import CatalogDep, ServiceDep, StoreDep
from app.errors import NoPromptYet, NoReportYet, WrongFormat
from app.inputs import served, taken_in
from app.offers import DatasetPublic
from app.routes.generations import GenerationsDep, figure_points
from app.routes.health import VERSION
from app.routes.jobs import public_job
from app.schemas import Listing, PredictionPublic, PromptPublic
from jobs import prompts
from jobs.catalog import Catalog, NoSuchDataset, NoSuchEndpoint
from jobs.exports import Format, Tuned, Unfit, export
from jobs.generations import Generations
from jobs.images import DATA_URL, FILE_BYTES
from jobs.methods import Spec
from jobs.models import EndpointRow, JobRow, PromptRow
from jobs.prompts import PixelPrompt, Prompt, SoftPrompt, TextPrompt
from jobs.serving import Served
from jobs.spec import JobSpec
from jobs.store import JobStore
from web.report_facts import Story
from web.report_page import FORMS

router = APIRouter(prefix="/api/jobs", tags=["prompts"])

ReportFormat: TypeAlias = Literal["json", "markdown", "html"]
Text = Annotated[str, Field(min_length=1, max_length=20_000)]
ImageUrl = Annotated[str, Field(max_length=FILE_BYTES * 4 // 3 + 300)]  # base64: 4 letters, 3 bytes


def _shape(given: Any) -> str:
    """In brackets, so that the place of an error is told without it."""
    if isinstance(given, dict):
        return "[columns]"
    return "[image]" if isinstance(given, str) and DATA_URL.match(given) else "[text]"


Value = Annotated[
    Annotated[Text, Tag("[text]")] | Annotated[ImageUrl, Tag("[image]")], Discriminator(_shape)
]
Input = Annotated[
    Annotated[Text, Tag("[text]")]
    | Annotated[ImageUrl, Tag("[image]")]
    | Annotated[dict[str, Value], Tag("[columns]")],
    Discriminator(_shape),
]


class PredictBody(Spec):
    """Inputs to label: texts, or one object of columns each.

    An image is `data:image/png;base64,…`, or the name of an image of the job's dataset.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"inputs": ["Where is my parcel?"], "baseline": True}]},
    )
    inputs: list[Input] = Field(min_length=1, max_length=1000)
    baseline: bool = Field(False, description="answer with the baseline prompt as well")


class PromptWhole(PromptPublic):
    """A prompt and how it is applied; the vectors of a soft one are in the other formats."""

    endpoint_kind: str | None  # null, and `model` too: the endpoint was deleted
    model: str | None
    options: dict[str, Any]  # of the endpoint, as far as they change how the prompt is read
    max_tokens: int | None  # of one answer, in a task with a metric
    position: str
    layers: int | None
    members: list[dict[str, Any]] | None  # of an ensemble: template, words, weight
    label_words: dict[str, list[str]] | None  # whose mean score is a label's, in place of its word
    thinking: dict[str, Any] | None  # demonstrations, passes, step_size, momentum


@router.get(
    "/{job_id}/prompt",
    summary="The best prompt so far",
    response_model=PromptWhole,
    responses={
        200: {"content": {"application/octet-stream": {}, "application/zip": {}, "text/plain": {}}}
    },
)
def read_prompt(
    job_id: str, store: StoreDep, catalog: CatalogDep, format: Format = "json"
) -> PromptWhole | Response:
    """The exact thing that was scored, with all that is needed to apply it elsewhere.

    json: a description, and an ensemble's members; text: the words; safetensors: the tensors
    `prompt`, `visual` or `pixels`, the rest as metadata; peft: the folder of an adapter, zipped;
    vllm: a zip with the soft prompt and the few lines that make `prompt_embeds` of it.
    """
    row, job = _prompt(store, job_id), store.job(job_id)
    tuned = _tuned(job, row, catalog)
    if format == "json":
        return _described(job, row, tuned)
    try:
        file = export(tuned, format)
    except Unfit as error:
        raise WrongFormat(str(error)) from None
    disposition = {"content-disposition": f'attachment; filename="{job.id}{file.ending}"'}
    return Response(file.content, media_type=file.media_type, headers=disposition)


@router.post("/{job_id}/predict", summary="Answer with the tuned prompt")
def predict(
    job_id: str, body: PredictBody, service: ServiceDep, catalog: CatalogDep
) -> Listing[PredictionPublic]:
    """The likeliest label of each input, or the text written to it in a task with a metric."""
    row, job = _prompt(service.store, job_id), service.store.job(job_id)
    places = [f"inputs.{number}" for number in range(len(body.inputs))]
    prompt = served(job.spec, row.kind, row.content, catalog)
    prompt, inputs = taken_in(prompt, body.inputs, places, job.spec["dataset"], catalog)
    answers = service.predictor.answer(prompt, inputs)
    before = _baseline(job, prompt)
    baselines = service.predictor.answer(before, inputs) if body.baseline else [None] * len(inputs)
    pairs = zip(answers, baselines, strict=True)
    return Listing(data=[PredictionPublic.of(answer, baseline) for answer, baseline in pairs])


@router.get(
    "/{job_id}/report",
    summary="Tuned against baseline on the test split",
    response_model=dict[str, Any],
    responses={200: {"content": {"text/markdown": {}, "text/html": {}}}},
)
def read_report(
    job_id: str,
    store: StoreDep,
    catalog: CatalogDep,
    generations: GenerationsDep,
    format: ReportFormat = "json",
) -> dict[str, Any] | Response:
    """Both prompts on the same rows: intervals, a paired test, confusion, changed answers.

    `accuracy` is the mean of how right the answers are by `metric`: 0 or 1 for labels, and from
    0 to 1 for texts, where `confusion` is empty. `fixed` rows became more right, `broken` less.
    markdown and html are files to keep, with the spec, the data's hash and the curves beside it;
    the page needs no network and no script.
    """
    report = public_report(store, job_id)
    if format == "json":
        return report
    form = FORMS[format]
    headers = {"content-disposition": f'attachment; filename="{job_id}-report{form.ending}"'}
    text = form.write(_story(store, catalog, generations, report))
    return Response(text, media_type=form.media_type, headers=headers)


def public_report(store: JobStore, job_id: str) -> dict[str, Any]:
    job, row = store.job(job_id), store.report(job_id)
    if row is None:
        raise NoReportYet(f"job {job_id} is {job.status}; the report comes when it has succeeded")
    usage = {**row.body["usage"], "seconds": job.seconds}
    return {"object": "report", "job": job_id, **row.body, "usage": usage}


def _story(
    store: JobStore, catalog: Catalog, generations: Generations, report: dict[str, Any]
) -> Story:
    job = store.job(report["job"])
    return Story(
        report=report,
        job=public_job(store, job.id).model_dump(mode="json"),
        generations=figure_points(generations, job.id),
        dataset=_dataset(job, catalog, report.get("dataset")),
        model=_model(job, catalog, report.get("endpoint")),
        gradless=VERSION,
    )


def _model(job: JobRow, catalog: Catalog, known: dict[str, str] | None) -> str:
    """As the report knows it; one from before reports did, as its endpoint does."""
    if known is not None:
        return f"{known['kind']}:{known['model']}"
    endpoint = _endpoint(job, catalog)
    return f"{endpoint.kind}:{endpoint.model}" if endpoint else ""


def _dataset(job: JobRow, catalog: Catalog, known: dict[str, str] | None) -> dict[str, Any] | None:
    """The one that was tuned on; another of its name may have come since."""
    try:
        row = catalog.dataset(job.spec["dataset"])
    except NoSuchDataset:
        return None
    if known is not None:
        same = row.sha256 == known["sha256"]
    else:  # a report from before they knew the hash
        same = row.built_in or row.created_at <= job.created_at
    return DatasetPublic.of(row).model_dump(mode="json") if same else None


def _endpoint(job: JobRow, catalog: Catalog) -> EndpointRow | None:
    try:
        return catalog.endpoint(job.spec["endpoint"])
    except NoSuchEndpoint:
        return None


def _prompt(store: JobStore, job_id: str) -> PromptRow:
    row = store.prompt(job_id)
    if row is None:
        raise NoPromptYet(f"job {job_id} has no prompt yet; it comes with the first generation")
    return row


def _tuned(job: JobRow, row: PromptRow, catalog: Catalog) -> Tuned:
    spec = JobSpec.model_validate(job.spec)
    prompt = prompts.loads(row.kind, row.content)  # type: ignore[arg-type]
    return Tuned(prompt, spec.task.made(), _endpoint(job, catalog))


def _described(job: JobRow, row: PromptRow, tuned: Tuned) -> PromptWhole:
    fields = row.model_dump(include={"generation", "dev_loss", "dev_accuracy", "text"})
    return PromptWhole(
        **tuned.facts(),
        **fields,
        job=job.id,
        endpoint=job.spec["endpoint"],
        shape=_shape_of(tuned.prompt),
        nearest_words=row.nearest_words,
    )


def _shape_of(prompt: Prompt) -> list[int] | None:
    if isinstance(prompt, SoftPrompt):
        return list(prompt.vectors.shape)
    return list(prompt.values.shape) if isinstance(prompt, PixelPrompt) else None


def _baseline(job: JobRow, prompt: Served) -> Served:
    manual = TextPrompt(JobSpec.model_validate(job.spec).task.baseline)
    return replace(prompt, kind="text", content=prompts.dumps(manual))
