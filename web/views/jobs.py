"""One job and its report."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from web import examples, reading
from web.asking import NotTold, ask
from web.reading import Reading
from web.rendering import Renderer
from web.report_facts import SPENT

Object = Mapping[str, Any]  # an object of the API, as its JSON says it

AGAIN = 5000  # ms: what no event tells, such as a runner that has died, is seen by then
STEPS, CANDIDATES, CHANGED = 20, 20, 10  # shown
ENTRIES = "50"  # of the log that are shown
A_PAGE = "1000"  # of a list that is wanted whole


def add(router: APIRouter, render: Renderer) -> None:
    @router.get("/jobs/{job_id}")
    async def job(request: Request, job_id: str) -> HTMLResponse:
        path = f"/api/jobs/{job_id}"
        page = await _read(request, await ask(request, path), with_report=True)
        values = {
            "page": page,
            "examples": examples.changed(page.report, page.frame, CHANGED) if page.report else [],
            "cap": CHANGED,
            "spent_heads": SPENT,
            "refresh": None if page.ended else AGAIN,
            "curl": page.curl(
                str(request.base_url).rstrip("/"), locked="authorization" in request.headers
            ),
            **await _search(request, path, page),
            **await _log(request, path),
        }
        return render(request, "job.html", job_id=job_id, **values)

    @router.get("/jobs/{job_id}/report")
    async def report(request: Request, job_id: str) -> HTMLResponse:
        path = f"/api/jobs/{job_id}"
        told = await ask(request, f"{path}/report")
        page = await _read(request, await ask(request, path), report=told)
        rows = examples.changed(told, page.frame)
        values = {"page": page, "examples": rows, "spent_heads": SPENT}
        return render(request, "report.html", job_id=job_id, **values)


async def _read(
    request: Request, job: Object, *, report: Object | None = None, with_report: bool = False
) -> Reading:
    """The job and what is around it."""
    spec, result = job["spec"], job["result"] or {}
    if with_report and "tuned" in result:
        report = await _part(request, f"/api/jobs/{job['id']}/report")
    health = await _part(request, "/healthz") if job["status"] == "queued" else None
    return Reading(
        job,
        dataset=await _part(request, f"/api/datasets/{spec['dataset']}"),
        endpoint=await _part(request, f"/api/endpoints/{spec['endpoint']}"),
        report=report,
        runners=sum(runner["alive"] for runner in health["runners"]) if health else None,
    )


async def _search(request: Request, path: str, page: Reading) -> dict[str, Any]:
    """How the search went, and what its prompt is called."""
    job = page.job
    if not job["incumbent"]:
        nothing: list[Any] = []
        return {"steps": nothing, "n_incumbents": 0, "candidates": [], "names": [], "shares": []}
    incumbents = await _whole(request, f"{path}/incumbents")
    candidates = await ask(request, f"{path}/candidates", limit=str(CANDIDATES))
    names = await ask(request, "/api/prompts")
    shares = None
    if job["spec"]["method"].get("allocator"):
        shares = await ask(request, f"{path}/allocation")
    return {
        "steps": reading.history(incumbents, job["baseline"], STEPS),
        "n_incumbents": len(incumbents),
        "candidates": candidates["data"],
        "names": [one for one in names["data"] if one["job"] == job["id"]],
        "shares": examples.shared_out(shares["data"], page.frame) if shares else [],
        "shares_of": shares and shares["generation"],
    }


async def _log(request: Request, path: str) -> dict[str, Any]:
    """The last entries, the newest first, and the number of the last event."""
    log = (await ask(request, f"{path}/log", last=ENTRIES))["data"][::-1]
    return {"log": log, "last_event": log[0]["id"] if log else 0}


async def _part(request: Request, path: str) -> Any:
    """What a page can do without; None: it is not told."""
    try:
        return await ask(request, path)
    except NotTold:
        return None


async def _whole(request: Request, path: str) -> list[Object]:
    """All of a list of generations."""
    found: list[Object] = []
    more = True
    while more:
        after = str(found[-1]["number"] if found else 0)
        page = await ask(request, path, after=after, limit=A_PAGE)
        found += page["data"]
        more = page["has_more"]
    return found
