"""What of an event of ours is ours, in a form that survives servers, for the three-way comparison.

Servers rewrite what they store: they fold and escape text, trim it, reorder the parts of a rule, turn a zone into
a VTIMEZONE of their own, add CLASS, STATUS and DURATION with their default values. None of that is a change by a
person, so none of it shows here. The database keeps keyed digests of these fields, never the fields.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from connectors.records import CalendarEvent, EventComponent, EventDraft, EventTime, Recurrence
from mappings.rules import basic_form, format_rule, parse_rule
from mappings.times import canonical_time


@dataclass(frozen=True, slots=True)
class OwnedFields:
    """Normalised fields. `start` and `end`: a day, a UTC time ending in Z, or a floating time, in basic form."""

    start: str
    end: str
    recurrence: str
    status: str
    transparency: str
    classification: str
    summary: str = field(repr=False)
    location: str = field(repr=False)
    url: str = field(repr=False)
    notes: str = field(repr=False)


def owned_of_event(event: CalendarEvent) -> OwnedFields:
    """Our fields as an event has them: of its master, or of its first component. Raises `BadItem` for its rule."""
    masters = [component for component in event.components if component.recurrence_id is None]
    return _owned(masters[0] if masters else event.components[0])


def owned_of_draft(draft: EventDraft) -> OwnedFields:
    """Our fields as we want them: equal to `owned_of_event` of what a well-behaved server stores for the draft."""
    return _owned(draft)


def owned_digest(key: bytes, owned: OwnedFields) -> str:
    """Keyed digest (HMAC-SHA256, hexadecimal) of all that is ours, but for the notes."""
    return _digest(
        key,
        "owned",
        [
            *_times(owned),
            owned.status,
            owned.transparency,
            owned.classification,
            owned.summary,
            owned.location,
            owned.url,
        ],
    )


def notes_digest(key: bytes, owned: OwnedFields) -> str:
    """Keyed digest of the notes alone: they become the agent's as soon as the agent writes in them."""
    return _digest(key, "notes", [owned.notes])


def times_digest(key: bytes, owned: OwnedFields) -> str:
    """Keyed digest of start, end and recurrence."""
    return _digest(key, "times", _times(owned))


def _owned(source: EventComponent | EventDraft) -> OwnedFields:
    end = source.end
    if not isinstance(source.start, datetime) and not isinstance(end, datetime):
        end = max(end, source.start + timedelta(days=1))
    return OwnedFields(
        start=_time(source.start),
        end=_time(end),
        recurrence=_recurrence(source.recurrence),
        status=source.status.value,
        transparency=source.transparency.value,
        classification=source.classification.value,
        summary=_line(source.summary),
        location=_line(source.location),
        url=source.url.strip(),
        notes=_lines(source.description),
    )


def _times(owned: OwnedFields) -> list[str]:
    return [owned.start, owned.end, owned.recurrence]


def _time(moment: EventTime) -> str:
    moment = canonical_time(moment)
    if isinstance(moment, datetime) and moment.tzinfo:
        moment = moment.astimezone(UTC)
    return basic_form(moment)


def _recurrence(recurrence: Recurrence) -> str:
    def joined(moments: tuple[EventTime, ...]) -> str:
        return ",".join(sorted({_time(moment) for moment in moments}))

    lines = [f"RRULE:{rule}" for rule in sorted({format_rule(parse_rule(rule)) for rule in recurrence.rules})]
    lines += [f"RDATE:{joined(recurrence.dates)}"] if recurrence.dates else []
    lines += [f"PERIOD:{_time(start)}/{_time(end)}" for start, end in sorted(recurrence.period_ends, key=_period_key)]
    lines += [f"EXDATE:{joined(recurrence.excluded)}"] if recurrence.excluded else []
    return "\n".join(lines)


def _period_key(period: tuple[EventTime, EventTime]) -> str:
    return _time(period[0])


def _line(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _lines(text: str) -> str:
    normalised = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")
    return "\n".join(line.rstrip() for line in normalised.split("\n")).strip()


def _digest(key: bytes, kind: str, values: list[str]) -> str:
    return hmac.new(key, json.dumps([kind, *values]).encode(), hashlib.sha256).hexdigest()
