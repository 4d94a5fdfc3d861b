"""RDV -> copy: one event per (RDV, agent). RDV-Solidarités owns its time and its existence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from connectors.errors import BadItem
from connectors.records import EventDraft, EventStatus
from gateway.sync.planning.context import PlanContext
from gateway.sync.planning.recognition import SortedEvents
from gateway.sync.values import (
    Action,
    AgentView,
    AgreedCopy,
    Conflict,
    ConflictKind,
    ObjectKind,
    Operation,
    OperationClass,
    Presence,
    SeenEvent,
    SeenRdv,
    SetAside,
    Side,
)
from mappings.rdv_event import Cancelled, rdv_draft, rdv_zone
from mappings.wallclock import to_wall


@dataclass(frozen=True, slots=True)
class CopiesPlan:
    operations: tuple[Operation, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    set_aside: tuple[SetAside, ...] = ()


def plan_copies(view: AgentView, events: SortedEvents, context: PlanContext) -> CopiesPlan:
    """Decide for each RDV seen and each copy agreed. At most one operation each."""
    agreed_by_rdv = {copy.rdv_id: copy for copy in view.copies}
    operations: list[Operation] = []
    conflicts: list[Conflict] = []
    set_aside: list[SetAside] = []
    for seen in view.rdvs:
        try:
            decided = _decide(seen, agreed_by_rdv.get(seen.rdv.id), view, events, context)
        except BadItem as error:
            set_aside.append(SetAside(view.agent.agent_id, f"rdv {seen.rdv.id}", str(error)))
            continue
        if isinstance(decided, Operation):
            operations.append(decided)
        elif decided is not None:
            conflicts.append(decided)
    return CopiesPlan(tuple(operations), tuple(conflicts), tuple(set_aside))


def _decide(
    seen: SeenRdv, agreed: AgreedCopy | None, view: AgentView, events: SortedEvents, context: PlanContext
) -> Operation | Conflict | None:
    if seen.presence is not Presence.PRESENT:
        return _vanished(seen, agreed, view, events, context)
    rdv = seen.rdv
    zone = rdv_zone(rdv, context.organisation_zone(rdv.organisation_id))
    rules = context.rulebook.for_rdv(view.agent.subject, str(view.agent.target), rdv)
    draft = rdv_draft(rdv, view.agent.agent_id, zone, rules, context.identity)
    if agreed is None and rdv.id in events.copies:
        return _found_copy(rdv.id, draft, events.copies[rdv.id], view)  # what becomes of it, the next plan decides
    if view.agent.agent_id not in rdv.agent_ids:
        return _removal(rdv.id, agreed, "agent_left_rdv", view, events)
    if rdv.cancelled and rules.cancelled is Cancelled.REMOVE:
        return _removal(rdv.id, agreed, "rdv_cancelled", view, events)
    if agreed is None:
        return None if rdv.cancelled else _operation(Action.CREATE, "rdv_planned", rdv.id, draft, view)
    return _kept_copy(agreed, draft, view, events, context)


def _vanished(
    seen: SeenRdv, agreed: AgreedCopy | None, view: AgentView, events: SortedEvents, context: PlanContext
) -> Operation | None:
    """An RDV that is no longer read. A past copy stays for good: a purge is not a cancellation."""
    if agreed is None or agreed.ends_at <= context.now:
        return None
    if seen.presence is Presence.GONE:
        return _removal(seen.rdv.id, agreed, "rdv_deleted", view, events)
    if not seen.missing_because:
        return None  # one reading more decides
    removal = _removal(seen.rdv.id, agreed, "rdv_no_longer_read", view, events)
    return replace(removal, unproven=seen.missing_because) if removal else None


def _found_copy(rdv_id: int, draft: EventDraft, existing: SeenEvent, view: AgentView) -> Operation:
    operation = _operation(Action.PAIR, "own_copy_found_again", rdv_id, draft, view)
    return replace(operation, ref=existing.ref, href=existing.href, basis=existing.owned_digest)


def _kept_copy(
    agreed: AgreedCopy, draft: EventDraft, view: AgentView, events: SortedEvents, context: PlanContext
) -> Operation | Conflict | None:
    event = events.by_place.get((agreed.ref, agreed.href))
    is_past = agreed.ends_at <= context.now and _instant(draft.end) <= context.now
    if event is None:
        if is_past or draft.status is EventStatus.CANCELLED:
            return None  # history, or a person tidied a cancelled RDV away
        operation = _operation(Action.CREATE, "deleted_copy_put_back", agreed.rdv_id, draft, view)
        return _put_back(replace(operation, ref=agreed.ref), agreed, view, context)
    if event.set_aside:
        return None  # named among the items set aside; overwriting what we cannot read could lose something
    update = replace(
        _operation(Action.UPDATE, "rdv_changed", agreed.rdv_id, draft, view),
        ref=agreed.ref,
        href=agreed.href,
        basis=event.owned_digest,
        rewrites_notes=event.notes_digest == agreed.notes_digest,
    )
    asked = context.asked(draft)
    if asked != agreed.asked_digest:
        pair = replace(update, action=Action.PAIR, rule="own_copy_as_it_should_be")
        return pair if _is_as_asked(asked, agreed, event) else update
    if event.owned_digest == agreed.owned_digest or is_past:
        return None
    return _put_back(replace(update, rule="edited_copy_put_back"), agreed, view, context)


def _is_as_asked(asked: str, agreed: AgreedCopy, event: SeenEvent) -> bool:
    """Is the event what its RDV asks for, but for notes that a person wrote?"""
    notes_are_ours = event.notes_digest == agreed.notes_digest
    return asked.startswith(f"{event.owned_digest}:") and (
        asked.endswith(f":{event.notes_digest}") or not notes_are_ours
    )


def _put_back(operation: Operation, agreed: AgreedCopy, view: AgentView, context: PlanContext) -> Operation | Conflict:
    """A person's edit of a copy is put back, but not for ever on the same day: then a person is told."""
    today = context.today(view.agent)
    done_today = agreed.put_back_count if agreed.put_back_on == today else 0
    if done_today < context.rules(view.agent).put_backs_per_day:
        return replace(operation, puts_back=True)
    return Conflict(
        agent_id=view.agent.agent_id,
        kind=ConflictKind.PUT_BACK_TOO_OFTEN,
        reason=f"the copy of this RDV was changed again after {done_today} corrections today; change the RDV instead",
        rdv_id=agreed.rdv_id,
        href=agreed.href,
    )


def _removal(
    rdv_id: int, agreed: AgreedCopy | None, rule: str, view: AgentView, events: SortedEvents
) -> Operation | None:
    if agreed is None:
        return None
    event = events.by_place.get((agreed.ref, agreed.href))
    return Operation(
        agent_id=view.agent.agent_id,
        side=Side.CALENDAR,
        action=Action.DELETE,
        kind=ObjectKind.RDV_COPY,
        op_class=OperationClass.UNCOPY,
        rule=rule,
        when=to_wall(agreed.ends_at, view.agent.zone),
        rdv_id=rdv_id,
        ref=agreed.ref,
        href=agreed.href,
        basis=event.owned_digest if event else "",
    )


def _operation(action: Action, rule: str, rdv_id: int, draft: EventDraft, view: AgentView) -> Operation:
    return Operation(
        agent_id=view.agent.agent_id,
        side=Side.CALENDAR,
        action=action,
        kind=ObjectKind.RDV_COPY,
        op_class=OperationClass.COPY,
        rule=rule,
        when=to_wall(_instant(draft.start), view.agent.zone),
        rdv_id=rdv_id,
        ref=view.agent.target,
        draft=draft,
    )


def _instant(value: object) -> datetime:
    """An RDV's draft always carries aware times."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError("an RDV's copy must have aware times")
    return value
