"""`python -m app doctor`: is everything there that the service needs, and if not, what to do.

Changes nothing. API endpoints are only connected to; `--probe` asks each about 20 short requests.
"""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

from app.settings import Settings
from backends.base import BackendError
from backends.registry import UnknownBackend, find
from jobs import backups, schema
from jobs.backups import BadBackup
from jobs.catalog import BUILT_IN_MODELS, Catalog
from jobs.database import Database
from jobs.endpoints import probed
from jobs.models import EndpointRow
from jobs.posting import NoAnswer, reach
from jobs.report import versions

LITTLE, TOO_LITTLE = 2 * 10**9, 2 * 10**8  # bytes free on the disk
SECONDS = 5.0  # until a server must have taken the connection
LOCAL = "install the extra: pip install 'gradless-service[local]'"


class Finding(NamedTuple):
    """One thing looked at; `todo` is for people, empty where all is well."""

    level: Literal["ok", "warning", "problem"]
    subject: str
    message: str
    todo: str = ""

    def __str__(self) -> str:
        line = f"{self.level:8} {self.subject}: {self.message}"
        return f"{line}\n         -> {self.todo}" if self.todo else line


def examine(settings: Settings, *, probe: bool) -> Iterator[Finding]:
    """Findings, one after the other."""
    yield _versions()
    yield _disk(settings.data)
    database = _database(settings)
    yield database
    if database.level == "ok" and _exists(settings):
        yield from _endpoints(settings, probe)


def run(settings: Settings, *, probe: bool, say: Callable[[str], None]) -> int:
    """Tells every finding; the exit status: 1 if there is a problem, else 0."""
    os.environ["GRADLESS_PRIVATE_HOSTS"] = str(settings.may_ask_private_hosts)
    levels = []
    for finding in examine(settings, probe=probe):
        say(str(finding))
        levels.append(finding.level)
    return int("problem" in levels)


def _versions() -> Finding:
    found = ", ".join(f"{name} {version or 'missing'}" for name, version in versions().items())
    if find_spec("torch") is None:
        return Finding("warning", "versions", f"{found}: only APIs can be tuned for", LOCAL)
    return Finding("ok", "versions", found)


def _disk(folder: Path) -> Finding:
    place = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
    if not os.access(place, os.W_OK):
        todo = "give the user that the service runs as the right to write there, or set --data"
        return Finding("problem", "disk", f"{place} cannot be written to", todo)
    free = shutil.disk_usage(place).free
    message = f"{free / 1e9:.1f} GB free at {place}"
    if free >= LITTLE:
        return Finding("ok", "disk", message)
    todo = "make room; GRADLESS_KEEP_ANSWERS_DAYS lets go of old answers"
    return Finding("problem" if free < TOO_LITTLE else "warning", "disk", message, todo)


def _exists(settings: Settings) -> bool:
    try:
        return backups.database_file(settings.database).is_file()
    except BadBackup:
        return True  # a server's


def _database(settings: Settings) -> Finding:
    try:
        file = backups.database_file(settings.database)
    except BadBackup:
        return Finding("ok", "database", "not a file; what its server says was not asked")
    if not file.is_file():
        return Finding("ok", "database", f"{file} will be made at the first start")
    try:
        revision = backups.check(file)
    except schema.TooNew as error:
        return Finding("problem", "database", str(error), "start the newer Gradless")
    except BadBackup as error:
        todo = f"python -m app restore BACKUP; or move {file} away to begin anew"
        return Finding("problem", "database", str(error), todo)
    if not _is_writable(settings.database):
        todo = f"give the user that the service runs as the right to write {file}"
        return Finding("problem", "database", f"{file} cannot be written to", todo)
    if revision != (newest := schema.revisions()[0]):
        message = f"{file} is at revision {revision}, the newest is {newest}"
        todo = "start the service: it is brought up, with a copy of it as it was beside it"
        return Finding("warning", "database", message, todo)
    return Finding("ok", "database", f"{file} is sound, at revision {revision}")


def _is_writable(url: str) -> bool:
    database = Database(url)
    try:
        return database.is_writable()
    finally:
        database.close()


def _endpoints(settings: Settings, probe: bool) -> Iterator[Finding]:
    database = Database(settings.database)
    try:
        rows = Catalog(database).endpoints()
    finally:
        database.close()
    for row in rows:
        yield _endpoint(row, probe)


def _endpoint(row: EndpointRow, probe: bool) -> Finding:
    subject = f"endpoint {row.id}"
    try:
        kind = find(row.kind)
    except UnknownBackend as error:
        return Finding("problem", subject, str(error), "remove the endpoint and add it again")
    if not kind.probe:
        return _local(subject, row)
    variable = row.options.get("key_variable")
    if variable and not os.environ.get(variable):
        todo = "set it where the service runs, and start the service again"
        return Finding("problem", subject, f"the variable {variable} is not set", todo)
    try:
        for url in row.options["base_url"].split(","):
            asyncio.run(reach(url.strip(), SECONDS))
        if probe:
            probed(row.kind, row.model, row.options)
    except (NoAnswer, BackendError) as error:
        todo = "start its server, or correct its address; its jobs wait until it answers"
        return Finding("problem", subject, str(error), todo)
    return Finding("ok", subject, f"answers as {row.model!r}" if probe else "can be connected to")


def _local(subject: str, row: EndpointRow) -> Finding:
    if find_spec("torch") is None:
        level: Literal["warning", "problem"] = "warning" if row.built_in else "problem"
        return Finding(level, subject, "local models need torch, which is not installed", LOCAL)
    if row.model in BUILT_IN_MODELS:
        return Finding("ok", subject, f"the built-in model {row.model}")
    if not Path(row.model).is_dir():
        todo = "put the model back, or remove the endpoint"
        return Finding("problem", subject, f"the folder {row.model} is not there", todo)
    return Finding("ok", subject, f"the model in {row.model}")
