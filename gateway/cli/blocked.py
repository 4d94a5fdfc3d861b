"""How much time is blocked, for whom, and what blocks most: by kinds of events, never by their titles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from gateway.agents.outliers import OutlierRules, summarise
from gateway.cli.output import messages, results, table
from gateway.sync.values import BusyLoad, BusyShare, PlanFigures, RunReport

_MOST_AGENTS = 10
_MOST_SHARES = 4
_PLAIN = ("reason", "busy")
"""What most events are: it tells nothing."""


def loads_of(report: RunReport) -> tuple[BusyLoad, ...]:
    """What a dry run found, the largest first."""
    found = [agent.load for agent in report.agents if agent.load is not None]
    return tuple(sorted(found, key=lambda load: (-load.hours_per_week, load.agent_id)))


def standing_out(loads: Iterable[BusyLoad], rules: OutlierRules, at: datetime) -> frozenset[int]:
    """Agents whose hours are far from what is usual among these."""
    figures = [PlanFigures(load.agent_id, at, 0, 0, 0, round(load.hours_per_week * 60), 0) for load in loads]
    summary = summarise(figures, rules)
    return frozenset(each.agent_id for each in summary.outliers) if summary is not None else frozenset()


def blocked_json(loads: Sequence[BusyLoad], odd: frozenset[int]) -> list[dict[str, object]]:
    """Each agent's hours, and the shares, which overlap: an all-day event of a series is in both."""
    return [
        {
            "agent": load.agent_id,
            "hours_per_week": round(load.hours_per_week, 1),
            "stands_out": load.agent_id in odd,
            "by": [
                {"kind": share.kind, "name": share.name, "hours_per_week": round(share.hours_per_week, 1)}
                for share in load.shares
            ],
        }
        for load in loads
    ]


def show_blocked(loads: Sequence[BusyLoad], odd: frozenset[int]) -> None:
    """Those with the most, and those who stand out of the group."""
    blocking = [load for load in loads if load.hours_per_week]
    if not blocking:
        return
    shown = [load for place, load in enumerate(blocking) if place < _MOST_AGENTS or load.agent_id in odd]
    rows = [
        (
            load.agent_id,
            f"{load.hours_per_week:.1f}{' (stands out)' if load.agent_id in odd else ''}",
            "; ".join(f"{share.name}: {share.hours_per_week:.1f} h" for share in telling(load)),
        )
        for load in shown
    ]
    results().print(table("Hours blocked per week", ("Agent", "h/week", "What blocks most"), rows))
    if len(shown) < len(blocking):
        messages().print(f"{len(blocking) - len(shown)} agents with less: take --json.")


def telling(load: BusyLoad) -> list[BusyShare]:
    """The largest shares that say something: not that busy events block, nor that an only calendar does."""
    calendars = sum(share.kind == "calendar" for share in load.shares)
    found = [
        share
        for share in load.shares
        if (share.kind, share.name) != _PLAIN and not (share.kind == "calendar" and calendars == 1)
    ]
    return found[:_MOST_SHARES]


def blocked(report: RunReport, rules: OutlierRules) -> tuple[Sequence[BusyLoad], frozenset[int]]:
    """What to show of a dry run."""
    loads = loads_of(report)
    return loads, standing_out(loads, rules, report.started_at)
