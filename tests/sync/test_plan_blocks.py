"""Calendar events -> busy blocks: what a plan decides, row by row."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from gateway.sync.planning import make_plan
from gateway.sync.values import (
    Action,
    AgentState,
    AgentView,
    BlockOrigin,
    CalendarRef,
    ChangeKind,
    ConflictKind,
    ObjectKind,
    Operation,
    OperationClass,
    Plan,
    Presence,
    Suppression,
)
from tests.sync.builders import (
    AGENT,
    TAG,
    absence,
    agent,
    block,
    context,
    event,
    held,
    provenance,
    view,
    wall,
)

C, U, D, P = Action.CREATE, Action.UPDATE, Action.DELETE, Action.PAIR


def told(operation: Operation) -> tuple[object, ...]:
    """(action, absence, start, end, class) of an operation on a block."""
    assert operation.interval is not None
    interval = operation.interval
    return (
        operation.action,
        operation.absence_id,
        f"{interval.start.day} {interval.start:%H:%M}",
        f"{interval.end.day} {interval.end:%H:%M}",
        operation.op_class,
    )


COVER, UNCOVER = OperationClass.COVER, OperationClass.UNCOVER
B1 = block(1, "2 09:00", "2 10:00", "a")
B2 = block(2, "2 14:00", "2 15:00", "b")
A = event("a", "2 09:00", "2 10:00")
OTHER = CalendarRef("account", "/autre/")

ROWS: dict[str, tuple[AgentView, list[tuple[object, ...]]]] = {
    "a new event is covered": (view(events=[A]), [(C, None, "2 09:00", "2 10:00", COVER)]),
    "a free event occupies nothing": (view(events=[event("a", "2 09:00", "2 10:00", free=True)]), []),
    "an unchanged event costs no write": (view(events=[A], blocks=[B1], absences=[held(B1)]), []),
    "a moved event moves its block": (
        view(events=[event("a", "2 11:00", "2 12:00")], blocks=[B1], absences=[held(B1)]),
        [(U, 1, "2 11:00", "2 12:00", UNCOVER)],
    ),
    "a longer event only adds time": (
        view(events=[event("a", "2 09:00", "2 11:00")], blocks=[B1], absences=[held(B1)]),
        [(U, 1, "2 09:00", "2 11:00", COVER)],
    ),
    "an event gone frees its block": (view(blocks=[B1], absences=[held(B1)]), [(D, 1, "2 09:00", "2 10:00", UNCOVER)]),
    "touching events become one block": (
        view(events=[A, event("b", "2 10:00", "2 11:00")]),
        [(C, None, "2 09:00", "2 11:00", COVER)],
    ),
    "the same meeting in two calendars occupies its time once": (
        view(events=[A, event("a", "2 09:00", "2 10:00", ref=OTHER)], agent=agent(sources=(A.ref, OTHER))),
        [(C, None, "2 09:00", "2 10:00", COVER)],
    ),
    "a calendar that only receives does not block": (
        view(events=[event("a", "2 09:00", "2 10:00", ref=OTHER)], agent=agent(target=OTHER)),
        [],
    ),
    "an all-day event blocks to 23:59 of its last day": (
        view(events=[event("a", date(2026, 6, 3), date(2026, 6, 5))]),
        [(C, None, "3 00:00", "4 23:59", COVER)],
    ),
    "beyond the horizon nothing is written": (view(events=[event("a", "90 09:00", "90 10:00")]), []),
    "what is over is not written": (view(events=[event("a", "1 06:00", "1 07:00")]), []),
    "a block that is over is left alone": (view(blocks=[block(1, "1 06:00", "1 07:00", "a")]), []),
    "a block not seen and not proven gone is neither doubled nor removed": (
        view(events=[A], blocks=[B1], absences=[held(B1, presence=Presence.UNKNOWN)]),
        [],
    ),
    "an event that moved to another calendar keeps its block": (
        view(
            events=[event("a", "2 09:00", "2 10:00", ref=OTHER)],
            agent=agent(sources=(OTHER,)),
            blocks=[B1],
            absences=[held(B1)],
        ),
        [],
    ),
    "the nearest block of the day is reused": (
        view(events=[event("z", "2 16:00", "2 17:00")], blocks=[B1, B2], absences=[held(B1), held(B2)]),
        [(U, 2, "2 16:00", "2 17:00", UNCOVER), (D, 1, "2 09:00", "2 10:00", UNCOVER)],
    ),
    "a second absence of ours for the same time is removed and frees nothing": (
        view(
            events=[A],
            blocks=[B1, block(5, "2 09:00", "2 10:00", "a")],
            absences=[held(B1), held(block(5, "2 09:00", "2 10:00"))],
        ),
        [(D, 5, "2 09:00", "2 10:00", COVER)],
    ),
    "time typed by hand on both sides is paired": (
        view(events=[A], absences=[absence(9, "2 09:00", "2 10:00")]),
        [(P, 9, "2 09:00", "2 10:00", COVER)],
    ),
    "each of two merged events pairs with its own twin": (
        view(
            events=[A, event("b", "2 10:00", "2 11:00")],
            absences=[absence(8, "2 09:00", "2 10:00"), absence(9, "2 10:00", "2 11:00")],
        ),
        [(P, 8, "2 09:00", "2 10:00", COVER), (P, 9, "2 10:00", "2 11:00", COVER)],
    ),
    "a twin of the merged time is paired": (
        view(events=[A, event("b", "2 10:00", "2 11:00")], absences=[absence(8, "2 09:00", "2 11:00")]),
        [(P, 8, "2 09:00", "2 11:00", COVER)],
    ),
    "a tagged absence that fits is ours again": (
        view(events=[A], absences=[absence(9, "2 09:00", "2 10:00", title=TAG)]),
        [(P, 9, "2 09:00", "2 10:00", COVER)],
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_operations_on_blocks(name: str) -> None:
    situation, expected = ROWS[name]
    plan = make_plan(situation, context())
    assert [told(op) for op in plan.operations if op.kind is ObjectKind.BUSY_BLOCK] == expected
    assert not [op for op in plan.operations if op.kind is not ObjectKind.BUSY_BLOCK]


def settle(situation: AgentView) -> tuple[Plan, tuple[Suppression, ...]]:
    plan = make_plan(situation, context())
    return plan, tuple(s for change in plan.changes for s in change.suppressions)


def test_a_block_deleted_by_hand_is_a_suppression_and_is_not_written_again() -> None:
    plan, suppressions = settle(view(events=[A], blocks=[B1], absences=[held(B1, presence=Presence.GONE)]))
    assert plan.operations == ()
    assert [change.kind for change in plan.changes] == [ChangeKind.BLOCK_FREED]
    assert suppressions == (
        Suppression(AGENT, provenance("a"), wall("2 09:00"), wall("2 10:00"), wall("2 09:00"), wall("2 10:00")),
    )
    assert make_plan(view(events=[A], suppressions=suppressions), context()).operations == ()


def test_a_suppression_ends_when_its_event_moves() -> None:
    _, suppressions = settle(view(events=[A], blocks=[B1], absences=[held(B1, presence=Presence.GONE)]))
    later = make_plan(view(events=[event("a", "2 11:00", "2 12:00")], suppressions=suppressions), context())
    assert [told(op) for op in later.operations] == [(C, None, "2 11:00", "2 12:00", COVER)]
    assert [change.kind for change in later.changes] == [ChangeKind.SUPPRESSION_ENDED]


def test_a_suppression_outlives_a_move_to_another_place() -> None:
    _, suppressions = settle(view(events=[A], blocks=[B1], absences=[held(B1, presence=Presence.GONE)]))
    elsewhere = event("a", "2 09:00", "2 10:00", href="/agenda/renamed.ics")
    assert make_plan(view(events=[elsewhere], suppressions=suppressions), context()).operations == ()


def test_deleting_a_merged_block_frees_every_occurrence_behind_it() -> None:
    merged = block(1, "2 09:00", "2 11:00", "a", "b")
    events = [A, event("b", "2 10:00", "2 11:00")]
    _, suppressions = settle(view(events=events, blocks=[merged], absences=[held(merged, presence=Presence.GONE)]))
    assert {s.provenance.uid for s in suppressions} == {"a", "b"}
    assert make_plan(view(events=events, suppressions=suppressions), context()).operations == ()


def test_a_shortened_block_stays_ours_and_its_cut_part_stays_free() -> None:
    plan, suppressions = settle(view(events=[A], blocks=[B1], absences=[held(B1, "2 09:00", "2 09:30")]))
    assert plan.operations == ()
    (change,) = plan.changes
    assert change.kind is ChangeKind.BLOCK_SHORTENED
    assert change.block is not None
    after = make_plan(
        view(events=[A], blocks=[change.block], absences=[held(change.block)], suppressions=suppressions), context()
    )
    assert after.operations == ()
    assert after.changes == ()


@pytest.mark.parametrize(("start", "end"), [("2 08:00", "2 10:00"), ("2 14:00", "2 15:00"), ("2 09:30", "2 12:00")])
def test_a_block_moved_or_lengthened_by_hand_becomes_theirs(start: str, end: str) -> None:
    situation = view(events=[A], blocks=[B1], absences=[held(B1, start, end)])
    plan, suppressions = settle(situation)
    assert plan.operations == ()
    (change,) = plan.changes
    assert change.kind is ChangeKind.BLOCK_RELEASED
    assert change.block is not None
    assert change.block.origin is BlockOrigin.RELEASED
    later = view(blocks=[change.block], absences=[held(change.block)], suppressions=suppressions)
    assert make_plan(later, context()).operations == (), "theirs: not removed with its event, not sent to the calendar"


def test_an_event_that_cannot_be_read_keeps_its_block_and_is_named() -> None:
    unreadable = replace(A, times=None, set_aside="time zone 'Lune' cannot be resolved")
    plan = make_plan(view(events=[unreadable], blocks=[B1], absences=[held(B1)]), context())
    assert plan.operations == ()
    assert [(each.href, each.reason) for each in plan.set_aside] == [(A.href, unreadable.set_aside)]


def test_an_event_with_a_rule_that_explodes_is_set_aside_alone() -> None:
    bomb = event("bomb", "2 09:00", "2 10:00", rule="FREQ=SECONDLY")
    plan = make_plan(view(events=[bomb, event("b", "2 14:00", "2 15:00")]), context())
    assert [told(op) for op in plan.operations] == [(C, None, "2 14:00", "2 15:00", COVER)]
    assert [each.href for each in plan.set_aside] == [bomb.href]


def test_a_found_absence_is_changed_only_with_an_approval() -> None:
    found = block(9, "2 09:00", "2 10:00", "a", origin=BlockOrigin.FOUND, approved=False)
    stays = make_plan(view(events=[A], blocks=[found], absences=[held(found)]), context())
    assert stays.operations == ()
    (gone,) = make_plan(view(blocks=[found], absences=[held(found)]), context()).operations
    assert (gone.action, gone.needs_approval) == (D, True)


def test_a_tagged_absence_that_nothing_explains_is_an_orphan_and_never_exported() -> None:
    plan = make_plan(view(absences=[absence(9, "2 09:00", "2 10:00", title=TAG)]), context())
    assert plan.operations == ()
    assert [(each.kind, each.absence_id) for each in plan.conflicts] == [(ConflictKind.ORPHAN, 9)]


def test_near_twins_are_named_on_the_first_run() -> None:
    situation = view(events=[A], absences=[absence(9, "2 09:05", "2 10:00")], agent=agent(state=AgentState.FIRST_RUN))
    conflicts = make_plan(situation, context()).conflicts
    assert [(each.kind, each.absence_id) for each in conflicts] == [(ConflictKind.NEAR_TWIN, 9)]


def test_typing_the_same_absence_twice_by_hand_never_reaches_the_calendar() -> None:
    plan = make_plan(
        view(events=[A], absences=[absence(8, "2 09:00", "2 10:00"), absence(9, "2 09:00", "2 10:00")]), context()
    )
    assert [(op.action, op.absence_id) for op in plan.operations] == [(P, 8)]


def test_without_merging_each_event_has_its_own_block() -> None:
    plan = make_plan(view(events=[A, event("b", "2 10:00", "2 11:00")]), context(merge_blocks=False))
    assert len(plan.operations) == 2
