"""plan: a pure function of what is agreed and what was observed. No I/O; time is a value."""

from __future__ import annotations

from datetime import date
from functools import partial

from gateway.sync.ceiling import nearness
from gateway.sync.planning.blocks import plan_blocks
from gateway.sync.planning.conflicts import rdvs_over_busy
from gateway.sync.planning.context import PlanContext
from gateway.sync.planning.copies import plan_copies
from gateway.sync.planning.mirrors import plan_mirrors
from gateway.sync.planning.native_copies import find_native_copies
from gateway.sync.planning.pins import Pins
from gateway.sync.planning.recognition import SortedEvents, sort_events
from gateway.sync.values import (
    Action,
    AgentView,
    Conflict,
    ConflictKind,
    Operation,
    Plan,
    SetAside,
)

__all__ = ["PlanContext", "make_plan"]


def make_plan(view: AgentView, context: PlanContext) -> Plan:
    """Everything there is to do for one agent, nearest dates first, what adds busy time before what frees it."""
    events = sort_events(view, context)
    pins = Pins.of(view)
    copies = plan_copies(view, events, context, pins)
    blocks = plan_blocks(view, events, context, pins)
    mirrors = plan_mirrors(view, events, context, blocks.claimed, pins)
    native = find_native_copies(view, events, context)
    operations = _without_open_intents(view, (*copies.operations, *blocks.operations, *mirrors.operations))
    return Plan(
        agent_id=view.agent.agent_id,
        operations=tuple(sorted(operations, key=partial(_order, context.today(view.agent)))),
        changes=(*blocks.changes, *mirrors.changes, *pins.changes()),
        conflicts=(
            *copies.conflicts,
            *blocks.conflicts,
            *mirrors.conflicts,
            *native.conflicts,
            *_orphans(view, events),
            *rdvs_over_busy(view, blocks.busy, blocks.claimed, context),
        ),
        set_aside=tuple(
            dict.fromkeys((*copies.set_aside, *blocks.set_aside, *mirrors.set_aside, *_unreadable_copies(view, events)))
        ),
        doubled=native.doubled,
        busy=blocks.busy,
    )


def _without_open_intents(view: AgentView, operations: tuple[Operation, ...]) -> list[Operation]:
    """What is sent and not settled is not planned a second time."""
    open_digests = {intent.operation.digest for intent in view.open_intents}
    return [operation for operation in operations if operation.digest not in open_digests]


def _order(today: date, operation: Operation) -> tuple[object, ...]:
    frees = operation.action is Action.DELETE
    when = nearness(operation.when, today)
    number = operation.rdv_id or operation.absence_id or 0
    return (operation.action is not Action.PAIR, frees, when, operation.kind, operation.side, number)


def _unreadable_copies(view: AgentView, events: SortedEvents) -> list[SetAside]:
    """Our own events that can no longer be read: named, since they are not among the agent's busy events."""
    own = [events.by_place.get((copy.ref, copy.href)) for copy in view.copies]
    return [SetAside(view.agent.agent_id, each.href, each.set_aside) for each in own if each and each.set_aside]


def _orphans(view: AgentView, events: SortedEvents) -> list[Conflict]:
    """Events of ours that nothing is known of."""
    reason = "this event bears the gateway's namespace but no RDV or absence is known for it"
    return [Conflict(view.agent.agent_id, ConflictKind.ORPHAN, reason, href=each.href) for each in events.orphans]
