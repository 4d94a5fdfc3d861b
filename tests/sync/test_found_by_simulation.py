"""Histories that the simulation found, each reduced to the one plan in which it went wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.sync.planning import make_plan
from gateway.sync.values import Action, BlockOrigin, ChangeKind, Operation, Presence, SeenRdv
from mappings.rdv_event import Cancelled
from tests.sync.builders import NOW, absence, block, context, copy_of, event, held, mirror_of, moved, rdv, view


def test_the_past_part_of_a_running_event_is_not_blocked_again_at_every_run() -> None:
    """The event runs from yesterday to tomorrow; a typed absence covers tomorrow, a block of ours covered the rest
    and is past."""
    typed = absence(1, "1 00:00", "3 23:59")
    found = block(1, "1 00:00", "3 23:59", "a", origin=BlockOrigin.FOUND)
    past = block(2, "0 00:00", "1 00:00", "a")
    plan = make_plan(
        view(events=[event("a", "0 00:00", "3 23:59")], absences=[typed, held(past)], blocks=[found, past]), context()
    )
    assert plan.operations == ()


def test_after_a_lost_database_the_copy_of_a_cancelled_rdv_is_found_before_it_is_removed() -> None:
    cancelled = rdv(1, "3 10:00", status="revoked")
    _, copy = copy_of(cancelled)
    plan = make_plan(
        view(rdvs=[SeenRdv(cancelled, Presence.PRESENT)], events=[copy]),
        context(copies={"cancelled": Cancelled.REMOVE}),
    )
    assert [(each.action, each.rule) for each in plan.operations] == [(Action.PAIR, "own_copy_found_again")]


def test_time_freed_by_hand_stays_free_when_its_event_is_carried_to_another_calendar_at_the_same_time() -> None:
    ours = block(1, "2 09:00", "2 10:00", "a")
    carried = replace(event("a", "2 09:00", "2 10:00"), href="/agenda/carried.ics")
    plan = make_plan(view(events=[carried], blocks=[ours], absences=[held(ours, presence=Presence.GONE)]), context())
    assert [change.kind for change in plan.changes] == [ChangeKind.BLOCK_FREED]
    assert plan.operations == ()


def test_an_event_that_a_person_moved_into_the_future_goes_with_its_absence_though_that_is_past() -> None:
    past = absence(1, "0 09:00", "0 10:00", presence=Presence.GONE)
    mirror, seen = mirror_of(past)
    plan = make_plan(view(absences=[past], mirrors=[mirror], events=[moved(seen, "4 09:00", "4 10:00")]), context())
    assert [(each.action, each.rule) for each in plan.operations] == [(Action.DELETE, "absence_deleted")]


def test_after_a_lost_database_an_absence_that_has_its_event_is_not_paired_with_another_at_the_same_time() -> None:
    """A person made an event at the very time of an absence that they had typed, and that is shown already."""
    typed = absence(1, "2 09:00", "2 10:00")
    _, shown = mirror_of(typed)
    plan = make_plan(view(absences=[typed], events=[shown, event("a", "2 09:00", "2 10:00")]), context())
    assert [(each.action, each.rule) for each in plan.operations] == [
        (Action.PAIR, "own_event_found_again"),
        (Action.CREATE, "event_occupies_time"),
    ]


@pytest.mark.parametrize("presence", [Presence.GONE, Presence.UNKNOWN])
def test_in_a_restored_database_the_copy_of_an_rdv_that_vanished_is_found_again_before_it_goes(
    presence: Presence,
) -> None:
    """It was made after the database of yesterday: else nobody would ever remove it or speak of it."""
    vanished = SeenRdv(rdv(1, "3 10:00"), presence, "no other RDV was read" if presence is Presence.UNKNOWN else "")
    agreed, copy = copy_of(vanished.rdv)
    found = make_plan(view(rdvs=[vanished], events=[copy]), context())
    assert [(each.action, each.rule) for each in found.operations] == [(Action.PAIR, "own_copy_found_again")]
    then = make_plan(view(rdvs=[vanished], events=[copy], copies=[agreed]), context())
    assert [each.action for each in then.operations] == [Action.DELETE]
    assert bool(then.operations[0].unproven) is (presence is Presence.UNKNOWN)


# --- past copies ---------------------------------------------------------------------------------------------

YESTERDAY, AHEAD = rdv(1, "0 10:00"), ("4 10:00", "4 10:30")


def _of_copy(last_read: str, presence: Presence, *, lies_ahead: bool, status: str = "unknown") -> list[Operation]:
    """What is planned for a copy that was yesterday's when it was agreed, of an RDV last read then or later."""
    agreed, seen = copy_of(YESTERDAY)
    agreed = replace(agreed, ends_at=NOW - timedelta(hours=20))
    source = rdv(1, last_read, status=status)
    plan = make_plan(
        view(rdvs=[SeenRdv(source, presence)], copies=[agreed], events=[moved(seen, *AHEAD) if lies_ahead else seen]),
        context(copies={"cancelled": Cancelled.REMOVE}),
    )
    return list(plan.operations)


def test_a_past_copy_that_a_person_moved_ahead_goes_with_its_rdv_that_was_moved_ahead_and_deleted() -> None:
    (removal,) = _of_copy("4 10:00", Presence.GONE, lies_ahead=True)
    assert (removal.action, removal.rule, removal.unproven) == (Action.DELETE, "rdv_deleted", "")


def test_a_past_copy_that_lies_ahead_is_removed_by_a_person_alone_when_its_rdv_was_past_and_is_gone() -> None:
    """The database may be an earlier day's, and the copy was written there since; or a person moved it there."""
    (removal,) = _of_copy("0 10:00", Presence.GONE, lies_ahead=True)
    assert (removal.action, removal.rule) == (Action.DELETE, "rdv_deleted")
    assert removal.unproven == "its copy was past when it was last agreed, and lies ahead now"


def test_the_past_copy_of_an_rdv_that_was_moved_ahead_and_cancelled_is_removed_where_cancelled_ones_are() -> None:
    (removal,) = _of_copy("4 10:00", Presence.PRESENT, lies_ahead=False, status="revoked")
    assert (removal.action, removal.rule) == (Action.DELETE, "rdv_cancelled")


@pytest.mark.parametrize("last_read", ["0 10:00", "4 10:00"])
def test_a_copy_that_lies_in_the_past_stays_when_its_rdv_is_gone(last_read: str) -> None:
    assert _of_copy(last_read, Presence.GONE, lies_ahead=False) == []
