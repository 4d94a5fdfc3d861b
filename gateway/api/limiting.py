"""How much each token may ask."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class RateLimit:
    """A bucket for each token: full it holds what may be asked in a minute, and it fills evenly. Thread-safe.

    `now`: seconds of a monotonic clock. Only tokens that exist are asked about, so that there are few buckets.
    """

    def __init__(self, per_minute: int, now: Callable[[], float]) -> None:
        self._size = float(per_minute)
        self._now = now
        self._buckets: dict[str, _Bucket] = {}
        self._lock = threading.Lock()

    def wait(self, token_id: str) -> float:
        """0 when one more request is taken; else the seconds after which it would be."""
        with self._lock:
            now = self._now()
            bucket = self._buckets.setdefault(token_id, _Bucket(self._size, now))
            bucket.left = min(self._size, bucket.left + (now - bucket.at) * self._size / 60)
            bucket.at = now
            if bucket.left < 1:
                return (1 - bucket.left) * 60 / self._size
            bucket.left -= 1
            return 0.0
