"""The OpenAPI document: FastAPI's own, and how a caller shows its key. Describes no route."""

from typing import Any

from fastapi import FastAPI

SCHEME: dict[str, Any] = {
    "type": "http",
    "scheme": "bearer",
    "description": "A key of POST /api/keys, or the service's own",
}


def say_who_may_ask(app: FastAPI, open_paths: tuple[str, ...], *, needs_key: bool) -> None:
    """Every route wants a key where the service does, but for those that are open to all."""
    written = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        made = written()
        made.setdefault("components", {})["securitySchemes"] = {"key": SCHEME}
        made["security"] = [{"key": []}] if needs_key else [{}, {"key": []}]
        for path in made["paths"].keys() & set(open_paths):
            for route in made["paths"][path].values():
                route["security"] = []
        return made

    app.openapi = document  # type: ignore[method-assign]
