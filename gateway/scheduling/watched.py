"""Health and metrics as a part of the service."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.scheduling.delays import BOUNDS
from gateway.scheduling.service import Extension, Parts
from gateway.watching.service import ServiceState, internal_routes
from gateway.watching.standing import DelayCounts


def watching(parts: Parts) -> Extension:
    """`/healthz`, `/readyz` and `/metrics` on the internal listener."""
    conductor = parts.conductor

    def queues() -> Mapping[str, int]:
        situation = conductor.situation
        return {
            "due": situation.overdue,
            "asked": situation.asked,
            "running": situation.running,
            "backed_off": len(situation.backed_off),
        }

    def delays() -> list[DelayCounts]:
        found = parts.delays.read()
        return [DelayCounts(each.value, BOUNDS, got.counts, got.total) for each, got in found.items()]

    state = ServiceState(lambda: conductor.situation.ticked_at, parts.stopping, queues, delays)
    return Extension(internal=internal_routes(parts.application, state))
