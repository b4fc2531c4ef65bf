"""Prompts as files: which format is asked for, and where it is written."""

from __future__ import annotations

import asyncio

import pytest
from typer.testing import CliRunner

import gradless
from gradless import calls, cli, types


@pytest.fixture
def asked(monkeypatch):
    """The formats that were asked for."""
    formats = []
    known = calls.prompt_file

    def noted(job_id, format):
        formats.append(format)
        return known(job_id, format)

    monkeypatch.setattr(calls, "prompt_file", noted)
    return formats


def test_the_format_is_that_of_the_ending_or_the_one_named(client, tmp_path, asked):
    job = client.tune().wait(progress=False)
    for name in ("p.json", "p.safetensors"):
        assert job.save_prompt(tmp_path / name) == tmp_path / name
    for format in ("peft", "vllm", "safetensors"):
        job.save_prompt(str(tmp_path / "p.zip"), format=format)
    assert asked == ["json", "safetensors", "peft", "vllm", "safetensors"]
    assert (tmp_path / "p.zip").read_bytes() == b"tensor bytes"


def test_a_refused_format_leaves_no_file(client, tmp_path):
    job = client.tune().wait(progress=False)
    with pytest.raises(gradless.Invalid, match="no text"):
        job.save_prompt(tmp_path / "p.zip", format="text")
    assert list(tmp_path.iterdir()) == []


def test_the_async_twin_takes_a_format(url, tmp_path, asked):
    async def journey():
        async with gradless.AsyncClient() as client:
            job = await (await client.tune()).wait(progress=False)
            return await job.save_prompt(tmp_path / "p.zip", format="vllm")

    assert asyncio.run(journey()).exists()
    assert asked == ["vllm"]


def run(*words):
    return CliRunner().invoke(cli.app, ["export", *map(str, words)])


def test_export_names_the_file_after_the_job(client, tmp_path, asked, monkeypatch):
    job = client.tune().wait(progress=False)
    monkeypatch.chdir(tmp_path)
    for words, name in (
        ([], "job_01.json"),
        (["--format", "peft"], "job_01-peft.zip"),
        (["--out", "p.safetensors"], "p.safetensors"),
        (["--format", "vllm", "--out", tmp_path / "p.bin"], str(tmp_path / "p.bin")),
    ):
        said = run(job.id, *words)
        assert (said.exit_code, said.stdout) == (0, f"{name}\n"), said.output
        assert (tmp_path / name).exists()
    assert asked == ["json", "peft", "safetensors", "vllm"]
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["job_01", "--format", "pickle"], 2, "no format 'pickle'; wanted one of json, text"),
        (["job_01", "--out", "p.pickle"], 2, "wanted one of"),
        (["job_01", "--format", "text"], 1, "a soft prompt has no text"),
        (["job_99"], 1, "no job job_99"),
    ],
)
def test_what_cannot_be_exported(words, code, reason, client, tmp_path, monkeypatch):
    client.tune().wait(progress=False)
    monkeypatch.chdir(tmp_path)
    said = run(*words)
    assert said.exit_code == code
    assert reason in " ".join(said.output.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", calls.ENDINGS)
@pytest.mark.parametrize("job_id", ["../../etc/passwd", "a/b\\c", "..", "x\0y", "job_01\n", "C:d"])
def test_a_name_stays_in_its_folder(job_id, format, tmp_path):
    name = calls.file_name(job_id, format)
    file = tmp_path / name
    file.touch()
    assert file.resolve().parent == tmp_path.resolve()
    assert name.isprintable() and not set(name) & set('/\\:*?"<>|')


def test_a_prompt_tells_how_it_is_applied():
    member = {"template": "{text} is {label}", "words": ["bad"], "weight": 0.5}
    told = {"kind": "ensemble", "model": "m", "members": [member], "position": "there"}
    prompt = types.Prompt.model_validate(told)
    assert (prompt.members, prompt.model, prompt.position) == ([member], "m", "there")
