"""Which API requests came, for budgets and assertions. Nothing of their content."""

from __future__ import annotations

import re
import threading
from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime

_KEPT = 100_000
_ID = re.compile(r"/\d+(?=/|$)")


@dataclass(frozen=True, slots=True)
class RequestEntry:
    """One request to the API. `status` None: it got no (whole) answer; `agent_id` None: nobody known."""

    at: datetime
    method: str
    path: str
    query: str
    status: int | None
    agent_id: int | None
    fault: str | None


class RequestLog:
    """The latest requests, and how many of each kind came since the last reset. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[RequestEntry] = deque(maxlen=_KEPT)
        self._counts: Counter[str] = Counter()

    def add(self, entry: RequestEntry) -> None:
        with self._lock:
            self._entries.append(entry)
            self._counts[f"{entry.method} {_ID.sub('/{id}', entry.path)}"] += 1

    def reset(self) -> None:
        with self._lock:
            self._entries.clear()
            self._counts.clear()

    @property
    def entries(self) -> list[RequestEntry]:
        with self._lock:
            return list(self._entries)

    @property
    def counts(self) -> dict[str, int]:
        """Requests by method and path, ids written `{id}`: e.g. `GET /api/v1/absences/{id}`."""
        with self._lock:
            return dict(self._counts)
