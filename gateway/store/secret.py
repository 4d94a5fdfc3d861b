"""Secrets that the gateway is given while it runs, such as API tokens. Encrypted, under a name."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from gateway.keys import Keyring
from gateway.store.schema import secret as table
from gateway.store.upsert import upsert


def secret(connection: Connection, keys: Keyring, name: str) -> bytes | None:
    data = connection.scalar(select(table.c.data).where(table.c.name == name))
    return None if data is None else keys.decrypt(data, _context(name))


def put_secret(connection: Connection, keys: Keyring, name: str, data: bytes) -> None:
    upsert(connection, table, [{"name": name, "data": keys.encrypt(data, _context(name))}])


def drop_secret(connection: Connection, name: str) -> None:
    connection.execute(delete(table).where(table.c.name == name))


def _context(name: str) -> str:
    return f"secret/data/{name}"
