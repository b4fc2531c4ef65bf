"""Files and tuning jobs by OpenAI's own client, unchanged, at a service that tunes."""

import asyncio
import json
from typing import Any

import openai
import pytest
from openai.types import FileDeleted, FileObject, Model
from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent
from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint

from tests.app.openai_types import async_client, body, client, strict, tuning
from tests.conftest import eventually
from tests.servers import COLORS_CSV, Service

COLORS = ("colors.csv", COLORS_CSV.encode())


@pytest.fixture(scope="module")
def tuned(tuning_service: Service) -> FineTuningJob:
    """A job that the client has uploaded for, submitted and awaited."""
    with client(tuning_service) as ours:
        file = ours.files.create(file=COLORS, purpose="fine-tune")
        job = ours.fine_tuning.jobs.create(
            model="minilm",
            training_file=file.id,
            method=tuning(4),
            seed=7,
            suffix="colors by openai",
            metadata={"team": "openai"},
        )
        assert (job.status, job.fine_tuned_model) == ("queued", None)
        tuning_service.ended(job.id)
        return ours.fine_tuning.jobs.retrieve(job.id)


@pytest.fixture(scope="module")
def tuning_service(tuning: Service) -> Service:
    return tuning


def test_a_job_in_the_types_of_openai(tuned: FineTuningJob, tuning_service: Service) -> None:
    with client(tuning_service) as ours:
        said = body(ours.fine_tuning.jobs.with_raw_response.retrieve(tuned.id))
    strict(FineTuningJob, said, apart={"method"})
    assert said["method"]["type"] == "prompt", "which OpenAI's type does not know"
    assert said["method"]["prompt"]["method"]["name"] == "bbt"
    assert tuned.status == "succeeded"
    assert tuned.fine_tuned_model == f"pt:minilm:{tuned.id}"
    assert (tuned.model, tuned.seed, tuned.metadata) == ("minilm", 7, {"team": "openai"})
    assert tuned.created_at <= (tuned.finished_at or 0)
    assert tuning_service.job(tuned.id)["name"] == "colors by openai"


def test_jobs_come_in_pages_and_by_metadata(tuned: FineTuningJob, tuning_service: Service) -> None:
    with client(tuning_service) as ours:
        others = [
            ours.fine_tuning.jobs.create(
                model="minilm", training_file="colors", method=tuning(1), metadata={"n": str(n)}
            ).id
            for n in range(3)
        ]
        listed = [job.id for job in ours.fine_tuning.jobs.list(limit=2)]
        assert listed[:3] == others[::-1] and tuned.id in listed
        assert len(set(listed)) == len(listed)
        [found] = ours.fine_tuning.jobs.list(metadata={"n": "1"})
        assert found.id == others[1]
        for other in others:
            tuning_service.ended(other)


def test_events_and_checkpoints(tuned: FineTuningJob, tuning_service: Service) -> None:
    with client(tuning_service) as ours:
        first = body(ours.fine_tuning.jobs.with_raw_response.list_events(tuned.id, limit=3))
        events = list(ours.fine_tuning.jobs.list_events(tuned.id, limit=3))
        [checkpoint] = ours.fine_tuning.jobs.checkpoints.list(tuned.id)
        checkpoints = body(ours.fine_tuning.jobs.checkpoints.with_raw_response.list(tuned.id))
    for event in first["data"]:
        strict(FineTuningJobEvent, event)
    assert first["has_more"] is True and first["object"] == "list"
    numbers = [int(event.id.removeprefix("ftevent-")) for event in events]
    assert numbers == sorted(numbers, reverse=True) and len(set(numbers)) == len(events)
    assert "succeeded" in events[1].message and "queued" in events[-1].message
    metrics = [event.data for event in events if event.type == "metrics"]
    assert [data["step"] for data in metrics] == [4, 3, 2, 1]  # type: ignore[index]
    strict(FineTuningJobCheckpoint, checkpoints["data"][0])
    assert checkpoints["first_id"] == checkpoints["last_id"] == checkpoint.id
    incumbent = tuning_service.job(tuned.id)["incumbent"]
    assert checkpoint.step_number == incumbent["generation"]
    assert checkpoint.metrics.full_valid_loss == incumbent["dev_loss"]
    assert checkpoint.fine_tuned_model_checkpoint == tuned.fine_tuned_model


def test_results_are_a_file(tuned: FineTuningJob, tuning_service: Service) -> None:
    [results] = tuned.result_files
    with client(tuning_service) as ours:
        said = body(ours.files.with_raw_response.retrieve(results))
        content = ours.files.content(results).content
    strict(FileObject, said)
    assert (said["purpose"], said["bytes"]) == ("fine-tune-results", len(content))
    header, *lines = content.decode().splitlines()
    assert header.split(",")[0] == "step" and [line.split(",")[0] for line in lines] == list("1234")


def test_a_file_from_upload_to_deletion(tuning_service: Service) -> None:
    lines = [
        {"messages": [{"role": "system", "content": "name the color"}, *pair]}
        for n in range(4)
        for text, color in ((f"sky {n}", "blue"), (f"rose {n}", "red"))
        for pair in [({"role": "user", "content": text}, {"role": "assistant", "content": color})]
    ]
    data = "\n".join(json.dumps(line) for line in lines).encode()
    with client(tuning_service) as ours:
        raw = ours.files.with_raw_response.create(
            file=("chats.jsonl", data), purpose="fine-tune", extra_body={"shots": 1}
        )
        strict(FileObject, body(raw))
        file = raw.parse()
        again = ours.files.create(
            file=("chats.jsonl", data), purpose="fine-tune", extra_body={"shots": 1}
        )
        assert again.id == file.id, "a repeated upload adds nothing"
        dataset = tuning_service.get(f"/api/datasets/{file.id}")
        assert (dataset["labels"], dataset["columns"]) == (["blue", "red"], ["text"])
        assert {name: split["rows"] for name, split in dataset["splits"].items()} == {
            "train": 2,
            "dev": 2,
            "test": 4,
        }
        assert ours.files.retrieve(file.id) == file
        assert ours.files.content(file.id).content == data
        assert file.id in [each.id for each in ours.files.list(limit=1)], "page by page"
        deleted = ours.files.with_raw_response.delete(file.id)
        strict(FileDeleted, body(deleted))
        with pytest.raises(openai.NotFoundError) as missing:
            ours.files.retrieve(file.id)
        assert missing.value.code == "no_such_file"
    assert tuning_service.http.get(f"/api/datasets/{file.id}").status_code == 404


def test_pages_of_files_in_both_orders(idle: Service) -> None:
    with client(idle) as ours:
        made = [
            ours.files.create(file=(f"page{n}.csv", COLORS[1]), purpose="fine-tune").id
            for n in range(3)
        ]
        for order, wanted in (("asc", made), ("desc", made[::-1])):
            listed = [file.id for file in ours.files.list(limit=2, order=order)]  # type: ignore[arg-type]
            assert [id_ for id_ in listed if id_ in made] == wanted


def test_pause_resume_and_cancel(idle: Service) -> None:
    with client(idle) as ours:
        jobs = ours.fine_tuning.jobs
        job = jobs.create(model="minilm", training_file="colors", method=tuning(1))
        assert jobs.pause(job.id).status == "paused"  # type: ignore[comparison-overlap]
        assert jobs.resume(job.id).status == "queued"
        cancelled = body(jobs.with_raw_response.cancel(job.id))
        strict(FineTuningJob, cancelled, apart={"method"})
        assert (cancelled["status"], cancelled["fine_tuned_model"]) == ("cancelled", None)
        with pytest.raises(openai.ConflictError) as over:
            jobs.cancel(job.id)
        assert over.value.response.headers["x-should-retry"] == "false"
        assert list(jobs.checkpoints.list(job.id)) == []


def test_a_repeated_request_makes_one_job(idle: Service) -> None:
    """OpenAI's client sends no key by itself, but what it is given."""
    with client(idle) as ours:

        def made(generations: int) -> FineTuningJob:
            return ours.fine_tuning.jobs.create(
                model="minilm",
                training_file="colors",
                method=tuning(generations),
                extra_headers={"idempotency-key": "face-1"},
            )

        assert made(1) == made(1)
        with pytest.raises(openai.UnprocessableEntityError) as other:
            made(2)
        assert other.value.code == "key_reused"


def test_models_are_endpoints_and_prompts(tuned: FineTuningJob, tuning_service: Service) -> None:
    with client(tuning_service) as ours:
        listed = {model.id: model for model in ours.models.list()}
        assert {"minilm", tuned.fine_tuned_model} <= listed.keys()
        for name in ("minilm", tuned.fine_tuned_model):
            raw = ours.models.with_raw_response.retrieve(str(name))
            strict(Model, body(raw), may_lack="shutdown_date")
            assert raw.parse() == listed[name]  # type: ignore[index]


def test_the_asynchronous_client_does_it_all(tuning_service: Service) -> None:
    async def whole() -> tuple[FineTuningJob, str | None, int]:
        async with async_client(tuning_service) as ours:
            file = await ours.files.create(file=COLORS, purpose="fine-tune")
            job = await ours.fine_tuning.jobs.create(
                model="minilm", training_file=file.id, method=tuning(2)
            )
            await asyncio.to_thread(tuning_service.ended, job.id)
            job = await ours.fine_tuning.jobs.retrieve(job.id)
            events = [event async for event in ours.fine_tuning.jobs.list_events(job.id, limit=2)]
            chat = await ours.chat.completions.create(
                model=str(job.fine_tuned_model),
                messages=[{"role": "user", "content": "the rose is"}],
            )
            return job, chat.choices[0].message.content, len(events)

    job, color, n_events = asyncio.run(whole())
    assert job.status == "succeeded"
    assert color == "red"
    assert n_events == eventually(
        lambda: len(tuning_service.rows("SELECT id FROM events WHERE job_id = ?", job.id))
    )


BAD: list[tuple[dict[str, Any], type[openai.APIStatusError], str | None, str]] = [
    ({"model": "gpt-4o"}, openai.NotFoundError, "model", "model_not_found"),
    ({"training_file": "file-none"}, openai.NotFoundError, "file_id", "no_such_file"),
    ({"method": {"type": "dpo"}}, openai.UnprocessableEntityError, "method.type", "literal_error"),
    (
        {"method": tuning(0)},
        openai.UnprocessableEntityError,
        "method.prompt.budget.queries",
        "budget_too_small",
    ),
    (
        {"hyperparameters": {"n_epochs": 3}},
        openai.UnprocessableEntityError,
        "hyperparameters",
        "none_required",
    ),
]


@pytest.mark.parametrize(("change", "error", "param", "code"), BAD)
def test_refusals_name_the_field_that_was_sent(
    change: dict[str, Any],
    error: type[openai.APIStatusError],
    param: str | None,
    code: str,
    idle: Service,
) -> None:
    asked: dict[str, Any] = {"model": "minilm", "training_file": "colors", "method": tuning(1)}
    with client(idle) as ours, pytest.raises(error) as refused:
        ours.fine_tuning.jobs.create(**(asked | change))
    assert (refused.value.param, refused.value.code) == (param, code)
