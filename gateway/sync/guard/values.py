"""The département's limits for the guard."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """`agents_share` of at least `agents_least` agents whose plans remove something are many at once.
    `clock_tolerance`: how far our clock may be from a server's."""

    agents_share: float = 0.3
    agents_least: int = 20
    clock_tolerance: timedelta = timedelta(minutes=5)
