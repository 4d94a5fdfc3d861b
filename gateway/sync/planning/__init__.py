"""plan: a pure function of what is agreed and what was observed. No I/O; time is a value."""

from __future__ import annotations

from datetime import datetime, time

from gateway.sync.planning.blocks import plan_blocks
from gateway.sync.planning.context import PlanContext
from gateway.sync.planning.copies import plan_copies
from gateway.sync.planning.mirrors import plan_mirrors
from gateway.sync.planning.recognition import SortedEvents, sort_events
from gateway.sync.values import (
    Action,
    AgentView,
    Conflict,
    ConflictKind,
    Operation,
    Plan,
    SeenEvent,
    SetAside,
)
from mappings.wallclock import to_instant

__all__ = ["PlanContext", "make_plan"]


def make_plan(view: AgentView, context: PlanContext) -> Plan:
    """Everything there is to do for one agent, nearest dates first, what adds busy time before what frees it."""
    events = sort_events(view, context)
    copies = plan_copies(view, events, context)
    blocks = plan_blocks(view, events, context)
    mirrors = plan_mirrors(view, events, context, blocks.claimed)
    operations = _without_open_intents(view, (*copies.operations, *blocks.operations, *mirrors.operations))
    return Plan(
        agent_id=view.agent.agent_id,
        operations=tuple(sorted(operations, key=_order)),
        changes=(*blocks.changes, *mirrors.changes),
        conflicts=(*copies.conflicts, *blocks.conflicts, *mirrors.conflicts, *_strangers(view, events, context)),
        set_aside=tuple(
            dict.fromkeys((*copies.set_aside, *blocks.set_aside, *mirrors.set_aside, *_unreadable_copies(view, events)))
        ),
    )


def _without_open_intents(view: AgentView, operations: tuple[Operation, ...]) -> list[Operation]:
    """What is sent and not settled is not planned a second time."""
    open_digests = {intent.operation.digest for intent in view.open_intents}
    return [operation for operation in operations if operation.digest not in open_digests]


def _order(operation: Operation) -> tuple[object, ...]:
    frees = operation.action is Action.DELETE
    number = operation.rdv_id or operation.absence_id or 0
    return (operation.action is not Action.PAIR, frees, operation.when, operation.kind, operation.side, number)


def _unreadable_copies(view: AgentView, events: SortedEvents) -> list[SetAside]:
    """Our own events that can no longer be read: named, since they are not among the agent's busy events."""
    own = [events.by_place.get((copy.ref, copy.href)) for copy in view.copies]
    return [SetAside(view.agent.agent_id, each.href, each.set_aside) for each in own if each and each.set_aside]


def _strangers(view: AgentView, events: SortedEvents, context: PlanContext) -> list[Conflict]:
    """Events of another sync on the same agenda, and events of ours that nothing is known of."""
    agent_id = view.agent.agent_id
    native = [each for each in events.native if _is_ahead(each, view, context)]
    found = [
        Conflict(
            agent_id,
            ConflictKind.NATIVE_SYNC,
            "RDV-Solidarités' own calendar sync also writes this agenda: RDVs would be doubled; switch one of them off",
            href=each.href,
        )
        for each in native[:1]
    ]
    reason = "this event bears the gateway's namespace but no RDV or absence is known for it"
    found += [Conflict(agent_id, ConflictKind.ORPHAN, reason, href=each.href) for each in events.orphans]
    return found


def _is_ahead(event: SeenEvent, view: AgentView, context: PlanContext) -> bool:
    """A copy that a former sync left in the past disturbs nobody."""
    if event.times is None:
        return False
    for component in event.times.components:
        if component.recurrence:
            return True
        end = component.end
        if not isinstance(end, datetime):
            end = datetime.combine(end, time.min)
        if (end if end.tzinfo else to_instant(end, view.agent.zone)) > context.now:
            return True
    return False
