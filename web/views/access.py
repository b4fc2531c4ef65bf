"""Keys, projects, and who asked for which change."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from web.asking import NotTold, ask
from web.rendering import Renderer

Object = Mapping[str, Any]

ENTRIES = 50  # of the audit log on one page
ROLES = {
    "read": "looks at everything of the project, changes nothing",
    "write": "uploads, tunes and names prompts as well",
    "admin": "makes and revokes keys and reads the audit log as well",
}


def add(router: APIRouter, render: Renderer) -> None:
    @router.get("/keys")
    async def access(request: Request, after: str = "") -> HTMLResponse:
        seen = {"after": after} if after else {}
        keys, refusal = await _allowed(request, "/api/keys")
        projects, _ = await _allowed(request, "/api/projects")
        log, _ = await _allowed(request, "/api/audit", limit=str(ENTRIES), **seen)
        values = {
            "refusal": refusal,
            "keys": keys and [key_line(key, datetime.now(UTC)) for key in keys["data"]],
            "projects": projects and projects["data"],
            "entries": log and audit_lines(log["data"], keys["data"] if keys else []),
            "has_more": bool(log and log["has_more"]),
            "is_open": "authorization" not in request.headers,
        }
        return render(request, "access.html", roles=ROLES, after=after, **values)


async def _allowed(request: Request, path: str, **query: str) -> tuple[Object | None, str]:
    """What the API tells; or, where the reader's role does not reach, its sentence about that."""
    try:
        return await ask(request, path, **query), ""
    except NotTold as refusal:
        if refusal.status != HTTPStatus.FORBIDDEN:
            raise
        return None, str(refusal)


def key_line(key: Object, now: datetime) -> dict[str, Any]:
    """A key, and whether its time is over."""
    ends = key["expires_at"]
    return {**key, "expired": ends is not None and datetime.fromisoformat(ends) <= now}


def audit_lines(entries: Sequence[Object], keys: Sequence[Object]) -> list[dict[str, Any]]:
    """Entries with the names of the keys that are still there, and with how they ended in words."""
    names = {key["id"]: key["name"] for key in keys}
    return [
        {
            **entry,
            "name": names.get(entry["who"]),
            "answer": f"{entry['status']} {_phrase(entry['status'])}".rstrip(),
        }
        for entry in entries
    ]


def _phrase(status: int) -> str:
    """What a status means, as HTTP says it."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
