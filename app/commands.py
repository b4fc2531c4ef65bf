"""The commands of `python -m app` other than serving. Each is one call; refusals are one line."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from app import doctor
from app.settings import Settings
from jobs.backups import BadBackup, backup, restore
from jobs.schema import TooNew


def add_commands(parser: ArgumentParser) -> None:
    """`doctor`, `backup` and `restore`; without one of them the service starts."""
    commands = parser.add_subparsers(dest="command", title="commands", metavar="COMMAND")
    each = commands.add_parser("doctor", help="check what the service needs, and say what to do")
    each.add_argument(
        "--probe", action="store_true", help="ask every API what it can do: about 20 requests each"
    )
    each = commands.add_parser("backup", help="copy the database to a new file; it may be in use")
    each.add_argument("file", type=Path)
    each = commands.add_parser("restore", help="put a copy in the database's place; stop first")
    each.add_argument("file", type=Path)


def run(settings: Settings, options: Namespace) -> int:
    """The exit status: 0, or 1 where there was a problem."""
    try:
        return COMMANDS[options.command](settings, options)
    except (BadBackup, TooNew) as error:
        sys.stderr.write(f"gradless: {error}\n")
        return 1


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _doctor(settings: Settings, options: Namespace) -> int:
    return doctor.run(settings, probe=options.probe, say=say)


def _backup(settings: Settings, options: Namespace) -> int:
    revision = backup(settings.database, options.file)
    say(f"{options.file}: a sound copy, {options.file.stat().st_size:,} bytes, revision {revision}")
    return 0


def _restore(settings: Settings, options: Namespace) -> int:
    kept = restore(settings.database, options.file)
    say(f"restored from {options.file}" + (f"; what was there is now {kept}" if kept else ""))
    return 0


COMMANDS: dict[str, Callable[[Settings, Namespace], int]] = {
    "doctor": _doctor,
    "backup": _backup,
    "restore": _restore,
}
