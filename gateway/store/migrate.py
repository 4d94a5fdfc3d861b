"""Migrations, run from the package's own files: no alembic.ini, no working directory."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from gateway.keys import Keyring

_SCRIPTS = Path(__file__).parent / "migrations"


def upgrade_connection(connection: Connection, keys: Keyring | None = None) -> None:
    """Bring the schema to the newest revision, within the transaction of `connection`.

    `keys`: needed where something is encrypted or sealed already.
    """
    made = config(connection)
    made.attributes["keys"] = keys
    command.upgrade(made, "head")


def downgrade_connection(connection: Connection, revision: str) -> None:
    """Take the schema back to `revision`, within the transaction of `connection`."""
    command.downgrade(config(connection), revision)


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration for the package's migrations; `connection` has its transaction begun."""
    made = Config()
    made.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made
