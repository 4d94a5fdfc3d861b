"""What has to be read again before changed rules can be judged, and reading it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from connectors.records import CalendarChanges, CalendarItem, ReadingScope
from gateway.rules.book import RuleBook
from gateway.rules.rereading import both, read_events, unread_calendars, with_events
from gateway.store.values import CalendarState
from gateway.sync.observe_calendars import CalendarObserver
from gateway.sync.values import SeenEvent
from mappings.busy_rules import Patterns
from tests.sync.builders import NOW, SOURCE, agent, event, view

SAVED = RuleBook.for_everybody(blocks={"never_titles": ("Point*",)})


class _Store:
    """Knows how the one calendar was read."""

    def __init__(self, patterns: str | None) -> None:
        self._patterns = patterns

    def calendar_state(self, _ref: object) -> CalendarState | None:
        return None if self._patterns is None else CalendarState("c", "m", NOW, self._patterns)

    def own_hrefs(self, _ref: object, _since: object) -> frozenset[str]:
        return frozenset()


@pytest.mark.parametrize(
    ("read_with", "other", "unread"),
    [
        (SAVED.patterns.digest, {"never_titles": ("Point*",)}, False),
        (SAVED.patterns.digest, {"always_titles": ("POINT*",)}, False),  # the same pattern, for another purpose
        (SAVED.patterns.digest, {}, False),
        (SAVED.patterns.digest, {"never_titles": ("Dentiste",)}, True),
        (SAVED.patterns.digest, {"labels": {"Formation": "x"}}, True),
        (SAVED.patterns.digest, {"blocks": False, "never_titles": ("Dentiste",)}, False),  # nobody asks then
        ("others", {}, True),  # the saved rules changed since the last sync
        (None, {"never_titles": ("Dentiste",)}, False),  # never read at all
    ],
)
def test_only_calendars_that_were_not_asked_are_read_again(
    read_with: str | None, other: dict[str, object], unread: bool
) -> None:
    books = (SAVED, RuleBook.for_everybody(blocks=other))
    store: Any = _Store(read_with)
    assert list(unread_calendars(agent(), store, books, SAVED.patterns)) == [SOURCE] * unread


class _Account:
    """Answers with these pages, one after the other."""

    def __init__(self, *pages: CalendarChanges) -> None:
        self._pages = list(pages)
        self.known: list[dict[str, str]] = []

    def changes(
        self, _calendar: str, _cursor: str | None, known: dict[str, str], _scope: ReadingScope
    ) -> CalendarChanges:
        self.known.append(dict(known))
        return self._pages.pop(0)


class _Clock:
    def now(self) -> Any:
        return NOW

    def sleep(self, _seconds: float) -> None:
        raise AssertionError


class _Observer(CalendarObserver):
    """Sees an event by the name of its item."""

    def see(self, _account: object, ref: Any, item: CalendarItem) -> SeenEvent:
        return SeenEvent(ref, item.href, item.version, raw_digest="live")


def read(*pages: CalendarChanges, stored: tuple[str, ...]) -> dict[str, str]:
    """By href, whether it is as stored or as read now."""
    store: Any = _Store("")
    observer = _Observer(store, _Clock(), b"k", timedelta(days=56), Patterns())
    account: Any = _Account(*pages)
    before = [SeenEvent(SOURCE, href, "1", raw_digest="stored") for href in stored]
    found = {each.href: each.raw_digest for each in read_events(account, SOURCE, observer, before)}
    assert account.known[0] == dict.fromkeys(stored, "")  # all of it is wanted
    return found


def page(*hrefs: str, complete: bool = True, **more: Any) -> CalendarChanges:
    items = tuple(CalendarItem(href, "2", b"") for href in hrefs)
    return CalendarChanges("c", "m", complete, items, present=frozenset(hrefs) if complete else frozenset(), **more)


def test_a_whole_listing_replaces_everything() -> None:
    assert read(page("/a", "/new"), stored=("/a", "/gone")) == {"/a": "live", "/new": "live"}


def test_what_a_server_does_not_tell_of_stays_as_it_was_stored() -> None:
    """Only what is proven gone goes."""
    told = page("/a", complete=False, removed=frozenset({"/gone"}))
    assert read(told, stored=("/a", "/far", "/gone")) == {"/a": "live", "/far": "stored"}


def test_pages_add_up() -> None:
    first = replace(page("/a", complete=False), more=True)
    last = replace(page("/b"), present=frozenset({"/a", "/b"}))
    assert read(first, last, stored=("/gone",)) == {"/a": "live", "/b": "live"}


def test_what_cannot_be_given_is_set_aside_and_named() -> None:
    assert read(replace(page("/a"), unreadable=(("/b", "1", "too large"),)), stored=()) == {"/a": "live", "/b": ""}


def test_only_the_calendars_that_were_read_are_replaced() -> None:
    before = view(events=[event("a", "3 09:00", "3 10:00")])
    assert with_events(before, {}) == before
    assert with_events(before, {SOURCE: ()}).events == ()


def test_both_books_are_asked_about_at_once() -> None:
    other = Patterns(frozenset({"x"}), frozenset({"y"}))
    assert both(SAVED.patterns, other) == Patterns(frozenset({"x"}), frozenset({"y", "Point*"}))
