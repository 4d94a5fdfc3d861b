"""Reading a CalDAV account: one look at a home, what changed in a calendar, one item.

A 207 that merely looks like an emptied calendar is never taken for one: a listing counts when the calendar's own row
is in it with 200 and no other row is in error; a removal counts when a GET of that href finds nothing while the
calendar still answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from connectors.caldav.dav_xml import (
    CALDAV,
    CALENDAR_DATA,
    COMPONENTS,
    CTAG,
    DAV,
    DISPLAY_NAME,
    ETAG,
    MODIFIED,
    PRINCIPAL,
    PRIVILEGES,
    RESOURCE_TYPE,
    SYNC_TOKEN,
    Multistatus,
    NotXml,
    Row,
    multiget,
    parse_multistatus,
    propfind,
    sync_collection,
)
from connectors.caldav.faults import Answer, failure
from connectors.caldav.paths import same_collection
from connectors.caldav.polling import Polling
from connectors.caldav.settings import CalDavSettings
from connectors.errors import ConnectorError, ITMustAct, RetryLater
from connectors.records import CalendarChanges, CalendarInfo, CalendarItem, CalendarMark

_BATCH = 100
_PAGES = 200
# From here on one listing is cheaper than a GET for each href that is said to be gone.
_MANY_REMOVED = 25
_STATE = (RESOURCE_TYPE, SYNC_TOKEN, CTAG)
_LISTING = (*_STATE, ETAG, MODIFIED)
_DETAILS = (RESOURCE_TYPE, DISPLAY_NAME, PRIVILEGES, COMPONENTS, PRINCIPAL)
_WRITING = tuple(f"{DAV}{name}" for name in ("all", "write", "write-content", "bind"))
_LINE_END = re.compile(rb"\r\n|\r|\n")
_NUMBERED_TOKEN = re.compile(r"(.*?)(\d+)")


@dataclass(frozen=True, slots=True)
class _Version:
    etag: str
    modified: str


@dataclass(slots=True)
class _Fetched:
    items: list[CalendarItem] = field(default_factory=list)
    unreadable: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass(slots=True)
class _Delta:
    token: str
    changed: dict[str, _Version] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    unreadable: list[tuple[str, str, str]] = field(default_factory=list)


class Reading:
    """The reading half of an account."""

    def __init__(self, settings: CalDavSettings, polling: Polling, now: Callable[[], datetime]) -> None:
        self._settings = settings
        self._polling = polling
        self._now = now

    # --- a home ----------------------------------------------------------------------------------------------

    def calendars(self, home: str) -> tuple[CalendarInfo, ...]:
        """All calendars of a home that take events."""
        rows = self._propfind(home, _DETAILS, "1", "looking for calendars").rows
        if any(row.holds(PRINCIPAL, f"{DAV}unauthenticated") for row in rows):
            raise ITMustAct(
                "The calendar server treats the account as an anonymous visitor.",
                system=self._settings.name,
                remedy="Configure the address of the calendar home as home, and check the user name.",
            )
        found = [row for row in rows if row.is_calendar and _takes_events(row)]
        self._expect_calendars(found)
        return tuple(
            CalendarInfo(row.path, row.text(DISPLAY_NAME) or _last_segment(row.path), _writable(row)) for row in found
        )

    def look(self, home: str) -> tuple[CalendarMark, ...]:
        """One request: the mark of each calendar of a home."""
        rows = [row for row in self._propfind(home, _STATE, "1", "looking at calendars").rows if row.is_calendar]
        self._expect_calendars(rows)
        return tuple(CalendarMark(row.path, _mark(row)) for row in rows)

    def _expect_calendars(self, rows: Sequence[Row]) -> None:
        if not rows:
            raise ITMustAct(
                "The calendar server shows no calendar.",
                system=self._settings.name,
                remedy="Check home, the user name and the shares: an account without any right looks like this too.",
            )

    # --- a calendar ------------------------------------------------------------------------------------------

    def changes(self, calendar: str, cursor: str | None, known: Mapping[str, str]) -> CalendarChanges:
        """See `CalendarAccount.changes`."""
        delta = self._delta(calendar, cursor) if cursor else None
        if delta is None or len(delta.removed & known.keys()) > _MANY_REMOVED:
            return self._whole(calendar, known)
        fetched = self._fetch(calendar, _other_versions(delta.changed, known))
        gone = {
            href for href in sorted(delta.removed & known.keys()) if self._single(href, "", fetched, known.get(href))
        }
        # Asked last: only a calendar that answers now proves that those hrefs are gone, and not it. The mark is of
        # the state that was read when nothing has changed since.
        state = self._state(calendar)
        mark = _mark(state) if state.text(SYNC_TOKEN) == delta.token else ""
        return CalendarChanges(
            cursor=delta.token,
            mark=mark,
            complete=False,
            items=tuple(fetched.items),
            removed=frozenset(gone),
            unreadable=(*delta.unreadable, *fetched.unreadable),
        )

    def _whole(self, calendar: str, known: Mapping[str, str]) -> CalendarChanges:
        """A proven listing.

        By PROPFIND rather than by a sync-collection without a token: only the former has the calendar's own row,
        and no server mixes removals of the past into it. That row brings the cursor along, so that what changes
        during the reading is in the next delta.
        """
        page = self._propfind(calendar, _LISTING, "1", "listing a calendar")
        own, listed = self._proven(calendar, page.rows)
        fetched = self._fetch(calendar, _other_versions(listed, known))
        return CalendarChanges(
            cursor=own.text(SYNC_TOKEN),
            mark=_mark(own),
            complete=True,
            items=tuple(fetched.items),
            present=frozenset(listed),
            unreadable=tuple(fetched.unreadable),
        )

    def _proven(self, calendar: str, rows: Sequence[Row]) -> tuple[Row, dict[str, _Version]]:
        own = self._own_row(calendar, rows)
        listed: dict[str, _Version] = {}
        for row in rows:
            if row is own or row.holds(RESOURCE_TYPE, f"{DAV}collection"):
                continue
            status = row.refused.get(ETAG, row.status)
            if status in (404, 410):
                raise RetryLater("An item vanished from a listing while it was made.", system=self._settings.name)
            if status != 200:
                raise self._failure(Answer(status), "listing a calendar")
            listed[row.path] = _Version(row.text(ETAG), row.text(MODIFIED))
        return own, listed

    def _own_row(self, calendar: str, rows: Sequence[Row]) -> Row:
        own = next((row for row in rows if same_collection(row.path, calendar)), None)
        if own is None:
            raise ITMustAct(
                "The calendar server's answer does not speak of the calendar that was asked for.",
                system=self._settings.name,
                remedy="Run discovery again: the calendar may have another path now.",
            )
        if own.status != 200:
            raise self._failure(Answer(own.status), "reading a calendar")
        if not own.is_calendar:
            raise ITMustAct(
                "What was a calendar is none any more.",
                system=self._settings.name,
                remedy="Run discovery again and correct the configuration. Nothing was removed.",
            )
        return own

    def _state(self, calendar: str) -> Row:
        """The calendar's own row; proves that it is there and readable."""
        return self._own_row(calendar, self._propfind(calendar, _STATE, "0", "reading a calendar").rows)

    # --- changes since a token (RFC 6578) --------------------------------------------------------------------

    def _delta(self, calendar: str, cursor: str) -> _Delta | None:
        """What the server says of changes since `cursor`; None when only a whole listing can tell."""
        delta = _Delta(cursor)
        for _ in range(_PAGES):
            answer = self._polling.send("REPORT", calendar, body=sync_collection(delta.token), depth="0")
            if answer.status in (429, 502, 503, 504):
                raise self._failure(answer, "reading changes")
            page = _page(answer)
            if page is None or not page.sync_token or _went_back(delta.token, page.sync_token):
                return None
            delta.token = page.sync_token
            cut = False
            for row in page.rows:
                if same_collection(row.path, calendar):
                    # 507 on the calendar itself: the server cut its answer, and goes on from the new token.
                    cut = row.status == 507
                    if row.status not in (200, 507):
                        return None
                elif not self._take(row, delta):
                    return None
            if not cut:
                return delta
        return None

    @staticmethod
    def _take(row: Row, delta: _Delta) -> bool:
        """Add a row; False when it shows that rights were lost, which a listing has to judge."""
        delta.changed.pop(row.path, None)
        delta.removed.discard(row.path)
        if row.path.endswith("/"):
            return True  # a collection inside the calendar is no item
        if row.status in (404, 410):
            delta.removed.add(row.path)
        elif row.status == 200:
            delta.changed[row.path] = _Version(row.text(ETAG), row.text(MODIFIED))
        elif row.status in (401, 403):
            return False
        else:
            delta.unreadable.append((row.path, "", f"the server answers {row.status} for it"))
        return True

    # --- items -----------------------------------------------------------------------------------------------

    def read(self, calendar: str, href: str) -> CalendarItem | None:
        """See `CalendarAccount.read`."""
        answer = self._get(href)
        if answer.status == 200:
            return _item(href, answer)
        if answer.found:
            raise self._failure(answer, "reading an item")
        self._state(calendar)
        return None

    def _fetch(self, calendar: str, wanted: Mapping[str, _Version]) -> _Fetched:
        """The bodies of these hrefs, in batches; one by one where a batch does not give one."""
        fetched = _Fetched()
        for batch in _batches(sorted(wanted)):
            rows = self._multiget(calendar, batch)
            for href in batch:
                row = rows.get(href)
                body = row.text(CALENDAR_DATA) if row is not None and row.status == 200 else ""
                if row is None or not body.strip():
                    self._single(href, wanted[href].etag, fetched, None)
                    continue
                modified = row.text(MODIFIED) or wanted[href].modified
                fetched.items.append(CalendarItem(href, row.text(ETAG), canonical(body.encode()), modified))
        return fetched

    def _multiget(self, calendar: str, hrefs: Sequence[str]) -> dict[str, Row]:
        answer = self._polling.send("REPORT", calendar, body=multiget(hrefs), depth="0")
        if answer.status not in (207, 500):
            raise self._failure(answer, "reading items")
        page = _page(answer)
        if page is None:
            # One item that the server stumbles over, or a character that XML cannot hold, spoils the whole answer.
            return {}
        rows: dict[str, Row] = {}
        for row in page.rows:
            if row.path not in rows or row.status == 200:  # some servers give one href several times
                rows[row.path] = row
        return rows

    def _single(self, href: str, version: str, fetched: _Fetched, known: str | None) -> bool:
        """GET one item: True when it is not there, else it is in `fetched`, or set aside in it."""
        answer = self._get(href)
        if not answer.found:
            return True
        if answer.status == 200:
            item = _item(href, answer)
            if not item.version or item.version != known:
                fetched.items.append(item)
        elif answer.status in (429, 502, 503, 504):
            raise self._failure(answer, "reading an item")
        else:
            fetched.unreadable.append((href, version, f"the server answers {answer.status} for it"))
        return False

    def _get(self, href: str) -> Answer:
        # Uncompressed: web servers in front mark the ETag of a compressed answer, and it would match no more.
        return self._polling.send("GET", href, encoding="identity")

    # --- requests --------------------------------------------------------------------------------------------

    def _propfind(self, path: str, properties: Sequence[str], depth: str, what: str) -> Multistatus:
        answer = self._polling.send("PROPFIND", path, body=propfind(properties), depth=depth)
        page = _page(answer)
        if page is None:
            raise self._failure(answer, what)
        return page

    def _failure(self, answer: Answer, what: str) -> ConnectorError:
        settings = self._settings
        return failure(answer, what, system=settings.name, owned_by_it=settings.owned_by_it, now=self._now())


def canonical(body: bytes) -> bytes:
    """A body with CRLF line ends and none too many: XML folds them, so that a GET and a REPORT give other bytes."""
    return _LINE_END.sub(b"\r\n", body.strip()) + b"\r\n"


def _item(href: str, answer: Answer) -> CalendarItem:
    headers = answer.headers
    return CalendarItem(href, headers.get("etag", ""), canonical(answer.body), headers.get("last-modified", ""))


def _page(answer: Answer) -> Multistatus | None:
    if answer.status != 207:
        return None
    try:
        return parse_multistatus(answer.body)
    except NotXml:
        return None


def _mark(row: Row) -> str:
    # Both, where there are two: either of them fails to move on some server.
    return " ".join(text for text in (row.text(SYNC_TOKEN), row.text(CTAG)) if text)


def _other_versions(listed: Mapping[str, _Version], known: Mapping[str, str]) -> dict[str, _Version]:
    return {href: version for href, version in listed.items() if not version.etag or known.get(href) != version.etag}


def _went_back(old: str, new: str) -> bool:
    """Whether a counting token has become smaller: the calendar was made anew, or the server restored."""
    before, after = _NUMBERED_TOKEN.fullmatch(old), _NUMBERED_TOKEN.fullmatch(new)
    if before is None or after is None or before[1] != after[1]:
        return False
    return int(after[2]) < int(before[2])


def _takes_events(row: Row) -> bool:
    kinds = row.properties.get(COMPONENTS)
    if kinds is None:
        return True
    names = [kind.get("name", "").upper() for kind in kinds.iter(f"{CALDAV}comp")]
    return not names or "VEVENT" in names


def _writable(row: Row) -> bool | None:
    return any(row.holds(PRIVILEGES, name) for name in _WRITING) if PRIVILEGES in row.properties else None


def _last_segment(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _batches(hrefs: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(hrefs), _BATCH):
        yield hrefs[first : first + _BATCH]
