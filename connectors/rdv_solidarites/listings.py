"""Reading lists page by page, and what it takes to believe that a list was read to its end.

The API sorts without tie-break, or not at all: between two pages rows may swap, be given twice or be missed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from connectors.errors import OurBug, RetryLater
from connectors.rdv_solidarites.faults import SYSTEM, Call
from connectors.rdv_solidarites.parsing import record_id
from connectors.rdv_solidarites.wire import Wire

PAGE_SIZE = 100
_MOST_PAGES = 10_000


@dataclass(frozen=True, slots=True)
class Query:
    """One list: its path, the root key of its records, and its filters."""

    path: str
    key: str
    filters: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Page:
    records: tuple[object, ...]
    last: bool
    total_count: int | None


@dataclass(frozen=True, slots=True)
class Reading:
    """All pages of a list, once."""

    pages: tuple[Page, ...]

    @property
    def records(self) -> tuple[object, ...]:
        return tuple(record for page in self.pages for record in page.records)

    @property
    def ids(self) -> frozenset[int]:
        return frozenset(number for record in self.records if (number := record_id(record)) is not None)

    @property
    def nameless(self) -> bool:
        """Whether a record has no id."""
        return any(record_id(record) is None for record in self.records)

    def joined(self, later: Reading) -> Reading:
        """Both readings as one; of a record read twice the later one counts."""
        return Reading((*self.pages, *later.pages))

    @property
    def proven(self) -> bool:
        """Every page tells the same total, and that many distinct ids were read.

        Of several readings joined: one that was removed between them would be one id too many.
        """
        return {page.total_count for page in self.pages} == {len(self.ids)}


def read_page(wire: Wire, query: Query, number: int) -> Page:
    """One page, 1-based. Raises as `Wire.read`; a body without the list, or an empty first page of a list that says it
    has records, is `RetryLater`."""
    document = wire.read(Call.LIST, query.path, {**query.filters, "page": number})
    records = document.get(query.key)
    if not isinstance(records, list):
        raise RetryLater(f"GET {query.path}: the answer holds no {query.key}.", system=SYSTEM)
    meta = document.get("meta")
    total_count = _total_count(meta)
    if number == 1 and not records and total_count:
        raise RetryLater(f"GET {query.path}: {total_count} records are announced, none is given.", system=SYSTEM)
    return Page(tuple(records), _last(records, meta, number), total_count)


def read_all(wire: Wire, query: Query, first: Page | None = None) -> Reading:
    """All pages once; `first` when the first is already at hand."""
    pages: list[Page] = []
    for number in count(1):
        page = first if first is not None and number == 1 else read_page(wire, query, number)
        pages.append(page)
        if page.last:
            return Reading(tuple(pages))
        if number == _MOST_PAGES:
            break
    raise OurBug(f"GET {query.path}: the list does not end.", system=SYSTEM)


def read_whole(wire: Wire, query: Query) -> tuple[object, ...]:
    """The records of a short list, one per id, whole or not at all.

    One page is whole; more are when the count proves it, or when a second reading finds the same ids (a total may
    be inflated). Raises `RetryLater` otherwise: what was missed must not look as if it had left.
    """
    reading = read_all(wire, query)
    if len(reading.pages) > 1 and not reading.proven:
        again = read_all(wire, query)
        if not again.proven and again.ids != reading.ids:
            raise RetryLater(f"GET {query.path}: the list moved while it was read.", system=SYSTEM)
        reading = again
    if reading.nameless:
        raise RetryLater(f"GET {query.path}: a record has no id.", system=SYSTEM)
    return tuple({record_id(record): record for record in reading.records}.values())


def _last(records: list[Any], meta: object, number: int) -> bool:
    if not records:
        return True  # past the end: the list shrank meanwhile
    if isinstance(meta, Mapping) and "next_page" in meta:
        return meta["next_page"] is None
    if isinstance(meta, Mapping) and isinstance(meta.get("total_pages"), int):
        return number >= int(meta["total_pages"])
    return len(records) < PAGE_SIZE


def _total_count(meta: object) -> int | None:
    total = meta.get("total_count") if isinstance(meta, Mapping) else None
    return total if isinstance(total, int) else None
