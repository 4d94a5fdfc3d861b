"""What `status` shows of the service."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from gateway.scheduling.handover import ServiceState


def service_json(state: ServiceState | None, now: datetime) -> dict[str, object] | None:
    """None: it does not run."""
    if state is None or not state.runs(now):
        return None
    return {"pid": state.pid, "since": state.since, "at": state.at, **state.content}


def service_lines(state: ServiceState | None, now: datetime) -> Iterator[str]:
    """In sentences; nothing of a service that ended, a word of one that fell silent."""
    if state is None:
        return
    if not state.runs(now):
        yield f"service: it said nothing since {state.at:%Y-%m-%d %H:%M:%S}Z and did not end by itself; start it again."
        return
    content = state.content
    yield f"service: it runs since {state.since:%Y-%m-%d %H:%M:%S}Z, for {content.get('agents', 0)} agents."
    if content.get("backed_off"):
        yield f"service: {content['backed_off']} agents are tried less often, since their runs fail; --json names them."
    reading = content.get("rdv_solidarites")
    if isinstance(reading, dict) and reading["failures"]:
        since = reading["read_at"] or "the start"
        yield f"service: {reading['failures']} readings of RDV-Solidarités in a row failed since {since}."
    refused = content.get("configuration")
    if isinstance(refused, dict):
        yield "service: the changed configuration is not in force: " + "; ".join(refused["refused"])
