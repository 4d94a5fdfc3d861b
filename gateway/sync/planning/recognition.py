"""Which events of an agent's calendars are ours, whose the others are, and what is none of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo

from gateway.sync.planning.context import PlanContext
from gateway.sync.values import AgentView, CalendarRef, Presence, SeenEvent
from mappings.identity import NAMESPACE, Kinship, recognise
from mappings.native import NativeSource, is_named_for
from mappings.rdv_event import rdv_zone
from mappings.times import Availability, ComponentTimes
from mappings.wallclock import to_instant


@dataclass(frozen=True, slots=True)
class NativeEvent:
    """An event that RDV-Solidarités itself put there. `is_own`: certainly of an RDV of this agent."""

    event: SeenEvent
    source: NativeSource
    is_own: bool


@dataclass(frozen=True, slots=True)
class SortedEvents:
    """Every event once. `copies` and `mirrors` are those of the receiving calendar, by RDV and by absence."""

    by_place: Mapping[tuple[CalendarRef, str], SeenEvent]
    busy: tuple[SeenEvent, ...]  # in a calendar that blocks, and nobody's but the agent's
    copies: Mapping[int, SeenEvent]
    mirrors: Mapping[int, SeenEvent]
    native: tuple[NativeEvent, ...]
    orphans: tuple[SeenEvent, ...]


NO_EVENTS = SortedEvents(by_place={}, busy=(), copies={}, mirrors={}, native=(), orphans=())


def sort_events(view: AgentView, context: PlanContext) -> SortedEvents:
    """Recognise each event: by the place that we know, else by UID and marker (never by UID alone)."""
    agent = view.agent
    sources = frozenset(agent.sources)
    known_places = {(copy.ref, copy.href) for copy in view.copies} | {(m.ref, m.href) for m in view.mirrors}
    events = sorted(view.events, key=lambda e: (e.ref, e.href))
    unplaced = [event for event in events if (event.ref, event.href) not in known_places]
    # Mostly everything of ours lies where we know it: then no digest is to be computed.
    is_asked = any(event.uid.startswith(NAMESPACE) or event.marker for event in unplaced)
    candidates = _candidates(view, context) if is_asked else {}
    known_rdvs = _known_rdvs(view, context)
    copies: dict[int, SeenEvent] = {}
    mirrors: dict[int, SeenEvent] = {}
    busy: list[SeenEvent] = []
    native: list[NativeEvent] = []
    orphans: list[SeenEvent] = []
    for event in unplaced:
        found = _native(event, known_rdvs)
        if found is not None:
            native.append(found)
            continue
        recognised = recognise(event.uid, event.marker, candidates)
        kinship, number = recognised.kinship, recognised.id or 0
        if kinship is Kinship.ORPHAN:
            orphans.append(event)
        elif kinship is Kinship.THEIRS:
            if event.ref in sources:
                busy.append(event)
        elif event.ref == agent.target:
            (copies if kinship is Kinship.COPY else mirrors).setdefault(number, event)
    return SortedEvents(
        by_place={(event.ref, event.href): event for event in view.events},
        busy=tuple(busy),
        copies=copies,
        mirrors=mirrors,
        native=tuple(native),
        orphans=tuple(orphans),
    )


@dataclass(frozen=True, slots=True)
class _KnownRdvs:
    """Of the agent's RDVs: how RDV-Solidarités calls their copies, in lower case, and when they take place."""

    uuids: frozenset[str]
    spans: frozenset[tuple[datetime, datetime]]  # instants; not of those that are cancelled


def _known_rdvs(view: AgentView, context: PlanContext) -> _KnownRdvs:
    spans: set[tuple[datetime, datetime]] = set()
    for seen in view.rdvs:
        rdv = seen.rdv
        if seen.presence is Presence.PRESENT and not rdv.cancelled and view.agent.agent_id in rdv.agent_ids:
            zone = rdv_zone(rdv, context.organisation_zone(rdv.organisation_id))
            spans.add((to_instant(rdv.starts_at, zone), to_instant(rdv.ends_at, zone, start=False)))
    return _KnownRdvs(frozenset(seen.rdv.uuid.lower() for seen in view.rdvs), frozenset(spans))


def _native(event: SeenEvent, rdvs: _KnownRdvs) -> NativeEvent | None:
    """What the event alone tells, and what the agent's RDVs add: their names; and, for a mere hint, their times."""
    if is_named_for(event.uid, event.href, rdvs.uuids):
        source = event.native or NativeSource.RDV_UID
        return NativeEvent(event, NativeSource.OUTLOOK if source is NativeSource.LINKED else source, is_own=True)
    if event.native is NativeSource.LINKED:
        return NativeEvent(event, NativeSource.OUTLOOK, is_own=True) if _takes_place_then(event, rdvs) else None
    return NativeEvent(event, event.native, is_own=False) if event.native is not None else None


def _takes_place_then(event: SeenEvent, rdvs: _KnownRdvs) -> bool:
    """Whether it is at the very time of one of the RDVs, or cancelled, which occupies no time at all."""
    if event.times is None or len(event.times.components) != 1:
        return False
    component = event.times.components[0]
    if component.availability is Availability.CANCELLED:
        return True
    start, end = component.start, component.end
    if not isinstance(start, datetime) or not isinstance(end, datetime) or not (start.tzinfo and end.tzinfo):
        return False
    return not component.recurrence and (start, end) in rdvs.spans


def is_ahead(event: SeenEvent, now: datetime, zone: ZoneInfo, *, cancelled: bool = True) -> bool:
    """Whether some of an event is still to end. `zone`: of its owner. `cancelled`: what is cancelled counts as well."""
    return any(
        _is_to_end(component, now, zone)
        for component in (event.times.components if event.times is not None else ())
        if cancelled or component.availability is not Availability.CANCELLED
    )


def _is_to_end(component: ComponentTimes, now: datetime, zone: ZoneInfo) -> bool:
    if component.recurrence:
        return True
    end = component.end
    if not isinstance(end, datetime):
        end = datetime.combine(end, time.min)
    return (end if end.tzinfo else to_instant(end, zone)) > now


def _candidates(view: AgentView, context: PlanContext) -> dict[str, tuple[Kinship, int, str]]:
    """Each UID that an event of ours for this agent may bear, with the marker that proves it."""
    agent_id, identity = view.agent.agent_id, context.identity
    rdv_ids = {seen.rdv.id for seen in view.rdvs} | {copy.rdv_id for copy in view.copies}
    absence_ids = {seen.absence.id for seen in view.absences} | {mirror.absence_id for mirror in view.mirrors}
    found: dict[str, tuple[Kinship, int, str]] = {}
    for rdv_id in rdv_ids:
        found[identity.copy_uid(rdv_id, agent_id)] = (Kinship.COPY, rdv_id, identity.copy_marker(rdv_id, agent_id))
    for absence_id in absence_ids:
        uid = identity.mirror_uid(absence_id, agent_id)
        found[uid] = (Kinship.MIRROR, absence_id, identity.mirror_marker(absence_id, agent_id))
    return found
