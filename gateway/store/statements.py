"""Conditions for statements that are made once, when a module is loaded: building a statement takes longer than running
it, and one that is built anew is also looked up anew among those that are compiled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, and_, bindparam
from sqlalchemy.sql.elements import KeyedColumnElement

_T = TypeVar("_T")
_AT_ONCE = 1_000  # in one statement: every database takes as many parameters


def batches(values: Iterable[_T], size: int = _AT_ONCE) -> Iterator[list[_T]]:
    """All of them, in order, as many at a time as go into one statement."""
    rest = iter(values)
    while some := list(islice(rest, size)):
        yield some


def given(*columns: KeyedColumnElement[Any]) -> ColumnElement[bool]:
    """Each column is what the statement is run with as `of_` and the column's name (in an UPDATE, the mere name is the
    new value)."""
    return and_(*(column == bindparam(f"of_{column.key}") for column in columns))


def among(column: KeyedColumnElement[Any]) -> ColumnElement[bool]:
    """The column is one of the values that the statement is run with as `of_` and its name."""
    return column.in_(bindparam(f"of_{column.key}", expanding=True))


def optional(query: Select[Any], column: KeyedColumnElement[Any]) -> tuple[Select[Any], Select[Any]]:
    """The query as it is, and where the column is `given`."""
    return query, query.where(given(column))
