"""Projects, keys and the audit log; ids and names that may repeat among projects."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

# Tables whose keys begin with the project from now on, those that refer to others after these:
# key, table referred to, its key without the project.
KEYED = {
    "endpoints": (["id"], None, []),
    "datasets": (["id"], None, []),
    "names": (["name"], None, []),
    "examples": (["dataset_id", "number"], "datasets", ["id"]),
    "images": (["dataset_id", "name"], "datasets", ["id"]),
    "files": (["dataset_id"], "datasets", ["id"]),
    "versions": (["name", "version"], "names", ["name"]),
}
SHARED = "CASE WHEN built_in THEN '' ELSE 'default' END"
OF_DATASET = (
    "CASE WHEN dataset_id IN (SELECT id FROM datasets WHERE built_in) THEN '' ELSE 'default' END"
)
PROJECT = {
    "endpoints": SHARED,
    "datasets": SHARED,
    "examples": OF_DATASET,
    "images": OF_DATASET,
    "files": OF_DATASET,
}


def upgrade() -> None:
    for table, (key, referred, there) in KEYED.items():
        _copy(table, key, referred, there)
    # Whoever refers to others goes first: SQLite empties a table before it drops it, and that
    # would cascade; renaming takes the references along.
    for table in reversed(KEYED):
        op.drop_table(table)
    for table in KEYED:
        op.rename_table(f"new_{table}", table)
    op.create_index("ix_examples_split", "examples", ["split"])
    for table in ("jobs", "webhooks"):
        op.add_column(
            table, sa.Column("project", sa.String(), nullable=False, server_default="default")
        )
    op.create_index("ix_jobs_project", "jobs", ["project", "id"])
    op.create_index("ix_webhooks_project", "webhooks", ["project"])
    _create_access()


def _copy(table: str, key: list[str], referred: str | None, there: list[str]) -> None:
    """A new table with all rows of the old one, and their project."""
    connection = op.get_bind()
    columns = sa.inspect(connection).get_columns(table)
    constraints: list[sa.Constraint] = [sa.PrimaryKeyConstraint("project", *key)]
    if referred is not None:
        of = [f"new_{referred}.{name}" for name in ("project", *there)]
        here = ["project", *key[: len(there)]]
        constraints.append(sa.ForeignKeyConstraint(here, of, ondelete="CASCADE"))
    op.create_table(
        f"new_{table}",
        sa.Column("project", sa.String(), nullable=False),
        *(sa.Column(each["name"], each["type"], nullable=each["nullable"]) for each in columns),
        *constraints,
    )
    names = ", ".join(f'"{each["name"]}"' for each in columns)
    project = PROJECT.get(table, "'default'")
    rows = f"SELECT {project}, {names} FROM {table}"  # noqa: S608  all of it is written above
    op.execute(f"INSERT INTO new_{table} (project, {names}) {rows}")


def _create_access() -> None:
    op.create_table(
        "projects",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "keys",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("requests_per_minute", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_keys_project", "keys", ["project"])
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("verb", sa.String(), nullable=False),
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("object_id", sa.String(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_project", "audit", ["project"])
