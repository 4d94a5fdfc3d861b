"""How many writes a remote system gets: a ceiling per hour and per day, and who comes first when it is near. Pure.

A *remote* is what has a ceiling of its own: `rdv_solidarites`, or one calendar account by its name. Writes are
counted by clock hour (UTC); a day is the current clock hour and the 23 before it, so that a restart, or another
process, finds the same count, and no midnight lets two days' worth through.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from gateway.sync.values import Operation, Side

HOUR = timedelta(hours=1)
DAY_HOURS = 24
RDV_SOLIDARITES = "rdv_solidarites"

Written = Mapping[datetime, int]
"""Writes by clock hour (see `hour_of`)."""


def hour_of(instant: datetime) -> datetime:
    """The clock hour (UTC) that an instant lies in, by its beginning."""
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def remote_of(operation: Operation) -> str | None:
    """Whose ceiling an operation counts against; None: it writes nothing remote."""
    if not operation.writes:
        return None
    if operation.side is Side.CALENDAR and operation.ref is not None:
        # The parts of an account that serves many agents are one server: `<section>/<part>`.
        return operation.ref.account.partition("/")[0]
    return RDV_SOLIDARITES


def writes_by_remote(operations: Iterable[Operation]) -> Counter[str]:
    """How many of them each remote would get."""
    return Counter(remote for each in operations if (remote := remote_of(each)) is not None)


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The most writes that one remote gets. Both are at least 1."""

    per_hour: int = 3_000
    per_day: int = 30_000

    def left(self, written: Written, now: datetime) -> int:
        """How many more may be sent in the clock hour of `now`."""
        hour = hour_of(now)
        of_day = sum(count for each, count in written.items() if hour - DAY_HOURS * HOUR < each <= hour)
        return max(0, min(self.per_hour - written.get(hour, 0), self.per_day - of_day))

    def hours_until_done(self, writes: int, written: Written, now: datetime) -> int:
        """In how many clock hours from that of `now` the last of `writes` can be sent, if nothing else is; 0: in
        this one."""
        counts = dict(written)
        hours = 0
        while (writes := writes - self._taken(writes, counts, now + hours * HOUR)) > 0:
            hours += 1
        return hours

    def _taken(self, writes: int, counts: dict[datetime, int], now: datetime) -> int:
        """How many of `writes` go in the hour of `now`; notes them in `counts`."""
        taken = min(writes, self.left(counts, now))
        counts[hour_of(now)] = counts.get(hour_of(now), 0) + taken
        for gone in [each for each in counts if each <= hour_of(now) - DAY_HOURS * HOUR]:
            del counts[gone]
        return taken


def even_share(left: int, agents: int) -> int:
    """What each agent may write at once, before it is known what the others need: half of what is left, shared
    evenly. The other half goes to the nearest dates of the whole fleet (`nearest_first`)."""
    return left // 2 // max(1, agents)


def split(operations: Sequence[Operation], allowed: Mapping[str, int]) -> tuple[list[Operation], list[Operation]]:
    """`operations` in their order as (those within `allowed` per remote, the rest)."""
    within: list[Operation] = []
    rest: list[Operation] = []
    used: Counter[str] = Counter()
    for operation in operations:
        remote = remote_of(operation)
        if remote is None or used[remote] < allowed.get(remote, 0):
            within.append(operation)
            used[remote or ""] += 1
        else:
            rest.append(operation)
    return within, rest


def nearness(when: datetime, today: date) -> tuple[bool, timedelta]:
    """Sorts wall-clocks by how soon they matter: today and later, nearest first; then what is past, latest first."""
    morning = datetime.combine(today, time.min)
    return when < morning, abs(when - morning)


def nearest_first(
    queues: Mapping[int, Sequence[Operation]], left: Mapping[str, int], today: date
) -> dict[int, dict[str, int]]:
    """How much of each agent's queue goes now, by agent and remote, when each remote takes `left` more writes.

    The nearest dates of the whole fleet go first (`nearness`); equal ones go to whoever got least so far. An agent's
    operations for one remote keep their order: what covers time comes before what frees some.
    """
    granted: dict[int, dict[str, int]] = {agent_id: {} for agent_id in queues}
    for remote in {each for queue in queues.values() for each in map(remote_of, queue) if each is not None}:
        own = {
            agent_id: [nearness(each.when, today) for each in queue if remote_of(each) == remote]
            for agent_id, queue in queues.items()
        }
        heads = [(dates[0], 0, agent_id) for agent_id, dates in own.items() if dates]
        heapq.heapify(heads)
        for _ in range(left.get(remote, 0)):
            if not heads:
                break
            _, taken, agent_id = heads[0]
            granted[agent_id][remote] = taken + 1
            if taken + 1 < len(own[agent_id]):
                heapq.heapreplace(heads, (own[agent_id][taken + 1], taken + 1, agent_id))
            else:
                heapq.heappop(heads)
    return granted
