"""RDVs over busy time, and a second synchroniser, as plans find them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.records import Rdv
from gateway.sync.planning import make_plan
from gateway.sync.planning.conflicts import MOST_PER_RDV, _Busy, _Taken, overlaps
from gateway.sync.values import (
    AgentView,
    BlockOrigin,
    CalendarRef,
    Conflict,
    ConflictKind,
    Presence,
    SeenEvent,
    SeenRdv,
    Suppression,
)
from mappings.native import NativeSource
from mappings.times import Availability
from tests.sync.builders import (
    AGENT,
    SOURCE,
    absence,
    agent,
    block,
    context,
    copy_of,
    event,
    held,
    mirror_of,
    provenance,
    rdv,
    view,
    wall,
)

PERSO = CalendarRef("account", "/perso/")


def seen(*rdvs: Rdv, presence: Presence = Presence.PRESENT) -> list[SeenRdv]:
    return [SeenRdv(each, presence) for each in rdvs]


def over_busy(situation: AgentView, **rules: object) -> list[Conflict]:
    found = make_plan(situation, context(**rules)).conflicts  # type: ignore[arg-type]
    return [each for each in found if each.kind is ConflictKind.RDV_OVER_BUSY]


# --- over busy time ------------------------------------------------------------------------------------------


def test_an_rdv_over_an_event_is_told_with_where_and_when() -> None:
    (found,) = over_busy(view(rdvs=seen(rdv(4)), events=[event("a", "2 10:15", "2 12:00")]))
    assert (found.rdv_id, found.href, found.absence_id) == (4, "/agenda/a.ics", None)
    assert (found.start, found.end) == (wall("2 10:00"), wall("2 10:30"))


@pytest.mark.parametrize(
    "other",
    [
        event("a", "2 09:00", "2 10:00"),
        event("a", "2 10:30", "2 11:00"),
        event("a", "2 10:00", "2 11:00", free=True),
    ],
    ids=["before", "after", "free"],
)
def test_an_rdv_beside_busy_time_is_no_conflict(other: SeenEvent) -> None:
    assert over_busy(view(rdvs=seen(rdv()), events=[other])) == []


@pytest.mark.parametrize(
    "rdvs",
    [
        seen(rdv(status="excused")),
        seen(rdv(agents=(8,))),
        seen(rdv(), presence=Presence.UNKNOWN),
        seen(rdv(start="1 07:00")),
        seen(rdv(start="1 07:45")),
    ],
    ids=["cancelled", "somebody else's", "not read", "past", "under way"],
)
def test_only_rdvs_that_are_to_come_count(rdvs: list[SeenRdv]) -> None:
    events = [event("a", "2 10:00", "2 11:00"), event("b", "1 07:00", "1 09:00")]
    assert over_busy(view(rdvs=rdvs, events=events)) == []


def test_an_event_at_the_very_time_of_the_rdv_may_be_its_copy() -> None:
    (found,) = over_busy(view(rdvs=seen(rdv()), events=[event("a", "2 10:00", "2 10:30")]))
    assert "typed by hand" in found.reason


def test_our_own_copy_of_the_rdv_is_no_conflict() -> None:
    copy, written = copy_of(rdv())
    assert over_busy(view(rdvs=seen(rdv()), copies=[copy], events=[written])) == []


def test_time_that_a_person_freed_is_no_conflict() -> None:
    freed = Suppression(AGENT, provenance("a"), wall("2 09:00"), wall("2 12:00"), wall("2 10:00"), wall("2 11:00"))
    situation = view(
        rdvs=seen(rdv(1, "2 10:00"), rdv(2, "2 11:00")),
        events=[event("a", "2 09:00", "2 12:00")],
        suppressions=(freed,),
    )
    assert [each.rdv_id for each in over_busy(situation)] == [2]


def test_new_leave_over_existing_rdvs_is_one_conflict_for_each() -> None:
    rdvs = seen(*(rdv(n, f"{n + 1} 10:00") for n in range(1, 6)))
    leave = event("leave", datetime(2026, 6, 2).date(), datetime(2026, 6, 5).date())
    assert [each.rdv_id for each in over_busy(view(rdvs=rdvs, events=[leave]))] == [1, 2, 3]


def test_the_same_meeting_in_two_calendars_is_one_conflict() -> None:
    there = event("a", "2 10:00", "2 11:00", ref=PERSO, href="/perso/a.ics")
    situation = view(
        agent=agent(sources=(SOURCE, PERSO)), rdvs=seen(rdv()), events=[event("a", "2 10:00", "2 11:00"), there]
    )
    assert len(over_busy(situation)) == 1


def test_a_day_full_of_events_is_told_a_few_times_for_one_rdv() -> None:
    events = [event(f"e{n}", "2 09:00", f"2 11:{n:02}") for n in range(20)]
    assert len(over_busy(view(rdvs=seen(rdv()), events=events))) == MOST_PER_RDV


def test_an_rdv_over_an_absence_that_somebody_typed_is_told_whether_mirrored_or_not() -> None:
    """Whoever typed it: the list of absences does not say."""
    typed = absence(9, "2 08:00", "2 12:00")
    mirror, mirrored = mirror_of(typed)
    for situation in (
        view(rdvs=seen(rdv()), absences=[typed]),
        view(rdvs=seen(rdv()), absences=[typed], mirrors=[mirror], events=[mirrored]),
    ):
        assert [(each.absence_id, each.href) for each in over_busy(situation)] == [(9, "")]


def test_a_block_of_ours_is_told_as_its_event_and_one_that_a_person_moved_for_itself() -> None:
    ours, moved = block(1, "2 10:00", "2 11:00", "a"), block(2, "3 10:00", "3 11:00", origin=BlockOrigin.RELEASED)
    situation = view(
        rdvs=seen(rdv(1, "2 10:00"), rdv(2, "3 10:00")),
        events=[event("a", "2 10:00", "2 11:00")],
        blocks=[ours, moved],
        absences=[held(ours), held(moved)],
    )
    assert [(each.rdv_id, each.href, each.absence_id) for each in over_busy(situation)] == [
        (1, "/agenda/a.ics", None),
        (2, "", 2),
    ]


def test_a_recurring_absence_is_told_on_the_dates_when_it_takes_place() -> None:
    weekly = absence(9, "2 09:00", "2 12:00", rrule="FREQ=WEEKLY;")
    rdvs = seen(rdv(1, "9 10:00"), rdv(2, "10 10:00"), rdv(3, "16 11:30"))
    assert [each.rdv_id for each in over_busy(view(rdvs=rdvs, absences=[weekly]))] == [1, 3]


def test_an_absence_that_is_gone_or_whose_rule_cannot_be_read_is_none() -> None:
    gone = absence(8, "2 09:00", "2 12:00", presence=Presence.GONE)
    odd = absence(9, "2 09:00", "2 12:00", rrule="FREQ=SECONDLY")
    assert over_busy(view(rdvs=seen(rdv()), absences=[gone, odd])) == []


def test_what_is_beyond_the_horizon_is_not_looked_at() -> None:
    situation = view(rdvs=seen(rdv(1, "20 10:00")), absences=[absence(9, "20 08:00", "20 18:00")])
    assert len(over_busy(situation)) == 1
    assert over_busy(situation, horizon_days=14) == []


def test_the_zone_of_an_organisation_overseas_counts() -> None:
    """10:00 in La Réunion is 08:00 in Paris in summer."""
    overseas = replace(rdv(), time_zone="Indian/Reunion")
    events = [event("a", "2 08:00", "2 08:30"), event("b", "2 10:00", "2 10:30")]
    assert [each.href for each in over_busy(view(rdvs=seen(overseas), events=events))] == ["/agenda/a.ics"]


def test_a_conflict_keeps_its_name_while_nothing_moves() -> None:
    situation = view(rdvs=seen(rdv()), events=[event("a", "2 10:00", "2 11:00")])
    names = [each.digest for each in over_busy(situation)]
    later = replace(situation, events=(*situation.events, event("b", "2 10:00", "2 12:00")))
    assert names[0] in [each.digest for each in over_busy(later)]
    assert len({each.digest for each in over_busy(later)}) == 2


_SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=25)


@given(_SPANS, _SPANS)
def test_the_sweep_finds_every_overlap_and_nothing_else(
    rdvs: list[tuple[int, int]], busy: list[tuple[int, int]]
) -> None:
    def span(start: int, length: int) -> tuple[datetime, datetime]:
        return wall("1 00:00") + timedelta(minutes=start), wall("1 00:00") + timedelta(minutes=start + length)

    taken = [_Taken(*span(*each), number) for number, each in enumerate(rdvs)]
    others = [_Busy(*span(*each), absence_id=number) for number, each in enumerate(busy)]
    expected = {(t.rdv_id, o.absence_id) for t in taken for o in others if t.start < o.end and o.start < t.end}
    found = [(t.rdv_id, o.absence_id) for t, o in overlaps(taken, others)]
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_the_sweep_looks_at_far_less_than_every_pair() -> None:
    start = wall("1 08:00")
    hour = timedelta(hours=1)
    taken = [_Taken(start + n * hour, start + n * hour + hour, n) for n in range(5_000)]
    busy = [_Busy(start + n * hour, start + n * hour + hour, absence_id=n) for n in range(5_000)]
    began = process_time()
    assert sum(1 for _ in overlaps(taken, busy)) == 5_000
    assert process_time() - began < 1.0  # every pair would take some seconds


# --- a second synchroniser -----------------------------------------------------------------------------------

UUID = "00000000-0000-4000-8000-00000000000A"


def native(
    source: NativeSource | None = NativeSource.SYNC,
    start: str = "2 10:00",
    end: str = "2 10:30",
    *,
    ref: CalendarRef = SOURCE,
    uid: str = UUID,
    href: str | None = None,
) -> SeenEvent:
    return replace(event(uid, start, end, ref=ref, href=href), native=source)


def cancelled(it: SeenEvent) -> SeenEvent:
    assert it.times is not None
    component = replace(it.times.components[0], availability=Availability.CANCELLED)
    return replace(it, times=replace(it.times, components=(component,)))


def found_in(*events: SeenEvent, rdvs: list[SeenRdv] | None = None, **rules: object) -> tuple[list[str], bool, int]:
    """Reasons told, whether the RDVs are doubled, and how much busy time there is."""
    situation = view(agent=agent(sources=(SOURCE, PERSO)), events=events, rdvs=rdvs or [])
    plan = make_plan(situation, context(**rules))  # type: ignore[arg-type]
    told = [each.reason for each in plan.conflicts if each.kind is ConflictKind.NATIVE_SYNC]
    return told, plan.doubled, sum(each.interval is not None for each in plan.operations)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (NativeSource.SYNC, "CalDAV"),
        (NativeSource.OUTLOOK, "Outlook"),
        (NativeSource.INVITATION, "accepted"),
    ],
)
def test_a_copy_of_an_rdv_that_nobody_knows_is_told_by_its_looks_and_never_busy(
    source: NativeSource, words: str
) -> None:
    (told,), doubled, busy = found_in(native(source))
    assert words in told
    assert (doubled, busy) == (True, 0)


@pytest.mark.parametrize("uid", [UUID, UUID.lower(), f" {UUID} "])
def test_the_uuid_of_an_rdv_is_enough_in_any_case(uid: str) -> None:
    known = seen(replace(rdv(), uuid=UUID.lower()))
    assert found_in(native(None, uid=uid, href="/agenda/x.ics"), rdvs=known)[1:] == (True, 0)


def test_so_is_a_file_of_that_name_and_a_uuid_of_nothing_is_not() -> None:
    known = seen(replace(rdv(), uuid=UUID.lower()))
    assert found_in(native(None, uid="other", href=f"/agenda/{UUID}.ics"), rdvs=known)[1:] == (True, 0)
    assert found_in(native(None)) == ([], False, 1)


def test_several_kinds_are_told_at_once() -> None:
    (told,), _, _ = found_in(native(), native(NativeSource.OUTLOOK, "3 10:00", "3 10:30", uid="b"), native(uid="c"))
    assert "CalDAV" in told
    assert "Outlook" in told


@pytest.mark.parametrize(
    "left",
    [native(start="1 06:00", end="1 07:00"), cancelled(native())],
    ids=["past", "cancelled"],
)
def test_what_an_earlier_sync_left_holds_nothing(left: SeenEvent) -> None:
    assert found_in(left) == ([], False, 0)


def test_a_colleagues_copy_in_a_calendar_that_is_also_read_is_not_busy_and_holds_nothing() -> None:
    assert found_in(native(ref=PERSO)) == ([], False, 0)


def test_a_subscription_beside_the_calendar_that_receives_doubles_too() -> None:
    known = seen(replace(rdv(), uuid=UUID.lower()))
    assert found_in(native(ref=PERSO), rdvs=known)[1:] == (True, 0)


def test_a_mailed_absence_is_told_holds_no_rdv_and_is_not_busy() -> None:
    (told,), doubled, busy = found_in(native(NativeSource.ABSENCE, uid="absence_9@RDV Solidarités"))
    assert "absences" in told
    assert (doubled, busy) == (False, 0)


def test_a_mailed_plage_d_ouverture_is_neither_busy_nor_told() -> None:
    assert found_in(native(NativeSource.OPENING)) == ([], False, 0)


def test_an_agent_whose_rdvs_are_not_copied_is_doubled_by_nothing() -> None:
    assert found_in(native(), copy_rdvs=False) == ([], False, 0)


def test_an_event_that_only_links_to_an_rdv_counts_at_the_very_time_of_one() -> None:
    """An event of the agent's own in Outlook, with the link pasted into it, keeps blocking."""
    linked = native(NativeSource.LINKED, uid="exchange")
    assert found_in(linked, rdvs=seen(rdv()))[1:] == (True, 0)
    assert found_in(linked, rdvs=seen(rdv(start="2 11:00"))) == ([], False, 1)
    assert found_in(linked, rdvs=seen(rdv(status="excused"))) == ([], False, 1)
    assert found_in(linked) == ([], False, 1)
