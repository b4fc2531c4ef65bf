"""Templates to answers: the environment that all pages share."""

import importlib.metadata
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from web.formats import FILTERS

Renderer = Callable[..., HTMLResponse]  # (request, template, status=200, **values)

HERE = Path(__file__).parent
REVALIDATE = "no-cache"  # our modules import each other by name: ask each time, answer 304


@cache
def renderer() -> Renderer:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined
    )
    environment.globals["plotly_version"] = importlib.metadata.version("plotly")
    environment.filters.update(FILTERS)
    templates = Jinja2Templates(env=environment)
    headers = {"cache-control": REVALIDATE}

    def render(request: Request, name: str, status: int = 200, **values: Any) -> HTMLResponse:
        return templates.TemplateResponse(request, name, values, status, headers)

    return render
