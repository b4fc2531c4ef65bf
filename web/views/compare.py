"""Several jobs beside each other: an address names them, so that it can be kept and sent."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from web.asking import NotTold, ask
from web.compared import titles
from web.formats import DASH, measured, sentence
from web.plotting import THEMES
from web.rendering import Renderer

Object = Mapping[str, Any]  # an object of the API, as its JSON says it

GOING = ("running", "queued", "paused")
BUSY = 2000  # ms between two looks while one of the jobs goes on
OFFERED = "20"  # jobs to pick from
AXES = {"queries": "queries", "tokens": "tokens", "cost": "cost", "seconds": "time"}


def add(router: APIRouter, render: Renderer) -> None:
    @router.get("/compare")
    async def compare(
        request: Request,
        jobs: Annotated[Sequence[str], Query()] = (),
        axis: str = "queries",
    ) -> HTMLResponse:
        ids = picked(jobs)
        status = 200
        values: dict[str, Any] = {"refused": "", "picked": ids, "told": None, "refresh": None}
        try:
            if ids:
                comparison = await ask(request, "/api/compare", jobs=",".join(ids))
                values |= {"told": told(comparison, axis), "refresh": refresh(comparison)}
        except NotTold as why:
            status, values["refused"] = why.status, str(why)
        recent = await ask(request, "/api/jobs", limit=OFFERED)
        return render(request, "compare.html", status, recent=recent, **values)


def picked(jobs: Sequence[str]) -> list[str]:
    """Ids out of `jobs=a&jobs=b,c`, in their order."""
    return [id_ for each in jobs for id_ in map(str.strip, each.split(",")) if id_]


def refresh(comparison: Object) -> int | None:
    """None: all jobs have ended, and nothing changes any more."""
    return BUSY if any(job["status"] in GOING for job in comparison["jobs"]) else None


def told(comparison: Object, axis: str) -> dict[str, Any]:
    """What the page says."""
    jobs = comparison["jobs"]
    ids = [job["id"] for job in jobs]
    names = dict(zip(ids, titles(jobs), strict=True))
    axis = axis if axis in AXES else "queries"
    settings = [(each["name"], [*map(written, each["values"])]) for each in comparison["settings"]]
    alike = {each["name"] for each in comparison["settings"] if each["same"]}
    return {
        "jobs": [
            {**job, "title": names[id_], "pen": pen(n), "without": without(id_, ids)}
            for n, (id_, job) in enumerate(zip(ids, jobs, strict=True))
        ],
        "tests": [
            {**test, "first": names[test["first"]], "second": names[test["second"]]}
            for test in comparison["tests"]
        ],
        "tested": sum("p_value" in test for test in comparison["tests"]),
        "differ": [row for row in settings if row[0] not in alike],
        "alike": [(name, values[0]) for name, values in settings if name in alike],
        "axes": [(name, said, address(ids, name)) for name, said in AXES.items()],
        "axis": axis,
        "measure": measure(jobs),
        "figures": f"jobs={','.join(ids)}&axis={axis}",
        "version": "-".join(f"{job['status']}{job['progress']['queries']}" for job in jobs),
        "paid": any(job["usage"]["tokens_in"] + job["usage"]["tokens_out"] for job in jobs),
    }


def measure(jobs: Sequence[Object]) -> str:
    """What the shares of the jobs are means of, if they agree in it."""
    found = {job["metric"] for job in jobs}
    return sentence(measured(found.pop())) if len(found) == 1 else "Score"


def address(ids: Sequence[str], axis: str = "queries") -> str:
    """Of the page that shows these jobs."""
    more = {"axis": axis} if axis != "queries" else {}
    return f"/compare?{urlencode({'jobs': ','.join(ids), **more}, safe=',')}"


def without(id_: str, ids: Sequence[str]) -> str:
    """The address of the others, if two or more are left; empty: there are too few."""
    others = [each for each in ids if each != id_]
    return address(others) if len(others) > 1 else ""


def pen(n: int) -> str:
    """The color of the nth job's curve, as CSS."""
    return f"light-dark({THEMES['light'].series[n]}, {THEMES['dark'].series[n]})"


def written(value: Any) -> str:
    """A setting as text: words as they are, the rest as JSON."""
    if value is None:
        return DASH
    return (value or "(empty)") if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
