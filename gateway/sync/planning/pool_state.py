"""What persons did to the absences of the pool since they were agreed, seen and taken over: no remote write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.sync.values import (
    AgentView,
    BlockOrigin,
    Change,
    ChangeKind,
    Interval,
    PoolBlock,
    Presence,
    Side,
    Suppression,
)
from mappings.absence_event import absence_span
from mappings.blocks import Block, Provenance, subtract

_Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Pool:
    """The pool as it is now. `ours` may be changed and deleted by us; `fixed` (unknown whether they are still
    there, or a write of ours on them is not settled) and `released` (taken over by a person) only cover their time."""

    ours: tuple[PoolBlock, ...]
    fixed: tuple[PoolBlock, ...]
    released: tuple[PoolBlock, ...]
    changes: tuple[Change, ...]
    new_suppressions: tuple[Suppression, ...]


def unsettled_absences(view: AgentView) -> frozenset[int]:
    """Absences that a write of ours was sent for whose outcome is not known: nothing is judged of them until it is."""
    return frozenset(
        intent.operation.absence_id
        for intent in view.open_intents
        if intent.operation.side is Side.RDV_SOLIDARITES and intent.operation.absence_id is not None
    )


def judge_pool(view: AgentView, occurrences: Iterable[Block], whole: Iterable[Block], now: datetime) -> Pool:
    """Compare each agreed block with what was read.

    `occurrences`: busy ones now, to know what was freed. `whole`: the blocks that they ask for.
    """
    seen = {each.absence.id: each for each in view.absences}
    at = _Now(view, tuple(occurrences), {(block.start, block.end): block for block in whole}, now)
    unsettled = unsettled_absences(view)
    ours: list[PoolBlock] = []
    fixed: list[PoolBlock] = []
    released: list[PoolBlock] = []
    changes: list[Change] = []
    for block in view.blocks:
        found = seen.get(block.absence_id)
        if found is None or found.presence is Presence.UNKNOWN or block.absence_id in unsettled:
            fixed.append(block)
            continue
        if found.presence is Presence.GONE:
            changes.append(_gone(block, at))
            continue
        current = Interval(*absence_span(found.absence))
        change = _edited(block, current, at)
        if change is not None:
            changes.append(change)
            block = change.block or block  # noqa: PLW2901 - the block as it is from now on
        (released if block.origin is BlockOrigin.RELEASED else ours).append(block)
    suppressions = tuple(s for change in changes for s in change.suppressions)
    return Pool(tuple(ours), tuple(fixed), tuple(released), tuple(changes), suppressions)


@dataclass(frozen=True, slots=True)
class _Now:
    view: AgentView
    occurrences: tuple[Block, ...]
    whole: Mapping[tuple[datetime, datetime], Block]
    now: datetime


def _gone(block: PoolBlock, at: _Now) -> Change:
    if block.end <= at.now:
        return Change(ChangeKind.BLOCK_FORGOTTEN, block.agent_id, "past_block_removed", block=block)
    freed = _suppressions(block, [Interval(block.start, block.end)], at)
    return Change(ChangeKind.BLOCK_FREED, block.agent_id, "freed_by_hand", block=block, suppressions=freed)


def _edited(block: PoolBlock, current: Interval, at: _Now) -> Change | None:
    if (current.start, current.end) == (block.start, block.end):
        return None
    asked = at.whole.get((current.start, current.end))
    if asked is not None and asked.provenance & block.provenance and block.origin is not BlockOrigin.RELEASED:
        # Its events moved alike: by a person who types on both sides, or by us and our database forgot it.
        same = replace(block, start=current.start, end=current.end, provenance=asked.provenance)
        return Change(ChangeKind.BLOCK_AGREED, block.agent_id, "changed_alike_on_both_sides", block=same)
    old = Block(block.start, block.end, block.provenance)
    uncovered = [Interval(part.start, part.end) for part in subtract(old, [(current.start, current.end)])]
    freed = _suppressions(block, uncovered, at) if block.end > at.now else ()
    moved = replace(block, start=current.start, end=current.end)
    if block.start <= current.start and current.end <= block.end and block.origin is not BlockOrigin.RELEASED:
        return Change(ChangeKind.BLOCK_SHORTENED, block.agent_id, "shortened_by_hand", block=moved, suppressions=freed)
    moved = replace(moved, origin=BlockOrigin.RELEASED)
    return Change(ChangeKind.BLOCK_RELEASED, block.agent_id, "moved_by_hand", block=moved, suppressions=freed)


def _suppressions(block: PoolBlock, freed: Iterable[Interval], at: _Now) -> tuple[Suppression, ...]:
    return suppressions_of(block, freed, at.view, at.occurrences)


def suppressions_of(
    block: PoolBlock, freed: Iterable[Interval], view: AgentView, occurrences: Iterable[Block]
) -> tuple[Suppression, ...]:
    """One for each busy occurrence behind the block and each freed part that it occupied.

    An occurrence that is no longer busy, or was moved meanwhile, needs none; nor does time that another absence
    covers, which therefore was not freed.
    """
    spans = [span for _, span in _other_absences(block, view)]
    return _suppressed(block, freed, occurrences, lambda _: spans)


def left_free(
    block: PoolBlock, freed: Iterable[Interval], view: AgentView, occurrences: Iterable[Block]
) -> tuple[Suppression, ...]:
    """The same where a person decided by name that these occurrences have no block there: rejected, or undone.

    Then what another block of the pool covers for other occurrences is left free as well: blocks need not be merged,
    and this occurrence would be given one of its own again, or give the other its label.
    """
    behind = {held.absence_id: {_name(each) for each in held.provenance} for held in view.blocks}
    others = _other_absences(block, view)

    def beside(unit: Block) -> list[_Span]:
        names = {_name(each) for each in unit.provenance}
        return [span for number, span in others if number not in behind or names & behind[number]]

    return _suppressed(block, freed, occurrences, beside)


def _suppressed(
    block: PoolBlock, freed: Iterable[Interval], occurrences: Iterable[Block], covered: Callable[[Block], list[_Span]]
) -> tuple[Suppression, ...]:
    found: list[Suppression] = []
    parts = [Block(each.start, each.end, block.provenance) for each in freed]
    behind = {_name(provenance) for provenance in block.provenance}
    for unit in occurrences:
        for provenance in sorted(each for each in unit.provenance if _name(each) in behind):
            for part in (left for each in parts for left in subtract(each, covered(unit))):
                start, end = max(part.start, unit.start), min(part.end, unit.end)
                if start < end:
                    found.append(Suppression(block.agent_id, provenance, unit.start, unit.end, start, end))
    return tuple(found)


def _name(provenance: Provenance) -> tuple[str, ...]:
    """An occurrence keeps its name when its item is carried to another calendar."""
    place = (provenance.uid,) if provenance.uid else (provenance.calendar, provenance.href)
    return (*place, provenance.recurrence_id)


def _other_absences(block: PoolBlock, view: AgentView) -> list[tuple[int, _Span]]:
    """Other absences that stand, or could stand, for calendar time: number and time."""
    mirrored = {mirror.absence_id for mirror in view.mirrors}
    return [
        (each.absence.id, absence_span(each.absence))
        for each in view.absences
        if each.presence is Presence.PRESENT
        and each.absence.id != block.absence_id
        and each.absence.id not in mirrored
        and each.absence.rrule is None
    ]
