"""A calendar that was read with other title patterns and categories is read again, whole, or stays as it was."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.errors import RetryLater
from connectors.icalendar_text import parse_event
from connectors.records import CalendarChanges, CalendarEvent, CalendarItem, ReadingScope
from gateway.keys import create_key_file, load_keys
from gateway.store.database import open_database, upgrade
from gateway.store.store import Store
from gateway.sync.observe_calendars import CalendarObserver
from gateway.sync.values import CalendarRef
from mappings.busy_rules import Patterns, title_id

REF = CalendarRef("account", "/agenda/")
LUNCH, WATCH = Patterns(titles=frozenset({"déjeuner*"})), Patterns(titles=frozenset({"astreinte*"}))
_SECRET = "Canari-Wxq"


class _Clock:
    def now(self) -> datetime:
        return datetime(2026, 6, 1, 6, tzinfo=UTC)

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody waits")


@dataclass
class _Account:
    """A calendar of few bodies per answer. `cut_after`: how many answers come before the connection is cut."""

    titles: dict[str, str]
    page: int = 2
    cut_after: int | None = None
    answers: int = 0
    vanishing: dict[int, str] = field(default_factory=dict)  # before which answer somebody deletes what
    name: str = "account"

    def is_due(self, calendar: str, cursor: str | None) -> bool:
        return False

    def changes(
        self, calendar: str, cursor: str | None, known: Mapping[str, str], scope: ReadingScope | None = None
    ) -> CalendarChanges:
        if self.cut_after is not None and self.answers >= self.cut_after:
            raise RetryLater("cut", system="account")
        self.answers += 1
        self.titles.pop(self.vanishing.get(self.answers, ""), None)
        wanted = [href for href in self.titles if known.get(href) != "v1"]
        items = tuple(CalendarItem(href, "v1", _body(href, self.titles[href])) for href in wanted[: self.page])
        more = len(wanted) > self.page
        return CalendarChanges(
            cursor="unfinished" if more else "whole",
            mark="" if more else "mark",
            complete=True,
            items=items,
            present=frozenset(self.titles),
            more=more,
        )

    def parse(self, item: CalendarItem) -> CalendarEvent | None:
        return parse_event(item.body, system="account")


def _body(href: str, title: str) -> bytes:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VEVENT", f"UID:{href}", "DTSTAMP:20260101T000000Z"]
    lines += ["DTSTART:20260602T090000Z", "DTEND:20260602T100000Z", f"SUMMARY:{title} {_SECRET}", "END:VEVENT"]
    return "".join(f"{line}\r\n" for line in (*lines, "END:VCALENDAR")).encode()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "gateway.sqlite3"


@pytest.fixture
def store(database: Path) -> Iterator[Store]:
    create_key_file(database.with_name("keys.toml"))
    keys = load_keys(database.with_name("keys.toml"))
    upgrade(f"sqlite:///{database}")
    with closing(open_database(f"sqlite:///{database}", keys)) as opened:
        yield Store(opened)


@pytest.fixture
def account() -> _Account:
    titles = {f"/agenda/{number}.ics": "Réunion" for number in range(5)}
    return _Account({**titles, "/agenda/l.ics": "Dejeuner chez", "/agenda/w.ics": "ASTREINTE 2"})


def _read(store: Store, account: _Account, patterns: Patterns) -> bool:
    observer = CalendarObserver(store, _Clock(), b"k" * 32, timedelta(days=56), patterns)
    return observer.read(account, REF, "mark", run_id="run")  # type: ignore[arg-type]


def _events(database: Path) -> dict[str, str]:
    with closing(sqlite3.connect(database)) as connection:
        return dict(connection.execute("SELECT href, times FROM observed_event"))


def _matching(database: Path, pattern: str) -> list[str]:
    return sorted(href for href, times in _events(database).items() if title_id(pattern) in times)


def test_every_event_is_asked_about_the_patterns_when_it_is_read(
    store: Store, database: Path, account: _Account
) -> None:
    assert _read(store, account, LUNCH)
    assert _matching(database, "déjeuner*") == ["/agenda/l.ics"]
    assert not _read(store, account, LUNCH), "its mark says that nothing changed"


def test_other_patterns_read_an_unchanged_calendar_whole_and_are_no_news(
    store: Store, database: Path, account: _Account
) -> None:
    _read(store, account, LUNCH)
    told = len(store.journal())
    assert _read(store, account, WATCH)
    assert _matching(database, "astreinte*") == ["/agenda/w.ics"]
    assert _matching(database, "déjeuner*") == []
    assert len(store.journal()) == told
    state = store.calendar_state(REF)
    assert state is not None
    assert (state.patterns, state.mark, state.cursor) == (WATCH.digest, "mark", "whole")
    assert not _read(store, account, WATCH)


def test_no_patterns_any_more_read_it_again_too(store: Store, database: Path, account: _Account) -> None:
    _read(store, account, LUNCH)
    assert _read(store, account, Patterns())
    assert _matching(database, "déjeuner*") == []


def test_a_reading_that_fails_half_way_leaves_all_as_it_was(store: Store, database: Path, account: _Account) -> None:
    """Also for whoever goes back to the rules of before: no event answers to other patterns than the rest."""
    _read(store, account, LUNCH)
    before, state = _events(database), store.calendar_state(REF)
    account.cut_after = account.answers + 2
    with pytest.raises(RetryLater):
        _read(store, account, WATCH)
    assert (_events(database), store.calendar_state(REF)) == (before, state)
    assert not _read(store, account, LUNCH)
    account.cut_after = None
    assert _read(store, account, WATCH)
    assert _matching(database, "astreinte*") == ["/agenda/w.ics"]


def test_what_is_deleted_while_it_is_read_again_is_gone(store: Store, database: Path, account: _Account) -> None:
    """Before its own page was read, and after."""
    _read(store, account, LUNCH)
    account.vanishing = {account.answers + 2: "/agenda/0.ics", account.answers + 3: "/agenda/l.ics"}
    _read(store, account, WATCH)
    assert _events(database).keys() == account.titles.keys()
    assert {entry.entry.reference for entry in store.journal() if entry.entry.rule == "vanished"} == {
        "/agenda/0.ics",
        "/agenda/l.ics",
    }


def test_what_changed_meanwhile_is_news(store: Store, account: _Account) -> None:
    _read(store, account, LUNCH)
    account.titles["/agenda/1.ics"] = "Autre"
    account.titles["/agenda/new.ics"] = "Nouveau"
    _read(store, account, WATCH)
    told = {(row.entry.reference, row.entry.rule) for row in store.journal()}
    assert told == {("/agenda/1.ics", "changed"), ("/agenda/new.ics", "appeared")}


def test_a_first_reading_that_was_cut_is_begun_again_with_other_patterns(
    store: Store, database: Path, account: _Account
) -> None:
    account.cut_after = 1
    with pytest.raises(RetryLater):
        _read(store, account, LUNCH)
    assert len(_events(database)) == account.page
    account.cut_after = None
    _read(store, account, WATCH)
    assert _events(database).keys() == account.titles.keys()
    assert _matching(database, "astreinte*") == ["/agenda/w.ics"]


def test_no_title_is_kept(store: Store, database: Path, account: _Account) -> None:
    _read(store, account, LUNCH)
    _read(store, account, WATCH)
    content = b"".join(Path(f"{database}{suffix}").read_bytes() for suffix in ("", "-wal"))
    assert b"/agenda/l.ics" in content
    assert not any(word in content for word in (_SECRET.encode(), b"Dejeuner", b"ASTREINTE", b"astreinte"))
