"""Starts the runners, starts them again when they die, and stops them. Runs no job itself."""

import logging
import os
import secrets
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from jobs.queue import JobQueue

logger = logging.getLogger(__name__)

LOOK = 0.2  # seconds between two looks at the runners
GRACE = 10.0  # seconds a runner has to hand its job back before it is killed
YOUNG = 2.0  # seconds; a runner that dies sooner is started again only after as long
ROOT = Path(__file__).parents[1]
DATABASE_VARIABLE = "GRADLESS_DATABASE_URL"  # not an argument: it may hold a password
EXACT = {"OPENBLAS_NUM_THREADS": "1"}  # CMA-ES in hundreds of dimensions depends on their number


@dataclass
class _Slot:
    """One runner's place; the process in it changes."""

    name: str
    process: subprocess.Popen[bytes]
    started: float = field(default_factory=time.monotonic)


class Supervisor:
    """Keeps `n_runners` processes of their own working on one database.

    They begin no job while `most_running` are under way, whoever runs them, and none of a project
    while `most_of_project` of its own are; 0: no limit.
    """

    def __init__(
        self,
        queue: JobQueue,
        database_url: str,
        n_runners: int,
        most_running: int = 0,
        most_of_project: int = 0,
    ) -> None:
        self._most_running, self._most_of_project = most_running, most_of_project
        self._queue, self._url, self._n_runners = queue, database_url, n_runners
        self._slots: list[_Slot] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        self._slots = [self._spawn() for _ in range(self._n_runners)]
        self._thread.start()

    def stop(self) -> None:
        """Every runner hands its job back within GRACE seconds, or is killed and loses it."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        for slot in self._slots:
            slot.process.terminate()
        deadline = time.monotonic() + GRACE
        for slot in self._slots:
            try:
                slot.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                slot.process.kill()
                slot.process.wait()
            self._queue.release(slot.name, crashed=False)

    def runners(self) -> list[tuple[str, int, bool]]:
        """Name, process id and whether it lives, of each runner."""
        return [(s.name, s.process.pid, s.process.poll() is None) for s in self._slots]

    def _watch(self) -> None:
        while not self._over.wait(LOOK):
            for number, slot in enumerate(self._slots):
                if slot.process.poll() is not None:
                    self._replace(number, slot)

    def _replace(self, number: int, slot: _Slot) -> None:
        """A new runner for a dead one, after a pause if it died young."""
        code = slot.process.returncode
        logger.error("runner %s ended with code %s; starting another", slot.name, code)
        self._queue.release(slot.name, crashed=code != 0)
        if time.monotonic() - slot.started < YOUNG:
            self._over.wait(YOUNG)
        if not self._over.is_set():
            self._slots[number] = self._spawn()

    def _spawn(self) -> _Slot:
        name = f"runner-{secrets.token_hex(4)}"
        command = [sys.executable, "-m", "jobs", "--name", name, "--parent", str(os.getpid())]
        command += ["--most-running", str(self._most_running)]
        command += ["--most-of-project", str(self._most_of_project)]
        environment = {**os.environ, **EXACT, DATABASE_VARIABLE: self._url}
        return _Slot(name, subprocess.Popen(command, cwd=ROOT, env=environment))  # noqa: S603
