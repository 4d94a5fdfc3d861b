"""Time that a person decided by name to leave free, where other blocks cover it."""

from __future__ import annotations

from gateway.sync.planning import PlanContext, make_plan
from gateway.sync.planning.busy_time import busy_time
from gateway.sync.planning.pool_state import left_free
from gateway.sync.planning.recognition import sort_events
from gateway.sync.values import AgentView, BlockOrigin, Interval, Operation, PoolBlock
from tests.sync.builders import block, context, event, held, view

_APART = context(merge_blocks=False)
_LONG, _SHORT = event("long", "2 09:00", "2 12:00"), event("short", "2 10:00", "2 11:00")
_OF_LONG, _OF_SHORT = block(1, "2 09:00", "2 12:00", "long"), block(2, "2 10:00", "2 11:00", "short")


def _planned_without(removed: PoolBlock, before: AgentView, rules: PlanContext) -> tuple[Operation, ...]:
    """What is planned once a block is removed and its time left free."""
    occurrences = [each.whole for each in busy_time(before, sort_events(before, rules), rules).occurrences]
    suppressions = left_free(removed, [Interval(removed.start, removed.end)], before, occurrences)
    after = view(
        events=before.events,
        blocks=[each for each in before.blocks if each != removed],
        absences=[each for each in before.absences if each.absence.id != removed.absence_id],
        suppressions=suppressions,
    )
    return make_plan(after, rules).operations


def test_a_block_within_that_of_another_event_is_not_made_again() -> None:
    both = view(events=[_LONG, _SHORT], blocks=[_OF_LONG, _OF_SHORT], absences=[held(_OF_LONG), held(_OF_SHORT)])
    assert make_plan(both, _APART).operations == ()
    assert _planned_without(_OF_SHORT, both, _APART) == ()
    assert _planned_without(_OF_LONG, both, _APART) == ()


def test_what_covers_the_same_occurrence_still_stands_for_it() -> None:
    """Else the absence that a person typed would stand for nothing any more, and be removed."""
    typed = block(1, "2 09:00", "2 11:00", "long", origin=BlockOrigin.FOUND)
    ours = block(2, "2 09:00", "2 12:00", "long")
    both = view(events=[_LONG], blocks=[typed, ours], absences=[held(typed), held(ours)])
    assert _planned_without(ours, both, context()) == ()
