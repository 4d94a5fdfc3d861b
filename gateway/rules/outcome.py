"""What both sides hold for an agent once a plan is done: what `simulate` compares, and `seen-by` shows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from gateway.sync.planning import PlanContext
from gateway.sync.planning.mirrors import mirror_asked
from gateway.sync.values import (
    Action,
    AgentView,
    BlockOrigin,
    Change,
    ChangeKind,
    ObjectKind,
    Operation,
    Plan,
    PoolBlock,
)

_TYPED = frozenset({BlockOrigin.FOUND, BlockOrigin.RELEASED})
_ADDS = frozenset({Action.CREATE, Action.UPDATE})
_FORGETS = frozenset({ChangeKind.BLOCK_FREED, ChangeKind.BLOCK_FORGOTTEN})


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A busy block: wall-clock of the agent, and what it is called beside the tag ("": masked). `typed`: a person
    typed this absence, and its title is theirs."""

    start: datetime
    end: datetime
    label: str = ""
    typed: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """`copies` by RDV and `mirrors` by absence: a keyed digest of all that they are asked to be."""

    blocks: tuple[Span, ...]
    copies: Mapping[int, str]
    mirrors: Mapping[int, str]


def outcome(view: AgentView, plan: Plan, context: PlanContext) -> Outcome:
    """The agreed state after the plan's changes and operations, approved or not; without copies that no approval lets
    through, since another synchroniser writes them too."""
    pool = {block.absence_id: block for block in view.blocks}
    for change in plan.changes:
        _take(pool, change)
    blocks = {absence_id: _span(block) for absence_id, block in pool.items()}
    copies = {copy.rdv_id: copy.asked_digest for copy in view.copies}
    mirrors = {mirror.absence_id: mirror.asked_digest for mirror in view.mirrors}
    new: list[Span] = []
    for operation in plan.operations:
        match operation.kind:
            case ObjectKind.BUSY_BLOCK:
                _do_block(blocks, new, operation)
            case ObjectKind.RDV_COPY if not (plan.doubled and operation.action in _ADDS):
                _do_event(copies, operation.rdv_id, operation, context)
            case ObjectKind.ABSENCE_EVENT:
                _do_event(mirrors, operation.absence_id, operation, context)
    return Outcome(tuple(sorted((*blocks.values(), *new))), copies, mirrors)


def _take(pool: dict[int, PoolBlock], change: Change) -> None:
    if change.block is None:
        return
    if change.kind in _FORGETS:
        pool.pop(change.block.absence_id, None)
    else:
        pool[change.block.absence_id] = change.block


def _span(block: PoolBlock) -> Span:
    return Span(block.start, block.end, block.label, typed=block.origin in _TYPED)


def _do_block(blocks: dict[int, Span], new: list[Span], operation: Operation) -> None:
    number, interval = operation.absence_id, operation.interval
    if operation.action is Action.DELETE:
        blocks.pop(number or 0, None)
    elif interval is not None:
        typed = operation.action is Action.PAIR and operation.needs_approval
        span = Span(interval.start, interval.end, operation.label, typed=typed)
        if number is None:
            new.append(span)
        else:
            blocks[number] = span


def _do_event(events: dict[int, str], number: int | None, operation: Operation, context: PlanContext) -> None:
    if number is None:
        return
    if operation.action is Action.DELETE:
        events.pop(number, None)
    elif operation.draft is not None:
        is_copy = operation.kind is ObjectKind.RDV_COPY
        events[number] = context.asked(operation.draft) if is_copy else mirror_asked(context, operation.draft)
