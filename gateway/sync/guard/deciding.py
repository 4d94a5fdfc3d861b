"""Which operations of a plan run, and which wait for a person. A hold on one class never stops the others.

An approval names operations by digest; what is outside is held again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.rules.values import AgentRules
from gateway.sync.guard.signs import HANDS, signs_of
from gateway.sync.guard.words import what
from gateway.sync.values import (
    Action,
    AgentState,
    AgentView,
    BlockOrigin,
    Change,
    ChangeKind,
    Guarded,
    Held,
    HoldReason,
    Interval,
    ObjectKind,
    Operation,
    OperationClass,
    Plan,
    PoolBlock,
    Side,
    Sign,
)

_REMOVALS = (OperationClass.UNCOVER, OperationClass.UNCOPY)
_FREED_LATER = frozenset(
    {
        HoldReason.MANY_REMOVALS,
        HoldReason.MANY_AGENTS,
        HoldReason.SHRUNKEN_CALENDAR,
        HoldReason.CALENDAR_RESTORED,
        HoldReason.DATABASE_RESTORED,
    }
)
"""Reasons to free no time: what a moved block newly covers is covered all the same."""


@dataclass(frozen=True, slots=True)
class GuardContext:
    """Beside the plan: what exists in each class (to judge what is many), approvals, the département's limits, what is
    wrong with a side, and the pool as it is agreed."""

    state: AgentState
    totals: Mapping[OperationClass, int]
    approvals: frozenset[str]
    rules: AgentRules
    signs: tuple[Sign, ...] = ()
    blocks: tuple[PoolBlock, ...] = ()


def context_of(
    view: AgentView,
    plan: Plan,
    approvals: frozenset[str],
    rules: AgentRules,
    *,
    earlier: Mapping[int, Collection[str]] | None = None,
) -> GuardContext:
    """What an agent's plan is judged by. `earlier`: see `signs_of`; None: not looked up."""
    signs = signs_of(view, plan, rules, earlier=earlier or {})
    return GuardContext(view.agent.state, totals_of(view), approvals, rules, signs, view.blocks)


def totals_of(view: AgentView) -> dict[OperationClass, int]:
    """How many objects of an agent each class could remove."""
    ours = [block for block in view.blocks if block.origin is not BlockOrigin.RELEASED]
    return {
        OperationClass.UNCOVER: len(ours) + len(view.mirrors),
        OperationClass.UNCOPY: len(view.copies),
        OperationClass.MIRROR: len(view.mirrors),
    }


def guard(plan: Plan, context: GuardContext) -> Guarded:
    """Split a plan's operations into those that may run and those that wait, each with its reason; and its changes
    into those that are believed and those that wait."""
    crowded = _crowded_classes(plan.operations, context)
    changes, waiting_changes = _judge_changes(plan, context)
    doubtful = {each.operation.absence_id: each for each in waiting_changes}
    allowed: list[Operation] = []
    held: list[Held] = list(waiting_changes)
    for operation in plan.operations:
        on_doubtful = doubtful.get(operation.absence_id) if operation.absence_id is not None else None
        if on_doubtful is not None:
            held.append(Held(operation, on_doubtful.reason, on_doubtful.explanation))
            continue
        reason = None
        if plan.doubled and _adds_to_doubles(operation):
            reason = HoldReason.NATIVE_SYNC
        elif operation.digest not in context.approvals:
            reason = _reason(operation, context, crowded)
        if reason is None:
            allowed.append(_silent(operation) if operation.digest in context.approvals else operation)
            continue
        cover, waiting = cover_part(operation, reason)
        allowed.extend(cover)
        if reason is HoldReason.NATIVE_SYNC or waiting.digest not in context.approvals:
            held.append(Held(waiting, reason, _explain(waiting, reason, context)))
        else:
            allowed.append(waiting)
    return Guarded(tuple(allowed), tuple(held), changes)


def is_removal(operation: Operation) -> bool:
    """Deletes something, or frees time."""
    return operation.action is Action.DELETE or operation.op_class in _REMOVALS


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
        **{sign.reason: _concerns(sign.reason, operation) for sign in context.signs},
        HoldReason.MANY_REMOVALS: operation.op_class in crowded and is_removal(operation),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def _concerns(reason: HoldReason, operation: Operation) -> bool:
    """Whether a sign of this reason makes an operation wait."""
    in_rdvs = operation.side is Side.RDV_SOLIDARITES
    match reason:
        case HoldReason.SHRUNKEN_CALENDAR:
            return in_rdvs and is_removal(operation)
        case HoldReason.CALENDAR_RESTORED:
            return in_rdvs and (is_removal(operation) or operation.kind is ObjectKind.ABSENCE)
        case HoldReason.RDVS_RESTORED:
            return not in_rdvs and operation.action is not Action.CREATE
        case HoldReason.DATABASE_RESTORED:
            return is_removal(operation) or operation.kind is ObjectKind.ABSENCE
        case _:
            return False


def _crowded_classes(operations: Collection[Operation], context: GuardContext) -> frozenset[OperationClass]:
    """Classes in which this plan removes many: more than a count and more than a share of what there is."""
    counts = Counter(operation.op_class for operation in operations if is_removal(operation))
    rules = context.rules
    return frozenset(
        each
        for each, count in counts.items()
        if count > rules.many_count and count > rules.many_share * context.totals.get(each, 0)
    )


def cover_part(operation: Operation, reason: HoldReason) -> tuple[tuple[Operation, ...], Operation]:
    """A held move of a block still adds the new time at once; only the freeing of the old waits.

    Not on a first run, when nothing at all is written, nor for an absence that a person typed.
    """
    if (
        operation.kind is not ObjectKind.BUSY_BLOCK
        or operation.action is not Action.UPDATE
        or reason not in _FREED_LATER
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
    if reason is HoldReason.UNPROVEN:
        return f"not proven gone: {operation.unproven}"
    if reason is HoldReason.MANY_REMOVALS:
        total = context.totals.get(operation.op_class, 0)
        return f"many removals at once ({operation.op_class}, of {total}): a person should look first"
    seen = next((sign.explanation for sign in context.signs if sign.reason is reason), "")
    return f"{what(reason)} ({seen})" if seen else what(reason)


# --- what persons did -----------------------------------------------------------------------------------------


def _judge_changes(plan: Plan, context: GuardContext) -> tuple[tuple[Change, ...], tuple[Held, ...]]:
    """What persons did to blocks is taken over, unless it is too much at once, or a restored copy explains it.

    An approval believes it. That of a restored copy makes again what the copy lost; that of a database of an earlier
    day lets a block go to where its event is: it may be we who moved it since.
    """
    signs = {sign.reason: sign for sign in context.signs}
    before = {block.absence_id: block for block in context.blocks}
    believed: list[Change] = []
    held: list[Held] = []
    for change in plan.changes:
        block = change.block
        if change.kind not in HANDS or block is None:
            believed.append(change)
            continue
        waiting = _as_operation(change, block)
        digest = waiting.digest
        sign = _doubt(change, digest, signs)
        approved = digest in context.approvals
        known = replace(change, approval=digest) if approved else change
        if sign is None or (approved and sign.reason is HoldReason.MANY_FREED):
            believed.append(known)
        elif approved:
            believed.append(not_believed(known, before.get(block.absence_id, block)))
        else:
            held.append(Held(waiting, sign.reason, f"{what(sign.reason)} ({sign.explanation})"))
    return tuple(believed), tuple(held)


def _doubt(change: Change, digest: str, signs: Mapping[HoldReason, Sign]) -> Sign | None:
    """What makes it doubtful that a person did this."""
    of_day_before = signs.get(HoldReason.DATABASE_RESTORED)
    if of_day_before is not None and not _explains(of_day_before, change, digest):
        of_day_before = None
    return signs.get(HoldReason.RDVS_RESTORED) or of_day_before or signs.get(HoldReason.MANY_FREED)


def _explains(of_day_before: Sign, change: Change, digest: str) -> bool:
    """Whether it may be we who did it. What moved after all was looked through once, a person moved."""
    known = of_day_before.doubted
    return change.kind is not ChangeKind.BLOCK_FREED and (known is None or digest in known)


def not_believed(change: Change, before: PoolBlock) -> Change:
    """The same change as one that nobody meant: the next plan puts the block of `before` back."""
    block = change.block
    if block is None or change.kind is ChangeKind.BLOCK_FREED:
        return replace(change, kind=ChangeKind.BLOCK_LOST, rule="made_again", suppressions=())
    as_it_was = replace(before, start=block.start, end=block.end)
    return replace(change, kind=ChangeKind.BLOCK_AGREED, rule="put_back", block=as_it_was, suppressions=())


def _as_operation(change: Change, block: PoolBlock) -> Operation:
    """A change as something that can be listed, approved and rejected."""
    return Operation(
        agent_id=change.agent_id,
        side=Side.RDV_SOLIDARITES,
        action=Action.ACCEPT,
        kind=ObjectKind.BUSY_BLOCK,
        op_class=OperationClass.UNCOVER,
        rule=change.rule,
        when=block.start,
        absence_id=block.absence_id,
        interval=Interval(block.start, block.end),
    )


def change_digest(change: Change) -> str:
    """Names a change in an approval; "" for one that never waits."""
    return _as_operation(change, change.block).digest if change.kind in HANDS and change.block else ""
