"""What comes of webhooks while they are applied."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Effects:
    """Gathered over one pass. `enrolled`: agents who are synced: nobody else is ever touched."""

    enrolled: frozenset[int]
    touched: set[int] = field(default_factory=set)
    reading_wanted: bool = False
    changes: int = 0
    stale: int = 0

    def changed(self, agent_ids: Iterable[int]) -> None:
        """Something of these agents is not as it was."""
        self.changes += 1
        self.touched |= self.enrolled.intersection(agent_ids)
