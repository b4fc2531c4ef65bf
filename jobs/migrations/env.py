"""Alembic's entry: runs the versions on the connection that `Database.migrate` hands in."""

from alembic import context
from sqlmodel import SQLModel

import jobs.access_rows
import jobs.models
import jobs.name_rows
import jobs.webhook_rows  # noqa: F401  all register tables

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
connection.commit()
