"""How many queries each train row was asked in a generation, where they are shared out."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("generations", sa.Column("allocation", sa.JSON(), nullable=True))
