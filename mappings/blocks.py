"""Busy blocks: wall-clock intervals of an agent with where they come from, and set algebra on them.

Intervals are half-open, [start, end), in naive wall-clock of the agent's zone, which is how RDV-Solidarités keeps
absences.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from mappings.recurrence import Occurrence
from mappings.wallclock import outer_wall_interval

FIRST_YEAR = 2018
"""RDV-Solidarités refuses an absence that begins or ends before (its validator of realistic dates)."""

MOST_YEARS_AHEAD = 5

_LAST_MINUTE = time(23, 59)


@dataclass(frozen=True, slots=True, order=True)
class Provenance:
    """The occurrence that makes a block: `calendar` and `href` as in the calendar port, `Occurrence.recurrence_id`."""

    calendar: str
    href: str
    uid: str
    recurrence_id: str


@dataclass(frozen=True, slots=True)
class Block:
    """A busy interval, `start` < `end`, naive wall-clock in the agent's zone, and the occurrences behind it.

    `label`: what it is called for people, "" masked; only ever a text of the configuration.
    """

    start: datetime
    end: datetime
    provenance: frozenset[Provenance]
    label: str = ""


def wall_interval(occurrence: Occurrence, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The wall-clock interval of one occurrence: whole minutes, outward.

    Whole days: 00:00 of the first to 23:59 of the last, which is how RDV-Solidarités' own form writes them.
    """
    if occurrence.first_day is not None and occurrence.last_day is not None:
        return datetime.combine(occurrence.first_day, time.min), datetime.combine(occurrence.last_day, _LAST_MINUTE)
    return outer_wall_interval(occurrence.start, occurrence.end, zone)


def merge(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """Overlapping or touching blocks of one label become one, with all their provenance. Sorted; those of one label
    are pairwise apart, those of different labels may touch and overlap.

    Covers exactly what the blocks cover: the minute between an all-day block and the next midnight stays free.
    """
    merged: list[Block] = []
    last: dict[str, int] = {}  # by label, where its last block is
    for block in sorted(blocks, key=_order):
        at = last.get(block.label)
        if at is not None and block.start <= merged[at].end:
            known = merged[at]
            end = max(known.end, block.end)
            merged[at] = replace(known, end=end, provenance=known.provenance | block.provenance)
        else:
            last[block.label] = len(merged)
            merged.append(block)
    return tuple(sorted(merged, key=_order))


def _order(block: Block) -> tuple[datetime, datetime, str]:
    return block.start, block.end, block.label


def subtract(block: Block, intervals: Iterable[tuple[datetime, datetime]]) -> tuple[Block, ...]:
    """What is left of a block outside the intervals (any order, overlaps allowed), with its provenance."""
    left: list[Block] = []
    start = block.start
    for begin, end in sorted(intervals):
        if begin >= end:
            continue
        if start < begin:
            left.append(replace(block, start=start, end=min(begin, block.end)))
        start = max(start, end)
        if start >= block.end:
            break
    if start < block.end:
        left.append(replace(block, start=start))
    return tuple(left)


def api_bounds(today: date) -> tuple[datetime, datetime]:
    """The wall-clocks between which RDV-Solidarités takes absences: 2018 to the same day five years after `today`."""
    year = today.year + MOST_YEARS_AHEAD
    last_day = date(year, 3, 1) - timedelta(days=1) if (today.month, today.day) == (2, 29) else today.replace(year=year)
    return datetime(FIRST_YEAR, 1, 1), datetime.combine(last_day, _LAST_MINUTE)  # noqa: DTZ001 - wall-clock


def within_api_bounds(block: Block, today: date) -> Block | None:
    """The part of a block that RDV-Solidarités takes (`api_bounds`). None when nothing is left."""
    first, last = api_bounds(today)
    start, end = max(block.start, first), min(block.end, last)
    if (start, end) == (block.start, block.end):
        return block
    return replace(block, start=start, end=end) if start < end else None
