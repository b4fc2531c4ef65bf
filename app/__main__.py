"""`python -m app`: the service, its runners and its dashboard, until Ctrl-C."""

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import Any

import uvicorn
from pydantic import ValidationError

from app.main import create_app
from app.settings import Settings

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


def main() -> None:
    settings = _settings()
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # endpoints are opened by this process and by its children
    os.environ["GRADLESS_PRIVATE_HOSTS"] = str(settings.may_ask_private_hosts)
    if settings.threads:
        os.environ["OMP_NUM_THREADS"] = str(settings.threads)  # read by every runner's torch
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,  # app.limits logs each request with its id
        timeout_graceful_shutdown=3,  # seconds; an open event stream must not hold up the end
    )
    uvicorn.Server(config).run()


def _settings() -> Settings:
    parser = argparse.ArgumentParser(prog="python -m app", description=__doc__)
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (8000)")
    parser.add_argument("--data", type=Path, help="folder of the database (data)")
    given = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
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
