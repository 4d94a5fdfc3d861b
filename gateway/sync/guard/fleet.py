"""What only the plans of everybody together tell: that too many agents would lose something in one run."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable

from gateway.sync.guard.deciding import is_removal
from gateway.sync.guard.values import GuardLimits
from gateway.sync.values import Operation


def are_many(losing: int, agents: int, limits: GuardLimits) -> bool:
    """Whether so many of so many agents are too many at once. Pure."""
    return agents >= limits.agents_least and losing > limits.agents_share * agents


class Tally:
    """Which agents of one run would lose something that no person approved. Thread-safe."""

    def __init__(self, agents: int, limits: GuardLimits) -> None:
        self._agents = agents
        self._limits = limits
        self._lock = threading.Lock()
        self._losing: set[int] = set()

    @property
    def watches(self) -> bool:
        """Whether the run is large enough for removals to wait until everybody's plan is known."""
        return self._agents >= self._limits.agents_least

    @property
    def trips(self) -> bool:
        """Whether they are too many, by what is known so far."""
        with self._lock:
            return are_many(len(self._losing), self._agents, self._limits)

    @property
    def explanation(self) -> str:
        """What was seen, for IT."""
        with self._lock:
            return f"{len(self._losing)} of {self._agents} agents would lose something in this run"

    def note(self, agent_id: int, operations: Iterable[Operation], approved: Collection[str]) -> None:
        """One agent's plan, whether it runs or waits."""
        if any(is_removal(each) and each.digest not in approved for each in operations):
            with self._lock:
                self._losing.add(agent_id)
