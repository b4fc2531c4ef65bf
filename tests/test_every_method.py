"""Every method loses its runner to `kill -9`: the prompt, the rows and the count stay the same."""

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from jobs.methods import METHODS
from tests.backends.clip import tiny as tiny_clip
from tests.backends.local import tiny
from tests.forked import Fork
from tests.image_files import picture
from tests.servers import Service, spec

SETTINGS: dict[str, dict[str, Any]] = {
    "race": {"methods": [{"name": "bbt", "preset": "fast"}, {"name": "bdpl", "preset": "fast"}]},
    "adapter": {"batch_size": 4, "queries_per_example": 11},
    "llm": {"preset": "fast", "max_tokens": 16},
}  # instead of the preset "fast"
SEEING = {"bpt-vlm", "blackvip", "zip"}
WRITING = {"llm", "deep-thinking"}
RANKING = {"bbt-rgb", "promptboosting"}  # they read all words of a model: of minilm for 20 seconds
ROWS = {"train": 4, "dev": 2, "test": 2}  # of each label
WORDS = {"good": "great", "bad": "dull"}
GENERATIONS, MOMENT = 7, 2  # after which the runner is killed; of a short job, after a third
TRIES = 5


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    models = tmp_path_factory.mktemp("models")
    for folder in ("llama", "bert", "clip"):
        (models / folder).mkdir()
    llama, bert = (tiny.build(family, models / family) for family in ("llama", "bert"))
    clip = tiny_clip.write(models / "clip")
    settings = {"threads": "1", "models_dir": str(models), "runners": "0"}
    service = Service(tmp_path_factory.mktemp("every"), settings)
    try:
        service.start().upload(table(), "films")
        upload = {"file": ("shades.zip", images())}
        assert service.http.post("/api/datasets", files=upload).status_code == 201
        pair = {"reader": "causal", "source": str(clip), "n_tokens": 2}
        for id_, kind, model, options in (
            ("writer", "causal", llama, {}),
            ("gap", "masked", bert, {}),
            ("eye", "clip", clip, {}),
            ("pair", "bridge", llama, pair),
        ):
            body = {"id": id_, "kind": kind, "model": str(model), "options": options}
            answer = service.http.post("/api/endpoints", json=body)
            assert answer.status_code == 201, answer.text
        yield service
    finally:
        service.close()


@pytest.fixture(scope="module")
def runner(service: Service) -> Iterator[Fork]:
    fork = Fork(service.database)
    yield fork
    fork.close()


def table() -> str:
    rows = [
        f"{words} {number},{label},{split}"
        for split, n in ROWS.items()
        for number in range(n)
        for label, words in WORDS.items()
    ]
    return "\n".join(["text,label,split", *rows]) + "\n"


def images() -> bytes:
    made, manifest = io.BytesIO(), ["image,label,split"]
    with zipfile.ZipFile(made, "w") as archive:
        for split, n in ROWS.items():
            for number in range(n):
                for label, red in (("good", 200), ("bad", 20)):
                    name = f"{split}{number}{label}.png"
                    archive.writestr(name, picture(color=(red + number, 20, 220 - red)))
                    manifest.append(f"{name},{label},{split}")
        archive.writestr("manifest.csv", "\n".join(manifest))
    return made.getvalue()


def body(name: str) -> dict[str, Any]:
    endpoint, dataset, task = "minilm", "films", {}
    if name in SEEING:
        endpoint, dataset = "eye", "shades"
    elif name == "adapter":
        endpoint, dataset = "pair", "shades"
    elif name in RANKING:
        endpoint = "gap"
    elif name in WRITING:
        endpoint = "writer"
        task = {"template": "{prompt} {text} {label}"}  # short: it reads 48 tokens
    method = {"name": name, **SETTINGS.get(name, {"preset": "fast"})}
    n_train, n_dev = (len(WORDS) * ROWS[split] for split in ("train", "dev"))
    made = METHODS[name].model_validate(method)
    generations = (GENERATIONS - 1) * made.generation_queries(n_train, n_dev)
    budget = n_train + n_dev + made.least_queries(n_train, n_dev) + generations
    what = {"name": name, "endpoint": endpoint, "dataset": dataset, "task": task}
    return spec(**what, method=method, budget={"queries": budget})


def outcome(service: Service, job_id: str) -> dict[str, Any]:
    """All that must not depend on what happened to the runner."""
    job = service.ended(job_id)
    assert job["status"] == "succeeded", job["error"]
    [prompt] = service.rows("SELECT * FROM prompts WHERE job_id = ?", job_id)
    rows = service.rows("SELECT * FROM generations WHERE job_id = ? ORDER BY number", job_id)
    found = [{**row, "job_id": ""} for row in (prompt, *rows)]
    return {"rows": found, "queries": job["progress"]["queries"]}


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_a_killed_runner_changes_nothing(name: str, service: Service, runner: Fork) -> None:
    calm = outcome(service, service.submit(body(name)))
    job_id = killed(service, runner, name, n_generations=len(calm["rows"]) - 1)
    assert outcome(service, job_id) == calm
    assert service.row(job_id)["attempts"] == 2


def killed(service: Service, runner: Fork, name: str, n_generations: int) -> str:
    """A job whose runner was killed while at least one generation was still to come.

    A small model's job may be over before anybody has looked; then the next one is tried.
    """
    for _ in range(TRIES):
        job_id = service.submit(body(name))
        service.reached(job_id, min(MOMENT, n_generations // 3))
        runner.suspend()  # so that the job cannot be over before it is killed
        reached = service.row(job_id)["generation"]
        runner.kill()
        if reached < n_generations - 1:
            return job_id
    raise AssertionError(f"{TRIES} jobs were over before their runner could be killed")
