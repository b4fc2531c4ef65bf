"""What is going on now, and the list of all jobs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from web.asking import ask
from web.formats import NBSP, counted, money
from web.rendering import Renderer
from web.sparks import Spark, spark

Object = Mapping[str, Any]  # an object of the API, as its JSON says it

DEMO = {
    "endpoint": "minilm",
    "dataset": "tickets",
    "method": {"name": "shift", "preset": "fast"},
    "budget": {"queries": 40_000},
}
BUSY, CALM = 2000, 10_000  # ms between two looks: while a job goes on, and otherwise
GOING, ENDED = ("running", "queued", "paused"), ("succeeded", "failed", "cancelled")
MOST_RUNNING, MOST_WAITING, MOST_ENDED, ON_A_PAGE = 12, 5, 6, 20  # jobs that are shown
POINTS = 40  # of a spark line
QUEUE = 100  # the most that the API tells at once


@dataclass(frozen=True)
class Going:
    """A job that runs, and its curve."""

    job: Object
    spark: Spark | None


@dataclass(frozen=True)
class Ended:
    """A job that is over: what came of it, in words."""

    job: Object
    outcome: str
    kind: str  # fixed, broken, or empty where it is neither
    difference: float | None  # tuned - baseline on test, of 1
    result: Object | None  # None: nothing was measured on test


def add(router: APIRouter, render: Renderer) -> None:
    @router.get("/")
    async def home(request: Request) -> HTMLResponse:
        summary = await ask(request, "/api/summary")
        going = {each: await _jobs(request, each, QUEUE) for each in GOING if summary[each]}
        running = [await _going(request, job) for job in going.get("running", [])[:MOST_RUNNING]]
        over = [job for each in ENDED for job in await _jobs(request, each, MOST_ENDED)]
        values = told(summary, going, over)
        refresh = BUSY if going else CALM
        return render(request, "home.html", running=running, demo=DEMO, refresh=refresh, **values)

    @router.get("/jobs")
    async def jobs(request: Request, status: str = "", after: str = "") -> HTMLResponse:
        asked = {"limit": str(ON_A_PAGE), "status": status, "after": after}
        listing = await ask(request, "/api/jobs", **{key: at for key, at in asked.items() if at})
        busy = any(job["status"] in GOING for job in listing["data"])
        values = {"only": status, "after": after, "states": GOING + ENDED}
        refresh = BUSY if busy else CALM
        return render(request, "jobs.html", listing=listing, refresh=refresh, **values)


async def _jobs(request: Request, status: str, limit: int) -> list[Object]:
    listing = await ask(request, "/api/jobs", status=status, limit=str(limit))
    return list(listing["data"])


async def _going(request: Request, job: Object) -> Going:
    generations = await ask(request, f"/api/jobs/{job['id']}/generations", points=str(POINTS))
    return Going(job, spark(job, generations["data"]))


def told(
    summary: Object, going: Mapping[str, Sequence[Object]], over: Sequence[Object]
) -> dict[str, Any]:
    """What the page says of the service; `going` is jobs by status, `over` in any order."""
    waiting = in_order(going.get("queued", []), going.get("paused", []))
    return {
        "summary": summary,
        "headline": headline(summary),
        "idle": idle(summary),
        "spent": amounts(summary["today"]["cost"]),
        "waiting": waiting[:MOST_WAITING],
        "results": [ended(job) for job in newest(over)[:MOST_ENDED]],
    }


def headline(summary: Object) -> str:
    """How things stand: "2 jobs running, 1 queued"."""
    told = [(status, summary[status]) for status in GOING if summary[status]]
    if not told:
        return "Nothing is running"
    (status, n), *others = told
    return ", ".join([f"{counted(n, 'job')} {status}", *(f"{m} {other}" for other, m in others)])


def amounts(cost: Object) -> list[str]:
    """Sums by currency: ["1.20 USD"]."""
    return [f"{money(sum_)}{NBSP}{currency}" for currency, sum_ in sorted(cost.items()) if sum_]


def idle(summary: Object) -> str:
    """What is wrong where jobs wait for a runner and none lives here; empty: nothing is."""
    n = summary["queued"]
    if not n or any(runner["alive"] for runner in summary["runners"]):
        return ""
    return f"No runner is alive: {counted(n, 'job')} {'waits' if n == 1 else 'wait'} for one."


def in_order(queued: Sequence[Object], paused: Sequence[Object]) -> list[Object]:
    """As they are taken: by priority, the oldest first; what is paused comes after them."""
    taken = sorted(queued, key=lambda job: (-job["priority"], job["created_at"]))
    return [*taken, *paused]


def newest(over: Sequence[Object]) -> list[Object]:
    """By when they ended, the last first."""
    return sorted(over, key=lambda job: job["finished_at"] or "", reverse=True)


def ended(job: Object) -> Ended:
    """No gain is called one that chance may have made: the service's own verdict stands."""
    result = job["result"]
    if result is None:
        return Ended(job, job["status"], "broken" if job["status"] == "failed" else "", None, None)
    outcome = str(result["outcome"])
    kind = "fixed" if outcome == "improved" else ""
    if "tuned" not in result:
        return Ended(job, outcome, kind, None, None)
    difference = result["tuned"]["accuracy"] - result["baseline"]["accuracy"]
    return Ended(job, outcome, kind, difference, result)
