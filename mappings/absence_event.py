"""An absence born in RDV-Solidarités and the event that mirrors it, in both directions.

A whole day is 00:00 to 23:59 there and a DATE here. Recurring absences go to the calendar only: the API cannot
change them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from connectors.errors import BadItem
from connectors.records import Absence, Classification, EventDraft, EventTime, Recurrence, Transparency
from mappings import texts
from mappings.blocks import api_bounds
from mappings.identity import Identity
from mappings.rules import SYSTEM, Rule, format_rule, parse_rule, refuse_unbounded
from mappings.times import EventTimes
from mappings.wallclock import outer_wall_interval, to_instant, to_wall

_ABSENCES = "rdv_solidarites"
_LAST_MINUTE = time(23, 59)
_DAY = timedelta(days=1)


def absence_span(absence: Absence) -> tuple[datetime, datetime]:
    """The absence's wall-clock interval as `absence_times` gives it back: whole days end at 23:59, not 23:59:59."""
    if _is_whole_days(absence):
        return absence.start, datetime.combine(absence.end.date(), _LAST_MINUTE)
    return absence.start, absence.end


def absence_draft(
    absence: Absence, zone: ZoneInfo, identity: Identity, *, translate: texts.Translate = texts.source_text
) -> EventDraft:
    """What the mirror of an absence has to be. `zone`: the agent's, in which its wall-clock is.

    Raises `BadItem` when it does not end after its start, or recurs by a rule that cannot be used.
    """
    if not absence.start < absence.end:
        raise BadItem("absence does not end after its start", system=_ABSENCES)
    start, end = _draft_times(absence, zone)
    return EventDraft(
        uid=identity.mirror_uid(absence.id, absence.agent_id),
        marker=identity.mirror_marker(absence.id, absence.agent_id),
        start=start,
        end=end,
        summary=" ".join(absence.title.split()) or translate(texts.ABSENCE),
        recurrence=_recurrence(absence, zone),
        transparency=Transparency.OPAQUE,
        classification=Classification.PRIVATE,
    )


def _draft_times(absence: Absence, zone: ZoneInfo) -> tuple[EventTime, EventTime]:
    if _is_whole_days(absence):
        return absence.start.date(), absence.end.date() + _DAY
    if absence.rrule is None:
        return to_instant(absence.start, zone), to_instant(absence.end, zone, start=False)
    # In UTC a series would move by an hour when the clocks change.
    return absence.start.replace(tzinfo=zone), absence.end.replace(tzinfo=zone)


def _is_whole_days(absence: Absence) -> bool:
    return absence.start.time() == time.min and absence.end.time().replace(second=0, microsecond=0) == _LAST_MINUTE


def _recurrence(absence: Absence, zone: ZoneInfo) -> Recurrence:
    if absence.rrule is None:
        return Recurrence()
    rule = parse_rule(absence.rrule, system=_ABSENCES)
    refuse_unbounded(rule, system=_ABSENCES)
    return Recurrence(rules=(format_rule(replace(rule, until=_until(rule, absence, zone))),))


def _until(rule: Rule, absence: Absence, zone: ZoneInfo) -> EventTime | None:
    """UNTIL in the form that DTSTART asks for (RFC 5545 section 3.3.10).

    RDV-Solidarités writes it as a local time, but asks people for a day: the last day counts whole.
    """
    if rule.until is None:
        return None
    if isinstance(rule.until, datetime):
        day = (to_wall(rule.until, zone) if rule.until.tzinfo else rule.until).date()
    else:
        day = rule.until
    if _is_whole_days(absence):
        return day
    return to_instant(datetime.combine(day, time(23, 59, 59)), zone, start=False).astimezone(UTC)


def absence_times(event: EventTimes, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The wall-clock interval (in `zone`) that the absence of a mirror has to have: 00:00 to 23:59 for whole days.

    Raises `BadItem` for what one absence cannot hold: a series, an event without length.
    """
    component = event.components[0]
    if len(event.components) > 1 or component.recurrence or component.recurrence_id is not None:
        raise BadItem("an absence of one time became recurring", system=SYSTEM)
    start, end = component.start, component.end
    if not isinstance(start, datetime) and not isinstance(end, datetime):
        last = max(start, end - _DAY)
        return datetime.combine(start, time.min), datetime.combine(last, _LAST_MINUTE)
    if not isinstance(start, datetime) or not isinstance(end, datetime):
        raise BadItem("starts and ends with different kinds of time", system=SYSTEM)
    walls = _to_wall(start, zone), _to_wall(end, zone)
    if walls[0] < walls[1]:
        return walls
    instants = [moment if moment.tzinfo else moment.replace(tzinfo=zone) for moment in (start, end)]
    if instants[0].astimezone(UTC) >= instants[1].astimezone(UTC):
        raise BadItem("does not end after its start", system=SYSTEM)
    return outer_wall_interval(instants[0], instants[1], zone)  # within the hour that the clocks repeat


def refuse_outside_bounds(start: datetime, end: datetime, today: date) -> None:
    """Raises `BadItem` for times that RDV-Solidarités would refuse. Not cut, as a block is: the absence would end
    elsewhere than the event that a person moved."""
    first, last = api_bounds(today)
    if start < first or end > last:
        raise BadItem(
            f"RDV-Solidarités takes absences from {first:%d.%m.%Y} to {last:%d.%m.%Y} only:"
            " this one stays there as it is",
            system=_ABSENCES,
        )


def _to_wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return to_wall(moment, zone) if moment.tzinfo else moment
