"""Whether the service is alive and ready, for whoever starts it again or sends it work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.errors import ConnectorError
from gateway.store.store import Store

TICKS_WITHIN = timedelta(seconds=30)
"""The service looks for work several times a second: silent for so long, it hangs."""


@dataclass(frozen=True, slots=True)
class Health:
    """`last_tick`: when the service last looked for work; None: not yet. `stopping`: it was told to end."""

    store: Store
    now: Callable[[], datetime]
    last_tick: Callable[[], datetime | None]
    stopping: Callable[[], bool]

    def faults(self) -> tuple[str, ...]:
        """Why it is not ready; empty: it is. For operators, nothing personal."""
        found = []
        if self.stopping():
            found.append("the service is stopping")
        tick = self.last_tick()
        if tick is None or self.now() - tick > TICKS_WITHIN:
            found.append("the service has not looked for work lately")
        try:
            self.store.require_writable()
        except ConnectorError as error:
            found.append(f"the database cannot be written: {type(error).__name__}")
        return tuple(found)
