"""Who asks, for which project, and what that needs. No route, no answer."""

import base64
import hmac
import re
from dataclasses import dataclass, replace

from anyio import to_thread
from starlette.datastructures import Headers

from app.settings import Settings
from jobs.database import Database
from jobs.keys import PREFIX, Locksmith, Role
from jobs.models import DEFAULT, SHARED
from jobs.projects import NoSuchProject, Projects

PROJECT = "x-gradless-project"
SAFE = ("GET", "HEAD", "OPTIONS")  # verbs that change nothing
FOR_OPERATORS = re.compile(r"/(api/projects|metrics)(/|$)")
FOR_ADMINS = re.compile(r"/api/(keys|audit)(/|$)")


@dataclass(frozen=True)
class Caller:
    """Whoever sends a request."""

    who: str  # a key's id, "admin key", "loopback" or "nobody"
    role: Role
    project: str = DEFAULT
    requests_per_minute: int | None = None  # None: no limit
    key: str | None = None  # id of the stored key that it came with, which may be deleted


NOBODY = Caller("nobody", Role.READ, SHARED)  # where no key is needed; sees what all projects share


class Access:
    """Credentials to callers."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._key = settings.api_key.get_secret_value()
        self._locksmith, self._projects = Locksmith(database), Projects(database)

    async def caller(self, headers: Headers) -> Caller | None:
        """None: the request needs a key and has none, or not a right one.

        Raises:
            NoSuchProject: it names a project that is not the caller's.
        """
        caller = await self._known(_given_key(headers.get("authorization", "")))
        wanted = headers.get(PROJECT)
        if caller is None or wanted in (None, caller.project):
            return caller
        if caller.role != Role.OPERATOR or not await to_thread.run_sync(self._projects.has, wanted):
            raise NoSuchProject(wanted)
        return replace(caller, project=wanted)

    async def _known(self, given: str) -> Caller | None:
        if self._key and hmac.compare_digest(given.encode(), self._key.encode()):
            return Caller("admin key", Role.OPERATOR)
        if given.startswith(PREFIX):  # also on loopback: a deleted key is not nobody's
            row = await to_thread.run_sync(self._locksmith.check, given)
            if row is None:
                return None
            most = row.requests_per_minute
            return Caller(row.id, Role(row.role), row.project, most, key=row.id)
        return None if self._key else Caller("loopback", Role.OPERATOR)


def needed(verb: str, path: str) -> Role:
    """The least role that may send this."""
    if FOR_OPERATORS.match(path):
        return Role.OPERATOR
    if FOR_ADMINS.match(path):
        return Role.ADMIN
    return Role.READ if verb in SAFE else Role.WRITE


def _given_key(authorization: str) -> str:
    """The key of a program (Bearer), or of a person's browser (Basic: any name, it as password)."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return credentials
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
    except ValueError:  # not base64, or not UTF-8
        return ""
