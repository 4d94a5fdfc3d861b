"""guard: a pure function that lets operations through or holds them for a person.

It holds by (agent, class): a hold on one class never stops the others. An approval names operations by digest;
what is outside is held again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.rules.values import AgentRules
from gateway.sync.values import (
    Action,
    AgentState,
    AgentView,
    BlockOrigin,
    Guarded,
    Held,
    HoldReason,
    Interval,
    ObjectKind,
    Operation,
    OperationClass,
    Plan,
)

_REMOVALS = (OperationClass.UNCOVER, OperationClass.UNCOPY)


@dataclass(frozen=True, slots=True)
class GuardContext:
    """Beside the plan: what exists in each class (to judge what is many), approvals, the département's limits."""

    state: AgentState
    totals: Mapping[OperationClass, int]
    approvals: frozenset[str]
    rules: AgentRules


def totals_of(view: AgentView) -> dict[OperationClass, int]:
    """How many objects of an agent each class could remove."""
    ours = [block for block in view.blocks if block.origin is not BlockOrigin.RELEASED]
    return {
        OperationClass.UNCOVER: len(ours) + len(view.mirrors),
        OperationClass.UNCOPY: len(view.copies),
        OperationClass.MIRROR: len(view.mirrors),
    }


def guard(plan: Plan, context: GuardContext) -> Guarded:
    """Split a plan's operations into those that may run and those that wait, each with its reason."""
    crowded = _crowded_classes(plan.operations, context)
    allowed: list[Operation] = []
    held: list[Held] = []
    for operation in plan.operations:
        reason = None
        if plan.doubled and _adds_to_doubles(operation):
            reason = HoldReason.NATIVE_SYNC
        elif operation.digest not in context.approvals:
            reason = _reason(operation, context, crowded)
        if reason is None:
            allowed.append(_silent(operation) if operation.digest in context.approvals else operation)
            continue
        cover, waiting = _cover_part(operation, reason)
        allowed.extend(cover)
        if reason is HoldReason.NATIVE_SYNC or waiting.digest not in context.approvals:
            held.append(Held(waiting, reason, _explain(waiting, reason, context)))
        else:
            allowed.append(waiting)
    return Guarded(tuple(allowed), tuple(held))


def _silent(operation: Operation) -> Operation:
    """What a person let through fills a calendar, perhaps over days when a ceiling is near: it reminds of nothing."""
    if operation.draft is None or operation.draft.reminder is None:
        return operation
    return replace(operation, draft=replace(operation.draft, reminder=None))


def _adds_to_doubles(operation: Operation) -> bool:
    """No approval lets it through: the approval of a first run, or of a whole wave, would double everybody's RDVs.

    A copy whose RDV is gone is taken away all the same.
    """
    return operation.kind is ObjectKind.RDV_COPY and operation.action in (Action.CREATE, Action.UPDATE)


def _reason(operation: Operation, context: GuardContext, crowded: Collection[OperationClass]) -> HoldReason | None:
    if operation.action is Action.PAIR:
        return None  # writes nothing
    reasons = {
        HoldReason.FIRST_RUN: context.state is AgentState.FIRST_RUN,
        HoldReason.UNPROVEN: bool(operation.unproven),
        HoldReason.FOUND_ABSENCE: operation.needs_approval,
        HoldReason.MANY_REMOVALS: operation.op_class in crowded and _removes(operation),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def _removes(operation: Operation) -> bool:
    """Deletes something, or frees time."""
    return operation.action is Action.DELETE or operation.op_class in _REMOVALS


def _crowded_classes(operations: Collection[Operation], context: GuardContext) -> frozenset[OperationClass]:
    """Classes in which this plan removes many: more than a count and more than a share of what there is."""
    counts = Counter(operation.op_class for operation in operations if _removes(operation))
    rules = context.rules
    return frozenset(
        each
        for each, count in counts.items()
        if count > rules.many_count and count > rules.many_share * context.totals.get(each, 0)
    )


def _cover_part(operation: Operation, reason: HoldReason) -> tuple[tuple[Operation, ...], Operation]:
    """A held move of a block still adds the new time at once; only the freeing of the old waits.

    Not on a first run, when nothing at all is written, nor for an absence that a person typed.
    """
    if (
        operation.kind is not ObjectKind.BUSY_BLOCK
        or operation.action is not Action.UPDATE
        or reason is not HoldReason.MANY_REMOVALS
    ):
        return (), operation
    cover = replace(
        operation,
        action=Action.CREATE,
        op_class=OperationClass.COVER,
        rule="event_occupies_time",
        absence_id=None,
        basis="",
    )
    freeing = replace(operation, action=Action.DELETE, rule="event_no_longer_busy", interval=_old_interval(operation))
    return (cover,), freeing


def _old_interval(operation: Operation) -> Interval:
    start, end = (datetime.fromisoformat(text) for text in operation.basis.split("/"))
    return Interval(start, end)


def _explain(operation: Operation, reason: HoldReason, context: GuardContext) -> str:
    match reason:
        case HoldReason.FIRST_RUN:
            return "first run of this agent: nothing is written before somebody approved its plan"
        case HoldReason.UNPROVEN:
            return f"not proven gone: {operation.unproven}"
        case HoldReason.FOUND_ABSENCE:
            return "a person typed this absence before the gateway came; changing it needs an approval"
        case HoldReason.NATIVE_SYNC:
            return (
                "RDV-Solidarités itself also writes this agenda: RDVs would be doubled; no approval lets them through"
            )
        case HoldReason.MANY_REMOVALS:
            total = context.totals.get(operation.op_class, 0)
            return f"many removals at once ({operation.op_class}, of {total}): a person should look first"
