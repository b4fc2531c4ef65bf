"""What every command shares: its options, its client, and errors turned into exit codes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from gradless import output
from gradless.client import Client
from gradless.errors import GradlessError

Url = Annotated[
    str | None,
    typer.Option("--url", help="Where the service is; else GRADLESS_URL, else this machine."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
SETTINGS = {"help_option_names": ["-h", "--help"]}


@contextmanager
def session(url: str | None) -> Iterator[Client]:
    """Give a client, and turn errors into messages: exit code 1 for the service's, 2 for ours."""
    try:
        with Client(url) as client:
            yield client
    except GradlessError as error:
        output.say(f"error: {error}", error=True)
        raise typer.Exit(1) from error
    except (ValueError, FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise typer.BadParameter(str(error)) from error
