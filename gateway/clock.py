"""The real clock: the only place that reads the machine's time."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """Implements `connectors.ports.Clock` with the machine's clock."""

    def now(self) -> datetime:
        """The current instant, UTC, aware."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)
