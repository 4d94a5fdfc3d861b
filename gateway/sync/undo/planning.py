"""What undoing comes to, item by item: an operation, or why it is refused. Pure.

All writes of one run on the same thing are undone together: it is put back as it was before the first of them, if it
is still as the last one left it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from connectors.records import Absence, CalendarItem
from gateway.store.values import JournalRow
from gateway.sync.planning.blocks import interval_text
from gateway.sync.undo.steps import UndoStep
from gateway.sync.values import Action, Interval, ObjectKind, Operation, Side
from mappings.absence_event import absence_span

UNDO, REDO = "undo", "redo"
RAW = "raw:"
"""Begins the basis of an undo in a calendar: a digest of the whole body, not of our own fields alone."""
_WRITES = frozenset({Action.CREATE.value, Action.UPDATE.value, Action.DELETE.value})


@dataclass(frozen=True, slots=True)
class Thing:
    """What was written, and the writes to be undone, oldest first, each with what it noted."""

    side: Side
    kind: ObjectKind
    agent_id: int
    writes: tuple[tuple[JournalRow, UndoStep], ...]

    @property
    def first(self) -> tuple[JournalRow, UndoStep]:
        """The oldest write."""
        return self.writes[0]

    @property
    def last(self) -> tuple[JournalRow, UndoStep]:
        """The newest write."""
        return self.writes[-1]


@dataclass(frozen=True, slots=True)
class UndoItem:
    """One thing: an operation, or why there is none. `entry_id`: the newest write that it is about."""

    entry_id: int
    agent_id: int
    kind: ObjectKind
    reference: str
    operation: Operation | None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Current:
    """What is there now. `digest`: of the event's body; `title`: of the absence's. `twins`: numbers of absences of the
    gateway's that stand at the very time of one that is to be made anew."""

    item: CalendarItem | None = None
    digest: str = ""
    absence: Absence | None = None
    title: str = ""
    twins: frozenset[int] = frozenset()


def things(rows: Iterable[JournalRow], steps: Mapping[int, UndoStep]) -> tuple[tuple[Thing, ...], tuple[UndoItem, ...]]:
    """What these entries wrote, newest first; and entries that cannot be undone at all, with the reason."""
    found: dict[tuple[object, ...], list[tuple[JournalRow, UndoStep]]] = {}
    lost: list[UndoItem] = []
    for row in sorted(rows, key=lambda each: each.id):
        entry, step = row.entry, steps.get(row.id)
        if entry.agent_id is None or entry.object not in set(ObjectKind):
            continue
        if entry.action == "unanswered":
            lost.append(_refusal(row, "its answer was lost: it is not known whether it was done"))
        elif entry.action in _WRITES and step is None:
            lost.append(_refusal(row, "nothing was noted of it that an undo needs"))
        elif entry.action in _WRITES and step is not None:
            place = (str(step.ref), step.href) if entry.side == Side.CALENDAR.value else (step.absence_id,)
            found.setdefault((entry.agent_id, entry.side, *place), []).append((row, step))
    made = [
        Thing(Side(writes[0][0].entry.side), ObjectKind(writes[-1][0].entry.object), agent_id, tuple(writes))
        for (agent_id, *_), writes in found.items()
        if isinstance(agent_id, int)
    ]
    return tuple(sorted(made, key=lambda each: -each.last[0].id)), tuple(lost)


def plan_item(thing: Thing, current: Current) -> UndoItem:
    """How one thing is put back, given what is there now."""
    (first, _), (last, left) = thing.first, thing.last
    there_before = first.entry.action != Action.CREATE.value
    there_after = last.entry.action != Action.DELETE.value
    refused = _why_refused(thing, current, there_before=there_before, there_after=there_after)
    operation = None
    if not refused:
        actions = {(True, True): Action.UPDATE, (True, False): Action.CREATE, (False, True): Action.DELETE}
        operation = _operation(thing, current, actions[there_before, there_after])
    number = left.rdv_id if thing.kind is ObjectKind.RDV_COPY else left.absence_id
    what = "rdv" if thing.kind is ObjectKind.RDV_COPY else "absence"
    return UndoItem(last.id, thing.agent_id, thing.kind, f"{what} {number}", operation, refused)


def rule_of(rows: Iterable[JournalRow]) -> str:
    """What undoing these is called: undoing an undo does it again."""
    return REDO if any(row.entry.rule == UNDO for row in rows) else UNDO


def _why_refused(thing: Thing, current: Current, *, there_before: bool, there_after: bool) -> str:
    (first, _), (_, left) = thing.first, thing.last
    is_there = current.item is not None or current.absence is not None
    reasons = {
        "it was made and removed in the same run: nothing is left to undo": not (there_before or there_after),
        "what was there before is not kept any more": there_before and first.entry.before is None,
        "somebody removed it since": there_after and not is_there,
        "something is there again": not there_after and is_there,
        f"absence {min(current.twins, default=0)} stands there since": not there_after and bool(current.twins),
        "somebody edited it since, or a later run did": there_after and not _is_as_left(thing.side, left, current),
    }
    return next((why for why, holds in reasons.items() if holds), "")


def _is_as_left(side: Side, left: UndoStep, current: Current) -> bool:
    if side is Side.CALENDAR:
        return current.digest == left.left_raw
    absence = current.absence
    return (
        absence is not None
        and Interval(*absence_span(absence)) == left.left_interval
        and current.title == left.left_title
    )


def _operation(thing: Thing, current: Current, action: Action) -> Operation:
    (first, _), (_, left) = thing.first, thing.last
    body: bytes | None = None
    title, interval = "", left.left_interval
    basis = ""
    if thing.side is Side.CALENDAR:
        body = first.entry.before if action is not Action.DELETE else None
        basis = f"{RAW}{left.left_raw}" if current.item is not None else ""
    else:
        if action is not Action.DELETE:
            title, interval = _image(first.entry.before or b"{}")
        if current.absence is not None:
            basis = interval_text(*absence_span(current.absence))
    return Operation(
        agent_id=thing.agent_id,
        side=thing.side,
        action=action,
        kind=thing.kind,
        op_class=left.op_class,
        rule=rule_of(row for row, _ in thing.writes),
        when=left.when,
        rdv_id=left.rdv_id,
        absence_id=left.absence_id if action is not Action.CREATE or thing.side is Side.CALENDAR else None,
        ref=left.ref,
        href=left.href,
        interval=interval,
        basis=basis,
        recurring=left.recurring,
        undoes=first.id,
        body=body,
        title=title,
    )


def _image(before: bytes) -> tuple[str, Interval]:
    content = json.loads(before)
    start, end = (datetime.fromisoformat(content[name]) for name in ("start", "end"))
    return content["title"], Interval(start, end)


def _refusal(row: JournalRow, why: str) -> UndoItem:
    entry = row.entry
    return UndoItem(row.id, entry.agent_id or 0, ObjectKind(entry.object), entry.reference, None, why)
