"""Priorities, pauses that a person asked for, keys of repeated requests, and estimates."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    for name in ("pause_requested", "priority"):
        kind = sa.Boolean() if name == "pause_requested" else sa.Integer()
        op.add_column("jobs", sa.Column(name, kind, nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("estimate", sa.JSON(), nullable=True))
    op.create_table(
        "repeats",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_repeats_at", "repeats", ["at"])
