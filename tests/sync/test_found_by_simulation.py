"""Histories that the simulation found, each reduced to the one plan in which it went wrong."""

from __future__ import annotations

from dataclasses import replace

from gateway.sync.planning import make_plan
from gateway.sync.values import Action, BlockOrigin, ChangeKind, Presence, SeenRdv
from mappings.rdv_event import Cancelled
from tests.sync.builders import absence, block, context, copy_of, event, held, mirror_of, moved, rdv, view


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
