"""Small texts under a name, that processes on one database leave for each other."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from gateway.store.schema import meta
from gateway.store.statements import given
from gateway.store.upsert import upsert

_PREFIX = "note/"
_NOTE = select(meta.c.value).where(given(meta.c.name))
_DROP = delete(meta).where(given(meta.c.name))


def note(connection: Connection, name: str) -> str | None:
    text: str | None = connection.scalar(_NOTE, {"of_name": _PREFIX + name})
    return text


def notes(connection: Connection, beginning: str) -> dict[str, str]:
    query = select(meta.c.name, meta.c.value).where(meta.c.name.startswith(_PREFIX + beginning, autoescape=True))
    return {name.removeprefix(_PREFIX): value for name, value in connection.execute(query)}


def put_note(connection: Connection, name: str, text: str) -> None:
    upsert(connection, meta, [{"name": _PREFIX + name, "value": text}])


def drop_note(connection: Connection, name: str) -> None:
    connection.execute(_DROP, {"of_name": _PREFIX + name})
