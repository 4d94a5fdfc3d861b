"""Whoever watches the runs of this process."""

from __future__ import annotations

import logging

import structlog

from connectors.exchanges import Exchange
from gateway.sync.steps import Step
from gateway.sync.values import Operation, RunReport
from gateway.watching.metrics import Metrics
from gateway.watching.slow import SlowSteps

_LOG = structlog.get_logger(__name__)
_DEBUGGED = logging.getLogger(__name__)


class Watch:
    """Implements `gateway.sync.steps.Watcher`. Thread-safe."""

    def __init__(self, metrics: Metrics, slow: SlowSteps) -> None:
        self.metrics = metrics
        self._slow = slow

    def waited(self, system: str, seconds: float) -> None:
        self.metrics.wait_seconds.labels(system).observe(seconds)

    def exchanged(self, exchange: Exchange) -> None:
        self.metrics.exchanged(exchange)

    def stepped(self, step: Step) -> None:
        self.metrics.stepped(step)
        self._slow.note(step)
        if not _DEBUGGED.isEnabledFor(logging.DEBUG):
            return
        _LOG.debug(
            "step",
            step=step.name.value,
            system=step.system,
            seconds=round(step.seconds, 4),
            waited=round(step.waited, 4),
            remote=round(step.remote, 4),
            requests=step.requests,
            received=step.received,
            counts=dict(step.counts),
            failure=step.failure.kind if step.failure is not None else None,
        )

    def applied(self, operation: Operation, outcome: str) -> None:
        self.metrics.operations.labels(operation.action.value, operation.kind.value, outcome).inc()

    def ended(self, report: RunReport) -> None:
        self.metrics.ended(report)
        self._slow.write_if_due()

    def close(self) -> None:
        """Keep what was gathered."""
        self._slow.write()
