"""Prompts as files over HTTP: a service in this process, and a job on a small model of its own."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import safetensors.numpy
from safetensors import safe_open
from sqlmodel import Session, select
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from jobs import prompts
from jobs.database import Database
from jobs.models import PromptRow
from jobs.opening import close_endpoints
from jobs.prompts import EnsemblePrompt, Member, PixelPrompt, Prompt, SoftPrompt, TextPrompt
from jobs.queue import JobQueue
from jobs.runner import Runner
from tests.backends.local import tiny
from tests.servers import COLORS_CSV, spec

TASK = {"template": "{prompt} {text} it was {label}", "verbalizer": {"blue": "bad", "red": "good"}}
VOTERS = EnsemblePrompt((Member("{text} is {label}", ("bad", "good"), 0.5),))


@dataclass(frozen=True)
class Exports:
    client: TestClient
    job: str
    folder: str  # of the model
    put: Callable[[Prompt], None]  # in place of what the job has found

    def ask(self, **params: str) -> httpx.Response:
        return self.client.get(f"/api/jobs/{self.job}/prompt", params=params)

    def refusal(self, format: str) -> str:
        answer = self.ask(format=format)
        error = answer.json()["error"]
        assert (answer.status_code, error["param"]) == (422, "format"), error
        assert error["code"] == "wrong_format"
        return str(error["message"])


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exports]:
    """A job that has succeeded on a GPT-2 with a prompt of two vectors."""
    model = str(tiny.build("gpt2", tmp_path_factory.mktemp("gpt2")))
    settings = Settings(data=tmp_path_factory.mktemp("data"), runners=0, _env_file=None)  # type: ignore[call-arg]
    app, database = create_app(settings), Database(settings.database)

    def put(prompt: Prompt) -> None:
        with database.writing() as session:
            _replace(session, prompt)

    with TestClient(app, "http://127.0.0.1") as client:
        app.state.service.catalog.add_endpoint("tiny", "causal", model, {"threads": 1})
        file = {"file": ("colors.csv", COLORS_CSV.encode())}
        assert client.post("/api/datasets", files=file).status_code == 201
        made = client.post("/api/jobs", json=spec(generations=1, endpoint="tiny", task=TASK))
        assert made.status_code == 202, made.text
        Runner(database, "a").run(JobQueue(database).claim("a"))  # type: ignore[arg-type]
        yield Exports(client, made.json()["id"], model, put)
    database.close()
    close_endpoints()


def _replace(session: Session, prompt: Prompt) -> None:
    row = session.exec(select(PromptRow)).one()
    row.kind, row.content = prompts.kind_of(prompt), prompts.dumps(prompt)
    row.text = prompt.text if isinstance(prompt, TextPrompt) else None
    session.add(row)


@pytest.fixture
def other(tuned: Exports) -> Iterator[Exports]:
    """The same job, which may be given another prompt for a while."""
    before = safetensors.numpy.load(tuned.ask(format="safetensors").content)
    yield tuned
    tuned.put(SoftPrompt(before["prompt"]))


def files_of(answer: httpx.Response) -> dict[str, bytes]:
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def named(answer: httpx.Response) -> str:
    start, _, name = answer.headers["content-disposition"].partition('filename="')
    assert start == "attachment; "
    return str(name.removesuffix('"'))


def test_json_tells_how_the_prompt_is_applied(tuned: Exports) -> None:
    told = tuned.ask().json()
    assert told == tuned.ask(format="json").json()
    assert (told["kind"], told["shape"], told["layers"]) == ("soft", [1, 2, tiny.WIDTH], 1)
    assert (told["endpoint"], told["endpoint_kind"]) == ("tiny", "causal")
    assert (told["model"], told["options"], told["members"]) == (tuned.folder, {}, None)
    assert {name: told[name] for name in TASK} == TASK
    assert told["position"].startswith("right after the special tokens")


def test_tensors_carry_the_facts(tuned: Exports, tmp_path: Path) -> None:
    answer = tuned.ask(format="safetensors")
    assert named(answer) == f"{tuned.job}.safetensors"
    (tmp_path / "file").write_bytes(answer.content)
    with safe_open(tmp_path / "file", "np") as file:
        told = file.metadata()
        assert list(file.keys()) == ["prompt"]
    assert (told["template"], told["model"]) == (TASK["template"], tuned.folder)
    assert json.loads(told["verbalizer"]) == TASK["verbalizer"]


def test_an_adapter_of_peft(tuned: Exports) -> None:
    """Made in a process of its own; what PEFT makes of it is in tests/jobs."""
    answer = tuned.ask(format="peft")
    files = files_of(answer)
    assert named(answer) == f"{tuned.job}-peft.zip"
    assert sorted(files) == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "gradless.json",
    ]
    assert json.loads(files["adapter_config.json"])["num_virtual_tokens"] == 2
    [vectors] = safetensors.numpy.load(files["adapter_model.safetensors"]).values()
    ours = safetensors.numpy.load(tuned.ask(format="safetensors").content)["prompt"][0]
    assert vectors.tobytes() == ours.tobytes()
    assert json.loads(files["gradless.json"])["template"] == TASK["template"]


def test_vectors_for_vllm(tuned: Exports) -> None:
    answer = tuned.ask(format="vllm")
    files = files_of(answer)
    assert named(answer) == f"{tuned.job}-vllm.zip"
    assert sorted(files) == ["soft_prompt.safetensors", "splice.py"]
    compile(files["splice.py"], "splice.py", "exec")


def test_text_is_for_texts(other: Exports) -> None:
    assert "text holds text prompts, not soft prompts" in other.refusal("text")
    other.put(TextPrompt("Größe:"))
    answer = other.ask(format="text")
    assert (answer.text, named(answer)) == ("Größe:", f"{other.job}.txt")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    for format in ("safetensors", "peft", "vllm"):
        assert other.refusal(format).endswith("; try json or text")


def test_an_ensemble_is_json(other: Exports) -> None:
    other.put(VOTERS)
    told: dict[str, Any] = other.ask().json()
    assert (told["kind"], told["shape"]) == ("ensemble", None)
    assert told["members"] == [{**asdict(VOTERS.members[0]), "words": ["bad", "good"]}]
    for format in ("text", "safetensors", "peft", "vllm"):
        assert other.refusal(format).endswith("; try json")


def test_pixels_are_tensors(other: Exports) -> None:
    other.put(PixelPrompt(np.full((2, 4, 3), 0.125, np.float32)))
    assert other.ask().json()["shape"] == [2, 4, 3]
    [(name, values)] = safetensors.numpy.load(other.ask(format="safetensors").content).items()
    assert (name, values.shape) == ("pixels", (2, 4, 3))
    assert other.refusal("peft").endswith("; try json or safetensors")


def test_an_unknown_format(tuned: Exports) -> None:
    answer = tuned.ask(format="pickle")
    assert answer.status_code == 422
    assert "'json', 'text', 'safetensors', 'peft' or 'vllm'" in answer.json()["error"]["message"]


def test_a_prompt_outlives_its_endpoint(tuned: Exports) -> None:
    """The last test here: without the model there is no adapter any more."""
    assert tuned.client.delete("/api/endpoints/tiny").status_code == 204
    told = tuned.ask().json()
    assert (told["endpoint"], told["endpoint_kind"], told["model"]) == ("tiny", None, None)
    assert tuned.ask(format="safetensors").status_code == 200
    assert "has been deleted; try json or safetensors" in tuned.refusal("peft")
