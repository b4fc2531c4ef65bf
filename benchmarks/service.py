"""A real service as a child process, for benchmarks that ask it over HTTP."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

ROOT = Path(__file__).parents[1]
START_WITHIN = 60.0  # seconds


@dataclass(frozen=True)
class Service:
    """A real one, as its clients and its machine see it."""

    url: str
    http: httpx.Client
    process: Any  # psutil.Process
    log: Path


@contextmanager
def serving(folder: Path, runners: int) -> Iterator[Service]:
    """`python -m app` on an empty folder, until the `with` ends."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log, url = folder / "service.log", f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "app", "--port", str(port), "--data", str(folder)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GRADLESS_")}
    settings = {"GRADLESS_RUNNERS": str(runners), "GRADLESS_THREADS": "1"}
    environment = {**kept, **settings, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    with (
        log.open("wb") as out,
        subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out) as child,
        httpx.Client(base_url=url, timeout=60, trust_env=False) as http,
    ):
        try:
            _await(http, child, log)
            yield Service(url, http, psutil.Process(child.pid), log)
        finally:
            child.send_signal(signal.SIGTERM)


def _await(http: httpx.Client, child: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_WITHIN
    while True:
        try:
            http.get("/readyz").raise_for_status()
            return
        except httpx.HTTPError:
            if child.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"the service did not start:\n{log.read_text()}")
            time.sleep(0.1)
