"""`slow`: the slowest steps of runs, and what they were about. From the database alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.cli.exits import Exit
from gateway.cli.output import messages, moment, print_json, results, table
from gateway.cli.session import local
from gateway.store.slow import SlowStep

_COLUMNS = ("When", "Step", "System", "Took", "Waiting", "Server", "Ours", "Requests", "About", "Agent", "Run", "Error")


def run(config: Path, limit: int, *, latest: bool, as_json: bool) -> Exit:
    """Show the worst first, or the latest first."""
    with local(config) as (_, store):
        found = store.slow_steps(limit, latest=latest)
    if as_json:
        print_json({"steps": [_json(each) for each in found]})
    elif not found:
        messages().print("No step was slow in the last 30 days.")
    else:
        results().print(table("Slowest steps", _COLUMNS, map(_row, found)))
    return Exit.FINE


def _json(step: SlowStep) -> dict[str, object]:
    return {
        "at": step.at,
        "step": step.step,
        "system": step.system,
        "milliseconds": {
            "all": step.milliseconds,
            "waiting": step.waited,
            "server": step.remote,
            "ours": step.ours,
        },
        "requests": step.requests,
        "bytes": step.received,
        "counts": dict(step.counts),
        "agent": step.agent_id,
        "run": step.run_id,
        "error": step.failure,
    }


def _row(step: SlowStep) -> tuple[object, ...]:
    return (
        *(moment(step.at), step.step, step.system, _seconds(step.milliseconds)),
        *(_seconds(step.waited), _seconds(step.remote), _seconds(step.ours), step.requests),
        *(_about(step.counts, step.received), step.agent_id or "-", step.run_id[:8], step.failure or "-"),
    )


def _about(counts: Mapping[str, int], received: int) -> str:
    parts = [f"{name} {count}" for name, count in counts.items()]
    return ", ".join([*parts, f"{received // 1024} KiB"] if received >= 1024 else parts) or "-"


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.1f} s"
