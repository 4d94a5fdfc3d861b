"""What only the plans of everybody together tell: that too many agents would lose something in one run, or in the
small runs of a service that follow each other."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from gateway.sync.guard.deciding import is_removal
from gateway.sync.guard.values import GuardLimits
from gateway.sync.values import Operation


def are_many(losing: int, agents: int, limits: GuardLimits) -> bool:
    """Whether so many of so many agents are too many at once. Pure."""
    return agents >= limits.agents_least and losing > limits.agents_share * agents


class Losses:
    """Which agents would have lost something lately: what the small runs of a service have in common. Thread-safe.

    Who is held for it is noted again by each run, and so stays as long as the hold does.
    """

    def __init__(self, window: timedelta) -> None:
        self._window = window
        self._lock = threading.Lock()
        self._seen: dict[int, datetime] = {}

    def note(self, agent_id: int, at: datetime) -> None:
        """An agent would lose something, at that instant."""
        with self._lock:
            self._seen[agent_id] = at

    def since(self, at: datetime) -> frozenset[int]:
        """Agents noted within the window that ends at `at`."""
        with self._lock:
            self._seen = {agent: seen for agent, seen in self._seen.items() if seen > at - self._window}
            return frozenset(self._seen)


class Tally:
    """Which agents of one run would lose something that no person approved. Thread-safe.

    `agents`: how many there are to lose something. `before`: who would have lately, in runs before this one, which
    began at `started`.
    """

    def __init__(
        self, agents: int, limits: GuardLimits, *, before: Losses | None = None, started: datetime | None = None
    ) -> None:
        self._agents = agents
        self._limits = limits
        self._lock = threading.Lock()
        self._losing: set[int] = set()
        self._before = before
        self._started = started

    @property
    def watches(self) -> bool:
        """Whether the run is large enough for removals to wait until everybody's plan is known."""
        return self._agents >= self._limits.agents_least

    @property
    def trips(self) -> bool:
        """Whether they are too many, by what is known so far."""
        return are_many(len(self._all()), self._agents, self._limits)

    @property
    def explanation(self) -> str:
        """What was seen, for IT."""
        lately = "in this run" if self._before is None else "in the runs of the last while"
        return f"{len(self._all())} of {self._agents} agents would lose something {lately}"

    def note(self, agent_id: int, operations: Iterable[Operation], approved: Collection[str]) -> None:
        """One agent's plan, whether it runs or waits."""
        if any(is_removal(each) and each.digest not in approved for each in operations):
            with self._lock:
                self._losing.add(agent_id)
            if self._before is not None and self._started is not None:
                self._before.note(agent_id, self._started)

    def _all(self) -> frozenset[int]:
        with self._lock:
            losing = frozenset(self._losing)
        if self._before is None or self._started is None:
            return losing
        return losing | self._before.since(self._started)
