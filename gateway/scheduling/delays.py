"""How long changes take through the gateway, in memory, as a histogram of seconds by direction. Thread-safe."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 90.0, 120.0, 300.0, 900.0, 3600.0)
"""Upper bounds of the buckets, in seconds."""


class Direction(StrEnum):
    """From where on, to where.

    COPY: from the first word of RDV-Solidarités (a webhook's arrival, or the end of a reading) to the copy's writing.
    BLOCK: from the reading of a calendar to the block's writing. BLOCK_AT_MOST: the same from the reading before, so
    that it holds the wait for the next look too: no change took longer.
    """

    COPY = "rdv_to_copy"
    BLOCK = "event_to_block"
    BLOCK_AT_MOST = "event_to_block_at_most"


@dataclass(frozen=True, slots=True)
class Histogram:
    """`counts`: how many were at most as long as each of `BOUNDS`, each in its first bucket alone, then those that
    were longer than all. `total`: their sum, in seconds. `longest`: of them."""

    counts: tuple[int, ...]
    total: float
    longest: float

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts)

    def quantile(self, share: float) -> float:
        """The upper bound of the bucket in which that share of them is reached, `longest` at most; 0.0 for none."""
        wanted, seen = share * self.count, 0
        for bound, count in zip((*BOUNDS, self.longest), self.counts, strict=True):
            seen += count
            if count and seen >= wanted:
                return min(bound, self.longest)
        return 0.0


class Delays:
    """Records delays, and gives what was recorded since the process began."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = {each: [0] * (len(BOUNDS) + 1) for each in Direction}
        self._totals = dict.fromkeys(Direction, 0.0)
        self._longest = dict.fromkeys(Direction, 0.0)

    def record(self, direction: Direction, seconds: float) -> None:
        """One change took this long. Less than nothing (a clock was set back) counts as nothing."""
        seconds = max(0.0, seconds)
        with self._lock:
            self._counts[direction][bisect_left(BOUNDS, seconds)] += 1
            self._totals[direction] += seconds
            self._longest[direction] = max(self._longest[direction], seconds)

    def read(self) -> Mapping[Direction, Histogram]:
        """As they are now."""
        with self._lock:
            return {
                each: Histogram(tuple(self._counts[each]), self._totals[each], self._longest[each])
                for each in Direction
            }
