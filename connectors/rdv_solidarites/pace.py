"""Our own limit on requests: the server throttles nobody, so nobody but us keeps us from overloading it."""

from __future__ import annotations

import threading
from datetime import timedelta

from connectors.ports import Clock


class Pace:
    """A token bucket: `burst` requests at once, then `per_second`; None = no limit. Thread-safe.

    Each caller takes its place at once and sleeps outside the lock, so callers leave in the order they came.
    """

    def __init__(self, per_second: float | None, burst: int, clock: Clock) -> None:
        if per_second is not None and (per_second <= 0 or burst < 1):
            raise ValueError("a pace needs a positive rate and room for one request")
        self._per_second = per_second
        self._burst = float(burst)
        self._clock = clock
        self._lock = threading.Lock()
        self._left = self._burst
        self._counted_at = clock.now()

    def wait(self) -> None:
        """Return when the next request may leave."""
        if self._per_second is None:
            return
        with self._lock:
            now = self._clock.now()
            # A clock set back must not freeze us: it earns nothing, and counting goes on from there.
            earned = max(now - self._counted_at, timedelta()).total_seconds() * self._per_second
            self._left = min(self._burst, self._left + earned) - 1.0
            self._counted_at = now
            pause = -self._left / self._per_second
        if pause > 0:
            self._clock.sleep(pause)
