"""The observed state: calendars and RDV-Solidarités as last seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from connectors.errors import OurBug
from connectors.records import Rdv
from gateway.keys import Keyring
from gateway.store.database import Database
from gateway.store.schema import observed_event
from gateway.store.store import Store
from gateway.store.values import (
    CalendarState,
    KnownItem,
    ObservedAbsence,
    ObservedRdv,
    OrganisationState,
    StoredWindow,
)
from gateway.sync.values import CalendarRef, Presence, SeenEvent, SeenRdv
from tests.store.samples import AGENT, MAIN, MORNING, NOW, SECOND, absence, agent, copy, event, rdv

LATER = NOW + timedelta(minutes=5)


def read_calendar(store: Store, ref: CalendarRef, *events: SeenEvent, gone: tuple[str, ...] = ()) -> None:
    with store.transaction() as tx:
        tx.save_calendar_reading(ref, events=events, gone=gone, cursor="cursor", mark="mark", read_at=NOW)


def read_rdvs(store: Store, *rdvs: Rdv, epoch: int = 1, digest: str = "") -> None:
    digests = {each.id: digest or f"digest-{each.id}" for each in rdvs}
    with store.transaction() as tx:
        tx.save_rdvs(rdvs, digests=digests, agents_epoch=epoch, read_at=NOW)


# --- calendars -----------------------------------------------------------------------------------------------


def test_a_calendar_never_read_has_no_state_and_no_items(store: Store) -> None:
    assert store.calendar_state(MAIN) is None
    assert store.known_items(MAIN) == {}


def test_a_reading_adds_changes_and_removes_in_its_own_calendar_only(store: Store) -> None:
    same_href = replace(event("a"), ref=SECOND, version='"9"')
    read_calendar(store, MAIN, event("a"), event("b"), event("c", times=None, set_aside="unknown zone"))
    read_calendar(store, SECOND, same_href)
    read_calendar(store, MAIN, event("b", version='"2"'), gone=(event("a").href, "/never-seen.ics"))
    assert store.known_items(MAIN) == {
        event("b").href: KnownItem('"2"', "raw-b", ""),
        event("c").href: KnownItem('"1"', "raw-c", "unknown zone"),
    }
    assert store.known_items(SECOND) == {same_href.href: KnownItem('"9"', "raw-a", "")}


def test_the_cursor_moves_with_each_reading(store: Store) -> None:
    read_calendar(store, MAIN)
    assert store.calendar_state(MAIN) == CalendarState("cursor", "mark", NOW)
    with store.transaction() as tx:
        tx.save_calendar_reading(MAIN, events=[], gone=[], cursor=None, mark="", read_at=LATER)
    assert store.calendar_state(MAIN) == CalendarState(None, "", LATER)


def test_an_item_is_gone_even_when_the_same_reading_named_it(store: Store) -> None:
    read_calendar(store, MAIN, event("a"), gone=(event("a").href,))
    assert store.known_items(MAIN) == {}


def test_a_view_has_the_events_of_all_the_agents_calendars_and_of_no_other(store: Store) -> None:
    other = replace(event("x"), ref=CalendarRef("zimbra", "/dav/somebody.else/"))
    second = replace(event("s"), ref=SECOND)
    read_calendar(store, MAIN, event("a"))
    read_calendar(store, SECOND, second)
    read_calendar(store, other.ref, other)
    assert set(store.agent_view(AGENT).events) == {event("a"), second}


def test_one_event_can_be_kept_and_dropped_after_our_own_write(store: Store) -> None:
    read_calendar(store, MAIN)
    with store.transaction() as tx:
        tx.save_event(event("a"))
        tx.save_event(event("a", version='"2"'))
        tx.save_event(event("b"))
        tx.drop_event(MAIN, event("b").href)
        tx.drop_event(SECOND, event("a").href)
    assert store.agent_view(AGENT).events == (event("a", version='"2"'),)


def test_an_event_of_a_calendar_that_was_never_read_is_refused(store: Store) -> None:
    with pytest.raises(OurBug, match="before that calendar was read"), store.transaction() as tx:
        tx.save_event(event("a"))


def test_an_event_whose_zone_this_machine_no_longer_knows_is_set_aside(store: Store, database: Database) -> None:
    read_calendar(store, MAIN, event("a"), event("b"))
    with database.write() as connection:
        times = '{"components":[{"end":"20260302T100000 Mars/Base","start":"20260302T090000 Mars/Base"}],"v":2}'
        connection.execute(update(observed_event).where(observed_event.c.href == event("a").href).values(times=times))
    lost, fine = store.agent_view(AGENT).events
    assert (lost.times, lost.set_aside) == (None, "unknown time zone")
    assert fine == event("b")


# --- organisations and windows -------------------------------------------------------------------------------


def test_an_organisation_is_kept_until_it_is_named_again(store: Store) -> None:
    one, two = OrganisationState(1, "MDS", frozenset({5, 7}), 1), OrganisationState(2, "PMI", frozenset(), 1)
    with store.transaction() as tx:
        tx.save_organisations([one, two])
        tx.save_organisations([replace(one, agent_ids=frozenset({7}), agents_epoch=2)])
        tx.save_organisations([])
    assert store.organisation_states() == {1: replace(one, agent_ids=frozenset({7}), agents_epoch=2), 2: two}


def test_windows_are_replaced_for_one_organisation_and_the_latest_of_equal_ones_counts(store: Store) -> None:
    day = timedelta(days=1)
    with store.transaction() as tx:
        tx.save_rdv_windows(1, [StoredWindow(NOW, NOW + day, NOW)])
        tx.save_rdv_windows(2, [StoredWindow(NOW, NOW, NOW)])
        second, latest = StoredWindow(NOW + day, NOW + 2 * day, NOW), StoredWindow(NOW, NOW + day, LATER)
        tx.save_rdv_windows(1, [second, latest, StoredWindow(NOW, NOW + day, NOW)])
    assert store.rdv_windows(1) == (latest, second)
    assert store.rdv_windows(2) == (StoredWindow(NOW, NOW, NOW),)
    assert store.rdv_windows(3) == ()


# --- RDVs ----------------------------------------------------------------------------------------------------


def test_what_is_observed_of_rdvs_is_known_by_organisation(store: Store) -> None:
    read_rdvs(store, rdv(1, agent_ids=(AGENT, 9, AGENT)), rdv(2, service_id=None), rdv(3, organisation_id=4))
    first = ObservedRdv(1, NOW, 2, frozenset({AGENT, 9}), Presence.PRESENT, "", 0, 1, "digest-1")
    assert store.observed_rdvs(3) == (
        first,
        replace(first, id=2, service_id=None, agent_ids=frozenset({AGENT}), digest="digest-2"),
    )
    assert [each.id for each in store.observed_rdvs(4)] == [3]


def test_an_rdv_seen_again_is_present_again_with_the_epoch_of_now(store: Store) -> None:
    read_rdvs(store, rdv(1))
    with store.transaction() as tx:
        tx.save_rdv_missing(1, readings=1, presence=Presence.UNKNOWN, because="agent list changed")
    (missing,) = store.observed_rdvs(3)
    assert (missing.presence, missing.missing_because, missing.missing_readings) == (
        Presence.UNKNOWN,
        "agent list changed",
        1,
    )
    assert store.agent_view(AGENT).rdvs == (SeenRdv(rdv(1), Presence.UNKNOWN, "agent list changed"),)
    read_rdvs(store, rdv(1), epoch=2)
    (back,) = store.observed_rdvs(3)
    assert back == ObservedRdv(1, NOW, 2, frozenset({AGENT}), Presence.PRESENT, "", 0, 2, "digest-1")


def test_a_changed_rdv_takes_its_new_agents_and_content(store: Store) -> None:
    read_rdvs(store, rdv(1))
    moved = rdv(1, agent_ids=(9,), starts_at=MORNING + timedelta(days=1))
    read_rdvs(store, moved, digest="another")
    assert store.agent_view(AGENT).rdvs == ()
    with store.transaction() as tx:
        tx.put_agent(agent(9))
    assert store.agent_view(9).rdvs == (SeenRdv(moved, Presence.PRESENT),)


def test_a_view_has_rdvs_that_left_the_agent_while_a_copy_of_theirs_is_agreed(store: Store) -> None:
    read_rdvs(store, rdv(1, agent_ids=(9,)), rdv(2, agent_ids=(9,)), rdv(3), rdv(4, agent_ids=(AGENT, 9)))
    with store.transaction() as tx:
        tx.put_copy(copy(1))
        tx.put_copy(copy(3))
        tx.put_copy(copy(99))
    assert [seen.rdv.id for seen in store.agent_view(AGENT).rdvs] == [1, 3, 4]


def test_a_forgotten_rdv_leaves_nothing_observed(store: Store) -> None:
    read_rdvs(store, rdv(1), rdv(2))
    with store.transaction() as tx:
        tx.put_copy(copy(1))
        tx.forget_rdvs([1, 77])
        tx.forget_rdvs([])
    assert [each.id for each in store.observed_rdvs(3)] == [2]
    assert store.copied_rdv_ids() == {1}
    assert [seen.rdv.id for seen in store.agent_view(AGENT).rdvs] == [2]


def test_thousands_of_rdvs_are_saved_at_once(store: Store) -> None:
    many = [rdv(number) for number in range(1, 2_502)]
    read_rdvs(store, *many)
    read_rdvs(store, *many, epoch=2)
    assert {each.agents_epoch for each in store.observed_rdvs(3)} == {2}
    assert len(store.observed_rdvs(3)) == 2_501


# --- absences ------------------------------------------------------------------------------------------------


def test_what_is_observed_of_absences_is_known_without_their_titles(store: Store, keys: Keyring) -> None:
    with store.transaction() as tx:
        tx.save_absences([absence(4, rrule="Montrose text"), absence(5, agent_id=9)])
        tx.save_absence_presence(5, Presence.UNKNOWN, "rights")
    end, digest = MORNING + timedelta(hours=2), keys.digest(b"Formation")
    assert store.observed_absences() == {
        4: ObservedAbsence(4, AGENT, MORNING, end, "Montrose text", digest, Presence.PRESENT, ""),
        5: ObservedAbsence(5, 9, MORNING, end, None, digest, Presence.UNKNOWN, "rights"),
    }
    assert [seen.absence for seen in store.agent_view(AGENT).absences] == [absence(4, rrule="Montrose text")]


@pytest.mark.parametrize(
    "changed",
    [
        absence(title="Congés"),
        absence(start=MORNING - timedelta(hours=1)),
        absence(end=MORNING + timedelta(hours=9)),
        absence(rrule="x"),
    ],
    ids=["title", "start", "end", "rrule"],
)
def test_every_change_of_an_absence_is_kept(store: Store, changed: object) -> None:
    with store.transaction() as tx:
        tx.save_absences([absence()])
        tx.save_absence_presence(1, Presence.GONE, "404")
    with store.transaction() as tx:
        tx.save_absences([changed])  # type: ignore[list-item]  # parametrised
    (seen,) = store.agent_view(AGENT).absences
    assert (seen.absence, seen.presence, seen.missing_because) == (changed, Presence.PRESENT, "")


def test_the_highest_absence_id_outlives_its_absence(store: Store) -> None:
    assert store.highest_absence_id() == 0
    with store.transaction() as tx:
        tx.save_absences([absence(900), absence(3)])
        tx.forget_absences([900])
        tx.save_absences([absence(4)])
        tx.save_absences([])
    assert set(store.observed_absences()) == {3, 4}
    assert store.highest_absence_id() == 900


# --- writing little ------------------------------------------------------------------------------------------


def test_a_reading_that_found_nothing_new_writes_nothing(sqlite_store: Store, path: Path) -> None:
    """The write-ahead log does not grow: no page was written, nothing waits for the disk."""
    store, wal = sqlite_store, path.with_name(f"{path.name}-wal")

    def observe() -> None:
        with store.transaction() as tx:
            tx.save_calendar_reading(
                MAIN, events=[event("a"), event("b")], gone=["/none.ics"], cursor="c", mark="m", read_at=NOW
            )
            tx.save_organisations([OrganisationState(1, "MDS", frozenset({5, 7}), 1)])
            tx.save_rdvs([rdv(1), rdv(2)], digests={1: "1", 2: "2"}, agents_epoch=1, read_at=NOW)
            tx.save_absences([absence(1), absence(2)])

    observe()
    size = wal.stat().st_size
    with store.transaction() as tx:
        tx.save_organisations([OrganisationState(1, "MDS", frozenset({5, 7}), 1)])
        tx.save_rdvs([rdv(1), rdv(2)], digests={1: "1", 2: "2"}, agents_epoch=1, read_at=NOW)
        tx.save_absences([absence(1), absence(2)])
        tx.save_event(event("a"))
    assert wal.stat().st_size == size
    with store.transaction() as tx:
        tx.save_absences([absence(1, title="Congés")])
    assert wal.stat().st_size > size
