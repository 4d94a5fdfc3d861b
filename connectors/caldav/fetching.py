"""Bodies of items, in batches, with limits: what is too large is set aside alone, and named."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from connectors.caldav.asking import BUSY, Asking, page_of
from connectors.caldav.dav_xml import CALENDAR_DATA, ETAG, MODIFIED, SIZE, Row, multiget
from connectors.caldav.faults import Answer
from connectors.caldav.findings import Caught
from connectors.caldav.polling import TooLarge
from connectors.caldav.versions import etag_in, is_news, version_of
from connectors.records import CalendarItem

LARGEST_ITEM = 2 * 1024 * 1024
"""Bytes. An event of ordinary life has 1 to 5 kB; the largest that servers were seen to take has 1 MB."""

_TOO_LARGE = f"larger than the limit for one event ({LARGEST_ITEM // 1024 // 1024} MiB)"
_BATCH = 100
_BATCH_BYTES = 8 * 1024 * 1024
_READING_BYTES = 24 * 1024 * 1024
"""Bodies that one reading may hold: the rest comes with the next one."""
_LINE_END = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Listed:
    """What a listing says of an item. `size`: bytes, 0 when it does not say."""

    version: str
    size: int = 0


@dataclass(slots=True)
class Fetched:
    """`unreadable`: (href, version, reason). `more`: not all fitted."""

    items: list[CalendarItem] = field(default_factory=list)
    unreadable: list[tuple[str, str, str]] = field(default_factory=list)
    bytes: int = 0
    more: bool = False

    def add(self, item: CalendarItem) -> None:
        self.items.append(item)
        self.bytes += len(item.body)


class Fetching:
    """Reads bodies."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def fetch(self, calendar: str, wanted: Mapping[str, Listed]) -> Fetched:
        """The bodies of these hrefs; one by one where a batch does not give one."""
        fetched = Fetched()
        ordinary: dict[str, Listed] = {}
        for href in sorted(wanted):
            if wanted[href].size > LARGEST_ITEM:
                fetched.unreadable.append((href, wanted[href].version, _TOO_LARGE))
            else:
                ordinary[href] = wanted[href]
        for batch in _batches(ordinary):
            if fetched.bytes >= _READING_BYTES:
                fetched.more = True
                break
            self._batch(calendar, batch, ordinary, fetched)
        return fetched

    def single(self, href: str, version: str, fetched: Fetched, known: str | None) -> bool:
        """GET one item: True when it is not there, else it is in `fetched`, or set aside in it.

        `known`: the version that is stored, which is not wanted again.
        """
        try:
            answer = self._asking.get(href, limit=LARGEST_ITEM)
        except TooLarge:
            fetched.unreadable.append((href, version, _TOO_LARGE))
            return False
        if not answer.found:
            return True
        if answer.status == 200:
            item = self.item(href, answer)
            if is_news(item.version, known):
                fetched.add(item)
        elif answer.status in BUSY:
            raise self._asking.failure(answer, "reading an item")
        else:
            fetched.unreadable.append((href, version, f"the server answers {answer.status} for it"))
        return False

    def item(self, href: str, answer: Answer) -> CalendarItem:
        """The item in the answer to a GET."""
        headers = answer.headers
        modified = headers.get("last-modified", "")
        version = version_of(headers.get("etag", ""), modified, self._asking.server_time(answer))
        return CalendarItem(href, version, canonical(answer.body), modified)

    def _batch(self, calendar: str, batch: Sequence[str], wanted: Mapping[str, Listed], fetched: Fetched) -> None:
        try:
            rows, server_time = self._multiget(calendar, batch)
        except TooLarge:
            middle = len(batch) // 2
            if not middle:
                self.single(batch[0], wanted[batch[0]].version, fetched, None)
                return
            self._batch(calendar, batch[:middle], wanted, fetched)
            self._batch(calendar, batch[middle:], wanted, fetched)
            return
        for href in batch:
            row = rows.get(href)
            body = row.text(CALENDAR_DATA) if row is not None and row.status == 200 else ""
            if row is None or not body.strip():
                if not self.single(href, wanted[href].version, fetched, None) and row is None and rows:
                    self._asking.server.caught(Caught.LEFT_OUT)
                continue
            modified = row.text(MODIFIED)
            version = version_of(row.text(ETAG), modified, server_time)
            if not modified and etag_in(version) == etag_in(wanted[href].version):
                # The listing may have told more. Had the item changed since, the next one would tell another time.
                version = wanted[href].version
            fetched.add(CalendarItem(href, version, canonical(body.encode()), modified))

    def _multiget(self, calendar: str, hrefs: Sequence[str]) -> tuple[dict[str, Row], datetime]:
        answer = self._asking.report(calendar, multiget(hrefs), limit=_BATCH_BYTES)
        if answer.status not in (207, 500):
            raise self._asking.failure(answer, "reading items")
        page = page_of(answer)
        # One item that the server stumbles over, or a character that XML cannot hold, spoils the whole answer.
        return by_href(page.rows if page else ()), self._asking.server_time(answer)


def by_href(rows: Sequence[Row]) -> dict[str, Row]:
    """Rows by path. Some servers give one href several times: one with 200 counts."""
    found: dict[str, Row] = {}
    for row in rows:
        if row.path not in found or row.status == 200:
            found[row.path] = row
    return found


def listed(row: Row, server_time: datetime) -> Listed:
    """What a row of a listing says of an item."""
    size = row.text(SIZE).strip()
    return Listed(
        version_of(row.text(ETAG), row.text(MODIFIED), server_time),
        int(size) if size.isascii() and size.isdigit() else 0,
    )


def other_versions(found: Mapping[str, Listed], known: Mapping[str, str]) -> dict[str, Listed]:
    """Those that are not known in the version that was listed."""
    return {href: item for href, item in found.items() if is_news(item.version, known.get(href))}


def canonical(body: bytes) -> bytes:
    """A body with CRLF line ends and none too many: XML folds them, so that a GET and a REPORT give other bytes."""
    return _LINE_END.sub(b"\r\n", body.strip()) + b"\r\n"


def _batches(wanted: Mapping[str, Listed]) -> Iterator[Sequence[str]]:
    batch: list[str] = []
    size = 0
    for href, item in wanted.items():
        if batch and (len(batch) == _BATCH or size + item.size > _BATCH_BYTES // 2):
            yield batch
            batch, size = [], 0
        batch.append(href)
        size += item.size
    if batch:
        yield batch
