"""A feed follows its data, and changes nothing while they do not change."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import icalendar
import pytest

from connectors.records import Participation, Rdv
from gateway.feeds.links import Links
from gateway.feeds.values import FeedLink, LinkState
from gateway.store.feeds import LINK_CHANGED
from gateway.store.store import Store
from gateway.sync.values import Presence
from mappings.feed_levels import Purpose
from tests.feeds.samples import CHILD, FEEDS, OTHER, ZOE, Clock, builder, new_link, rdv, save
from tests.store.samples import AGENT, NOW, absence, block

LATER = NOW + timedelta(hours=3)


def link_of(store: Store, link_id: int) -> FeedLink:
    with store.feeds() as tables:
        found = tables.link(link_id)
    assert found is not None
    return found


def body(store: Store, link: FeedLink, now: datetime = NOW) -> bytes:
    return builder(store).build(link_of(store, link.id), now).render()


def events(given: bytes) -> list[Any]:
    calendar: Any = icalendar.Calendar.from_ical(given)
    assert calendar.errors == []
    return list(calendar.walk("VEVENT"))


def told(given: bytes) -> list[tuple[str, str, int]]:
    """Day, status and sequence of each event."""
    return [(str(each.start.date()), str(each["STATUS"]), int(each["SEQUENCE"])) for each in events(given)]


def test_an_unchanged_feed_never_changes_a_byte(store: Store) -> None:
    save(store, rdv(1), rdv(2, days=9))
    link = new_link(store).link
    first = body(store, link)
    assert len(events(first)) == 2
    for hours in (0, 1, 20, 24 * 5):
        assert body(store, link, NOW + timedelta(hours=hours)) == first
    save(store, rdv(3, OTHER))
    save(store, replace(rdv(1), motif_name="autre nom"))  # the neutral level does not say it
    assert body(store, link, LATER) == first


def test_a_change_moves_its_entry_alone(store: Store) -> None:
    save(store, rdv(1), rdv(2, days=9))
    link = new_link(store).link
    before = events(body(store, link))
    save(store, rdv(1, days=8))
    after = events(body(store, link, LATER))
    assert [str(each["UID"]) for each in after] == [str(each["UID"]) for each in before]
    assert [int(each["SEQUENCE"]) for each in after] == [1, 0]
    assert [each["LAST-MODIFIED"].dt for each in after] == [LATER, NOW]
    assert [each["DTSTAMP"].dt for each in after] == [LATER, NOW]


def test_created_moved_cancelled_and_made_again(store: Store) -> None:
    link = new_link(store).link
    assert told(body(store, link)) == []
    save(store, rdv(1))
    assert told(body(store, link)) == [("2026-03-09", "CONFIRMED", 0)]
    save(store, rdv(1, days=8))
    assert told(body(store, link)) == [("2026-03-10", "CONFIRMED", 1)]
    save(store, rdv(1, days=8, status="excused"))
    assert told(body(store, link)) == [("2026-03-10", "CANCELLED", 2)]
    assert told(body(store, link, NOW + timedelta(days=14))) == [("2026-03-10", "CANCELLED", 2)]
    assert told(body(store, link, NOW + timedelta(days=15))) == []
    save(store, rdv(1, days=8))
    assert told(body(store, link, NOW + timedelta(days=15))) == [("2026-03-10", "CONFIRMED", 3)]


def test_what_was_never_read_otherwise_is_not_told_as_cancelled(store: Store) -> None:
    save(store, rdv(1, status="revoked"))
    assert told(body(store, new_link(store).link)) == []


def test_an_rdv_that_is_proven_gone_is_not_there_one_in_doubt_is(store: Store) -> None:
    save(store, rdv(1), rdv(2, days=9))
    link = new_link(store).link
    with store.transaction() as tx:
        tx.save_rdv_missing(1, readings=2, presence=Presence.GONE, because="")
        tx.save_rdv_missing(2, readings=1, presence=Presence.UNKNOWN, because="")
    assert told(body(store, link)) == [("2026-03-11", "CONFIRMED", 0)]


def test_the_window_moves_by_whole_days(store: Store) -> None:
    save(store, rdv(1, days=-30), rdv(2, days=-31), rdv(3, days=365), rdv(4, days=366))
    link = new_link(store).link
    assert [day for day, *_ in told(body(store, link))] == ["2026-01-31", "2027-03-02"]
    tomorrow = body(store, link, NOW + timedelta(days=1))
    assert [day for day, *_ in told(tomorrow)] == ["2027-03-02", "2027-03-03"]


@pytest.mark.parametrize(
    ("purpose", "subject", "summaries"),
    [
        (Purpose.USAGER, ZOE, ["Rendez-vous"]),
        (Purpose.USAGER, OTHER, []),
        (Purpose.AGENT, AGENT, ["Rendez-vous", "Indisponibilité"]),
        (Purpose.LIEU, 8, ["Occupé"]),
        (Purpose.LIEU, 9, []),
        (Purpose.ORGANISATION, 3, ["Occupé"]),
    ],
)
def test_each_purpose_has_what_is_its_own(store: Store, purpose: Purpose, subject: int, summaries: list[str]) -> None:
    """An absence that the gateway made of the agent's own calendar is not told there again."""
    save(store, rdv(1, days=-1))
    with store.transaction() as tx:
        tx.save_absences([absence(1), replace(absence(2), start=absence().start.replace(hour=15, minute=30))])
        tx.save_absences([replace(absence(3), start=datetime(2026, 3, 4, 9), end=datetime(2026, 3, 4, 10))])
        tx.put_block(block(1))
        tx.save_absence_presence(2, Presence.GONE, "")
    link = new_link(store, purpose, subject).link
    assert [str(each["SUMMARY"]) for each in events(body(store, link))] == summaries


def test_a_child_is_in_the_feed_of_who_answers_for_them(store: Store) -> None:
    part = Participation(70, "unknown", CHILD, responsible_id=ZOE, notified=True)
    save(store, rdv(7, participations=(part,)))
    assert len(told(body(store, new_link(store).link))) == 1


# --- what changed of whom ------------------------------------------------------------------------------------


def forget(store: Store) -> None:
    with store.transaction() as tx:
        tx.forget_rdvs([1])


def keep_absence(store: Store) -> None:
    with store.transaction() as tx:
        tx.save_absences([absence(1)])


CHANGES: dict[str, tuple[Callable[[Store], object], set[Purpose]]] = {
    "moved": (lambda store: save(store, rdv(1, days=8)), {Purpose.USAGER, Purpose.AGENT, Purpose.LIEU}),
    "new": (lambda store: save(store, rdv(2)), {Purpose.USAGER, Purpose.AGENT, Purpose.LIEU}),
    "of somebody else": (lambda store: save(store, rdv(3, OTHER, agent_ids=(99,), lieu_id=9)), set()),
    "taken off": (lambda store: save(store, rdv(1, participations=())), {Purpose.USAGER, Purpose.AGENT, Purpose.LIEU}),
    "other lieu": (lambda store: save(store, rdv(1, lieu_id=9)), {Purpose.USAGER, Purpose.AGENT, Purpose.LIEU}),
    "forgotten": (forget, {Purpose.USAGER, Purpose.AGENT, Purpose.LIEU}),
    "absence": (keep_absence, {Purpose.AGENT}),
    "as it was": (lambda store: save(store, rdv(1)), set()),
}


@pytest.mark.parametrize(("change", "concerned"), CHANGES.values(), ids=CHANGES)
def test_the_database_notes_whose_feed_may_have_changed(
    store: Store, change: Callable[[Store], object], concerned: set[Purpose]
) -> None:
    save(store, rdv(1))
    for purpose, subject in ((Purpose.USAGER, ZOE), (Purpose.AGENT, AGENT), (Purpose.LIEU, 8)):
        new_link(store, purpose, subject)
    with store.feeds() as tables:
        last = tables.last_tick()
    change(store)
    with store.feeds() as tables:
        assert {Purpose(kind) for kind, _ in tables.changes(last)} == concerned


def test_what_nobody_has_a_link_to_is_not_noted(store: Store) -> None:
    save(store, rdv(1))
    with store.feeds() as tables:
        assert tables.changes(0) == {}


def test_what_is_done_with_a_link_is_noted_at_once_and_journaled(store: Store) -> None:
    clock = Clock()
    links = Links(store, FEEDS, clock, "maria")
    link = new_link(store).link
    ticks = []
    for act in (lambda: links.rotate(link.id), lambda: links.revoke([link.id])):
        with store.feeds() as tables:
            last = tables.last_tick()
        act()
        with store.feeds() as tables:
            ticks.append((LINK_CHANGED, link.id) in tables.changes(last))
    assert ticks == [True, True]
    rows = [(row.entry.action, row.entry.reference, row.entry.by) for row in store.journal(run_id="feeds")]
    assert rows == [
        ("feed_revoke", "feed 1", "maria"),
        ("feed_rotate", "feed 1", "maria"),
        ("feed_create", "feed 1", "tests"),
    ]
    assert str(ZOE) not in json.dumps([str(row) for row in store.journal(run_id="feeds")])


# --- merges --------------------------------------------------------------------------------------------------


def moved_to(usager_id: int, rdv_id: int, days: int = 7) -> Rdv:
    return rdv(rdv_id, usager_id, days)


def test_a_link_follows_its_usager_through_a_merge_once_nothing_is_left_behind(store: Store) -> None:
    save(store, rdv(1), rdv(2, days=9))
    link = new_link(store).link
    before = body(store, link)
    save(store, moved_to(OTHER, 1))
    assert link_of(store, link.id).subject == ZOE
    assert [row.entry.action for row in store.journal(run_id="reading")] == ["feed_left"]
    save(store, moved_to(OTHER, 2, 9))
    assert link_of(store, link.id).subject == OTHER
    assert body(store, link, LATER) == before
    assert [row.entry.action for row in store.journal(run_id="reading")] == ["feed_moved", "feed_left"]


def test_a_link_does_not_follow_when_it_is_not_clear_to_whom(store: Store) -> None:
    save(store, rdv(1), rdv(2, days=9))
    link = new_link(store).link
    save(store, moved_to(OTHER, 1), moved_to(CHILD, 2, 9))
    assert link_of(store, link.id).subject == ZOE
    assert told(body(store, link)) == []


def test_another_participant_in_the_place_of_one_is_no_merge(store: Store) -> None:
    save(store, rdv(1))
    link = new_link(store).link
    save(store, rdv(1, participations=(Participation(11, "unknown", OTHER, notified=True),)))
    assert link_of(store, link.id).subject == ZOE


# --- the life of a link --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "revoked", "token_ends", "state"),
    [
        (179, None, None, LinkState.OPEN),
        (180, None, None, LinkState.EMPTIED),
        (209, None, None, LinkState.EMPTIED),
        (210, None, None, LinkState.CLOSED),
        (1, 1, None, LinkState.EMPTIED),
        (31, 1, None, LinkState.CLOSED),
        (29, None, 30, LinkState.OPEN),
        (30, None, 30, LinkState.EMPTIED),
    ],
)
def test_states_of_a_link(
    store: Store, days: int, revoked: int | None, token_ends: int | None, state: LinkState
) -> None:
    link = new_link(store).link
    if revoked is not None:
        link = replace(link, revoked_at=NOW + timedelta(days=revoked))
    ends = None if token_ends is None else NOW + timedelta(days=token_ends)
    assert link.state(ends, NOW + timedelta(days=days), FEEDS.grace) is state


def test_the_next_rdv_keeps_a_link_valid(store: Store) -> None:
    link = new_link(store).link
    save(store, rdv(1, days=100))
    body(store, link)
    assert link_of(store, link.id).expires_at.date() == (NOW + timedelta(days=280)).date()
    renewed = link_of(store, link.id)
    save(store, rdv(1, days=100, status="excused"))
    body(store, link)
    assert link_of(store, link.id).expires_at == renewed.expires_at


def test_the_database_holds_neither_token_nor_usager_in_clear(store: Store, keys: Any) -> None:
    made = new_link(store, subject=987_654_321)
    save(store, rdv(1, 987_654_321))
    with store._database.read() as connection:
        tables = ("feed_link", "feed_token", "observed_participation")
        rows = [row for name in tables for row in connection.exec_driver_sql(f"SELECT * FROM {name}")]
    text = repr(rows)
    assert len(rows) == 3
    assert made.token not in text
    assert "987654321" not in text
    assert made.token not in repr(made)
