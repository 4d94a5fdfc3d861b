"""What a calendar holds: all of it, or what lies in a span of time, each as far as the answer proves it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.caldav.asking import BUSY, Asking, page_of
from connectors.caldav.dav_xml import DAV, ETAG, OF_ITEMS, RESOURCE_TYPE, Row, multiget, time_range
from connectors.caldav.faults import Answer
from connectors.caldav.fetching import Listed, by_href, listed
from connectors.caldav.findings import Caught
from connectors.errors import ITMustAct, RetryLater
from connectors.records import ReadingScope

MOST_ITEMS = 50_000
_BATCH = 200


@dataclass(frozen=True, slots=True)
class Listing:
    """The calendar's own row and its items. `server_time`: an instant of the server's clock, of the answer."""

    own: Row
    items: dict[str, Listed]
    server_time: datetime


def whole_listing(asking: Asking, calendar: str, *, system: str) -> Listing:
    """A proven listing, in one request.

    By PROPFIND rather than by a sync-collection without a token: only the former has the calendar's own row, and no
    server mixes removals of the past into it. That row brings the token along, so that what changes during the
    reading is in the next delta.
    """
    page, answer = asking.propfind(calendar, (*asking.of_calendar, *OF_ITEMS), "1", "listing a calendar")
    own = asking.own_row(calendar, page.rows)
    asking.note([own], answer)
    if len(page.rows) > MOST_ITEMS:
        raise ITMustAct(
            f"The calendar {calendar} holds {len(page.rows)} items, more than the limit of {MOST_ITEMS}.",
            system=system,
            remedy="Have its old events archived in another calendar.",
        )
    server_time = asking.server_time(answer)
    items: dict[str, Listed] = {}
    for row in page.rows:
        if row is own or row.holds(RESOURCE_TYPE, f"{DAV}collection"):
            continue
        status = row.refused.get(ETAG, row.status)
        if status in (404, 410):
            raise RetryLater("An item vanished from a listing while it was made.", system=system)
        if status != 200:
            raise asking.failure(Answer(status), "listing a calendar")
        items[row.path] = listed(row, server_time)
    return Listing(own, items, server_time)


def span_listing(asking: Asking, calendar: str, scope: ReadingScope) -> dict[str, Listed] | None:
    """What lies in a span of time, as the server sees it; None when it cannot be asked so.

    Servers leave out far occurrences of endless series, so that this finds changes and never proves that something
    is gone. Raises when the server is busy.
    """
    answer = asking.report(calendar, time_range(scope.start, scope.end), depth="1")
    if answer.status in BUSY:
        raise asking.failure(answer, "listing a calendar")
    page = page_of(answer)
    rows = by_href(page.rows).values() if page is not None else ()
    if page is None or any(row.status != 200 or ETAG in row.refused for row in rows):
        asking.server.caught(Caught.QUERY_FAILS)
        return None
    server_time = asking.server_time(answer)
    return {row.path: listed(row, server_time) for row in rows if not row.path.endswith("/")}


def versions_of(asking: Asking, calendar: str, hrefs: Sequence[str]) -> dict[str, Listed]:
    """What the server says of these items now; those that it does not speak of are left out: look at each."""
    found: dict[str, Listed] = {}
    for first in range(0, len(hrefs), _BATCH):
        answer = asking.report(calendar, multiget(hrefs[first : first + _BATCH], bodies=False))
        page = page_of(answer)
        if page is None:
            raise asking.failure(answer, "reading items")
        server_time = asking.server_time(answer)
        for row in by_href(page.rows).values():
            if row.status == 200 and row.text(ETAG):
                found[row.path] = listed(row, server_time)
    return found
