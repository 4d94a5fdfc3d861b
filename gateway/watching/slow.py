"""Keeps the slowest steps with what they were about, so that "it is slow" can be answered with what was being done.

Steps are gathered in memory and written rarely, in one small transaction: keeping them must not make anything slow.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from connectors.errors import ConnectorError
from gateway.store.slow import VERY_LONG, SlowStep
from gateway.store.store import Store
from gateway.sync.steps import Step

_LOG = structlog.get_logger(__name__)
NEVER_SLOW = 100
"""Milliseconds below which no step is kept, however fast all others are."""
_MOST_GATHERED = 400
_WRITTEN_EVERY = timedelta(seconds=30)


class SlowSteps:
    """Thread-safe. `now` gives the current instant."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self._lock = threading.Lock()
        self._gathered: list[SlowStep] = []
        self._floor = NEVER_SLOW
        self._written_at: datetime | None = None

    def note(self, step: Step) -> None:
        """Gather it if it is slow enough to be kept."""
        milliseconds = round(step.seconds * 1000)
        if milliseconds <= self._floor and milliseconds < VERY_LONG:
            return
        kept = SlowStep(
            at=self._now(),
            run_id=step.run_id,
            agent_id=step.agent_id,
            step=step.name.value,
            system=step.system,
            milliseconds=milliseconds,
            waited=round(step.waited * 1000),
            remote=round(step.remote * 1000),
            requests=step.requests,
            received=step.received,
            counts=dict(step.counts),
            failure=step.failure.kind if step.failure is not None else None,
        )
        with self._lock:
            self._gathered.append(kept)
            if len(self._gathered) > _MOST_GATHERED:
                self._gathered.sort(key=lambda each: -each.milliseconds)
                del self._gathered[_MOST_GATHERED // 2 :]

    def write_if_due(self) -> None:
        """Write what was gathered, unless that was done a moment ago."""
        if self._written_at is None or self._now() - self._written_at >= _WRITTEN_EVERY:
            self.write()

    def write(self) -> None:
        """Write what was gathered. Not being able to is no trouble of whoever works: it is logged."""
        with self._lock:
            gathered, self._gathered = self._gathered, []
            self._written_at = now = self._now()
        if not gathered:
            return
        try:
            with self._store.transaction() as tx:
                self._floor = max(NEVER_SLOW, tx.add_slow_steps(gathered, now=now))
        except ConnectorError as error:
            _LOG.warning("slow steps cannot be kept", count=len(gathered), kind=type(error).__name__)
