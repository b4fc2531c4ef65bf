"""Images in the caller's hands: zips to be uploaded, files to be answered."""

from __future__ import annotations

import asyncio
import base64
import zipfile
from pathlib import Path

import pytest
from test_sdk_cli import run

import gradless
from gradless import calls
from gradless.images import is_file, sendable

PNG = b"\x89PNG\r\n\x1a\n and pixels"
URL = f"data:application/octet-stream;base64,{base64.b64encode(PNG).decode()}"


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    path = tmp_path / "cat.png"
    path.write_bytes(PNG)
    return path


def test_images_are_sent_as_data_urls(cat):
    assert sendable(cat) == sendable(PNG) == URL
    assert sendable("cat.png") == "cat.png"
    assert sendable({"image": cat, "caption": "a cat"}) == {"image": URL, "caption": "a cat"}
    call = calls.predict("job_1", [PNG, {"image": PNG}, "sha256:0"], baseline=False)
    assert call.json["inputs"] == [URL, {"image": URL}, "sha256:0"]


@pytest.mark.parametrize("alone", ["x", PNG, Path("cat.png")])
def test_a_single_input_is_not_a_list(alone):
    with pytest.raises(TypeError, match=r"write predict\(\[x\]\)"):
        calls.predict("job_1", alone, baseline=False)


def test_a_job_answers_images(client, url, cat):
    job = client.tune()
    assert [str(answer) for answer in job.predict([cat, PNG, {"image": cat}])] == ["A"] * 3
    with pytest.raises(FileNotFoundError, match=r"dog\.png"):
        job.predict([Path("dog.png")])

    async def ask():
        async with gradless.AsyncClient() as twin:
            return await (await twin.job(job.id)).predict([cat])

    assert [str(answer) for answer in asyncio.run(ask())] == ["A"]


def test_what_is_the_file_of_an_image(cat, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    assert is_file("cat.png") and is_file(str(cat))
    for text in ("dog.png", "notes.txt", "where is cat.png", "x" * 5000 + ".png", "a\0.png", ""):
        assert not is_file(text)


def test_the_command_answers_images(client, world, cat, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = client.tune()
    said = run("predict", job.id, "cat.png", "a text")
    assert said.stdout == "A\t0.900\tcat.png\nA\t0.900\ta text\n"
    before = len(world.asked("POST", "/predict"))
    assert run("predict", job.id, *["cat.png"] * 20).exit_code == 0
    assert len(world.asked("POST", "/predict")) - before == 3  # few at once: they are large


def test_a_zip_is_a_file_to_be_uploaded(client, tmp_path):
    path = tmp_path / "pets.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cat/1.png", PNG)
    assert calls.is_upload("pets.zip") and calls.is_upload(path)
    call = calls.upload(path, {"shots": 4})
    assert call.files == {"file": ("pets.zip", path.read_bytes())}
    assert call.data == {"shots": "4"}


def test_a_dataset_says_where_its_images_are():
    told = {"id": "pets", "columns": ["image"], "image_column": "image"}
    assert gradless.types.Dataset.model_validate(told).image_column == "image"
    assert gradless.types.Dataset.model_validate({"id": "old"}).image_column == ""
