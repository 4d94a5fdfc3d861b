"""Time for the scenarios: one present for the gateway and for the double of RDV-Solidarités."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta


class ScenarioClock:
    """Implements `connectors.ports.Clock`. Monday 2 March 2026, 9:00 in Paris; moves only by `advance` and `sleep`."""

    def __init__(self) -> None:
        self._now = datetime(2026, 3, 2, 8, tzinfo=UTC)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        with self._lock:
            return self._now

    def sleep(self, seconds: float) -> None:
        """Pauses cost no real time."""
        self.advance(seconds=seconds)

    def advance(self, **by: float) -> None:
        with self._lock:
            self._now += timedelta(**by)


class LeapingClock:
    """The machine's clock, but for pauses, which are leaps: for scenarios with processes and servers in real time."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def sleep(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)
