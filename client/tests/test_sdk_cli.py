"""The command line, in this process and once as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gradless import cli, serve

COMMANDS = ["serve", "tune", "jobs", "watch", "pause", "resume", "clone", "delete", "predict"]
COMMANDS += ["export", "report", "datasets", "endpoints"]
CLIENT = Path(__file__).parent.parent


def run(*words, **more):
    return CliRunner().invoke(cli.app, [str(word) for word in words], **more)


def process(*words, folder, **env):
    command = [sys.executable, "-m", "gradless.cli", *map(str, words)]
    known = os.environ | {"PYTHONPATH": str(CLIENT)} | env
    return subprocess.run(
        command, cwd=folder, env=known, capture_output=True, text=True, timeout=30
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_with_an_example(command):
    said = run(command, "--help")
    assert said.exit_code == 0
    assert f"  gradless {command}" in said.output


def test_help_and_version():
    assert all(command in run("--help").output for command in COMMANDS)
    assert run("--version").output == "gradless 0.1.0\n"


def test_tune_prints_the_comparison(url):
    said = run("tune", "--preset", "fast", "--budget", 4000, "--set", "intrinsic_dim=9")
    assert (said.exit_code, "\x1b" in said.output) == (0, False)
    words = " ".join(said.stdout.split())
    assert "baseline 0.700 0.630 to 0.760 200" in words
    assert "tuned 0.850 0.790 to 0.890 200" in words
    assert "outcome improved: The tuned prompt is better." in words
    assert "p-value 0.0004" in words
    assert "queries 4,000 time 1 min 15 s" in words
    assert f"dashboard {url}/jobs/job_01" in words
    assert "job_01 queued" in " ".join(said.stderr.split())


def test_tune_lays_options_over_a_file(url, world, tmp_path):
    file = tmp_path / "job.json"
    spec = {"dataset": "mine", "method": {"name": "bbtv2", "preset": "paper"}, "task": {"t": 1}}
    file.write_text(json.dumps(spec))
    options = ["--preset", "fast", "--baseline", "Topic:", "--seed", 0, "--detach"]
    said = run("tune", "--spec", file, *options)
    assert said.stdout.splitlines()[1] == f"{url}/jobs/job_01"
    assert world.jobs["job_01"]["spec"] == {
        "dataset": "mine",
        "endpoint": "minilm",
        "method": {"name": "bbtv2", "preset": "fast"},
        "budget": {"queries": 50_000},
        "task": {"t": 1, "baseline": "Topic:"},
        "seed": 0,
    }


def test_tune_speaks_json(url):
    assert json.loads(run("tune", "--json").stdout)["result"]["p_value"] == 0.0004
    assert json.loads(run("tune", "--json", "--detach").stdout)["status"] == "queued"


def test_a_failed_job_exits_with_1(url, tmp_path):
    file = tmp_path / "job.json"
    file.write_text('{"metadata": {"end": "failed"}}')
    said = run("tune", "--spec", file)
    assert said.exit_code == 1
    assert "error: job_01 failed: the model is gone" in said.stderr
    assert "job_01 failed" in " ".join(said.stdout.split())


def test_jobs_are_a_table_or_json(client, world):
    assert "no jobs yet" in run("jobs").output
    client.tune(name="[red]\x1b[31mmine")
    client.tune().wait(progress=False)
    said = run("jobs")
    rows = [line.split() for line in said.stdout.splitlines() if line.strip().startswith("job_")]
    assert rows[0] == ["job_02", "succeeded", "shift", "minilm", "tickets", "4,000", "0.900"]
    assert rows[1][-2:] == ["-", "[red]\ufffd[31mmine"]
    assert [job["id"] for job in json.loads(run("jobs", "--json", "--limit", 1).stdout)] == [
        "job_02"
    ]
    assert "job_02" not in run("jobs", "--status", "queued").output


def test_watch_follows_to_the_end(client, world):
    job = client.tune()
    said = run("watch", job.id)
    assert (said.exit_code, "succeeded" in said.stdout) == (0, True)
    world.silent = True
    said = run("watch", client.tune().id, "--timeout", 0.1)
    assert (said.exit_code, "it goes on" in said.stderr) == (1, True)


def test_predict_from_words_and_lines(client):
    job = client.tune()
    assert run("predict", job.id, "a b", "c").stdout == "A\t0.900\ta b\nA\t0.900\tc\n"
    assert (
        run("predict", job.id, "-", input="one\n\ntwo\n").stdout == "A\t0.900\tone\nA\t0.900\ttwo\n"
    )
    assert [said["label"] for said in json.loads(run("predict", job.id, "x", "--json").stdout)] == [
        "A"
    ]


def test_many_lines_are_sent_in_parts(client, world):
    lines = "".join(f"line {number}\n" for number in range(250))
    said = run("predict", client.tune().id, "-", input=lines)
    assert len(said.stdout.splitlines()) == 250
    assert len(world.asked("POST", "/predict")) == 3


def test_service_errors_exit_with_1(url, dead_url):
    said = run("watch", "job_99")
    assert (said.exit_code, said.stderr) == (1, "error: no job job_99 [404 unknown_job]\n")
    said = run("jobs", "--url", dead_url)
    assert (said.exit_code, "gradless serve" in said.stderr) == (1, True)


MISUSES = [
    ("tune", "--dataset", "nowhere.csv"),
    ("tune", "--spec", "nowhere.json"),
    ("tune", "--set", "x"),
    ("tune", "--budget", "much"),
    ("jobs", "--url", "nowhere"),
    ("predict", "job_01"),
    ("predict", "job_01", " "),
    ("fly",),
]


@pytest.mark.parametrize("words", MISUSES)
def test_misuse_exits_with_2(url, words):
    assert run(*words).exit_code == 2


def test_a_real_process(url, tmp_path):
    said = process("tune", "--url", url, folder=tmp_path)
    assert (said.returncode, "improved" in said.stdout) == (0, True)
    assert "\x1b" not in said.stdout + said.stderr


def test_serve_without_the_service(tmp_path, monkeypatch):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").touch()  # somebody else's app
    (tmp_path / "app" / "__main__.py").touch()
    said = process("serve", folder=tmp_path)
    assert (said.returncode, "make serve" in said.stderr) == (1, True)


def fake_service(folder):
    for part in serve.PARTS:
        (folder / part).mkdir(parents=True)
        (folder / part / "__init__.py").touch()
    (folder / "app" / "__main__.py").write_text("import os, sys; print(os.getpid(), sys.argv[1:])")


def test_serve_becomes_the_service(tmp_path):
    fake_service(tmp_path)
    command = [sys.executable, "-m", "gradless.cli", "serve", "--port", "8123", "--data", "d"]
    env = os.environ | {"PYTHONPATH": str(CLIENT)}
    with subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE) as started:
        said = started.communicate(timeout=30)[0].decode()
    wanted = ["--host", "127.0.0.1", "--port", "8123", "--data", "d"]
    assert said.strip() == f"{started.pid} {wanted}"


def test_serve_prefers_an_installed_service_to_a_stranger(tmp_path, monkeypatch):
    fake_service(tmp_path / "site")
    (tmp_path / "here" / "app").mkdir(parents=True)
    (tmp_path / "here" / "app" / "__init__.py").touch()
    path = os.pathsep.join([str(CLIENT), str(tmp_path / "site")])
    command = [sys.executable, "-P", "-m", "gradless.cli", "serve"]
    env = os.environ | {"PYTHONPATH": path}
    said = subprocess.run(command, cwd=tmp_path / "here", env=env, capture_output=True, text=True)
    assert "['--host', '127.0.0.1', '--port', '8000']" in said.stdout
