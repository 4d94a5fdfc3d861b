"""Where the gateway's own database is: a file, or a PostgreSQL server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from pydantic import BeforeValidator, ValidationInfo

from gateway.settings_parts import in_directory


def database_place(value: str) -> Path | str:
    """The path of a file, or a PostgreSQL URL that names its database and carries no password. Raises `ValueError`."""
    if "://" not in value:
        return Path(value)
    parts = urlsplit(value)
    if parts.scheme != "postgresql":
        raise ValueError("expected the path of a file, or a URL that begins with postgresql://")
    if parts.password is not None or "password" in parse_qs(parts.query):
        raise ValueError("a URL must not carry a password; give it by an environment variable or a file")
    if not parts.path.strip("/"):
        raise ValueError("expected the database's name at the end, such as postgresql://gateway@localhost/gateway")
    return value


def _database(value: object, info: ValidationInfo) -> Path | str:
    if isinstance(value, str):
        value = database_place(value)
    if isinstance(value, Path):
        return in_directory(value, info)
    if isinstance(value, str):
        return value
    raise ValueError("expected the path of a file, or a URL that begins with postgresql://")


DatabasePlace = Annotated[Path | str, BeforeValidator(_database)]
"""A `Path` is a SQLite file, a `str` the URL of a PostgreSQL database."""
