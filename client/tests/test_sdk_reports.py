"""Reports as files: which format is asked for, and where it is written."""

from __future__ import annotations

import asyncio
import json

import pytest
from typer.testing import CliRunner

import gradless
from gradless import cli


@pytest.fixture
def job(client):
    return client.tune().wait(progress=False)


def run(*words):
    return CliRunner().invoke(cli.app, ["report", *map(str, words)])


@pytest.mark.parametrize(
    ("name", "format", "written"),
    [
        ("r.html", None, "report in html"),
        ("r.MD", None, "report in markdown"),
        ("r.txt", "markdown", "report in markdown"),
        ("r.html", "markdown", "report in markdown"),
    ],
)
def test_the_format_is_the_one_named_or_that_of_the_ending(name, format, written, job, tmp_path):
    assert job.save_report(str(tmp_path / name), format) == tmp_path / name
    assert (tmp_path / name).read_text() == written


def test_json_is_what_the_service_has_said(job, tmp_path):
    kept = json.loads(job.save_report(tmp_path / "r.json").read_text())
    assert gradless.Report.model_validate(kept) == job.report()


@pytest.mark.parametrize(
    ("name", "format", "error", "reason"),
    [
        ("r.pdf", None, ValueError, "wanted one of .json, .md, .html"),
        ("r.html", "pdf", gradless.Invalid, "no such format"),
    ],
)
def test_a_refused_format_leaves_no_file(name, format, error, reason, job, tmp_path):
    with pytest.raises(error, match=reason):
        job.save_report(tmp_path / name, format)
    assert list(tmp_path.iterdir()) == []


def test_there_is_none_before_the_end(client, tmp_path):
    with pytest.raises(gradless.Conflict, match="no report before the end"):
        client.tune().save_report(tmp_path / "r.html")
    assert list(tmp_path.iterdir()) == []


def test_the_async_twin_writes_one_too(url, tmp_path):
    async def journey():
        async with gradless.AsyncClient() as client:
            job = await (await client.tune()).wait(progress=False)
            return await job.save_report(tmp_path / "r.html")

    assert asyncio.run(journey()).read_text() == "report in html"


def test_the_command_names_the_file_after_the_job(job, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words, name, written in (
        ([], "job_01-report.html", "report in html"),
        (["--format", "markdown"], "job_01-report.md", "report in markdown"),
        (["--out", "r.md"], "r.md", "report in markdown"),
        (["--format", "html", "-o", tmp_path / "r"], str(tmp_path / "r"), "report in html"),
    ):
        said = run(job.id, *words)
        assert (said.exit_code, said.stdout) == (0, f"{name}\n"), said.output
        assert (tmp_path / name).read_text() == written
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["job_01", "--format", "pdf"], 2, "no format 'pdf'; wanted one of json, markdown, html"),
        (["job_01", "-o", "r.pdf"], 2, "wanted one of .json, .md, .html"),
        (["job_99"], 1, "no job job_99"),
    ],
)
def test_what_cannot_be_written(words, code, reason, job, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = run(*words)
    assert said.exit_code == code
    assert reason in " ".join(said.output.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []
