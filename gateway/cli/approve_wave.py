"""The first runs of a wave as one thing to approve: their figures, and who stands out of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass

from gateway.agents.outliers import GroupSummary, OutlierRules, summarise
from gateway.cli.output import messages, results, table
from gateway.store.store import Store
from gateway.sync.approval import Approval, pending
from gateway.sync.values import AgentState

_FIGURES = {"hours_per_week": "hours blocked per week", "writes": "writes", "near_twins": "near twins"}


@dataclass(frozen=True, slots=True)
class Group:
    """`summary`: of all first plans of the wave; None when there are none. `approval`: without `left_out`.
    `unplanned`: agents who have no plan yet."""

    wave: int | None
    summary: GroupSummary | None
    approval: Approval
    left_out: tuple[int, ...]
    unplanned: tuple[int, ...]


def wave_group(store: Store, wave: int | None, named: Collection[int], rules: OutlierRules) -> Group:
    """What `approve --wave` lets through. Agents who are `named` are in it whatever their figures."""
    waiting = [
        agent.agent_id
        for agent in store.agents((AgentState.FIRST_RUN,))
        if not agent.first_run_approved and (agent.wave == wave or agent.agent_id in named)
    ]
    found = pending(store, waiting)
    planned = frozenset(found.agents)
    summary = summarise((each for each in store.first_plans() if each.agent_id in planned), rules)
    standing_out = {outlier.agent_id for outlier in summary.outliers} if summary else set()
    left_out = standing_out - frozenset(named)
    agents = tuple(sorted(planned - left_out))
    holds = tuple(hold for hold in found.holds if hold.agent_id in planned - left_out)
    unplanned = tuple(number for number in waiting if number not in planned)
    return Group(wave, summary, Approval(holds, agents), tuple(sorted(left_out)), unplanned)


def show_group(group: Group) -> None:
    """One summary on stdout, then who stands out and why."""
    console = results()
    summary = group.summary
    if summary is None:
        messages().print("No first plan waits there. `rdv-gateway plan` makes them.")
    else:
        hours = summary.hours_per_week
        rows = [
            ("Agents", summary.agents),
            ("Pairs (nothing to write)", summary.pairs),
            ("Writes in calendars", summary.calendar_writes),
            ("Writes in RDV-Solidarités", summary.rdv_solidarites_writes),
            ("Hours blocked per week", f"{hours.median:.1f} (from {hours.smallest:.1f} to {hours.largest:.1f})"),
            ("Near twins", summary.near_twins),
        ]
        console.print(table(f"First plans of wave {group.wave}", ("What", "How much"), rows))
    if summary is not None and summary.outliers:
        outliers = [
            (
                *(one.agent_id, _FIGURES[one.figure], f"{one.value:g}", f"{one.usual:g}"),
                "left out" if one.agent_id in group.left_out else "named: approved with the others",
            )
            for one in summary.outliers
        ]
        console.print(table("Standing out", ("Agent", "By", "Has", "Usual", ""), outliers))
    if group.left_out:
        named = " ".join(map(str, group.left_out))
        messages().print(
            f"Look at them with `rdv-gateway plan --agent ID`; then name them: --wave {group.wave} {named}"
        )
    if group.unplanned:
        messages().print(f"{len(group.unplanned)} have no plan yet: {', '.join(map(str, group.unplanned))}.")


def group_json(group: Group) -> dict[str, object]:
    """The same for scripts."""
    summary = asdict(group.summary) if group.summary else None
    return {
        "wave": group.wave,
        "summary": summary,
        "first_runs": list(group.approval.agents),
        "operations": len(group.approval.holds),
        "left_out": list(group.left_out),
        "unplanned": list(group.unplanned),
    }
