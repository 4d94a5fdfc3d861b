"""Absence <-> our event: a three-way merge of start, end and existence, both sides editable.

An absence is born in RDV-Solidarités; when the same field changed on both sides the side of birth wins, and the
conflict names what was not kept (its pre-image is in the journal). A recurring absence goes one way only: the API
cannot change it.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace
from datetime import datetime

from connectors.errors import BadItem
from connectors.records import Absence, EventDraft
from gateway.sync.planning.blocks import interval_text
from gateway.sync.planning.context import PlanContext, title_digest
from gateway.sync.planning.pins import Pins, pair_version
from gateway.sync.planning.pool_state import unsettled_absences
from gateway.sync.planning.recognition import SortedEvents
from gateway.sync.values import (
    Action,
    AgentView,
    AgreedMirror,
    Change,
    ChangeKind,
    Conflict,
    ConflictKind,
    Interval,
    ObjectKind,
    Operation,
    OperationClass,
    PinnedThing,
    Presence,
    SeenEvent,
    SetAside,
    Side,
)
from mappings.absence_event import absence_draft, absence_span, absence_times, refuse_outside_bounds


@dataclass(frozen=True, slots=True)
class Decision:
    """What one pair of sides comes to."""

    operations: tuple[Operation, ...] = ()
    changes: tuple[Change, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    set_aside: tuple[SetAside, ...] = ()

    def plus(self, other: Decision) -> Decision:
        """Both together."""
        return Decision(
            self.operations + other.operations,
            self.changes + other.changes,
            self.conflicts + other.conflicts,
            self.set_aside + other.set_aside,
        )


def plan_mirrors(
    view: AgentView, events: SortedEvents, context: PlanContext, claimed: Container[int], pins: Pins | None = None
) -> Decision:
    """Decide for each absence that a person typed, except those that stand for calendar time (`claimed`) and those
    that are pinned."""
    pins = pins or Pins.of(view)
    if not context.rules(view.agent).mirror_absences:
        return _taken_back(view, events, context)
    now = context.wall_now(view.agent)
    seen = {each.absence.id: each for each in view.absences}
    unsettled = unsettled_absences(view)
    total = Decision()
    for mirror in view.mirrors:
        if mirror.absence_id in unsettled:
            continue
        found = seen.get(mirror.absence_id)
        presence = found.presence if found else Presence.UNKNOWN
        event = events.by_place.get((mirror.ref, mirror.href))
        if presence is Presence.UNKNOWN or (presence is Presence.GONE and _is_history(mirror, event, view, now)):
            continue  # nothing is known, or nothing is to be tidied away
        absence = found.absence if found and presence is Presence.PRESENT else None
        if pins.holds(PinnedThing.MIRROR, mirror.absence_id, pair_version(absence, event, context.digest_key)):
            continue
        total = total.plus(_settle(mirror, absence, event, view, context))
    mirrored = {mirror.absence_id for mirror in view.mirrors}
    pins.end_others(PinnedThing.MIRROR, mirrored | seen.keys())
    for each in view.absences:
        absence = each.absence
        if each.presence is not Presence.PRESENT or absence.id in mirrored or absence.id in claimed:
            continue
        version = pair_version(absence, events.mirrors.get(absence.id), context.digest_key)
        if pins.holds(PinnedThing.MIRROR, absence.id, version):
            continue
        if absence.end > now or absence.rrule:
            total = total.plus(_first_event(absence, events, view, context))
    return total


def _taken_back(view: AgentView, events: SortedEvents, context: PlanContext) -> Decision:
    """Absences are not shown: our events that are still to come go away. The absences stay, whatever became of those
    events, and so does what is past."""
    now = context.wall_now(view.agent)
    unsettled = unsettled_absences(view)
    removals = [
        _removal(mirror, event, "absences_not_shown")
        for mirror in view.mirrors
        if mirror.absence_id not in unsettled
        and not _is_history(mirror, event := events.by_place.get((mirror.ref, mirror.href)), view, now)
    ]
    return Decision(tuple(removals))


def _is_history(mirror: AgreedMirror, event: SeenEvent | None, view: AgentView, now: datetime) -> bool:
    """Is it over on both sides? An event that a person moved into the future is not."""
    if mirror.recurring or mirror.end > now:
        return False
    if event is None or event.times is None:
        return True
    try:
        return absence_times(event.times, view.agent.zone)[1] <= now
    except BadItem:
        return True


def _first_event(absence: Absence, events: SortedEvents, view: AgentView, context: PlanContext) -> Decision:
    try:
        draft = absence_draft(absence, view.agent.zone, context.identity)
    except BadItem as error:
        return Decision(set_aside=(SetAside(view.agent.agent_id, f"absence {absence.id}", str(error)),))
    existing = events.mirrors.get(absence.id)
    if existing is not None:
        pair = _event_operation(Action.PAIR, "own_event_found_again", absence, draft, view)
        return Decision((replace(pair, ref=existing.ref, href=existing.href, basis=existing.owned_digest),))
    return Decision((_event_operation(Action.CREATE, "absence_typed", absence, draft, view),))


def _settle(
    mirror: AgreedMirror, absence: Absence | None, event: SeenEvent | None, view: AgentView, context: PlanContext
) -> Decision:
    if absence is None and event is None:
        return Decision(changes=(Change(ChangeKind.MIRROR_FORGOTTEN, mirror.agent_id, "gone_on_both", mirror=mirror),))
    if absence is None:
        return _absence_gone(mirror, event, view)
    try:
        draft = absence_draft(absence, view.agent.zone, context.identity)
        if event is None:
            return _event_gone(mirror, absence, draft, view, context)
        return _both_there(_Pair(mirror, absence, event, draft), view, context)
    except BadItem as error:
        return Decision(set_aside=(SetAside(mirror.agent_id, mirror.href, str(error)),))


def _absence_gone(mirror: AgreedMirror, event: SeenEvent | None, view: AgentView) -> Decision:
    removal = _removal(mirror, event, "absence_deleted")
    edited = event is not None and event.times is not None and not mirror.recurring and _moved(mirror, event, view)
    if not edited:
        return Decision((removal,))
    reason = "the absence was deleted in RDV-Solidarités while its event was moved: the deletion wins"
    return Decision((removal,), conflicts=(_conflict(mirror, ConflictKind.DELETED_AND_EDITED, reason),))


def _removal(mirror: AgreedMirror, event: SeenEvent | None, rule: str) -> Operation:
    return Operation(
        agent_id=mirror.agent_id,
        side=Side.CALENDAR,
        action=Action.DELETE,
        kind=ObjectKind.ABSENCE_EVENT,
        op_class=OperationClass.MIRROR,
        rule=rule,
        when=mirror.start,
        absence_id=mirror.absence_id,
        ref=mirror.ref,
        href=mirror.href,
        basis=event.owned_digest if event else "",
    )


def _event_gone(
    mirror: AgreedMirror, absence: Absence, draft: EventDraft, view: AgentView, context: PlanContext
) -> Decision:
    if absence.end <= context.wall_now(view.agent) and not absence.rrule:
        return Decision()  # history: tidied away in the calendar, kept in RDV-Solidarités
    again = replace(_event_operation(Action.CREATE, "absence_kept", absence, draft, view), ref=mirror.ref)
    if mirror.recurring or absence.rrule:
        return Decision((replace(again, rule="recurring_absence_put_back"),))
    if absence_span(absence) != (mirror.start, mirror.end):
        reason = "the event was deleted in the calendar while its absence was moved: the absence stays"
        return Decision((again,), conflicts=(_conflict(mirror, ConflictKind.DELETED_AND_EDITED, reason),))
    removal = Operation(
        agent_id=mirror.agent_id,
        side=Side.RDV_SOLIDARITES,
        action=Action.DELETE,
        kind=ObjectKind.ABSENCE,
        op_class=OperationClass.UNCOVER,
        rule="event_deleted",
        when=absence.start,
        absence_id=absence.id,
        interval=Interval(absence.start, absence.end),
        basis=interval_text(*absence_span(absence)),
        ref=mirror.ref,
        href=mirror.href,
    )
    return Decision((removal,))


@dataclass(frozen=True, slots=True)
class _Pair:
    """Both sides of a mirror, and the event that the absence asks for."""

    mirror: AgreedMirror
    absence: Absence
    event: SeenEvent
    draft: EventDraft


def _both_there(pair: _Pair, view: AgentView, context: PlanContext) -> Decision:
    mirror, absence, event, draft = pair.mirror, pair.absence, pair.event, pair.draft
    if event.set_aside or event.times is None:
        return Decision(set_aside=(SetAside(mirror.agent_id, event.href, event.set_aside or "no event is left in it"),))
    keeps_title = event.title_digest != mirror.title_digest
    if mirror.recurring or absence.rrule:
        return _one_way(pair, view, context, keeps_title=keeps_title)
    there = Interval(*absence_times(event.times, view.agent.zone))
    here = Interval(*absence_span(absence))
    start, start_clash = _merge(mirror.start, here.start, there.start)
    end, end_clash = _merge(mirror.end, here.end, there.end)
    conflicts: tuple[Conflict, ...] = ()
    if start_clash or end_clash or start >= end:
        start, end = here.start, here.end
        reason = "start or end changed on both sides: RDV-Solidarités' value was kept"
        conflicts = (_conflict(mirror, ConflictKind.BOTH_EDITED, reason),)
    merged = Interval(start, end)
    operations: list[Operation] = []
    if merged != here:
        refuse_outside_bounds(merged.start, merged.end, context.today(view.agent))
        operations.append(_absence_update(mirror, absence, here, merged))
        draft = absence_draft(replace(absence, start=start, end=end), view.agent.zone, context.identity)
    asked = mirror_asked(context, draft)
    text_changed = asked not in (mirror.asked_digest, event.title_digest)
    if merged != there or text_changed:
        operations.append(
            replace(
                _event_operation(Action.UPDATE, "absence_changed", absence, draft, view),
                ref=mirror.ref,
                href=mirror.href,
                basis=event.owned_digest,
                keeps_title=keeps_title,
            )
        )
    agreed = replace(mirror, start=start, end=end)
    if asked == event.title_digest:
        agreed = replace(agreed, asked_digest=asked, title_digest=asked)
    if operations or agreed == mirror:
        return Decision(tuple(operations), conflicts=conflicts)
    change = Change(ChangeKind.MIRROR_AGREED, mirror.agent_id, "changed_alike_on_both_sides", mirror=agreed)
    return Decision(changes=(change,))


def _one_way(pair: _Pair, view: AgentView, context: PlanContext, *, keeps_title: bool) -> Decision:
    mirror = pair.mirror
    changed = mirror_asked(context, pair.draft) != mirror.asked_digest
    edited = pair.event.times_digest != mirror.times_digest
    if not changed and not edited:
        return Decision()
    if mirror_asked(context, pair.draft) == f"{pair.event.owned_digest}:{pair.event.notes_digest}":
        pair_again = _event_operation(Action.PAIR, "own_event_as_it_should_be", pair.absence, pair.draft, view)
        return Decision((replace(pair_again, ref=mirror.ref, href=mirror.href, basis=pair.event.owned_digest),))
    rule = "absence_changed" if changed else "recurring_absence_put_back"
    update = replace(
        _event_operation(Action.UPDATE, rule, pair.absence, pair.draft, view),
        ref=mirror.ref,
        href=mirror.href,
        basis=pair.event.owned_digest,
        keeps_title=keeps_title,
    )
    return Decision((update,))


def mirror_asked(context: PlanContext, draft: EventDraft) -> str:
    """What an absence asks of its event beside the times that both sides may edit: all of it if it recurs."""
    return context.asked(draft) if draft.recurrence else title_digest(context.digest_key, draft.summary)


def _merge(agreed: datetime, here: datetime, there: datetime) -> tuple[datetime, bool]:
    """One field: the value that moved away from the agreed one; True when both did, differently."""
    if here in (agreed, there):
        return there, False
    return here, there != agreed


def _moved(mirror: AgreedMirror, event: SeenEvent, view: AgentView) -> bool:
    if event.times is None:
        return False
    try:
        return absence_times(event.times, view.agent.zone) != (mirror.start, mirror.end)
    except BadItem:
        return True


def _absence_update(mirror: AgreedMirror, absence: Absence, here: Interval, merged: Interval) -> Operation:
    frees = merged.start > here.start or merged.end < here.end
    return Operation(
        agent_id=mirror.agent_id,
        side=Side.RDV_SOLIDARITES,
        action=Action.UPDATE,
        kind=ObjectKind.ABSENCE,
        op_class=OperationClass.UNCOVER if frees else OperationClass.COVER,
        rule="event_moved",
        when=merged.start,
        absence_id=mirror.absence_id,
        interval=merged,
        basis=interval_text(*absence_span(absence)),
        ref=mirror.ref,
        href=mirror.href,
    )


def _event_operation(action: Action, rule: str, absence: Absence, draft: EventDraft, view: AgentView) -> Operation:
    return Operation(
        agent_id=view.agent.agent_id,
        side=Side.CALENDAR,
        action=action,
        kind=ObjectKind.ABSENCE_EVENT,
        op_class=OperationClass.MIRROR,
        rule=rule,
        when=absence.start,
        absence_id=absence.id,
        ref=view.agent.target,
        draft=draft,
        interval=Interval(*absence_span(absence)),
        recurring=bool(absence.rrule),
    )


def _conflict(mirror: AgreedMirror, kind: ConflictKind, reason: str) -> Conflict:
    return Conflict(mirror.agent_id, kind, reason, absence_id=mirror.absence_id, href=mirror.href)
