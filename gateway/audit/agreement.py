"""What both sides are believed to share, against both sides as they are now. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from connectors.records import Rdv
from gateway.audit.values import Cause, Finding
from gateway.sync.planning import PlanContext
from gateway.sync.planning.recognition import sort_events
from gateway.sync.values import (
    AgentView,
    AgreedCopy,
    AgreedMirror,
    BlockOrigin,
    CalendarRef,
    Conflict,
    Operation,
    Plan,
    PoolBlock,
    Presence,
    SeenEvent,
)
from mappings.absence_event import absence_span
from mappings.rdv_event import rdv_zone
from mappings.wallclock import to_instant, to_wall


@dataclass(frozen=True, slots=True)
class Touched:
    """Objects that a plan answers for: something is to be done with them, or waits, or is told of."""

    rdvs: frozenset[int]
    absences: frozenset[int]
    hrefs: frozenset[str]


def touched_by(plan: Plan, view: AgentView) -> Touched:
    """By operations, changes, conflicts, items set aside, and writes under way."""
    operations = (*plan.operations, *(intent.operation for intent in view.open_intents))
    told: tuple[Operation | Conflict, ...] = (*operations, *plan.conflicts)
    rdvs = {each.rdv_id for each in told}
    absences = {each.absence_id for each in told}
    absences |= {change.block.absence_id for change in plan.changes if change.block}
    absences |= {change.mirror.absence_id for change in plan.changes if change.mirror}
    hrefs = {each.href for each in told} | {each.href for each in plan.set_aside}
    return Touched(
        frozenset(each for each in rdvs if each is not None),
        frozenset(each for each in absences if each is not None),
        frozenset(hrefs - {""}),
    )


def agreement_findings(view: AgentView, touched: Touched, context: PlanContext) -> Iterator[Finding]:
    """Copies, blocks and mirrors that are not what is agreed, while no plan answers for that. `view`: as it is now."""
    places = {(event.ref, event.href): event for event in view.events}
    yield from _copies(view, places, touched, context)
    yield from _blocks(view, touched, context)
    yield from _mirrors(view, places, touched, context)
    yield from _doubles(view, context)


# --- copies --------------------------------------------------------------------------------------------------

_Places = dict[tuple[CalendarRef, str], SeenEvent]


def _copies(view: AgentView, places: _Places, touched: Touched, context: PlanContext) -> Iterator[Finding]:
    known = {each.rdv.id for each in view.rdvs}
    for copy in view.copies:
        # The past stays as it is. That nothing is known of an RDV is told, although its copy is to be removed.
        if copy.ends_at <= context.now:
            continue
        if copy.rdv_id in known and (copy.rdv_id in touched.rdvs or copy.href in touched.hrefs):
            continue
        found = _copy(view, copy, places.get((copy.ref, copy.href)), context)
        if found is not None:
            cause, what = found
            when = to_wall(copy.ends_at, view.agent.zone)
            yield Finding(view.agent.agent_id, cause, "copy", f"rdv {copy.rdv_id}", what, when=when)


def _copy(view: AgentView, copy: AgreedCopy, event: SeenEvent | None, context: PlanContext) -> tuple[Cause, str] | None:
    seen = next((each for each in view.rdvs if each.rdv.id == copy.rdv_id), None)
    if seen is None:
        return Cause.STORE_CONTRADICTS, "its copy is known, and nothing is known of the RDV itself"
    if seen.presence is not Presence.PRESENT:
        return None  # the readings of RDVs say so
    if event is not None:
        return _written_copy(view, copy, event, seen.rdv, context)
    if seen.rdv.cancelled:
        return Cause.LEFT_ALONE, "its copy is gone, and it is cancelled"
    return Cause.OTHER_WRITER, "its copy is gone from the calendar, and nothing is to put it back"


def _written_copy(
    view: AgentView, copy: AgreedCopy, event: SeenEvent, rdv: Rdv, context: PlanContext
) -> tuple[Cause, str] | None:
    if event.set_aside:
        return Cause.SET_ASIDE, "its copy cannot be read"
    if event.owned_digest != copy.owned_digest:
        return Cause.OTHER_WRITER, "its copy is not as it was written, and nothing is to put it right"
    if context.rules(view.agent).copy_rdvs and not rdv.cancelled:
        zone = rdv_zone(rdv, context.organisation_zone(rdv.organisation_id))
        span = to_instant(rdv.starts_at, zone), to_instant(rdv.ends_at, zone, start=False)
        if _span(event) not in (None, span):
            return Cause.OTHER_WRITER, "its copy is at another time than the RDV, and nothing is to move it"
    return None


def _span(event: SeenEvent) -> tuple[datetime, datetime] | None:
    """From when to when, as instants; None for what has no single time."""
    if event.times is None or len(event.times.components) != 1:
        return None
    component = event.times.components[0]
    start, end = component.start, component.end
    if not isinstance(start, datetime) or not isinstance(end, datetime) or start.tzinfo is None or end.tzinfo is None:
        return None
    return start, end


# --- blocks --------------------------------------------------------------------------------------------------


def _blocks(view: AgentView, touched: Touched, context: PlanContext) -> Iterator[Finding]:
    absences = {seen.absence.id: seen for seen in view.absences}
    now = context.wall_now(view.agent)
    for block in view.blocks:
        if block.origin is BlockOrigin.RELEASED or block.end <= now or block.absence_id in touched.absences:
            continue
        seen = absences.get(block.absence_id)
        if seen is not None and seen.presence is Presence.UNKNOWN:
            continue
        what = ""
        if seen is None or seen.presence is Presence.GONE:
            what = "it is believed to block, and it is not there"
        elif absence_span(seen.absence) != (block.start, block.end):
            what = "it is not at the time that is agreed"
        if what:
            yield _finding(view, block, "block", what)


def _finding(view: AgentView, held: PoolBlock | AgreedMirror, kind: str, what: str) -> Finding:
    reference = f"absence {held.absence_id}"
    return Finding(
        view.agent.agent_id, Cause.OTHER_WRITER, kind, reference, f"{what}; no plan answers to it", (), held.start
    )


# --- mirrors -------------------------------------------------------------------------------------------------


def _mirrors(view: AgentView, places: _Places, touched: Touched, context: PlanContext) -> Iterator[Finding]:
    absences = {seen.absence.id: seen for seen in view.absences}
    now = context.wall_now(view.agent)
    for mirror in view.mirrors:
        known = mirror.absence_id in touched.absences or mirror.href in touched.hrefs
        if known or (mirror.end <= now and not mirror.recurring):
            continue
        seen, event = absences.get(mirror.absence_id), places.get((mirror.ref, mirror.href))
        if seen is not None and seen.presence is Presence.UNKNOWN:
            continue
        what = ""
        if seen is None or seen.presence is Presence.GONE:
            what = "it has an event, and the absence is not there"
        elif event is None:
            is_over = seen.absence.end <= now and not seen.absence.rrule  # history: tidied away in the calendar
            what = "" if is_over else "its event is gone from the calendar"
        elif not mirror.recurring and absence_span(seen.absence) != (mirror.start, mirror.end):
            what = "it is not at the time that is agreed"
        if what:
            yield _finding(view, mirror, "mirror", what)


# --- doubles -------------------------------------------------------------------------------------------------


def _doubles(view: AgentView, context: PlanContext) -> Iterator[Finding]:
    """Events of the receiving calendar that are ours for something that has its event elsewhere in it."""
    agent_id = view.agent.agent_id
    known = {copy.rdv_id for copy in view.copies}
    mirrored = {mirror.absence_id for mirror in view.mirrors}
    found = sort_events(view, context)
    for kind, events, has_one in (("rdv", found.copies, known), ("absence", found.mirrors, mirrored)):
        for number, event in events.items():
            if number in has_one:
                what = "a second event of ours stands for it"
                yield Finding(agent_id, Cause.DOUBLE, "copy", f"{kind} {number} {event.href}", what)
