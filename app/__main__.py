"""`python -m app`: the service, its runners and its dashboard, until Ctrl-C; or a command."""

import argparse
import gc
import os
import sys
from pathlib import Path
from typing import Any

import uvicorn
from pydantic import ValidationError

from app import commands
from app.main import create_app
from app.settings import Settings
from jobs import logs
from jobs.schema import TooNew


def main() -> None:
    options = _options()
    settings = _settings(options)
    if options.command is not None:
        sys.exit(commands.run(settings, options))
    try:
        _serve(settings)
    except TooNew as error:
        print(f"gradless: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)


def _serve(settings: Settings) -> None:
    logs.configure(settings.log)
    os.environ[logs.FORM_VARIABLE] = settings.log  # read by every runner
    # endpoints are opened by this process and by its children
    os.environ["GRADLESS_PRIVATE_HOSTS"] = str(settings.may_ask_private_hosts)
    if settings.threads:
        os.environ["OMP_NUM_THREADS"] = str(settings.threads)  # read by every runner's torch
    app = create_app(settings)
    # All this lives as long as the process; to look through it for garbage again and again takes
    # a tenth of a second each time, in which nobody is answered.
    gc.freeze()
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,  # app.limits logs each request with its id
        timeout_graceful_shutdown=3,  # seconds; an open event stream must not hold up the end
    )
    uvicorn.Server(config).run()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m app", description=__doc__)
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (8000)")
    parser.add_argument("--data", type=Path, help="folder of the database (data)")
    commands.add_commands(parser)
    return parser.parse_args()


def _settings(options: argparse.Namespace) -> Settings:
    given = {name: getattr(options, name) for name in ("host", "port", "data")}
    given = {name: value for name, value in given.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        for each in error.errors():
            print(f"gradless: {_sentence(each)}", file=sys.stderr)  # noqa: T201
        sys.exit(2)


def _sentence(error: Any) -> str:
    """Which setting, and what it should be; the check of several says both itself."""
    if not error["loc"]:
        return str(error["ctx"]["error"])
    wanted = error["msg"][:1].lower() + error["msg"][1:]
    return f"{error['loc'][0]}: {wanted}; got {error['input']!r}"


if __name__ == "__main__":
    main()
