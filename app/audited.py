"""What the audit log says of a request: who, what and how it ended. No body, no secret."""

import json
import logging

from anyio import to_thread
from starlette.types import Message, Scope

from app.access import SAFE, Caller
from jobs.access_rows import AuditRow
from jobs.audit import Audit
from jobs.database import Database

LARGEST = 1_000_000  # bytes of an answer that is looked at for an id
LONGEST = 200  # characters of a verb or an id in the log
logger = logging.getLogger(__name__)


class Auditor:
    """Writes down every request that is to change something, before its answer has ended."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, scope: Scope, caller: Caller, status: int, answer: Message) -> None:
        if scope["method"] in SAFE:
            return
        row = AuditRow(
            who=caller.who,
            verb=scope["method"][:LONGEST],
            route=getattr(scope.get("route"), "path", ""),
            object_id=_object_id(scope, status, answer.get("body", b""))[:LONGEST],
            status=status,
            request_id=scope["state"]["request_id"],
        )
        log = Audit(self._database.of(caller.project))
        try:
            await to_thread.run_sync(log.add, row)
        except Exception:  # it is done: to say that it failed would be worse
            logger.exception("audit: request %s was not written down", row.request_id)


def _object_id(scope: Scope, status: int, body: bytes) -> str:
    """What the path names; else the id, or the name, of what was made."""
    if named := scope.get("path_params"):
        return "/".join(map(str, named.values()))
    if not 200 <= status < 300 or not 0 < len(body) <= LARGEST:
        return ""
    try:
        made = json.loads(body)
    except ValueError:  # a stream, say
        return ""
    return str(made.get("id") or made.get("name", "")) if isinstance(made, dict) else ""
