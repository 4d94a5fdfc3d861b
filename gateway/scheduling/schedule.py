"""When a group of agents is due. Pure: values in, values out; the clock and chance are the caller's.

A *group* is who shares one calendar account: its home is read once for all of them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

_JITTER = 0.1
"""By this share of an interval, at most, runs come earlier: agents who once fell together do not stay so."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a group is due: `fast` for `fast_for` after a change, then `usual`, growing to `quiet` within
    `quiet_after` without one; after failures from `usual` on, doubled each time, `longest_backoff` at most."""

    fast: timedelta = timedelta(seconds=45)
    usual: timedelta = timedelta(seconds=60)
    quiet: timedelta = timedelta(seconds=100)
    longest_backoff: timedelta = timedelta(minutes=15)
    fast_for: timedelta = timedelta(minutes=10)
    quiet_after: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a group stands. Instants. `changed_at`: the last change that was seen; None: none since the service began.

    `failures`: runs in a row that failed. `away`: the last one failed for something that passes by itself, as when
    its server is away.
    """

    due: datetime
    changed_at: datetime | None = None
    failures: int = 0
    away: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run was for one group. `passing`: what failed passes by itself."""

    changed: bool = False
    failed: bool = False
    passing: bool = False


def place(key: str) -> float:
    """Where a group stands among others: from 0 to 1, the same each time."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4]) / 2**32


def first(key: str, now: datetime, pace: Pace) -> Standing:
    """Of a group that the service meets: due within the usual interval, at a place of its own."""
    return Standing(now + pace.usual * place(key))


def after(standing: Standing, outcome: Outcome, now: datetime, pace: Pace, chance: float) -> Standing:
    """After a run that ended `now`. `chance`: from 0 to 1."""
    changed_at = now if outcome.changed else standing.changed_at
    failures = standing.failures + 1 if outcome.failed else 0
    interval = backoff(failures, pace) if failures else _interval(changed_at, now, pace)
    due = now + interval * (1 - _JITTER * chance)
    return Standing(due, changed_at, failures, away=outcome.failed and outcome.passing)


def server_is_back(standing: Standing, key: str, now: datetime, pace: Pace) -> Standing:
    """Another group of the same server got through: whoever waits for that server comes within the usual interval,
    one after the other."""
    if not standing.away:
        return standing
    return replace(standing, due=min(standing.due, now + pace.usual * place(key)), failures=0, away=False)


def _interval(changed_at: datetime | None, now: datetime, pace: Pace) -> timedelta:
    if changed_at is None:
        return pace.usual
    since = now - changed_at
    if since < pace.fast_for:
        return pace.fast
    return pace.usual + (pace.quiet - pace.usual) * min(1.0, (since - pace.fast_for) / pace.quiet_after)


def backoff(failures: int, pace: Pace) -> timedelta:
    """How long to wait after so many failures in a row, at least one."""
    doublings = min(failures - 1, 20)
    return min(pace.usual * (1 << doublings), pace.longest_backoff)
