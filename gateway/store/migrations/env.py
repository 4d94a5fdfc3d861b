"""What Alembic runs for every command: the caller's connection, in the caller's transaction."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from gateway.store.schema import metadata


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transactional_ddl=True,  # SQLite's DDL is transactional when BEGIN is ours: an upgrade is all or nothing
        render_as_batch=True,  # SQLite changes a column by copying its table
    )
    context.run_migrations()


run(context.config.attributes["connection"])
