"""Sets of time as sorted lists of half-open intervals: the oracle's own arithmetic, shared with no product code."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

Interval = tuple[datetime, datetime]


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """Disjoint and sorted."""
    result: list[Interval] = []
    for start, end in sorted(each for each in intervals if each[0] < each[1]):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], end))
        else:
            result.append((start, end))
    return result


def minus(left: Iterable[Interval], right: Iterable[Interval]) -> list[Interval]:
    """What is in the left and not in the right."""
    result = []
    holes = union(right)
    for start, end in union(left):
        at = start
        for hole_start, hole_end in holes:
            if hole_end <= at or hole_start >= end:
                continue
            if at < hole_start:
                result.append((at, hole_start))
            at = max(at, hole_end)
        if at < end:
            result.append((at, end))
    return result


def overlap(one: Interval, other: Interval) -> Interval | None:
    """What both hold."""
    start, end = max(one[0], other[0]), min(one[1], other[1])
    return (start, end) if start < end else None


def within(intervals: Iterable[Interval], span: Interval) -> list[Interval]:
    """Cut to a span."""
    return [cut for each in intervals if (cut := overlap(each, span))]


def text(intervals: Iterable[Interval]) -> str:
    """For people."""
    return ", ".join(f"{start:%d.%m %H:%M}-{end:%d.%m %H:%M}" for start, end in intervals) or "nothing"
