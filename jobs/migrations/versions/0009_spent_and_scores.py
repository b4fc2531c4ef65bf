"""A champion's words, when each generation came and at what price, and what each test row got."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """All may be unknown: of what was recorded before, they are."""
    op.add_column("generations", sa.Column("text", sa.String(), nullable=True))
    op.add_column("timings", sa.Column("at", sa.DateTime(timezone=True), nullable=True))
    for name in ("tokens", "cost"):
        op.add_column("timings", sa.Column(name, sa.BigInteger(), nullable=True))
    op.create_index("ix_jobs_heartbeat", "jobs", ["project", "heartbeat"])
    op.add_column("reports", sa.Column("scores", sa.JSON(), nullable=True))
