"""Absences <-> events, and RDVs -> copies: what a plan decides."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.sync.planning import make_plan
from gateway.sync.values import (
    Action,
    ChangeKind,
    ConflictKind,
    ObjectKind,
    OperationClass,
    Presence,
    SeenRdv,
    Side,
)
from mappings.rdv_event import Cancelled
from tests.sync.builders import (
    AGENT,
    absence,
    context,
    copy_of,
    mirror_of,
    moved,
    rdv,
    view,
    wall,
)

MINE = absence(4, "2 09:00", "2 12:00")
PRESENT, GONE, UNKNOWN = Presence.PRESENT, Presence.GONE, Presence.UNKNOWN


def steps(situation: object, **rules: object) -> list[tuple[str, str, str]]:
    plan = make_plan(situation, context(**rules))  # type: ignore[arg-type]
    return [(op.side.value, op.action.value, op.rule) for op in plan.operations]


def test_an_absence_typed_in_rdv_solidarites_goes_to_the_calendar() -> None:
    assert steps(view(absences=[MINE])) == [("calendar", "create", "absence_typed")]


def test_a_past_absence_does_not_go_to_the_calendar() -> None:
    assert steps(view(absences=[absence(4, "1 05:00", "1 06:00")])) == []


def test_nothing_to_do_when_both_sides_are_as_agreed() -> None:
    agreed, seen = mirror_of(MINE)
    assert steps(view(absences=[MINE], mirrors=[agreed], events=[seen])) == []


@pytest.mark.parametrize(
    ("here", "there", "expected"),
    [
        ("2 09:00 2 13:00", "2 09:00 2 12:00", [("calendar", "update", "absence_changed")]),
        ("2 09:00 2 12:00", "2 08:00 2 12:00", [("rdv_solidarites", "update", "event_moved")]),
        (
            "2 09:00 2 13:00",
            "2 08:00 2 12:00",
            [("rdv_solidarites", "update", "event_moved"), ("calendar", "update", "absence_changed")],
        ),
        ("2 10:00 2 13:00", "2 10:00 2 13:00", []),
    ],
    ids=["edited here", "edited there", "start there and end here are merged", "edited alike"],
)
def test_three_way_merge_of_start_and_end(here: str, there: str, expected: list[tuple[str, str, str]]) -> None:
    agreed, seen = mirror_of(MINE)
    start, end = here[:7], here[8:]
    situation = view(absences=[absence(4, start, end)], mirrors=[agreed], events=[moved(seen, there[:7], there[8:])])
    assert sorted(steps(situation)) == sorted(expected)


def test_alike_edits_move_what_is_agreed_without_a_write() -> None:
    agreed, seen = mirror_of(MINE)
    plan = make_plan(
        view(absences=[absence(4, "2 10:00", "2 13:00")], mirrors=[agreed], events=[moved(seen, "2 10:00", "2 13:00")]),
        context(),
    )
    (change,) = plan.changes
    assert change.kind is ChangeKind.MIRROR_AGREED
    assert change.mirror is not None
    assert (change.mirror.start, change.mirror.end) == (wall("2 10:00"), wall("2 13:00"))


def test_the_same_field_edited_on_both_sides_keeps_the_side_of_birth_and_says_so() -> None:
    agreed, seen = mirror_of(MINE)
    situation = view(
        absences=[absence(4, "2 10:00", "2 12:00")], mirrors=[agreed], events=[moved(seen, "2 08:00", "2 12:00")]
    )
    plan = make_plan(situation, context())
    (operation,) = plan.operations
    assert (operation.side, operation.action) == (Side.CALENDAR, Action.UPDATE)
    assert [each.kind for each in plan.conflicts] == [ConflictKind.BOTH_EDITED]


def test_deletions_follow_on_either_side() -> None:
    agreed, seen = mirror_of(MINE)
    gone = replace(MINE, presence=GONE)
    assert steps(view(absences=[gone], mirrors=[agreed], events=[seen])) == [("calendar", "delete", "absence_deleted")]
    (operation,) = make_plan(view(absences=[MINE], mirrors=[agreed]), context()).operations
    assert (operation.side, operation.action, operation.op_class) == (
        Side.RDV_SOLIDARITES,
        Action.DELETE,
        OperationClass.UNCOVER,
    )


def test_an_absence_not_proven_gone_decides_nothing() -> None:
    agreed, seen = mirror_of(MINE)
    assert steps(view(absences=[replace(MINE, presence=UNKNOWN)], mirrors=[agreed], events=[seen])) == []


def test_deleted_in_the_calendar_but_moved_in_rdv_solidarites_comes_back() -> None:
    agreed, _ = mirror_of(MINE)
    plan = make_plan(view(absences=[absence(4, "2 10:00", "2 13:00")], mirrors=[agreed]), context())
    assert [(op.side, op.action) for op in plan.operations] == [(Side.CALENDAR, Action.CREATE)]
    assert [each.kind for each in plan.conflicts] == [ConflictKind.DELETED_AND_EDITED]


def test_a_title_typed_in_the_calendar_stays_there() -> None:
    agreed, seen = mirror_of(MINE)
    retitled = replace(seen, title_digest="theirs", owned_digest="other")
    assert steps(view(absences=[MINE], mirrors=[agreed], events=[retitled])) == []
    (operation,) = make_plan(
        view(absences=[absence(4, "2 09:00", "2 13:00")], mirrors=[agreed], events=[retitled]), context()
    ).operations
    assert operation.keeps_title


def test_a_recurring_absence_goes_to_the_calendar_only() -> None:
    weekly = absence(4, "2 09:00", "2 12:00", rrule="FREQ=WEEKLY;BYDAY=TU;")
    agreed, seen = mirror_of(weekly)
    assert steps(view(absences=[weekly])) == [("calendar", "create", "absence_typed")]
    assert steps(view(absences=[weekly], mirrors=[agreed], events=[seen])) == []
    edited = moved(seen, "2 10:00", "2 12:00")
    assert steps(view(absences=[weekly], mirrors=[agreed], events=[edited])) == [
        ("calendar", "update", "recurring_absence_put_back")
    ]
    assert steps(view(absences=[weekly], mirrors=[agreed])) == [("calendar", "create", "recurring_absence_put_back")]


def test_our_event_found_again_after_a_lost_database_is_paired() -> None:
    _, seen = mirror_of(MINE)
    assert steps(view(absences=[MINE], events=[seen])) == [("calendar", "pair", "own_event_found_again")]


# --- copies --------------------------------------------------------------------------------------------------


def seen_rdv(presence: Presence = PRESENT, because: str = "", **changes: object) -> SeenRdv:
    return SeenRdv(rdv(**changes), presence, because)  # type: ignore[arg-type]


COPY, EVENT = copy_of(rdv())

COPY_ROWS = {
    "a planned RDV is copied": (view(rdvs=[seen_rdv()]), [("create", "rdv_planned")]),
    "an RDV already cancelled is not": (view(rdvs=[seen_rdv(status="excused")]), []),
    "an unknown status counts as planned": (view(rdvs=[seen_rdv(status="waiting")]), [("create", "rdv_planned")]),
    "another agent's RDV is not": (view(rdvs=[seen_rdv(agents=(99,))]), []),
    "an unchanged copy costs nothing": (view(rdvs=[seen_rdv()], copies=[COPY], events=[EVENT]), []),
    "a moved RDV moves its copy": (
        view(rdvs=[seen_rdv(start="3 10:00")], copies=[COPY], events=[EVENT]),
        [("update", "rdv_changed")],
    ),
    "a cancelled RDV is marked": (
        view(rdvs=[seen_rdv(status="revoked")], copies=[COPY], events=[EVENT]),
        [("update", "rdv_changed")],
    ),
    "a no-show is not a cancellation": (view(rdvs=[seen_rdv(status="noshow")], copies=[COPY], events=[EVENT]), []),
    "an agent swapped away loses the copy": (
        view(rdvs=[seen_rdv(agents=(99,))], copies=[COPY], events=[EVENT]),
        [("delete", "agent_left_rdv")],
    ),
    "a deleted RDV loses its copy": (
        view(rdvs=[seen_rdv(GONE)], copies=[COPY], events=[EVENT]),
        [("delete", "rdv_deleted")],
    ),
    "one reading without it decides nothing": (view(rdvs=[seen_rdv(UNKNOWN)], copies=[COPY], events=[EVENT]), []),
    "an edited copy is put back": (
        view(rdvs=[seen_rdv()], copies=[COPY], events=[moved(EVENT, "2 16:00", "2 16:30")]),
        [("update", "edited_copy_put_back")],
    ),
    "a deleted copy is put back": (view(rdvs=[seen_rdv()], copies=[COPY]), [("create", "deleted_copy_put_back")]),
    "a copy found again is paired": (view(rdvs=[seen_rdv()], events=[EVENT]), [("pair", "own_copy_found_again")]),
}


@pytest.mark.parametrize("name", COPY_ROWS)
def test_operations_on_copies(name: str) -> None:
    situation, expected = COPY_ROWS[name]
    plan = make_plan(situation, context())
    assert [(op.action.value, op.rule) for op in plan.operations] == expected
    assert all(op.kind is ObjectKind.RDV_COPY for op in plan.operations)


def test_an_rdv_not_proven_gone_asks_for_a_removal_that_says_why() -> None:
    because = "no other RDV of its organisation and service was read"
    (operation,) = make_plan(
        view(rdvs=[seen_rdv(UNKNOWN, because)], copies=[COPY], events=[EVENT]), context()
    ).operations
    assert (operation.action, operation.unproven) == (Action.DELETE, because)


def test_an_rdv_that_ends_before_it_starts_is_set_aside_alone() -> None:
    odd = rdv(2)
    odd = replace(odd, ends_at=odd.starts_at - timedelta(hours=1))
    plan = make_plan(view(rdvs=[SeenRdv(odd, PRESENT), seen_rdv()]), context())
    assert [op.rdv_id for op in plan.operations] == [1]
    assert [each.href for each in plan.set_aside] == ["rdv 2"]


def test_a_past_copy_stays_when_its_rdv_is_purged() -> None:
    past = rdv(1, "0 10:00")
    copy, event_then = copy_of(past)
    assert steps(view(rdvs=[SeenRdv(past, GONE)], copies=[copy], events=[event_then])) == []


def test_a_copy_is_put_back_twice_a_day_then_a_person_is_told() -> None:
    tired = replace(COPY, put_back_on=context().today(view().agent), put_back_count=2)
    plan = make_plan(view(rdvs=[seen_rdv()], copies=[tired], events=[moved(EVENT, "2 16:00", "2 16:30")]), context())
    assert plan.operations == ()
    assert [each.kind for each in plan.conflicts] == [ConflictKind.PUT_BACK_TOO_OFTEN]


def test_our_events_never_count_as_busy_but_a_hand_made_copy_of_one_does() -> None:
    by_hand = replace(EVENT, uid="someone-elses-uid", href="/agenda/copied.ics")
    plan = make_plan(view(rdvs=[seen_rdv()], copies=[COPY], events=[EVENT, by_hand]), context())
    assert [(op.kind, op.action) for op in plan.operations] == [(ObjectKind.BUSY_BLOCK, Action.CREATE)]


def test_our_namespace_with_an_unknown_uid_is_an_orphan_not_busy_time() -> None:
    orphan = replace(EVENT, uid="rdvgw-" + "0" * 32, href="/agenda/orphan.ics")
    plan = make_plan(view(events=[orphan]), context())
    assert plan.operations == ()
    assert [each.kind for each in plan.conflicts] == [ConflictKind.ORPHAN]


def test_a_copy_made_by_the_native_sync_is_no_busy_time_and_is_told() -> None:
    native = replace(EVENT, uid=rdv().uuid, marker=None, href="/agenda/native.ics")
    plan = make_plan(view(rdvs=[seen_rdv()], copies=[COPY], events=[EVENT, native]), context())
    assert plan.operations == ()
    assert [each.kind for each in plan.conflicts] == [ConflictKind.NATIVE_SYNC]


def test_cancelled_copies_can_be_removed_instead() -> None:
    situation = view(rdvs=[seen_rdv(status="excused")], copies=[COPY], events=[EVENT])
    assert steps(situation, copies={"cancelled": Cancelled.REMOVE}) == [("calendar", "delete", "rdv_cancelled")]
    assert situation.agent.agent_id == AGENT
