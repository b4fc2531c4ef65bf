"""Runners forked from a process that has imported what they import: a start takes no seconds.

Each is a process of its own on the real database, and can be killed. The service that would
start it again is played by `Fork.kill`; tests of the service's own runners are in test_service.
"""

import multiprocessing
import os
import secrets
import sys
from pathlib import Path
from unittest import mock

import psutil

from jobs.database import Database
from jobs.queue import JobQueue
from jobs.supervisor import DATABASE_VARIABLE, EXACT

IMPORTED = [
    "jobs.__main__",
    "backends.encoder",
    "cma",
    "nevergrad",
    "scipy.stats",
    "transformers.models.auto",
    "transformers.models.bert.modeling_bert",
]


class Fork:
    """One runner after the other on the database of a service that has none of its own."""

    def __init__(self, database: Path) -> None:
        self._url = f"sqlite:///{database}"
        self._queue = JobQueue(Database(self._url))
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(IMPORTED)
        self.start()

    def start(self) -> None:
        self._name = f"runner-{secrets.token_hex(4)}"
        # daemon: it ends with this process, whatever happens
        self._process = self._context.Process(
            target=_run, args=(self._url, self._name), daemon=True
        )
        with mock.patch.dict(os.environ, EXACT):  # of the process that is forked, too
            self._process.start()

    def suspend(self) -> None:
        """Nothing that it does goes on."""
        psutil.Process(self._process.pid).suspend()

    def kill(self) -> None:
        """`kill -9`; its job goes back into the queue, as the service sees to, for the next one."""
        self._process.kill()
        self._process.join()
        self._queue.release(self._name, crashed=True)
        self.start()

    def close(self) -> None:
        self._process.kill()
        self._process.join()


def _run(url: str, name: str) -> None:
    """`python -m jobs --name NAME`, in a process that is there already."""
    os.environ |= {**EXACT, DATABASE_VARIABLE: url}
    sys.argv = ["jobs", "--name", name]
    from jobs.__main__ import main

    main()
