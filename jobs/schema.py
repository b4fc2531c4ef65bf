"""The history of the schema: which revisions there are, and how a database gets to the newest."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

MIGRATIONS = Path(__file__).parent / "migrations"


class TooNew(Exception):
    """The database was written by a newer Gradless than this one."""


def revisions() -> list[str]:
    """Every revision this Gradless knows, the newest first."""
    script = ScriptDirectory.from_config(_config())
    return [step.revision for step in script.walk_revisions()]


def revision_of(connection: Connection) -> str | None:
    """Where a database stands; None: it has no tables of ours."""
    return MigrationContext.configure(connection).get_current_revision()


def check_known(revision: str | None) -> None:
    """Nothing, if this Gradless can bring a database at this revision up.

    Raises:
        TooNew: it does not know it.
    """
    known = revisions()
    if revision is not None and revision not in known:
        raise TooNew(
            f"the database is at revision {revision}, this Gradless knows {known[-1]} to "
            f"{known[0]}: start the newer Gradless that wrote it, or restore a backup"
        )


def upgrade(connection: Connection, to: str = "head") -> None:
    """Runs the versions that are missing, on this connection."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
