"""What every calendar connector must do, whatever its wire. A connector passes by inheriting `CalendarContract`.

It brings a `Bench`: a real server, and another client of it that does what people do.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import pytest

from connectors.errors import AgentMustAct, AnswerLost, BadItem, ConnectorError, Stale
from connectors.ports import CalendarAccount
from connectors.records import (
    CalendarChanges,
    CalendarItem,
    Classification,
    EventDraft,
    EventStatus,
    EventTime,
    Recurrence,
    Transparency,
)

PARIS = ZoneInfo("Europe/Paris")
NINE = datetime(2026, 6, 1, 9, tzinfo=PARIS)
_MORNING = (("START", "09"), ("END", "10"))


class Bench(Protocol):
    """A server under test. Every test gets a calendar of its own."""

    @property
    def account(self) -> CalendarAccount:
        """An account built anew for this test."""

    @property
    def calendar(self) -> str:
        """An empty calendar, made for this test."""

    @property
    def has_marks(self) -> bool:
        """Whether a look can tell that a calendar has not changed."""

    @property
    def tells_changes(self) -> bool:
        """Whether the server tells what changed, so that a listing is an exception."""

    @property
    def counts_seconds(self) -> bool:
        """Whether states of an item are told apart by whole seconds, so that what was just written is read again."""

    @property
    def one_uid(self) -> bool:
        """Whether the server refuses a UID that another item of the calendar has."""

    @property
    def many(self) -> int:
        """How many events a calendar has when there are many."""

    def first_reading_limit(self, events: int) -> int:
        """How many requests the first reading of so many events may take."""

    def other_client_puts(self, name: str, body: str) -> str:
        """Somebody else makes or replaces an event; gives its href."""

    def other_client_deletes(self, href: str) -> None:
        """Somebody else removes an event."""

    def settle(self) -> None:
        """Let so much time pass that no change to come can be taken for one before."""

    def dead_cursor(self) -> str:
        """A cursor of this calendar whose sync-token the server does not know, or no longer."""

    def lose_next_write_answer(self) -> None:
        """The next write is done, and its answer never comes."""

    def account_with_wrong_password(self) -> CalendarAccount:
        """The same account with another password."""

    def logins_seen(self) -> int:
        """How many requests with credentials reached the server."""


def vevent(uid: str, *lines: str, start: str = "DTSTART:20260601T070000Z", end: str = "DTEND:20260601T080000Z") -> str:
    """A file as another client writes it."""
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//other//client//FR", "BEGIN:VEVENT", f"UID:{uid}"]
    body = ["DTSTAMP:20260101T000000Z", start, end, *lines, "END:VEVENT", "END:VCALENDAR", ""]
    return "\r\n".join(head + body)


def draft(uid: str = "rdvgw-1", start: EventTime = NINE, end: EventTime | None = None, **fields: object) -> EventDraft:
    """A draft of an hour, or of a day."""
    length = timedelta(hours=1) if isinstance(start, datetime) else timedelta(days=1)
    made = EventDraft(uid=uid, marker=f"mark-of-{uid}", start=start, end=end or start + length, summary="Rendez-vous")
    return replace(made, **fields)  # type: ignore[arg-type]


def gone(changes: CalendarChanges, known: Collection[str]) -> frozenset[str]:
    """What these changes say is not there any more."""
    return frozenset(known) - changes.present if changes.complete else changes.removed


def versions(changes: CalendarChanges) -> dict[str, str]:
    return {item.href: item.version for item in changes.items}


class ReadingContract:
    """The tests of reading. A subclass gives the fixture `bench`."""

    # --- finding and looking ---------------------------------------------------------------------------------

    def test_discovery_finds_the_calendar_under_the_name_that_looks_use(self, bench: Bench) -> None:
        assert bench.calendar in {info.calendar for info in bench.account.discover()}
        assert bench.calendar in {mark.calendar for mark in bench.account.look()}

    def test_a_look_is_one_request_for_all_calendars(self, bench: Bench) -> None:
        bench.account.look()
        before = bench.account.requests
        bench.account.look()
        assert bench.account.requests - before == 1

    def test_the_mark_of_a_reading_is_that_of_a_look_until_something_changes(self, bench: Bench) -> None:
        first = bench.account.changes(bench.calendar, None, {})
        assert bool(first.mark) is bench.has_marks
        if not bench.has_marks:
            assert self._mark(bench) == ""
            return
        assert self._mark(bench) == first.mark
        bench.other_client_puts("a", vevent("a"))
        bench.settle()
        assert self._mark(bench) != first.mark
        second = bench.account.changes(bench.calendar, first.cursor, {})
        assert second.mark
        assert self._mark(bench) == second.mark

    @staticmethod
    def _mark(bench: Bench) -> str:
        return next(mark.mark for mark in bench.account.look() if mark.calendar == bench.calendar)

    # --- reading ---------------------------------------------------------------------------------------------

    def test_a_first_reading_is_complete_and_takes_few_requests(self, bench: Bench) -> None:
        count = bench.many
        hrefs = {bench.other_client_puts(f"e{number}", vevent(f"e{number}")) for number in range(count)}
        before = bench.account.requests
        first = bench.account.changes(bench.calendar, None, {})
        assert bench.account.requests - before <= bench.first_reading_limit(count)
        assert first.complete
        assert first.present == hrefs == {item.href for item in first.items}
        assert not first.unreadable

    def test_an_empty_calendar_is_a_complete_listing_of_nothing(self, bench: Bench) -> None:
        first = bench.account.changes(bench.calendar, None, {})
        assert first.complete
        assert first.present == frozenset()
        assert first.items == ()

    def test_what_is_known_in_the_same_version_is_not_read_again(self, bench: Bench) -> None:
        bench.other_client_puts("a", vevent("a"))
        changed = bench.other_client_puts("b", vevent("b"))
        bench.settle()
        known = versions(bench.account.changes(bench.calendar, None, {}))
        bench.other_client_puts("b", vevent("b", "SUMMARY:other"))
        again = bench.account.changes(bench.calendar, None, known)
        assert [item.href for item in again.items] == [changed]
        assert again.present == known.keys()

    def test_a_delta_holds_what_others_created_changed_and_deleted(self, bench: Bench) -> None:
        kept = {bench.other_client_puts(f"kept{number}", vevent(f"kept{number}")) for number in range(4)}
        changed = bench.other_client_puts("changed", vevent("changed"))
        deleted = bench.other_client_puts("deleted", vevent("deleted"))
        bench.settle()
        first = bench.account.changes(bench.calendar, None, {})
        known = versions(first)
        created = bench.other_client_puts("created", vevent("created"))
        bench.other_client_puts("changed", vevent("changed", "SUMMARY:other"))
        bench.other_client_deletes(deleted)
        bench.settle()
        delta = bench.account.changes(bench.calendar, first.cursor, known)
        if bench.tells_changes:
            assert not delta.complete
        assert {item.href for item in delta.items} == {created, changed}
        assert gone(delta, known) == {deleted}
        assert not kept & versions(delta).keys()
        now_known = {href: version for href, version in (known | versions(delta)).items() if href != deleted}
        nothing = bench.account.changes(bench.calendar, delta.cursor, now_known)
        assert (nothing.items, gone(nothing, now_known)) == ((), frozenset())
        assert not (bench.tells_changes and nothing.complete)

    def test_what_happens_right_after_a_reading_is_told_by_the_next_one(self, bench: Bench) -> None:
        """Marks and tokens that are seconds stand still meanwhile."""
        for number in range(4):
            bench.other_client_puts(f"kept{number}", vevent(f"kept{number}"))
        deleted = bench.other_client_puts("deleted", vevent("deleted"))
        first = bench.account.changes(bench.calendar, None, {})
        created = bench.other_client_puts("created", vevent("created"))
        bench.other_client_deletes(deleted)
        bench.settle()
        second = bench.account.changes(bench.calendar, first.cursor, versions(first))
        assert created in versions(second)
        assert gone(second, versions(first)) == {deleted}
        known = {href: version for href, version in (versions(first) | versions(second)).items() if href != deleted}
        changed = bench.other_client_puts("created", vevent("created", "SUMMARY:other"))
        bench.other_client_deletes(changed)
        bench.settle()
        third = bench.account.changes(bench.calendar, second.cursor, known)
        assert gone(third, known) == {created}

    def test_deleted_and_created_again_at_the_same_place_is_a_change(self, bench: Bench) -> None:
        href = bench.other_client_puts("a", vevent("a"))
        for number in range(4):
            bench.other_client_puts(f"kept{number}", vevent(f"kept{number}"))
        bench.settle()
        first = bench.account.changes(bench.calendar, None, {})
        bench.other_client_deletes(href)
        bench.other_client_puts("a", vevent("a", "SUMMARY:other"))
        delta = bench.account.changes(bench.calendar, first.cursor, versions(first))
        changed = {item.href for item in delta.items}
        assert href in changed
        assert changed == {href} or bench.counts_seconds
        assert delta.removed == frozenset()

    def test_created_and_deleted_between_two_readings_is_nothing(self, bench: Bench) -> None:
        first = bench.account.changes(bench.calendar, None, {})
        bench.other_client_deletes(bench.other_client_puts("a", vevent("a")))
        delta = bench.account.changes(bench.calendar, first.cursor, {})
        assert (delta.items, delta.removed, delta.unreadable) == ((), frozenset(), ())

    def test_a_cursor_that_the_server_never_gave_leads_to_a_whole_listing(self, bench: Bench) -> None:
        kept = bench.other_client_puts("kept", vevent("kept"))
        deleted = bench.other_client_puts("deleted", vevent("deleted"))
        bench.settle()
        known = versions(bench.account.changes(bench.calendar, None, {}))
        bench.other_client_deletes(deleted)
        again = bench.account.changes(bench.calendar, bench.dead_cursor(), known)
        assert again.complete
        assert again.present == {kept}
        assert again.items == ()

    def test_many_deleted_at_once_are_all_noticed(self, bench: Bench) -> None:
        hrefs = [bench.other_client_puts(f"e{number}", vevent(f"e{number}")) for number in range(30)]
        bench.settle()
        first = bench.account.changes(bench.calendar, None, {})
        for href in hrefs[:-1]:
            bench.other_client_deletes(href)
        later = bench.account.changes(bench.calendar, first.cursor, versions(first))
        assert gone(later, versions(first)) == set(hrefs[:-1])

    def test_an_item_that_is_gone_is_none_and_one_that_is_there_is_read(self, bench: Bench) -> None:
        href = bench.other_client_puts("a", vevent("a"))
        item = bench.account.read(bench.calendar, href)
        assert item is not None
        listed = bench.account.changes(bench.calendar, None, {}).items[0]
        assert (item.href, item.body) == (listed.href, listed.body)
        assert item.version == listed.version or bench.counts_seconds
        bench.other_client_deletes(href)
        assert bench.account.read(bench.calendar, href) is None

    def test_an_item_that_cannot_be_understood_is_set_aside_and_the_rest_goes_on(self, bench: Bench) -> None:
        secret = "SUMMARY:Dentiste"
        start, end = (f"DT{which};TZID=Nowhere/Land:20260601T{hour}0000" for which, hour in _MORNING)
        bench.other_client_puts("bad", vevent("bad", secret, start=start, end=end))
        bench.other_client_puts("good", vevent("good"))
        understood: list[str] = []
        refused: list[str] = []
        for item in bench.account.changes(bench.calendar, None, {}).items:
            try:
                event = bench.account.parse(item)
            except BadItem as problem:
                refused.append(str(problem))
            else:
                assert event is not None
                understood.append(event.uid)
        assert understood == ["good"]
        assert len(refused) == 1
        assert "Nowhere/Land" in refused[0]
        assert "Dentiste" not in refused[0]


class WritingContract:
    """The tests of writing. A subclass gives the fixture `bench`."""

    @pytest.mark.parametrize(
        "made",
        [
            draft(),
            draft(start=datetime(2026, 12, 1, 9, tzinfo=UTC)),
            draft(start=date(2026, 7, 14)),
            draft(start=date(2026, 7, 14), end=date(2026, 7, 18)),
            draft(
                start=datetime(2026, 10, 25, 1, 30, tzinfo=PARIS),
                end=datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=PARIS),
            ),
            draft(recurrence=Recurrence(rules=("FREQ=WEEKLY;COUNT=30",), excluded=(NINE + timedelta(weeks=1),))),
            draft(start=date(2026, 7, 14), recurrence=Recurrence(rules=("FREQ=YEARLY",))),
            draft(
                summary='Élève, « été »; \\ / " 😀 ' + "long " * 60,
                location="1 place de l'Hôtel-de-Ville, 59000 Lille",
                description="Première ligne\nDeuxième ; ligne, fin\n\nQuatrième",
                url="https://www.rdv-solidarites.fr/admin/organisations/1/rdvs/2",
            ),
            draft(
                transparency=Transparency.TRANSPARENT,
                status=EventStatus.CANCELLED,
                classification=Classification.CONFIDENTIAL,
            ),
        ],
        ids=["paris", "utc", "day", "days", "repeated hour", "weekly", "yearly day", "texts", "cancelled"],
    )
    def test_a_draft_that_was_written_reads_the_same(self, bench: Bench, made: EventDraft) -> None:
        item = bench.account.create(bench.calendar, made)
        assert item.href == bench.account.href_of(bench.calendar, made.uid)
        event = bench.account.parse(item)
        assert event is not None
        assert (event.uid, event.marker) == (made.uid, made.marker)
        (component,) = event.components
        for field in ("location", "description", "url", "transparency", "status", "classification"):
            assert getattr(component, field) == getattr(made, field), field
        assert component.summary == made.summary.strip()
        assert component.recurrence == made.recurrence
        assert same_instant(component.start, made.start)
        assert same_instant(component.end, made.end)

    def test_control_characters_do_not_get_through(self, bench: Bench) -> None:
        item = bench.account.create(
            bench.calendar, draft(summary="a\x00b\x0bc\r\nBEGIN:VALARM\x85d", description="x\x1fy\u2028z\ud800")
        )
        event = bench.account.parse(item)
        assert event is not None
        assert event.components[0].summary == "ab c BEGIN:VALARM d"
        assert event.components[0].description == "xy\nz"

    def test_a_series_keeps_its_hour_across_the_change_of_clocks(self, bench: Bench) -> None:
        item = bench.account.create(bench.calendar, draft(start=NINE, recurrence=Recurrence(rules=("FREQ=WEEKLY",))))
        event = bench.account.parse(item)
        assert event is not None
        start = event.components[0].start
        assert isinstance(start, datetime)
        assert start.tzinfo == PARIS

    def test_what_a_write_gives_back_is_what_is_read_later(self, bench: Bench) -> None:
        created = bench.account.create(bench.calendar, draft())
        assert bench.account.read(bench.calendar, created.href) == created
        updated = bench.account.update(bench.calendar, created, draft(summary="Autre"), notes=True)
        assert updated.version != created.version
        assert bench.account.read(bench.calendar, created.href) == updated
        (listed,) = bench.account.changes(bench.calendar, None, {}).items
        assert listed.body == updated.body
        assert listed.version == updated.version or bench.counts_seconds

    def test_our_own_write_is_no_news(self, bench: Bench) -> None:
        first = bench.account.changes(bench.calendar, None, {})
        created = bench.account.create(bench.calendar, draft())
        delta = bench.account.changes(bench.calendar, first.cursor, {created.href: created.version})
        assert (delta.items, delta.removed) == ((), frozenset()) or bench.counts_seconds
        assert {(item.href, item.body) for item in delta.items} <= {(created.href, created.body)}
        assert not gone(delta, [created.href])

    def test_nothing_is_created_over_what_is_there(self, bench: Bench) -> None:
        created = bench.account.create(bench.calendar, draft())
        with pytest.raises(Stale):
            bench.account.create(bench.calendar, draft(summary="Autre"))
        assert bench.account.read(bench.calendar, created.href) == created

    def test_an_event_that_is_elsewhere_in_the_calendar_is_refused_as_an_item_or_left_alone(self, bench: Bench) -> None:
        elsewhere = bench.other_client_puts("elsewhere", vevent("rdvgw-1"))
        if bench.one_uid:
            with pytest.raises(BadItem):
                bench.account.create(bench.calendar, draft("rdvgw-1"))
            return
        created = bench.account.create(bench.calendar, draft("rdvgw-1"))
        bench.account.delete(bench.calendar, created)
        assert bench.account.read(bench.calendar, elsewhere) is not None

    def test_an_update_keeps_what_people_added(self, bench: Bench) -> None:
        created = bench.account.create(bench.calendar, draft(description="les nôtres"))
        item = self._edited(
            bench,
            created,
            *("CATEGORIES:Équipe", "X-PERSONAL:à moi", "DESCRIPTION:mes notes"),
            *("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT15M", "DESCRIPTION:rappel", "END:VALARM"),
        )
        moved = draft(
            start=NINE + timedelta(hours=2), description="nos autres notes", transparency=Transparency.TRANSPARENT
        )
        updated = bench.account.update(bench.calendar, item, moved, notes=False)
        text = updated.body.decode()
        for kept in ("CATEGORIES:Équipe", "X-PERSONAL:à moi", "TRIGGER:-PT15M", "SEQUENCE:1"):
            assert kept in text, kept
        event = bench.account.parse(updated)
        assert event is not None
        component = event.components[0]
        assert component.description == "mes notes"
        assert same_instant(component.start, moved.start)
        assert component.transparency is Transparency.TRANSPARENT

    def test_an_update_with_notes_makes_the_description_ours(self, bench: Bench) -> None:
        created = bench.account.create(bench.calendar, draft(description="les nôtres"))
        item = self._edited(bench, created, "DESCRIPTION:mes notes")
        updated = bench.account.update(bench.calendar, item, draft(description="les nouvelles"), notes=True)
        event = bench.account.parse(updated)
        assert event is not None
        assert event.components[0].description == "les nouvelles"

    def test_an_update_ends_a_series_that_somebody_made_of_it(self, bench: Bench) -> None:
        created = bench.account.create(bench.calendar, draft())
        override = "BEGIN:VEVENT,UID:rdvgw-1,DTSTAMP:20260101T000000Z,RECURRENCE-ID:20260608T070000Z,"
        override += "DTSTART:20260608T100000Z,DTEND:20260608T110000Z,END:VEVENT"
        body = vevent("rdvgw-1", "RRULE:FREQ=WEEKLY;COUNT=3")
        body = body.replace("END:VCALENDAR", "\r\n".join([*override.split(","), "END:VCALENDAR"]))
        bench.other_client_puts(name_of(created.href), body)
        item = bench.account.read(bench.calendar, created.href)
        assert item is not None
        event = bench.account.parse(bench.account.update(bench.calendar, item, draft(), notes=False))
        assert event is not None
        assert len(event.components) == 1
        assert not event.components[0].recurrence

    def test_an_update_of_what_has_changed_writes_nothing(self, bench: Bench) -> None:
        created = bench.account.create(bench.calendar, draft())
        edited = self._edited(bench, created, "X-PERSONAL:à moi")
        with pytest.raises(Stale):
            bench.account.update(bench.calendar, created, draft(summary="Autre"), notes=True)
        assert bench.account.read(bench.calendar, created.href) == edited

    def test_an_update_of_what_is_gone_creates_nothing(self, bench: Bench) -> None:
        created = bench.account.create(bench.calendar, draft())
        bench.other_client_deletes(created.href)
        with pytest.raises(Stale):
            bench.account.update(bench.calendar, created, draft(), notes=True)
        assert bench.account.read(bench.calendar, created.href) is None

    def test_a_delete_removes(self, bench: Bench) -> None:
        created = bench.account.create(bench.calendar, draft())
        bench.account.delete(bench.calendar, created)
        assert bench.account.read(bench.calendar, created.href) is None

    def test_a_delete_of_what_has_changed_removes_nothing(self, bench: Bench) -> None:
        created = bench.account.create(bench.calendar, draft())
        edited = self._edited(bench, created, "X-PERSONAL:à moi")
        with pytest.raises(Stale):
            bench.account.delete(bench.calendar, created)
        assert bench.account.read(bench.calendar, created.href) == edited

    def test_a_delete_of_what_is_gone_is_a_success(self, bench: Bench) -> None:
        created = bench.account.create(bench.calendar, draft())
        bench.other_client_deletes(created.href)
        bench.account.delete(bench.calendar, created)
        assert bench.account.read(bench.calendar, created.href) is None

    def test_deleted_by_us_and_created_again(self, bench: Bench) -> None:
        created = bench.account.create(bench.calendar, draft())
        bench.account.delete(bench.calendar, created)
        assert bench.account.create(bench.calendar, draft()).href == created.href

    def test_a_lost_answer_is_told_and_reading_settles_it(self, bench: Bench) -> None:
        bench.lose_next_write_answer()
        with pytest.raises(AnswerLost):
            bench.account.create(bench.calendar, draft())
        there = bench.account.read(bench.calendar, bench.account.href_of(bench.calendar, "rdvgw-1"))
        assert there is not None
        event = bench.account.parse(there)
        assert event is not None
        assert event.marker == "mark-of-rdvgw-1"

    def test_a_lost_answer_to_an_update_is_told(self, bench: Bench) -> None:
        created = bench.account.create(bench.calendar, draft())
        bench.lose_next_write_answer()
        with pytest.raises(AnswerLost):
            bench.account.update(bench.calendar, created, draft(summary="Autre"), notes=True)
        there = bench.account.read(bench.calendar, created.href)
        assert there is not None
        assert there.version != created.version

    def _edited(self, bench: Bench, item: CalendarItem, *lines: str) -> CalendarItem:
        """Somebody adds these lines to our event."""
        names = {line.split(":")[0] for line in lines if line.startswith("DESCRIPTION")}
        text = item.body.decode().replace("\r\n ", "")
        kept = [line for line in text.split("\r\n") if line.split(":")[0] not in names]
        body = "\r\n".join(kept).replace("END:VEVENT", "\r\n".join([*lines, "END:VEVENT"]))
        bench.other_client_puts(name_of(item.href), body)
        edited = bench.account.read(bench.calendar, item.href)
        assert edited is not None
        return edited


class CredentialsContract:
    """The tests of passwords and of discretion. A subclass gives the fixture `bench`."""

    def test_a_wrong_password_is_tried_once(self, bench: Bench) -> None:
        """Directories lock people out after a few tries."""
        account = bench.account_with_wrong_password()
        before = bench.logins_seen()
        with pytest.raises(AgentMustAct):
            account.changes(bench.calendar, None, {})
        for attempt in (account.look, account.discover, lambda: account.create(bench.calendar, draft())):
            with pytest.raises(AgentMustAct):
                attempt()
        assert bench.logins_seen() - before == 1

    def test_no_error_and_no_repr_tells_a_secret(self, bench: Bench) -> None:
        account = bench.account_with_wrong_password()
        item = bench.account.create(bench.calendar, draft(summary="Dentiste", description="Dentiste"))
        with pytest.raises(ConnectorError) as refused:
            account.look()
        with pytest.raises(Stale) as stale:
            bench.account.create(bench.calendar, draft(summary="Dentiste"))
        for text in (str(refused.value), repr(refused.value), repr(account), str(stale.value), repr(item)):
            assert "Dentiste" not in text
            assert "not-the-password" not in text


class CalendarContract(ReadingContract, WritingContract, CredentialsContract):
    """All tests. A subclass gives the fixture `bench`."""


def name_of(href: str) -> str:
    """The name under which `other_client_puts` finds an href again."""
    return href.rpartition("/")[2].removesuffix(".ics")


def same_instant(one: EventTime, other: EventTime) -> bool:
    """Whether two times are one, whichever zones they are written in."""
    if isinstance(one, datetime) and isinstance(other, datetime):
        return one.astimezone(UTC) == other.astimezone(UTC)
    return one == other and isinstance(one, datetime) == isinstance(other, datetime)
