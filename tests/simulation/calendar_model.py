"""A calendar server in memory, and the account on it that the gateway is given.

The server keeps bodies, versions and a log of changes; every write of the gateway is checked at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Protocol

from connectors.errors import AnswerLost, ConnectorError, RetryLater, RightsMissing, Stale
from connectors.icalendar_draft import patch_draft, render_draft
from connectors.icalendar_text import parse_event
from connectors.records import (
    CalendarChanges,
    CalendarEvent,
    CalendarInfo,
    CalendarItem,
    CalendarMark,
    EventDraft,
    ReadingScope,
    ServerTrait,
)
from tests.simulation.meetings import ALARM, Meeting
from tests.simulation.weather import READ_TIMEOUT, Fate, ModelClock, Weather

_cached_parse = lru_cache(maxsize=20_000)(parse_event)


@dataclass(slots=True)
class Item:
    """`meeting`: what a person's event means; None for events of ours. `touched`: a person edited it since our last
    write, so that its body must be kept as a pre-image when we write again."""

    body: bytes
    version: str
    number: int
    meeting: Meeting | None = None
    ours: bool = False
    touched: bool = False


@dataclass(frozen=True, slots=True)
class Style:
    """How the server behaves. `marks`: it says per calendar whether something changed. `cursors`: it tells changes
    since a cursor. `restless`: every listing gives every item another version. `rewrites`: what is written is stored
    with a line more and without CLASS. `checks`: it honours preconditions (off in one experiment only)."""

    marks: bool = True
    cursors: bool = True
    restless: bool = False
    rewrites: bool = False
    checks: bool = True


class Judge(Protocol):
    """Looks at each write of the gateway before it is done. Raises `BrokenPromise`."""

    def event_written(self, calendar: str, href: str, action: str, before: Item | None, body: bytes) -> None: ...


@dataclass(slots=True)
class CalendarServer:
    """Calendars by their path, items by href."""

    clock: ModelClock
    style: Style
    judge: Judge | None = None
    calendars: dict[str, dict[str, Item]] = field(default_factory=dict)
    gone: dict[str, dict[str, int]] = field(default_factory=dict)
    number: int = 0
    era: int = 0  # cursors of an earlier era are refused
    pending: list[tuple[datetime, Callable[[], None]]] = field(default_factory=list)
    catching_up: bool = False  # a late write is being done

    def add_calendar(self, calendar: str) -> None:
        self.calendars[calendar] = {}
        self.gone[calendar] = {}

    def catch_up(self) -> None:
        """Do the late writes whose time has come."""
        due = [each for each in self.pending if each[0] <= self.clock.now()]
        self.pending = [each for each in self.pending if each[0] > self.clock.now()]
        self.catching_up = True
        for _, commit in sorted(due, key=lambda each: each[0]):
            try:
                commit()
            except Stale:
                continue
        self.catching_up = False

    # --- people ----------------------------------------------------------------------------------------------

    def put_meeting(self, calendar: str, href: str, meeting: Meeting) -> None:
        self.catch_up()
        self._store(calendar, href, Item(meeting.text(), "", 0, meeting))

    def put_foreign(self, calendar: str, href: str, body: bytes) -> None:
        """Another program writes a file of its own."""
        self.catch_up()
        self._store(calendar, href, Item(body, "", 0))

    def edit(self, calendar: str, href: str, body: bytes) -> None:
        """A person edits an event of ours."""
        self.catch_up()
        self._store(calendar, href, Item(body, "", 0, ours=True, touched=True))

    def remove(self, calendar: str, href: str) -> Item:
        self.catch_up()
        self.number += 1
        self.gone[calendar][href] = self.number
        return self.calendars[calendar].pop(href)

    def adopt(self, calendar: str, href: str, item: Item) -> None:
        """A person puts an item there that was elsewhere."""
        self.catch_up()
        self._store(calendar, href, Item(item.body, "", 0, item.meeting, item.ours, touched=True))

    # --- the gateway -----------------------------------------------------------------------------------------

    def gateway_put(self, calendar: str, href: str, body: bytes, version: str | None) -> None:
        """`version` None: only when nothing is there."""
        before = self.calendars[calendar].get(href)
        if version is None and before is not None:
            raise Stale("something is there", system="model")
        if version is not None and self.style.checks and (before is None or before.version != version):
            raise Stale("another version", system="model")
        if self.style.rewrites:
            body = body.replace(b"CLASS:PRIVATE\r\n", b"")
            if b"X-STORED" not in body:
                body = body.replace(b"END:VEVENT", b"X-STORED:1\r\nEND:VEVENT", 1)
        if self.judge is not None:
            self.judge.event_written(calendar, href, "create" if before is None else "update", before, body)
        self._store(calendar, href, Item(body, "", 0, ours=True))

    def gateway_delete(self, calendar: str, href: str, version: str) -> None:
        before = self.calendars[calendar].get(href)
        if before is None:
            return
        if self.style.checks and before.version != version:
            raise Stale("another version", system="model")
        if self.judge is not None:
            self.judge.event_written(calendar, href, "delete", before, b"")
        self.number += 1
        self.gone[calendar][href] = self.number
        del self.calendars[calendar][href]

    def _store(self, calendar: str, href: str, item: Item) -> None:
        self.number += 1
        item.number, item.version = self.number, f'"{self.number}"'
        self.calendars[calendar][href] = item
        self.gone[calendar].pop(href, None)

    def touch(self, href: str) -> None:
        """Another version of one item, for nothing."""
        for items in self.calendars.values():
            if href in items:
                self.number += 1
                items[href].version = f'"{self.number}"'

    def stir(self, calendar: str) -> None:
        """A restless server: other versions, same bodies."""
        for item in self.calendars[calendar].values():
            self.number += 1
            item.version = f'"{self.number}"'


class ModelAccount:
    """Implements `connectors.ports.CalendarAccount` on the server in memory."""

    def __init__(self, name: str, server: CalendarServer, calendars: tuple[str, ...], weather: Weather) -> None:
        self.name = name
        self.host = f"{name}:443"
        self.requests = 0
        self._server = server
        self._calendars = calendars
        self._weather = weather

    def discover(self) -> tuple[CalendarInfo, ...]:
        self._request()
        return tuple(CalendarInfo(each, each) for each in self._calendars)

    def look(self) -> tuple[CalendarMark, ...]:
        self._request()
        return tuple(CalendarMark(each, self._mark(each)) for each in self._calendars)

    def is_due(self, calendar: str, cursor: str | None) -> bool:
        return cursor is None

    def changes(
        self, calendar: str, cursor: str | None, known: Mapping[str, str], scope: ReadingScope | None = None
    ) -> CalendarChanges:
        self._request()
        server, style = self._server, self._server.style
        if style.restless:
            server.stir(calendar)
        items = server.calendars[calendar]
        now = f"{server.era}:{server.number}"
        era, _, since = (cursor or "").partition(":")
        if cursor is None or not style.cursors or era != str(server.era):
            new = {href: item for href, item in items.items() if known.get(href) != item.version}
            return CalendarChanges(now, self._mark(calendar), True, _items(new), present=frozenset(items))
        new = {
            href: item for href, item in items.items() if item.number > int(since) and known.get(href) != item.version
        }
        removed = frozenset(href for href, number in server.gone[calendar].items() if number > int(since))
        return CalendarChanges(now, self._mark(calendar), False, _items(new), removed=removed)

    def read(self, calendar: str, href: str) -> CalendarItem | None:
        self._request()
        item = self._server.calendars[calendar].get(href)
        return None if item is None else CalendarItem(href, item.version, item.body)

    def parse(self, item: CalendarItem) -> CalendarEvent | None:
        return _cached_parse(item.body, system=self.name)

    def create(self, calendar: str, draft: EventDraft) -> CalendarItem:
        href = self.href_of(calendar, draft.uid)
        body = render_draft(draft, now=self._server.clock.now())
        self._write(lambda: self._server.gateway_put(calendar, href, body, None))
        return self._read_again(calendar, href)

    def update(self, calendar: str, item: CalendarItem, draft: EventDraft, *, notes: bool) -> CalendarItem:
        body = patch_draft(item.body, draft, now=self._server.clock.now(), notes=notes, system=self.name)
        self._weather.meet_rival(item.href)
        self._write(lambda: self._server.gateway_put(calendar, item.href, body, item.version))
        return self._read_again(calendar, item.href)

    def delete(self, calendar: str, item: CalendarItem) -> None:
        self._weather.meet_rival(item.href)
        self._write(lambda: self._server.gateway_delete(calendar, item.href, item.version))

    def put_back(self, calendar: str, href: str, body: bytes, replacing: CalendarItem | None) -> CalendarItem:
        version = replacing and replacing.version
        self._weather.meet_rival(href)
        self._write(lambda: self._server.gateway_put(calendar, href, body, version))
        return self._read_again(calendar, href)

    def href_of(self, calendar: str, uid: str) -> str:
        return f"{calendar}{uid}.ics"

    def traits(self) -> tuple[ServerTrait, ...]:
        return ()

    def close(self) -> None:
        return

    # --- the wire --------------------------------------------------------------------------------------------

    def _request(self) -> None:
        self.requests += 1
        self._weather.request(self.name)
        self._server.catch_up()

    def _write(self, commit: Callable[[], None]) -> None:
        self._request()
        fate = self._weather.sent()
        if fate is Fate.REFUSED:
            raise RetryLater("busy", system=self.name)
        if fate is Fate.FORBIDDEN:
            raise RightsMissing("403", system=self.name)
        if fate is Fate.LATE:
            self._server.pending.append((self._server.clock.now() + self._weather.late_by(), commit))
        elif fate not in (Fate.LOST, Fate.FAILED):
            commit()
            self._weather.answered() if fate is Fate.ANSWERED else self._weather.boundary()
        if fate in (Fate.LOST, Fate.UNANSWERED, Fate.LATE):
            self._server.clock.sleep(READ_TIMEOUT)
        if fate is not Fate.ANSWERED:
            raise AnswerLost("no answer", system=self.name)

    def _read_again(self, calendar: str, href: str) -> CalendarItem:
        """What was written is read again; when that fails, the answer is lost."""
        self._weather.reading_again = True
        self._weather.meet_rival(href)
        try:
            item = self.read(calendar, href)
        except ConnectorError as error:
            raise AnswerLost("not read again", system=self.name) from error
        finally:
            self._weather.reading_again = False
        if item is None:
            raise AnswerLost("not there any more", system=self.name)
        return item

    def _mark(self, calendar: str) -> str:
        style = self._server.style
        if not style.marks or style.restless:
            return ""
        numbers = [item.number for item in self._server.calendars[calendar].values()]
        return str(max([0, *numbers, *self._server.gone[calendar].values()]))


def _items(items: Mapping[str, Item]) -> tuple[CalendarItem, ...]:
    return tuple(CalendarItem(href, item.version, item.body) for href, item in sorted(items.items()))


def keeps_alarm(before: bytes, after: bytes) -> bool:
    """Whether a reminder that a person added is still there."""
    return ALARM not in before or ALARM in after
