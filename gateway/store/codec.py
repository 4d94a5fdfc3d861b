"""Records to JSON and back, for what is kept encrypted or as one text. Every `load` gives back an equal record."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import asdict, astuple, fields
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from connectors.records import (
    Classification,
    EventDraft,
    EventStatus,
    EventTime,
    Participation,
    Rdv,
    RdvSelection,
    Recurrence,
    Reminder,
    Transparency,
    UsagerField,
)
from gateway.sync.values import (
    Action,
    CalendarRef,
    Interval,
    ObjectKind,
    Operation,
    OperationClass,
    Problem,
    Side,
)
from mappings.blocks import Provenance

_RDV_FIELDS = tuple(field.name for field in fields(Rdv))
_OPERATION_FIELDS = tuple(field.name for field in fields(Operation))
_DRAFT_FIELDS = tuple(field.name for field in fields(EventDraft))


def dump_json(value: object) -> str:
    """Compact ASCII, keys sorted: equal values give equal texts."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


# --- RDV -----------------------------------------------------------------------------------------------------


def dump_rdv(rdv: Rdv) -> bytes:
    content = {name: getattr(rdv, name) for name in _RDV_FIELDS}
    for name in ("starts_at", "ends_at", "starts_at_server"):
        content[name] = content[name].isoformat()
    content["participations"] = [
        (one.id, one.status, one.usager_id, dict(one.usager), one.responsible_id, one.notified)
        for one in rdv.participations
    ]
    return json.dumps(content, separators=(",", ":")).encode()


def load_rdv(data: bytes) -> Rdv:
    """Also of an earlier version, whose record had less."""
    content = json.loads(data)
    for name in ("starts_at", "ends_at", "starts_at_server"):
        content[name] = datetime.fromisoformat(content[name])
    content["agent_ids"] = tuple(content["agent_ids"])
    content["participations"] = tuple(_load_participation(*one) for one in content["participations"])
    return Rdv(**content)


def _load_participation(id_: int, status: str, usager_id: int | None, usager: object, *told: Any) -> Participation:
    """Earlier versions kept a name in one piece: it is read again by its parts, if they are chosen. Whether the usager
    is notified they did not keep: until it is read again, it counts as not."""
    known = usager if isinstance(usager, dict) else {}
    chosen = tuple((UsagerField(name), text) for name, text in known.items())
    responsible_id, notified = told or (None, False)
    return Participation(id_, status, usager_id, chosen, responsible_id=responsible_id, notified=notified)


def dump_selection(selection: RdvSelection) -> str:
    """Canonical: equal selections give equal texts."""
    return dump_json({"usager_fields": sorted(selection.usager_fields), "context": selection.context})


def load_selection(text: str) -> RdvSelection:
    content = json.loads(text)
    return RdvSelection(frozenset(map(UsagerField, content["usager_fields"])), content["context"])


# --- operation -----------------------------------------------------------------------------------------------


def dump_operation(operation: Operation) -> bytes:
    content: dict[str, Any] = {name: getattr(operation, name) for name in _OPERATION_FIELDS}
    content["when"] = operation.when.isoformat()
    content["ref"] = operation.ref and (operation.ref.account, operation.ref.calendar)
    content["draft"] = operation.draft and _dump_draft(operation.draft)
    content["interval"] = operation.interval and (
        operation.interval.start.isoformat(),
        operation.interval.end.isoformat(),
    )
    content["provenance"] = dump_provenance(operation.provenance)
    content["body"] = None if operation.body is None else base64.b64encode(operation.body).decode()
    return dump_json(content).encode()


def load_operation(data: bytes) -> Operation:
    content = json.loads(data)
    content["side"] = Side(content["side"])
    content["action"] = Action(content["action"])
    content["kind"] = ObjectKind(content["kind"])
    content["op_class"] = OperationClass(content["op_class"])
    content["when"] = datetime.fromisoformat(content["when"])
    content["ref"] = content["ref"] and CalendarRef(*content["ref"])
    content["draft"] = content["draft"] and _load_draft(content["draft"])
    content["interval"] = content["interval"] and Interval(*map(datetime.fromisoformat, content["interval"]))
    content["provenance"] = load_provenance(content["provenance"])
    if content.get("body") is not None:
        content["body"] = base64.b64decode(content["body"])
    return Operation(**content)


def _dump_draft(draft: EventDraft) -> dict[str, Any]:
    content: dict[str, Any] = {name: getattr(draft, name) for name in _DRAFT_FIELDS}
    content["start"] = dump_time(draft.start)
    content["end"] = dump_time(draft.end)
    content["reminder"] = draft.reminder and (draft.reminder.minutes_before, draft.reminder.text)
    content["recurrence"] = {
        "rules": draft.recurrence.rules,
        "dates": [dump_time(time) for time in draft.recurrence.dates],
        "period_ends": [(dump_time(start), dump_time(end)) for start, end in draft.recurrence.period_ends],
        "excluded": [dump_time(time) for time in draft.recurrence.excluded],
    }
    return content


def _load_draft(content: dict[str, Any]) -> EventDraft:
    recurrence = content["recurrence"]
    if content.get("reminder"):  # an intent of an earlier version has none
        content["reminder"] = Reminder(*content["reminder"])
    content["start"] = load_time(content["start"])
    content["end"] = load_time(content["end"])
    content["recurrence"] = Recurrence(
        rules=tuple(recurrence["rules"]),
        dates=tuple(map(load_time, recurrence["dates"])),
        period_ends=tuple((load_time(start), load_time(end)) for start, end in recurrence["period_ends"]),
        excluded=tuple(map(load_time, recurrence["excluded"])),
    )
    content["transparency"] = Transparency(content["transparency"])
    content["status"] = EventStatus(content["status"])
    content["classification"] = Classification(content["classification"])
    return EventDraft(**content)


def dump_time(time: EventTime) -> list[str | int]:
    """[ISO text] of a date or a floating time; [ISO text, zone, fold] of another one, where "" is `datetime.UTC`."""
    if not isinstance(time, datetime) or time.tzinfo is None:
        return [time.isoformat()]
    if time.tzinfo is UTC:
        zone = ""
    elif isinstance(time.tzinfo, ZoneInfo) and time.tzinfo.key:
        zone = time.tzinfo.key
    else:
        raise TypeError("an event's time is a date, floating, in UTC, or in an IANA zone")
    return [time.replace(tzinfo=None, fold=0).isoformat(), zone, time.fold]


def load_time(stored: list[Any]) -> EventTime:
    if len(stored) == 1:
        text: str = stored[0]
        return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)
    text, zone, fold = stored
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone) if zone else UTC, fold=fold)


# --- provenance, problems ------------------------------------------------------------------------------------


def dump_provenance(provenance: Iterable[Provenance]) -> str:
    """Canonical: equal sets give equal texts."""
    return f"[{','.join(sorted(dump_json(astuple(one)) for one in provenance))}]"


def load_provenance(text: str) -> frozenset[Provenance]:
    return frozenset(Provenance(*parts) for parts in json.loads(text))


def dump_problems(problems: Iterable[Problem]) -> str:
    return dump_json([asdict(problem) for problem in problems])


def load_problems(text: str) -> tuple[Problem, ...]:
    return tuple(Problem(**content) for content in json.loads(text))


def load_requests(text: str) -> tuple[tuple[str, int], ...]:
    return tuple((system, count) for system, count in json.loads(text))
