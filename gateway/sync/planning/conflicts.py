"""Conflicts between RDVs and the rest of an agent's time: an RDV that is still to come lies over a busy event, or over
an absence that somebody typed in RDV-Solidarités.

Two RDVs at one time are not judged: RDV-Solidarités warns whoever makes the second one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import islice

from connectors.errors import BadItem
from connectors.records import Absence, CalendarEvent, EventComponent, Rdv
from gateway.sync.planning.context import PlanContext
from gateway.sync.values import AgentView, BlockOrigin, Conflict, ConflictKind, Presence
from mappings.absence_event import absence_draft, absence_span
from mappings.blocks import Block
from mappings.rdv_event import rdv_zone
from mappings.recurrence import occurrences
from mappings.times import times_of
from mappings.wallclock import outer_wall_interval, to_instant

MOST_PER_RDV = 5
MOST_PER_AGENT = 500
"""The nearest are told; further ones when those are over."""


@dataclass(frozen=True, slots=True)
class _Busy:
    """Time that is taken, wall-clock of the agent, by an event or by an absence."""

    start: datetime
    end: datetime
    href: str = ""
    absence_id: int | None = None


@dataclass(frozen=True, slots=True)
class _Taken:
    start: datetime  # wall-clock of the agent
    end: datetime
    rdv_id: int


def rdvs_over_busy(
    view: AgentView, units: Iterable[Block], claimed: Collection[int], context: PlanContext
) -> tuple[Conflict, ...]:
    """Conflicts within the horizon, nearest first.

    `units`: busy occurrences as the rules decide, without what a person freed by hand. `claimed`: absences that stand
    for them.
    """
    now = context.wall_now(view.agent)
    days = context.rules(view.agent).horizon_days + 1
    window_end = datetime.combine(now.date() + timedelta(days=days), time.min)
    rdvs = [each for each in _rdvs(view, context) if now < each.start < window_end]
    if not rdvs:
        return ()
    busy = [*_events(units), *_absences(view, claimed, now, window_end, context)]
    return tuple(islice(_conflicts(view, rdvs, busy), MOST_PER_AGENT))


def _conflicts(view: AgentView, rdvs: Sequence[_Taken], busy: Sequence[_Busy]) -> Iterator[Conflict]:
    found: set[str] = set()
    counts: Counter[int] = Counter()
    for rdv, other in overlaps(rdvs, busy):
        conflict = Conflict(
            view.agent.agent_id,
            ConflictKind.RDV_OVER_BUSY,
            _reason(rdv, other),
            rdv_id=rdv.rdv_id,
            absence_id=other.absence_id,
            href=other.href,
            start=rdv.start,
            end=rdv.end,
        )
        if conflict.digest not in found and counts[rdv.rdv_id] < MOST_PER_RDV:
            found.add(conflict.digest)
            counts[rdv.rdv_id] += 1
            yield conflict


def overlaps(rdvs: Iterable[_Taken], busy: Iterable[_Busy]) -> Iterator[tuple[_Taken, _Busy]]:
    """Each RDV with each busy time that it overlaps, by start: one sweep over both."""
    ahead = sorted(busy, key=lambda each: (each.start, each.end, each.href, each.absence_id or 0))
    reached = 0
    running: list[_Busy] = []
    for rdv in sorted(rdvs, key=lambda each: (each.start, each.end, each.rdv_id)):
        while reached < len(ahead) and ahead[reached].start < rdv.end:
            running.append(ahead[reached])
            reached += 1
        running = [each for each in running if each.end > rdv.start]  # later RDVs begin later still
        yield from ((rdv, each) for each in running if each.start < rdv.end)


def _reason(rdv: _Taken, other: _Busy) -> str:
    what = "an event of the agent's calendars" if other.absence_id is None else f"absence {other.absence_id}"
    if (rdv.start, rdv.end) == (other.start, other.end):
        return f"this RDV and {what} have exactly the same time: maybe a copy of the RDV that was typed by hand"
    return f"this RDV overlaps {what}"


# --- whose time ----------------------------------------------------------------------------------------------


def _rdvs(view: AgentView, context: PlanContext) -> Iterator[_Taken]:
    for seen in view.rdvs:
        rdv = seen.rdv
        takes_place = seen.presence is Presence.PRESENT and not rdv.cancelled and rdv.starts_at < rdv.ends_at
        if takes_place and view.agent.agent_id in rdv.agent_ids:
            yield _Taken(*_wall_interval(rdv, view, context), rdv.id)


def _wall_interval(rdv: Rdv, view: AgentView, context: PlanContext) -> tuple[datetime, datetime]:
    zone = rdv_zone(rdv, context.organisation_zone(rdv.organisation_id))
    if zone.key == view.agent.zone.key:
        return rdv.starts_at, rdv.ends_at
    start, end = to_instant(rdv.starts_at, zone), to_instant(rdv.ends_at, zone, start=False)
    return outer_wall_interval(start, end, view.agent.zone)


def _events(units: Iterable[Block]) -> Iterator[_Busy]:
    """The same meeting in two calendars is one."""
    met: set[tuple[datetime, datetime, str]] = set()
    for unit in units:
        source = min(unit.provenance)
        name = (unit.start, unit.end, source.uid or source.href)
        if name not in met:
            met.add(name)
            yield _Busy(unit.start, unit.end, href=source.href)


def _absences(
    view: AgentView, claimed: Collection[int], now: datetime, window_end: datetime, context: PlanContext
) -> Iterator[_Busy]:
    """Absences that persons typed, whoever did: those that stand for an event are told as the event."""
    released = {block.absence_id for block in view.blocks if block.origin is BlockOrigin.RELEASED}
    for seen in view.absences:
        absence = seen.absence
        if seen.presence is not Presence.PRESENT or (absence.id in claimed and absence.id not in released):
            continue
        for start, end in times_between(absence, view, now, window_end, context):
            if start < end and now < end and start < window_end:
                yield _Busy(start, end, absence_id=absence.id)


def times_between(
    absence: Absence, view: AgentView, now: datetime, window_end: datetime, context: PlanContext
) -> Iterator[tuple[datetime, datetime]]:
    """When an absence takes place, as wall-clock: of a recurring one its dates between the two."""
    if absence.rrule is None:
        yield absence_span(absence)
        return
    zone = view.agent.zone
    try:
        draft = absence_draft(absence, zone, context.identity)
        component = EventComponent(draft.start, draft.end, recurrence=draft.recurrence)
        times = times_of(CalendarEvent(draft.uid, (component,)))
        found = occurrences(times, to_instant(now, zone), to_instant(window_end, zone), zone)
    except BadItem:
        return  # named among the items set aside, where it is mirrored
    for each in found:
        yield outer_wall_interval(each.start, each.end, zone)
