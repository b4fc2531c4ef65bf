"""Starting the service from the command line, if it is here. The service is another program."""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import NoReturn

# An `app` folder is nothing rare: only these together, side by side, are the service.
PARTS = ("app", "backends", "jobs", "optimizers")
MISSING = (
    "the service is not here: this is only its client. Get the service's checkout, and there run\n"
    "  make serve\n"
    "or say where a running one is, with --url or GRADLESS_URL."
)


def command(host: str, port: int, data: Path | None) -> list[str] | None:
    """Return the command that starts the service, or None if the service is not here.

    The working directory goes first, as with `python -m`. A service found in the installation is
    started with -P, so that some other `app` in the working directory is not run in its place.
    """
    if _is_service(_beside(Path.cwd())):
        start = [sys.executable, "-m", "app"]
    elif _is_service(_installed()):
        start = [sys.executable, "-P", "-m", "app"]
    else:
        return None
    kept = [] if data is None else ["--data", str(data)]
    return [*start, "--host", host, "--port", str(port), *kept]


def replace_process(command: list[str]) -> NoReturn:
    """Become the service, so that signals reach it without a parent in between."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(command[0], command)  # noqa: S606 - our own interpreter, no shell


def _beside(folder: Path) -> list[ModuleSpec | None]:
    return [PathFinder.find_spec(part, [str(folder)]) for part in PARTS]


def _installed() -> list[ModuleSpec | None]:
    return [importlib.util.find_spec(part) for part in PARTS]


def _is_service(specs: list[ModuleSpec | None]) -> bool:
    folders = [_folder(spec) for spec in specs]
    parents = {folder.parent for folder in folders if folder}
    app = folders[0]
    return None not in folders and len(parents) == 1 and app is not None and _starts(app)


def _starts(app: Path) -> bool:
    return (app / "__main__.py").is_file()


def _folder(spec: ModuleSpec | None) -> Path | None:
    return Path(spec.origin).parent if spec and spec.origin else None
