"""Prompts under names: what each stands for, how it is called, its versions and their changes."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from web.asking import NotTold, ask
from web.calling import Content, by_curl, by_openai, content_of
from web.diffs import lined
from web.rendering import Renderer
from web.words import UNWORDED

Object = Mapping[str, Any]

JOBS = 100  # the newest, whose prompts can be chosen from
VERSIONS = 20  # on one page
SOFT = "Vectors at the input, which have no words."


def add(router: APIRouter, render: Renderer) -> None:
    @router.get("/prompts")
    async def prompts(request: Request, name: str = "", job: str = "") -> HTMLResponse:
        named = await ask(request, "/api/prompts")
        jobs = await ask(request, "/api/jobs", limit=str(JOBS))
        choices = choosable(jobs["data"])
        if job and all(job != one["id"] for one in choices):
            choices += choosable(await _older(request, job))
        values = {"prompts": named["data"], "jobs": choices, "chosen": {"name": name, "job": job}}
        return render(request, "prompts.html", **values)

    @router.get("/prompts/{name}")
    async def prompt(
        request: Request, name: str, first: str = "", second: str = "", after: str = ""
    ) -> HTMLResponse:
        path = f"/api/prompts/{name}"
        current = await ask(request, path)
        seen = {"after": after} if after else {}
        versions = await ask(request, f"{path}/versions", limit=str(VERSIONS), **seen)
        content = await _content(request, current)
        values = {
            "current": current,
            "versions": versions,
            "wordless": UNWORDED.get(current["kind"], SOFT),
            "texts": [one["version"] for one in versions["data"] if one["text"] is not None],
            "changes": await _changes(request, path, first, second),
            "snippets": snippets(request, current["model"], content),
            "has_image": isinstance(content, list),
        }
        return render(request, "prompt.html", **values)


def choosable(jobs: Sequence[Object]) -> list[Object]:
    """Of jobs, those that have a prompt already."""
    return [job for job in jobs if job["incumbent"]]


def snippets(request: Request, model: str, content: Content) -> dict[str, str]:
    """The ways to call it, as this reader would: by the same address, and with a key if needed."""
    base = f"{request.url.scheme}://{request.url.netloc}"
    locked = "authorization" in request.headers
    ways = {"curl": by_curl, "OpenAI’s client": by_openai}
    return {name: write(model, content, base, locked=locked) for name, write in ways.items()}


async def _older(request: Request, job: str) -> list[Object]:
    """A job that is not among the newest; none, where there is none of this id."""
    try:
        return [await ask(request, f"/api/jobs/{quote(job, safe='')}")]  # no way further down
    except NotTold:
        return []


async def _content(request: Request, current: Object) -> Content:
    """An example of an input: a row of the data it was tuned on, as far as that is there."""
    template, row, image_column = None, None, ""
    try:
        job = await ask(request, f"/api/jobs/{current['job']}")
        template = job["spec"]["task"].get("template")
        path = f"/api/datasets/{current['dataset']}"
        image_column = (await ask(request, path))["image_column"]
        rows = await ask(request, f"{path}/rows", split="test", limit="1")
        row = rows["data"][0]["inputs"] if rows["data"] else None
    except NotTold:  # deleted: the version is a copy that outlives both
        pass
    return content_of(row, template, image_column)


async def _changes(request: Request, path: str, first: str, second: str) -> Object | None:
    """From one version to another, or why they cannot be compared; None: nobody has asked."""
    if not (first or second):
        return None
    try:
        diff = await ask(request, f"{path}/diff", first=first, second=second)
    except NotTold as refusal:
        return {"first": first, "second": second, "lines": [], "refusal": str(refusal)}
    return {**diff, "lines": list(lined(diff["lines"])), "refusal": ""}
