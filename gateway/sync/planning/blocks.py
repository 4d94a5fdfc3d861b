"""Calendar events -> busy blocks: the pool of absences of one agent.

A calendar-born event is never written; a person's hand on a block is respected for as long as its event stays
what it was; time that a person typed on both sides is paired, not doubled.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateway.sync.planning.busy_time import NOTHING, BusyTime, Freed, apply_suppressions, busy_time
from gateway.sync.planning.context import PlanContext
from gateway.sync.planning.matching import match
from gateway.sync.planning.pins import Pins, block_version
from gateway.sync.planning.pool_state import Pool, judge_pool
from gateway.sync.planning.recognition import SortedEvents
from gateway.sync.values import (
    Action,
    AgentState,
    AgentView,
    BlockOrigin,
    Change,
    ChangeKind,
    Conflict,
    ConflictKind,
    Interval,
    ObjectKind,
    Operation,
    OperationClass,
    PinnedThing,
    PoolBlock,
    Presence,
    SeenAbsence,
    SetAside,
    Side,
)
from mappings.absence_event import absence_span
from mappings.blocks import Block, merge, subtract
from mappings.identity import is_tagged, label_of


@dataclass(frozen=True, slots=True)
class BlocksPlan:
    """`claimed`: absences that stand for calendar time, which therefore never go to the calendar."""

    operations: tuple[Operation, ...]
    changes: tuple[Change, ...]
    conflicts: tuple[Conflict, ...]
    set_aside: tuple[SetAside, ...]
    claimed: frozenset[int]
    busy: tuple[Block, ...]  # occurrences that occupy time, what persons freed by hand left out


def plan_blocks(view: AgentView, events: SortedEvents, context: PlanContext, pins: Pins | None = None) -> BlocksPlan:
    """Desired time from the calendars, minus what persons freed, against what the pool holds."""
    pins = pins or Pins.of(view)
    now, rules = context.wall_now(view.agent), context.rules(view.agent)
    busy = busy_time(view, events, context)
    before = apply_suppressions(busy, view.suppressions, now)
    occurrences = tuple(each.whole for each in busy.occurrences)
    if not rules.block_time:  # nothing is asked for, and a block that is gone was freed by nobody
        before, occurrences = NOTHING, ()
    pool = judge_pool(view, occurrences, _whole(before, merged=rules.merge_blocks), now)
    freed = apply_suppressions(busy, (*view.suppressions, *pool.new_suppressions), now)
    left = freed if rules.block_time else NOTHING
    pinned = _pinned(pool.ours, busy, pins, context.digest_key)
    pins.end_others(PinnedThing.BLOCK, [block.absence_id for block in view.blocks])
    at = _Situation(
        pinned=pinned,
        frozen=busy.frozen if rules.block_time else frozenset(),
        pool=pool,
        whole=tuple(block for block in _whole(left, merged=rules.merge_blocks) if block.end > now),
        units=_distinct(unit for unit in left.units if unit.end > now),
        uncut=left.uncut,
        now=now,
    )
    pairs = _pairs(view, at, shown=events.mirrors, near=timedelta(minutes=rules.near_twin_minutes))
    pairing = tuple(_pair_operation(view, block, seen) for block, seen in pairs.found)
    paired = tuple(_as_pool(view, block, seen) for block, seen in pairs.found)
    operations, moves = _difference(view, at, paired, keeps_typed=not rules.block_time)
    ended: tuple[Change, ...] = ()
    if freed.ended:
        ended = (Change(ChangeKind.SUPPRESSION_ENDED, view.agent.agent_id, "event_changed", suppressions=freed.ended),)
    return BlocksPlan(
        operations=(*pairing, *operations),
        changes=(*pool.changes, *moves, *ended),
        conflicts=pairs.conflicts,
        set_aside=busy.set_aside,
        claimed=frozenset({block.absence_id for block in (*view.blocks, *paired)} | pairs.claimed),
        busy=freed.units,
    )


@dataclass(frozen=True, slots=True)
class _Situation:
    """`whole`: busy time as blocks that the pool should cover. `units`: the same by occurrence. `uncut`: occurrences
    as their events have them, hours or not."""

    pinned: frozenset[int]  # blocks that stay as they are
    frozen: frozenset[tuple[str, str]]
    pool: Pool
    whole: tuple[Block, ...]
    units: tuple[Block, ...]
    uncut: tuple[Block, ...]
    now: datetime


def _pinned(blocks: Iterable[PoolBlock], busy: BusyTime, pins: Pins, key: bytes) -> frozenset[int]:
    whole = [each.whole for each in busy.occurrences]
    found: set[int] = set()
    for block in blocks:
        unknown = any((each.calendar, each.href) in busy.frozen for each in block.provenance)
        if (PinnedThing.BLOCK, block.absence_id) not in pins.by_thing:
            continue
        version = None if unknown else block_version(block, whole, key)
        if pins.holds(PinnedThing.BLOCK, block.absence_id, version):
            found.add(block.absence_id)
    return frozenset(found)


def _whole(freed: Freed, *, merged: bool) -> tuple[Block, ...]:
    """Busy occurrences as the blocks that stand for them.

    What a person left of an occurrence needs no block of its own where other blocks cover it all the same: whoever
    deletes one of two that overlap is not given its rest back as a new one.
    """
    blocks = _distinct(merge(freed.units) if merged else freed.units)
    if not freed.cut:
        return blocks
    full = [unit for unit in freed.units if unit not in freed.cut]
    kept = list(blocks)
    for block in blocks:
        is_rest = not any(block.start <= unit.start and unit.end <= block.end for unit in full)
        if is_rest and not subtract(block, [(o.start, o.end) for o in kept if o is not block]):
            kept.remove(block)
    return tuple(kept)


def _distinct(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """One block per interval: the same meeting in two calendars occupies its time once. A label goes before none."""
    found: dict[tuple[datetime, datetime], Block] = {}
    for block in blocks:
        interval = (block.start, block.end)
        known = found.get(interval)
        if known is not None:
            label = min(filter(None, (known.label, block.label)), default="")
            block = Block(*interval, known.provenance | block.provenance, label)  # noqa: PLW2901 - both in one
        found[interval] = block
    return tuple(found.values())


# --- pairing -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Pairs:
    found: tuple[tuple[Block, SeenAbsence], ...]
    conflicts: tuple[Conflict, ...]
    claimed: frozenset[int]


def _pairs(view: AgentView, at: _Situation, *, shown: Collection[int], near: timedelta) -> _Pairs:
    """Absences that we do not hold and that equal busy time: events before merging, then merged blocks, then events
    whose hours the rules cut.

    `shown`: those that have an event of ours, found again after our database was lost: it is theirs, whatever else
    takes place then.
    """
    by_interval = {(block.start, block.end): block for block in (*at.uncut, *at.whole, *at.units)}
    known = {block.absence_id for block in view.blocks} | {mirror.absence_id for mirror in view.mirrors} | set(shown)
    found: list[tuple[Block, SeenAbsence]] = []
    conflicts: list[Conflict] = []
    claimed: set[int] = set()
    met: set[tuple[datetime, datetime]] = set()
    for seen in sorted(view.absences, key=lambda each: each.absence.id):
        absence = seen.absence
        free_to_pair = absence.id not in known and seen.presence is Presence.PRESENT and not absence.rrule
        if not free_to_pair or absence.end <= at.now:
            continue
        tagged = is_tagged(absence.title)
        interval = absence_span(absence)
        block = by_interval.get(interval)
        if block is not None and (tagged or interval not in met):
            met.add(interval)
            found.append((block, seen))
        elif block is not None:
            claimed.add(absence.id)  # typed twice by hand: one stands for the event, none goes to the calendar
        elif tagged:
            claimed.add(absence.id)
            conflicts.append(_orphan(view, absence.id))
        elif view.agent.state is AgentState.FIRST_RUN:
            conflicts.extend(_near_twin(view, seen, at.units, near))
    return _Pairs(tuple(found), tuple(conflicts), frozenset(claimed))


def _orphan(view: AgentView, absence_id: int) -> Conflict:
    return Conflict(
        view.agent.agent_id,
        ConflictKind.ORPHAN,
        "this absence bears the gateway's tag but nothing is known of it, and no event occupies its time",
        absence_id=absence_id,
    )


def _near_twin(view: AgentView, seen: SeenAbsence, units: tuple[Block, ...], near: timedelta) -> tuple[Conflict, ...]:
    absence = seen.absence
    if not any(abs(unit.start - absence.start) <= near and abs(unit.end - absence.end) <= near for unit in units):
        return ()
    reason = "an event and an absence typed by hand nearly coincide: both are kept; align one of them to pair them"
    return (Conflict(view.agent.agent_id, ConflictKind.NEAR_TWIN, reason, absence_id=absence.id),)


def _pair_operation(view: AgentView, block: Block, seen: SeenAbsence) -> Operation:
    tagged = is_tagged(seen.absence.title)
    return _operation(
        view,
        Action.PAIR,
        OperationClass.COVER,
        "own_block_found_again" if tagged else "same_time_typed_on_both_sides",
        Interval(block.start, block.end),
        absence_id=seen.absence.id,
        source=replace(block, label=label_of(seen.absence.title) if tagged else ""),
        needs_approval=not tagged,
    )


def _as_pool(view: AgentView, block: Block, seen: SeenAbsence) -> PoolBlock:
    title = seen.absence.title
    tagged = is_tagged(title)
    return PoolBlock(
        seen.absence.id,
        view.agent.agent_id,
        block.start,
        block.end,
        block.provenance,
        BlockOrigin.ADOPTED if tagged else BlockOrigin.FOUND,
        approved=tagged,
        label=label_of(title) if tagged else "",
    )


# --- difference ----------------------------------------------------------------------------------------------


def _difference(
    view: AgentView, at: _Situation, paired: tuple[PoolBlock, ...], *, keeps_typed: bool
) -> tuple[tuple[Operation, ...], tuple[Change, ...]]:
    """Operations that make the pool cover exactly the busy time, and provenances that moved without a write.

    `paired`: what this very plan takes into the pool. `keeps_typed`: what persons typed stays, whether it is busy time
    or not.
    """
    whole = at.whole
    live = [block for block in (*at.pool.ours, *paired) if block.end > at.now]
    frozen = [
        block
        for block in live
        if block.absence_id in at.pinned or any((p.calendar, p.href) in at.frozen for p in block.provenance)
    ]
    typed = [
        block
        for block in live
        if block.origin is BlockOrigin.FOUND
        and block not in frozen
        and (keeps_typed or _is_covered(block, (*whole, *at.uncut)))
    ]
    covers = [*at.pool.fixed, *at.pool.released, *frozen, *typed]
    intervals = [(block.start, block.end) for block in covers]
    left = (part for block in whole for part in subtract(block, intervals))
    # What a cover leaves of a block that is still running may be past: nothing is held for it any more.
    desired = _distinct(part for part in left if part.end > at.now and not _pending(part, view))
    free = [block for block in live if block not in frozen and block not in typed]
    matches = match(desired, free)
    operations = [_change(view, want, have, whole) for want, have in matches.moved]
    operations += [
        _operation(view, Action.CREATE, OperationClass.COVER, "event_occupies_time", Interval(b.start, b.end), source=b)
        for b in matches.missing
    ]
    operations += [_delete(view, have, whole, kept=matches.kept, covers=covers) for have in matches.surplus]
    operations += _labels(view, matches.kept)
    moves = tuple(
        Change(
            ChangeKind.PROVENANCE_MOVED,
            view.agent.agent_id,
            "same_time_other_event",
            block=replace(have, provenance=want.provenance),
        )
        for want, have in matches.kept
        if want.provenance != have.provenance and have not in paired
    )
    return tuple(operations), moves


def _is_covered(block: PoolBlock, whole: tuple[Block, ...]) -> bool:
    """Is all of this block's time still busy?"""
    return not subtract(_as_block(block), [(each.start, each.end) for each in whole])


def _pending(block: Block, view: AgentView) -> bool:
    """Has a write that makes this very block been sent, whose answer is not known yet?"""
    return any(
        intent.operation.kind is ObjectKind.BUSY_BLOCK
        and intent.operation.action is not Action.DELETE
        and intent.operation.interval == Interval(block.start, block.end)
        for intent in view.open_intents
    )


def _change(view: AgentView, want: Block, have: PoolBlock, whole: tuple[Block, ...]) -> Operation:
    frees = not _is_covered(have, whole)
    return _operation(
        view,
        Action.UPDATE,
        OperationClass.UNCOVER if frees else OperationClass.COVER,
        "event_moved" if want.provenance & have.provenance else "nearest_block_reused",
        Interval(want.start, want.end),
        absence_id=have.absence_id,
        source=want,
        basis=interval_text(have.start, have.end),
        needs_approval=not have.approved,
    )


def _labels(view: AgentView, kept: Iterable[tuple[Block, PoolBlock]]) -> list[Operation]:
    """Blocks of ours that are called otherwise now. One whose title a person typed keeps it."""
    titles = {seen.absence.id: seen.absence.title for seen in view.absences}
    return [
        _operation(
            view,
            Action.UPDATE,
            OperationClass.COVER,
            "label_changed",
            Interval(want.start, want.end),
            absence_id=have.absence_id,
            source=want,
            basis=interval_text(have.start, have.end),
        )
        for want, have in kept
        if want.label != have.label
        and have.origin in (BlockOrigin.CREATED, BlockOrigin.ADOPTED)
        and is_tagged(titles.get(have.absence_id, ""))
    ]


def _delete(
    view: AgentView,
    have: PoolBlock,
    whole: tuple[Block, ...],
    *,
    kept: tuple[tuple[Block, PoolBlock], ...],
    covers: list[PoolBlock],
) -> Operation:
    frees = not _is_covered(have, whole)
    doubled = any((o.start, o.end) == (have.start, have.end) for o in (*(held for _, held in kept), *covers))
    return _operation(
        view,
        Action.DELETE,
        OperationClass.UNCOVER if frees else OperationClass.COVER,
        "doubled_block" if doubled else "event_no_longer_busy" if frees else "covered_by_another_block",
        Interval(have.start, have.end),
        absence_id=have.absence_id,
        source=_as_block(have),
        basis=interval_text(have.start, have.end),
        needs_approval=not have.approved,
    )


def interval_text(start: datetime, end: datetime) -> str:
    """How an absence's times stand in a basis: compared with what is re-read right before a write."""
    return f"{start.isoformat()}/{end.isoformat()}"


def _as_block(block: PoolBlock) -> Block:
    return Block(block.start, block.end, block.provenance)


def _operation(
    view: AgentView,
    action: Action,
    op_class: OperationClass,
    rule: str,
    interval: Interval,
    *,
    source: Block,
    absence_id: int | None = None,
    basis: str = "",
    needs_approval: bool = False,
) -> Operation:
    return Operation(
        agent_id=view.agent.agent_id,
        side=Side.RDV_SOLIDARITES,
        action=action,
        kind=ObjectKind.BUSY_BLOCK,
        op_class=op_class,
        rule=rule,
        when=interval.start,
        absence_id=absence_id,
        interval=interval,
        basis=basis,
        provenance=source.provenance,
        label=source.label,
        needs_approval=needs_approval,
    )
