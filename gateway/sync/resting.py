"""Agents of whom nothing is left to do: they are not planned again until something of theirs, or the time, changes.

Remembered in memory alone, by one engine: its settings, and the code that plans, are the same all along. The database
counts the changes, whoever makes them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from gateway.sync.values import AgentReport


@dataclass(frozen=True, slots=True)
class _Rest:
    counts: tuple[int, ...]
    since: datetime
    until: datetime
    report: AgentReport


class Resting:
    """By agent, the plan that left nothing to do. Safe to use from several threads, each with agents of its own."""

    def __init__(self) -> None:
        self._rests: dict[int, _Rest] = {}

    def report(self, agent_id: int, counts: tuple[int, ...], now: datetime) -> AgentReport | None:
        """What the last plan came to, if one made `now` would come to the same; None: plan."""
        rest = self._rests.get(agent_id)
        if rest is None or rest.counts != counts or not rest.since <= now < rest.until:
            return None
        return rest.report

    def note(self, report: AgentReport, counts: tuple[int, ...], *, since: datetime, until: datetime) -> None:
        """A plan made at `since` left nothing to do. `counts`: read before what it was made of; `until`: the moment
        from which time alone may change it."""
        self._rests[report.agent_id] = _Rest(counts, since, until, replace(report, seconds=0.0))

    def forget(self) -> None:
        """Plan everybody again."""
        self._rests.clear()
