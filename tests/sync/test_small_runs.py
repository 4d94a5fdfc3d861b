"""What the small runs of a service have in common."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.sync.guard.fleet import Losses, Tally
from gateway.sync.guard.values import GuardLimits
from gateway.sync.values import Action, ObjectKind, Operation, OperationClass, Side

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
WINDOW = timedelta(minutes=30)
LIMITS = GuardLimits(agents_share=0.3, agents_least=20)


def removal(agent_id):
    when = datetime(2026, 3, 4, 9)
    return Operation(
        agent_id, Side.RDV_SOLIDARITES, Action.DELETE, ObjectKind.BUSY_BLOCK, OperationClass.UNCOVER, "gone", when
    )


def run_of(agent_id, losses, at, *, approved=()):
    tally = Tally(20, LIMITS, before=losses, started=at)
    tally.note(agent_id, [removal(agent_id)], approved)
    return tally.trips


def test_runs_of_one_agent_each_trip_together():
    """Of 20 agents the seventh that would lose something is too many, though each has a run of its own."""
    losses = Losses(WINDOW)
    assert [run_of(number, losses, NOON + number * timedelta(minutes=1)) for number in range(1, 8)] == [False] * 6 + [
        True
    ]


@pytest.mark.parametrize(("later", "trips"), [(timedelta(minutes=29), True), (timedelta(minutes=30), False)])
def test_what_was_lost_long_ago_is_not_at_once(later, trips):
    """Six agents of a while ago and one of now are many only within the window."""
    losses = Losses(WINDOW)
    for number in range(1, 7):
        run_of(number, losses, NOON)
    assert run_of(7, losses, NOON + later) is trips


def test_what_was_approved_does_not_count():
    """Seven approved plans are no loss."""
    losses = Losses(WINDOW)
    assert not any(run_of(number, losses, NOON, approved={removal(number).digest}) for number in range(1, 8))
    assert losses.since(NOON) == frozenset()
