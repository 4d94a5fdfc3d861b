"""How often something may happen in a minute, by key. In memory: a restart forgets it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

_MOST_KEYS = 100_000


@dataclass
class PerMinute:
    """Counts within calendar minutes. Used by one thread."""

    most: int
    _minute: int = 0
    _counts: Counter[str] = field(default_factory=Counter)

    def note(self, key: str, now: datetime) -> bool:
        """One more; whether it is one too many."""
        self._turn(now)
        self._counts[key] += 1
        return self._counts[key] > self.most

    def is_over(self, key: str, now: datetime) -> bool:
        """Whether there were as many as may be."""
        self._turn(now)
        return self._counts[key] >= self.most if key in self._counts else len(self._counts) >= _MOST_KEYS

    def _turn(self, now: datetime) -> None:
        minute = int(now.timestamp()) // 60
        if minute != self._minute:
            self._minute, self._counts = minute, Counter()
