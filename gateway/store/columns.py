"""Column types that keep the same values on any database, and the two kinds of datetime apart."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, Text
from sqlalchemy.types import TypeDecorator

Identifier = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER numbers itself in SQLite
"""Ids of RDV-Solidarités (64 bits) and our own."""

_ESCAPE, _NUL = "\x1b", "\x00"


class AnyText(TypeDecorator[str]):
    """Any text, ordered by code point.

    PostgreSQL's text holds no U+0000, which a UID in a calendar may, so that it is kept as an escape; and its order
    would depend on the server's locale, which changes with the system beneath.
    """

    impl = Text().with_variant(Text(collation="C"), "postgresql")
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[str | None], str | None]:  # noqa: ARG002 - signature
        """As it is stored. One call per value: a decorator's usual way takes three."""
        return _escaped

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[str | None], str | None]:  # noqa: ARG002
        """As it was given."""
        return _given_back


def _escaped(value: str | None) -> str | None:
    if value is None or (_ESCAPE not in value and _NUL not in value):
        return value
    return value.replace(_ESCAPE, _ESCAPE + "1").replace(_NUL, _ESCAPE + "0")


def _given_back(stored: str | None) -> str | None:
    return stored if stored is None or _ESCAPE not in stored else unescaped(stored)


def unescaped(stored: str) -> str:
    """The text that is stored as this."""
    return stored.replace(_ESCAPE + "0", _NUL).replace(_ESCAPE + "1", _ESCAPE)


class Instant(TypeDecorator[datetime]):
    """An instant, kept in UTC, given back aware. A naive value is refused with `ValueError`."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - signature
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant must be aware, this one is naive")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - signature
        if value is None:
            return None
        # SQLite has no zones: what it gives back is the UTC that was bound.
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class WallClock(TypeDecorator[datetime]):
    """A time of day at a place known elsewhere. An aware value is refused with `ValueError`."""

    impl = DateTime(timezone=False)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - signature
        if value is not None and value.tzinfo is not None:
            raise ValueError("a wall-clock must be naive, this one is aware")
        return value
