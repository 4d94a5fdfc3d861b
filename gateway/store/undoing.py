"""What is noted of each write so that it can be undone, beside the journal: no text of a person is in it."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import fields
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, select

from gateway.store.codec import dump_json, dump_provenance, load_provenance
from gateway.store.schema import undo_step
from gateway.store.upsert import upsert
from gateway.sync.undo.steps import UndoStep
from gateway.sync.values import (
    AgreedCopy,
    AgreedMirror,
    BlockOrigin,
    CalendarRef,
    Interval,
    OperationClass,
    PoolBlock,
)


def put_step(connection: Connection, journal_id: int, step: UndoStep) -> None:
    upsert(connection, undo_step, [{"journal_id": journal_id, "step": dump_json(_plain(step))}])


def steps(connection: Connection, journal_ids: Collection[int]) -> dict[int, UndoStep]:
    found: dict[int, UndoStep] = {}
    ids = sorted(journal_ids)
    for start in range(0, len(ids), 500):
        query = select(undo_step).where(undo_step.c.journal_id.in_(ids[start : start + 500]))
        found |= {number: _step(json.loads(text)) for number, text in connection.execute(query)}
    return found


def _plain(value: Any) -> Any:
    """Dataclasses as objects by field name, times as ISO texts."""
    if isinstance(value, StrEnum) or value is None or isinstance(value, str | int | bool):
        return value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, frozenset):
        return dump_provenance(value)
    return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}


def _step(content: dict[str, Any]) -> UndoStep:
    content["when"] = datetime.fromisoformat(content["when"])
    content["op_class"] = OperationClass(content["op_class"])
    content["ref"] = _ref(content["ref"])
    content["left_interval"] = content["left_interval"] and Interval(**_times(content["left_interval"]))
    content["copy"] = content["copy"] and AgreedCopy(**_agreed(content["copy"]))
    content["block"] = content["block"] and PoolBlock(**_agreed(content["block"]))
    content["mirror"] = content["mirror"] and AgreedMirror(**_agreed(content["mirror"]))
    return UndoStep(**content)


def _agreed(content: dict[str, Any]) -> dict[str, Any]:
    content = _times(content)
    if "ref" in content:
        content["ref"] = _ref(content["ref"])
    if "provenance" in content:
        content["provenance"] = load_provenance(content["provenance"])
        content["origin"] = BlockOrigin(content["origin"])
    if content.get("put_back_on"):
        content["put_back_on"] = date.fromisoformat(content["put_back_on"])
    return content


def _times(content: dict[str, Any]) -> dict[str, Any]:
    given = {name: content[name] for name in ("start", "end", "ends_at", "written_at") if content.get(name)}
    return content | {name: datetime.fromisoformat(text) for name, text in given.items()}


def _ref(content: dict[str, str] | None) -> CalendarRef | None:
    return CalendarRef(**content) if content else None
