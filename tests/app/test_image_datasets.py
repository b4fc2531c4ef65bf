"""Datasets of images over HTTP: upload, files and small ones of them, refusals, predictions."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

import jobs.serving
import jobs.work
from app.main import create_app
from app.settings import Settings
from jobs.database import Database
from jobs.queue import JobQueue
from jobs.runner import Runner
from jobs.serving import Predictor, answer
from tests.hostile_zips import HOSTILE
from tests.image_files import in_splits, opened, picture, png_of_header, shade, zipped
from tests.image_toy import ImageToy
from tests.servers import Service, spec

FILES = in_splits()
LARGE = {**FILES, "train/red/0.png": picture(size=(400, 300))}
JOB = {**spec(), "endpoint": "eye", "dataset": "pets"}


def post(service: Service, data: bytes, name: str = "pets") -> httpx.Response:
    file = {"file": (f"{name}.zip", data)}
    return service.http.post("/api/datasets", files=file, data={"name": name})


@pytest.fixture(scope="module")
def pets(idle: Service) -> Iterator[dict[str, Any]]:
    yield post(idle, zipped(LARGE)).json()
    assert idle.http.delete("/api/datasets/pets").status_code == 204
    assert idle.rows("SELECT * FROM images WHERE dataset_id = 'pets'") == []


def test_an_uploaded_zip_is_a_dataset(idle: Service, pets: dict[str, Any]) -> None:
    assert (pets["columns"], pets["image_column"]) == (["image"], "image")
    assert (pets["task"], pets["labels"]) == ("classification", ["blue", "red"])
    assert pets["splits"]["train"] == {"rows": 4, "per_label": {"blue": 2, "red": 2}}
    assert post(idle, zipped(LARGE)).json() == pets  # again: no second copy
    assert idle.get("/api/datasets/colors")["image_column"] == ""


def names(service: Service) -> list[str]:
    return [row["inputs"]["image"] for row in service.get("/api/datasets/pets/rows")["data"]]


def test_images_are_served_as_they_came(idle: Service, pets: dict[str, Any]) -> None:
    served = set()
    for name in names(idle):
        answer = idle.http.get(f"/api/datasets/pets/images/{name}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
        served.add(answer.content)
    assert served == set(LARGE.values())


@pytest.mark.parametrize(("width", "size"), [("64", (64, 48)), ("256", (256, 192))])
def test_small_images(width: str, size: tuple[int, int], idle: Service, pets: Any) -> None:
    paths = [f"/api/datasets/pets/images/{name}" for name in names(idle)]
    answers = [idle.http.get(path, params={"width": width}) for path in paths]
    assert {opened(answer.content).size for answer in answers} == {size, (8, 6)}
    assert {answer.headers["content-type"] for answer in answers} == {"image/png"}


@pytest.mark.parametrize(
    ("path", "status", "param", "code"),
    [
        ("pets/images/sha256:0", 404, "name", "no_such_image"),
        ("pets/images/..%2f..%2fetc", 404, None, None),
        ("cats/images/sha256:0", 404, "dataset", "no_such_dataset"),
        ("pets/images/sha256:0?width=65", 422, "width", "literal_error"),
    ],
)
def test_images_that_are_none(
    path: str, status: int, param: str, code: str, idle: Service, pets: Any
) -> None:
    answer = idle.http.get(f"/api/datasets/{path}")
    assert answer.status_code == status, answer.text
    if code:
        assert (answer.json()["error"]["param"], answer.json()["error"]["code"]) == (param, code)


def files_of(service: Service) -> set[str]:
    """Files that the service holds open, and those in its folder; but for its database."""
    held = {str(each.readlink()) for each in Path(f"/proc/{service.pid}/fd").iterdir()}
    kept = {str(path) for path in service.data.rglob("*")}
    return {name for name in held | kept if name.startswith("/") and "gradless.db" not in name}


@pytest.mark.parametrize("case", ["a way out", "a link", "a gigabyte of zeros", "half an image"])
def test_hostile_zips_leave_nothing(case: str, idle: Service) -> None:
    data, words = HOSTILE[case]
    before = files_of(idle), idle.rows("SELECT id FROM datasets")
    answer = post(idle, data, "bad")
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (422, "file", "bad_file")
    assert all(word in error["message"] for word in words), error["message"]
    assert (files_of(idle), idle.rows("SELECT id FROM datasets")) == before
    assert idle.rows("SELECT name FROM images WHERE dataset_id = 'bad'") == []


def test_a_job_on_images_wants_an_endpoint_that_sees(idle: Service, pets: Any) -> None:
    answer = idle.http.post("/api/jobs", json={**JOB, "endpoint": "minilm"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (422, "dataset_endpoint_mismatch")
    assert error["param"] == "endpoint"


# Predictions, in this process: with a toy for the model.


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, str]]:
    """A service with a job on images that has succeeded, and the address of its predictions."""
    folder = tmp_path_factory.mktemp("seeing")
    settings = Settings(data=folder, runners=0, _env_file=None)  # type: ignore[call-arg]
    toy = ImageToy()
    with pytest.MonkeyPatch.context() as patched:
        for module in (jobs.work, jobs.serving):
            patched.setattr(module, "open_endpoint", lambda row: toy)
        patched.setattr(Predictor, "answer", lambda _, served, inputs: answer(served, inputs))
        app = create_app(settings)
        with TestClient(app, "http://127.0.0.1") as client:
            app.state.service.catalog.add_endpoint("eye", "clip", "digits-clip", {})
            file = {"file": ("pets.zip", zipped(FILES))}
            assert client.post("/api/datasets", files=file).status_code == 201
            job_id = client.post("/api/jobs", json=JOB).json()["id"]
            database = Database(settings.database)
            Runner(database, "a").run(JobQueue(database).claim("a"))  # type: ignore[arg-type]
            database.close()
            assert client.get(f"/api/jobs/{job_id}").json()["status"] == "succeeded"
            yield client, f"/api/jobs/{job_id}/predict"


def url(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


RED, BLUE = picture(color=shade("red", 50)), picture("JPEG", shade("blue", 51), (600, 400))


def test_images_are_answered_however_they_come(seeing: tuple[TestClient, str]) -> None:
    client, address = seeing
    rows = client.get("/api/datasets/pets/rows", params={"split": "test"}).json()["data"]
    inputs = [url(RED), {"image": url(BLUE, "image/jpeg")}, url(RED, "application/octet-stream")]
    body = {"inputs": [*inputs, rows[0]["inputs"], rows[0]["inputs"]["image"]], "baseline": True}
    answer = client.post(address, json=body)
    assert answer.status_code == 200, answer.text
    told = [each["label"] for each in answer.json()["data"]]
    assert told == ["red", "blue", "red", rows[0]["label"], rows[0]["label"]]
    assert {each["baseline"]["label"] for each in answer.json()["data"]} == {"blue"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("cat.png", ["no image 'cat.png'", "data:image/png;base64", "dataset"]),
        ("sha256:0", ["no image 'sha256:0'"]),
        (url(b"hello"), ["no PNG, JPEG or WebP"]),
        (url(RED)[:-3], ["base64"]),
        (url(RED[:-30]), ["cannot be decoded"]),
        (url(png_of_header(60_000, 60_000)), ["50,000,000 pixels"]),
        (url(bytes(20_000_001)), ["larger than 20,000,000 bytes"]),
    ],
)
def test_images_that_cannot_be_answered(
    given: str, words: list[str], seeing: tuple[TestClient, str]
) -> None:
    client, address = seeing
    for inputs in ([url(RED), given], [url(RED), {"image": given}]):
        answer = client.post(address, json={"inputs": inputs})
        error = answer.json()["error"]
        assert (answer.status_code, error["param"], error["code"]) == (422, "inputs.1", "bad_image")
        assert all(word in error["message"] for word in words), error["message"]


def test_a_request_of_images_may_be_as_large_as_an_upload(seeing: tuple[TestClient, str]) -> None:
    client, address = seeing
    image = url(RED + bytes(5_000_000))  # what follows the end of a PNG is nobody's business
    assert client.post(address, json={"inputs": [image] * 2}).status_code == 200
    answer = client.post(address, json={"inputs": [image] * 10})
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (413, "inputs", "too_large")
    assert client.post("/api/jobs", json={"inputs": [image] * 2}).status_code == 413


def test_images_outlive_their_dataset_when_they_are_sent(seeing: tuple[TestClient, str]) -> None:
    client, address = seeing
    name = client.get("/api/datasets/pets/rows").json()["data"][0]["inputs"]["image"]
    assert client.delete("/api/datasets/pets").status_code == 204
    assert client.post(address, json={"inputs": [url(RED)]}).json()["data"][0]["label"] == "red"
    error = client.post(address, json={"inputs": [name]}).json()["error"]
    assert error["code"] == "bad_image" and "no dataset 'pets'" in error["message"]
