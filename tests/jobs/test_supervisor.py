"""Real runner processes; the jobs they take fail before a model is needed."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from jobs import supervisor
from jobs.admission import admit
from jobs.models import Status
from jobs.spec import JobSpec
from jobs.supervisor import Supervisor
from tests.conftest import eventually
from tests.jobs.conftest import COLORS

ROOT = Path(__file__).parents[2]
START = 30.0  # seconds that a process may take to import what it needs


@pytest.fixture
def probe(store, catalog):
    """A job that any living runner ends at once: its endpoint does not exist."""
    admitted = admit(JobSpec.model_validate(COLORS), catalog)

    def ended():
        job = store.enqueue(admitted.model_copy(update={"endpoint": "gone"}))
        eventually(lambda: store.job(job.id).status == Status.FAILED, START)
        assert store.job(job.id).error["code"] == "NoSuchEndpoint"

    return ended


def gone(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_runners_are_kept_alive(database, queue, probe, monkeypatch):
    monkeypatch.setattr(supervisor, "YOUNG", 0.1)
    kept = Supervisor(queue, database.url, 1)
    kept.start()
    try:
        probe()
        ((name, pid, alive),) = kept.runners()
        assert alive
        psutil.Process(pid).kill()
        eventually(lambda: kept.runners()[0][1] != pid)
        ((new_name, new_pid, _),) = kept.runners()
        assert new_name != name and gone(pid)
        probe()
    finally:
        start = time.monotonic()
        kept.stop()
        assert time.monotonic() - start < 5
    assert gone(new_pid)
    assert [alive for _, _, alive in kept.runners()] == [False]


def test_runners_are_told_the_limits(database, queue):
    kept = Supervisor(queue, database.url, 1, 5, 3)
    kept.start()
    try:
        ((_, pid, _),) = kept.runners()
        told = psutil.Process(pid).cmdline()
        assert told[told.index("--most-running") + 1] == "5"
        assert told[told.index("--most-of-project") + 1] == "3"
    finally:
        kept.stop()


def test_a_dead_runner_s_job_is_free_at_once(database, queue, store, enqueue, monkeypatch):
    monkeypatch.setattr(Supervisor, "_spawn", lambda self: idle_slot())
    job = enqueue()
    kept = Supervisor(queue, database.url, 1)
    kept.start()
    try:
        ((name, pid, _),) = kept.runners()
        queue.claim(name)  # as if the process had
        psutil.Process(pid).kill()
        eventually(lambda: store.job(job.id).status == Status.QUEUED)
        assert store.job(job.id).crashes == 1
        queue.claim(kept.runners()[0][0])
    finally:
        kept.stop()
    stored = store.job(job.id)
    assert (stored.status, stored.crashes) == (Status.QUEUED, 1), "being stopped is no crash"


def idle_slot():
    idle = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
    return supervisor._Slot(f"idle-{time.monotonic()}", subprocess.Popen(idle))


def test_a_deaf_runner_is_killed(database, queue, monkeypatch):
    deaf = (
        "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(600)"
    )

    def spawn(self):
        process = subprocess.Popen([sys.executable, "-S", "-c", deaf], stdout=subprocess.PIPE)
        process.stdout.readline()  # it has closed its ears
        process.stdout.close()
        return supervisor._Slot("deaf", process)

    monkeypatch.setattr(Supervisor, "_spawn", spawn)
    monkeypatch.setattr(supervisor, "GRACE", 0.2)
    kept = Supervisor(queue, database.url, 1)
    kept.start()
    kept.stop()
    assert gone(kept.runners()[0][1])


def test_a_runner_ends_when_its_parent_has_gone(database, probe):
    orphan = f"{sys.executable} -m jobs --name orphan --parent $$"
    command = ["/bin/sh", "-c", f"{orphan} & echo $!; wait"]
    environment = {**os.environ, supervisor.DATABASE_VARIABLE: database.url}
    parent = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env=environment)
    runner = int(parent.stdout.readline())
    try:
        probe()
        assert not gone(runner)
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    try:
        eventually(lambda: gone(runner), 5.0)
    finally:
        with suppress(psutil.NoSuchProcess):
            psutil.Process(runner).kill()
