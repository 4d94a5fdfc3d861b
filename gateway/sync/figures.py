"""What a first plan comes to, in figures: for a person who approves many agents at once. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from gateway.sync.values import (
    Action,
    ConflictKind,
    Guarded,
    ObjectKind,
    Operation,
    Plan,
    PlanFigures,
    Side,
)

_WEEK = 7


def figures_of(plan: Plan, guarded: Guarded, *, horizon_days: int, at: datetime) -> PlanFigures:
    """`at`: the instant of the plan. Time that several blocks cover counts once."""
    operations = (*guarded.allowed, *(held.operation for held in guarded.held))
    blocked = _length(
        (operation.interval.start, operation.interval.end)
        for operation in operations
        if operation.kind is ObjectKind.BUSY_BLOCK
        and operation.action is not Action.DELETE
        and operation.interval is not None
    )
    return PlanFigures(
        agent_id=plan.agent_id,
        made_at=at,
        pairs=sum(operation.action is Action.PAIR for operation in operations),
        calendar_writes=_writes(operations, Side.CALENDAR),
        rdv_solidarites_writes=_writes(operations, Side.RDV_SOLIDARITES),
        weekly_minutes=round(blocked / timedelta(minutes=1) * _WEEK / horizon_days),
        near_twins=sum(conflict.kind is ConflictKind.NEAR_TWIN for conflict in plan.conflicts),
    )


def _writes(operations: Iterable[Operation], side: Side) -> int:
    return sum(operation.side is side and operation.writes for operation in operations)


def weekly_hours(intervals: Iterable[tuple[datetime, datetime]], start: datetime, end: datetime) -> float:
    """Hours a week that the intervals take between `start` and `end`, on average. All wall-clock, in any order; what
    overlaps counts once."""
    within = ((max(begin, start), min(until, end)) for begin, until in intervals)
    return _length(within) / timedelta(hours=1) * (timedelta(days=_WEEK) / (end - start))


def _length(intervals: Iterable[tuple[datetime, datetime]]) -> timedelta:
    total = timedelta()
    reached = datetime.min  # noqa: DTZ901 - wall-clock
    for begin, end in sorted(intervals):
        start = max(begin, reached)
        if end > start:
            total += end - start
            reached = end
    return total
