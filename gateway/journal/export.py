"""Entries written elsewhere: one JSON object a line, or a table for spreadsheets. All columns, digests included."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from gateway.journal.log import content_of
from gateway.keys import Keyring

COLUMNS = (
    *("id", "at", "agent", "run", "side", "action", "object", "reference", "rule", "fields", "by"),
    *("before_digest", "after_digest", "chain", "sequence", "content_digest", "previous", "digest"),
)
CONTENT = "before"

_NAMES = {"agent": "agent_id", "run": "run_id"}
_QUOTED = ("=", "+", "-", "@", "\t", "\r", "\n", "'")


def exported(rows: Iterable[RowMapping], keys: Keyring, *, content: bool) -> Iterator[dict[str, Any]]:
    """Each stored entry by the names of an export. `content`: its pre-image too, as text, or as base64 where it is
    none; None where there is none, or not any more."""
    for row in rows:
        entry = {name: row[_NAMES.get(name, name)] for name in COLUMNS}
        entry["fields"] = json.loads(row["fields"])
        if content:
            sealed = row["before"]
            plain = None if sealed is None else content_of(keys, row["agent_id"], row["id"], sealed)
            entry[CONTENT] = None if plain is None else _text(plain)
        yield entry


def json_lines(entries: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """One line each, UTF-8."""
    for entry in entries:
        yield json.dumps(entry, ensure_ascii=False, default=_plain) + "\n"


def csv_lines(entries: Iterable[Mapping[str, Any]], *, content: bool) -> Iterator[str]:
    """The names, then one line each; `;` between, as spreadsheets here expect it. What begins like a formula is quoted
    by an apostrophe: hrefs come from whoever made the event."""
    columns = (*COLUMNS, CONTENT) if content else COLUMNS
    yield _line(columns)
    for entry in entries:
        values = {**entry, "fields": " ".join(entry["fields"])}
        yield _line([_cell(values[name]) for name in columns])


def _line(cells: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=";", lineterminator="\r\n").writerow(cells)
    return text.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_QUOTED) else text


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return base64.b64encode(content).decode()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")
