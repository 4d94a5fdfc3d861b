"""Reading a CalDAV account: one look at a home, what changed in a calendar, one item.

A calendar is read by what its server honestly supports: changes since a sync-token; else a listing of ETags when its
mark moved; in a large calendar a listing of the days that matter. Each contradiction leads to a whole listing, and so
does time.

A 207 that merely looks like an emptied calendar is never taken for one: a listing counts when the calendar's own row
is in it with 200 and no other row is in error; a removal counts when a GET of that href finds nothing while the
calendar still answers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from connectors.caldav.asking import LOOK, Asking, identity_of
from connectors.caldav.cursor import Cursor, short_name, short_names
from connectors.caldav.dav_xml import (
    CALDAV,
    COMPONENTS,
    CTAG,
    DAV,
    DISPLAY_NAME,
    PRINCIPAL,
    PRIVILEGES,
    REPORTS,
    SYNC_TOKEN,
    Row,
)
from connectors.caldav.delta import Delta, delta_since
from connectors.caldav.fetching import Fetched, Fetching, other_versions
from connectors.caldav.findings import Caught
from connectors.caldav.listing import Listing, span_listing, versions_of, whole_listing
from connectors.caldav.settings import CalDavSettings
from connectors.caldav.versions import is_settled, is_unsettled
from connectors.errors import ITMustAct
from connectors.records import CalendarChanges, CalendarInfo, CalendarItem, CalendarMark, ReadingScope

LARGE = 1_000
"""From so many items on, a calendar without sync-tokens is read by the days that matter."""

_TOKENS_LAST = timedelta(days=7)
"""DAViCal drops tokens of that age, and answers as if they were good."""
_SPANS_LAST = timedelta(days=1)
"""Time-range queries miss old series: how long they are relied upon while the calendar changes."""
# From here on one listing is cheaper than a GET for each href that is said to be gone.
_MANY_REMOVED = 25
_DETAILS = (DISPLAY_NAME, PRIVILEGES, COMPONENTS, PRINCIPAL, REPORTS)
_WRITING = tuple(f"{DAV}{name}" for name in ("all", "write", "write-content", "bind"))


class Reading:
    """The reading half of an account."""

    def __init__(self, settings: CalDavSettings, asking: Asking) -> None:
        self._settings = settings
        self._asking = asking
        self._fetching = Fetching(asking)

    # --- a home ----------------------------------------------------------------------------------------------

    def calendars(self, home: str) -> tuple[CalendarInfo, ...]:
        """All calendars of a home that take events."""
        page, answer = self._asking.propfind(home, (*self._asking.of_calendar, *_DETAILS), "1", "looking for calendars")
        if any(row.holds(PRINCIPAL, f"{DAV}unauthenticated") for row in page.rows):
            raise ITMustAct(
                "The calendar server treats the account as an anonymous visitor.",
                system=self._settings.name,
                remedy="Configure the address of the calendar home as home, and check the user name.",
            )
        found = [row for row in page.rows if row.is_calendar and _takes_events(row)]
        self._expect_calendars(found)
        self._asking.note(found, answer)
        return tuple(
            CalendarInfo(row.path, row.text(DISPLAY_NAME) or _last_segment(row.path), _writable(row)) for row in found
        )

    def look(self, home: str) -> tuple[CalendarMark, ...]:
        """One request: the mark of each calendar of a home."""
        page, answer = self._asking.propfind(home, LOOK, "1", "looking at calendars", kind="look")
        rows = [row for row in page.rows if row.is_calendar]
        self._expect_calendars(rows)
        server_time = self._asking.server_time(answer)
        marks: list[CalendarMark] = []
        for row in rows:
            mark = self._asking.mark(row)
            if not is_settled(mark, server_time):
                self._asking.server.caught(Caught.SECOND_MARKS)
                mark = ""
            marks.append(CalendarMark(row.path, mark))
        return tuple(marks)

    def _expect_calendars(self, rows: Sequence[Row]) -> None:
        if not rows:
            raise ITMustAct(
                "The calendar server shows no calendar.",
                system=self._settings.name,
                remedy="Check home, the user name and the shares: an account without any right looks like this too.",
            )

    # --- a calendar ------------------------------------------------------------------------------------------

    def is_due(self, calendar: str, cursor: str | None) -> bool:
        """See `CalendarAccount.is_due`."""
        read = Cursor.parse(cursor)
        return read is None or read.sweep_is_due(calendar, self._asking.now())

    def changes(
        self, calendar: str, cursor: str | None, known: Mapping[str, str], scope: ReadingScope | None
    ) -> CalendarChanges:
        """See `CalendarAccount.changes`."""
        last = Cursor.parse(cursor)
        now = self._asking.now()
        if last is None or last.sweep_is_due(calendar, now):
            return self._whole(calendar, known, scope, last)
        if last.token and self._asking.server.findings.trusts_tokens:
            if now - last.read_at > _TOKENS_LAST:
                return self._whole(calendar, known, scope, last)
            return self._since_token(calendar, known, scope, last)
        if scope is not None and last.window and now - last.listed_at <= _SPANS_LAST:
            return self._span(calendar, known, scope, last) or self._whole(calendar, known, scope, last)
        return self._whole(calendar, known, scope, last)

    def read(self, calendar: str, href: str) -> CalendarItem | None:
        """See `CalendarAccount.read`."""
        answer = self._asking.get(href)
        if answer.status == 200:
            return self._fetching.item(href, answer)
        if answer.found:
            raise self._asking.failure(answer, "reading an item")
        self._asking.state(calendar)
        return None

    # --- by sync-token ---------------------------------------------------------------------------------------

    def _since_token(
        self, calendar: str, known: Mapping[str, str], scope: ReadingScope | None, last: Cursor
    ) -> CalendarChanges:
        asking = self._asking
        asked_at = asking.now()
        delta = delta_since(asking, calendar, last.token)
        if delta is None or len(delta.removed & known.keys()) > _MANY_REMOVED:
            return self._whole(calendar, known, scope, last)
        if delta.repeats(known):
            asking.server.caught(Caught.REPEATS)
            return self._whole(calendar, known, scope, last, claimed=delta)
        fetched = self._fetching.fetch(calendar, other_versions(delta.changed, known))
        gone = self._gone(delta.removed & known.keys(), known, fetched)
        if len(gone) < len(delta.removed & known.keys()):
            asking.server.caught(Caught.FALSE_REMOVAL)
        # Asked last: only a calendar that answers now proves that those hrefs are gone, and not it.
        state, answer = asking.state(calendar)
        if self._is_another(state, last) or (delta.is_empty and self._moved(state, last, delta)):
            return self._whole(calendar, known, scope, last, claimed=delta)
        # The mark is of the state that was read when nothing has changed since.
        same = state.text(SYNC_TOKEN) == delta.token and is_settled(asking.mark(state), asking.server_time(answer))
        cursor = replace(last, read_at=asked_at, token=delta.token, ctag=state.text(CTAG), identity=identity_of(state))
        return self._changes(
            cursor,
            asking.mark(state) if same else "",
            fetched,
            removed=gone,
            unreadable=delta.unreadable,
        )

    def _is_another(self, state: Row, last: Cursor) -> bool:
        identity = identity_of(state)
        if identity and last.identity and identity != last.identity:
            self._asking.server.caught(Caught.CALENDAR_REMADE)
            return True
        return False

    def _moved(self, state: Row, last: Cursor, delta: Delta) -> bool:
        """Whether the calendar's mark has moved and the server tells of no change, since or before."""
        token, ctag = state.text(SYNC_TOKEN), state.text(CTAG)
        if token != delta.token or (token == last.token and ctag == last.ctag):
            return False
        self._asking.server.caught(Caught.EMPTY_CHANGE)
        return True

    def _gone(self, hrefs: Collection[str], known: Mapping[str, str], fetched: Fetched) -> frozenset[str]:
        """Those of which a GET finds nothing. What is there after all is in `fetched`."""
        return frozenset(href for href in sorted(hrefs) if self._fetching.single(href, "", fetched, known.get(href)))

    # --- by a span of time -----------------------------------------------------------------------------------

    def _span(
        self, calendar: str, known: Mapping[str, str], scope: ReadingScope, last: Cursor
    ) -> CalendarChanges | None:
        """What changed among the days that matter and the items that matter anyhow; None: ask for a whole listing."""
        asking = self._asking
        asked_at = asking.now()
        # Asked first: its mark is of a state that was there before anything was read.
        state, answer = asking.state(calendar)
        if self._is_another(state, last):
            return None
        found = span_listing(asking, calendar, scope)
        if found is None:
            return None
        window = short_names(found)
        unseen = sorted(
            href for href in known.keys() - found.keys() if href in scope.hrefs or short_name(href) in last.window
        )
        found |= versions_of(asking, calendar, unseen)
        missing = [href for href in unseen if href not in found]
        if len(missing) > _MANY_REMOVED:
            return None
        fetched = self._fetching.fetch(calendar, other_versions(found, known))
        gone = self._gone(missing, known, fetched)
        if gone:
            asking.state(calendar)  # only a calendar that answers now proves that those hrefs are gone, and not it
        mark = asking.mark(state)
        return self._changes(
            replace(last, read_at=asked_at, ctag=state.text(CTAG), identity=identity_of(state), window=window),
            mark if is_settled(mark, asking.server_time(answer)) else "",
            fetched,
            removed=gone,
        )

    # --- all of it -------------------------------------------------------------------------------------------

    def _whole(
        self,
        calendar: str,
        known: Mapping[str, str],
        scope: ReadingScope | None,
        last: Cursor | None,
        claimed: Delta | None = None,
    ) -> CalendarChanges:
        """A proven listing. `claimed`: what the server said of changes, for comparison."""
        asking = self._asking
        asked_at = asking.now()
        listing = whole_listing(asking, calendar, system=self._settings.name)
        self._learn(listing, known, last, claimed)
        own, items = listing.own, listing.items
        token, ctag, mark = asking.token(own), own.text(CTAG), asking.mark(own)
        window: frozenset[str] = frozenset()
        if not token and scope is not None and len(items) >= LARGE:
            window = short_names(span_listing(asking, calendar, scope) or ())
        if not is_settled(f"{own.text(SYNC_TOKEN)} {ctag}", listing.server_time):
            # SOGo never tells since this token what is yet to happen within its second: the next reading lists again.
            token = ctag = mark = ""
        fetched = self._fetching.fetch(calendar, other_versions(items, known))
        cursor = Cursor(asked_at, asked_at, token, ctag, identity_of(own), window)
        return self._changes(cursor, mark, fetched, present=frozenset(items))

    def _learn(self, listing: Listing, known: Mapping[str, str], last: Cursor | None, claimed: Delta | None) -> None:
        """Compare a listing with what the server had let us believe."""
        if last is None or last.unfinished:
            return
        server, token = self._asking.server, listing.own.text(SYNC_TOKEN)
        appeared = listing.items.keys() - known.keys()
        vanished = known.keys() - listing.items.keys()
        changed = {
            href for href in other_versions(listing.items, known).keys() - appeared if not is_unsettled(known[href])
        }
        if claimed is not None:
            if token == claimed.token and (vanished - claimed.removed or (appeared | changed) - claimed.changed.keys()):
                server.caught(Caught.TOKEN_LIES)
            return
        mark = self._asking.mark(listing.own)
        if not mark or not is_settled(mark, last.read_at):
            return
        if (token, listing.own.text(CTAG)) == (last.token or token, last.ctag):
            if appeared or vanished:
                server.caught(Caught.MARK_LIES)
            elif changed:
                server.caught(Caught.RESTLESS_ETAGS)

    @staticmethod
    def _changes(
        cursor: Cursor,
        mark: str,
        fetched: Fetched,
        *,
        removed: frozenset[str] = frozenset(),
        present: frozenset[str] | None = None,
        unreadable: Sequence[tuple[str, str, str]] = (),
    ) -> CalendarChanges:
        return CalendarChanges(
            cursor=str(replace(cursor, unfinished=fetched.more)),
            mark="" if fetched.more else mark,
            complete=present is not None,
            items=tuple(fetched.items),
            removed=removed,
            present=present or frozenset(),
            unreadable=(*unreadable, *fetched.unreadable),
            more=fetched.more,
        )


def _takes_events(row: Row) -> bool:
    kinds = row.properties.get(COMPONENTS)
    if kinds is None:
        return True
    names = [name.upper() for tag, name, _ in kinds.inside if tag == f"{CALDAV}comp"]
    return not names or "VEVENT" in names


def _writable(row: Row) -> bool | None:
    return any(row.holds(PRIVILEGES, name) for name in _WRITING) if PRIVILEGES in row.properties else None


def _last_segment(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]
