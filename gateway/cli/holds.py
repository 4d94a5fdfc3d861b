"""`holds`: what waits, by state; and how every command counts it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.table import Table

from gateway.cli.approve import hold_json, holds_table
from gateway.cli.describe import problem_json, problem_lines
from gateway.cli.exits import Exit
from gateway.cli.output import messages, print_json, results, table
from gateway.cli.session import local, require_enrolled
from gateway.store.store import Store
from gateway.store.values import HoldRow
from gateway.sync.guard.words import ends, what
from gateway.sync.values import AgentState, HoldReason, Problem

MOST_SHOWN = 50
_COLUMNS = ("State", "How many", "Agents", "What it is", "How it ends")


def run(config: Path, agent_ids: Sequence[int], *, as_json: bool) -> Exit:
    """Counts first; then each, or the nearest of many. Exit code 1 when anything waits."""
    with local(config) as (_settings, store):
        require_enrolled(store, agent_ids)
        rows = [row for row in store.holds() if not agent_ids or row.agent_id in agent_ids]
        troubles = list(_not_judged(store, agent_ids))
        told = store.told()
    if as_json:
        print_json(
            {
                "states": states_json(rows),
                "held": [hold_json(row) for row in rows],
                "not_judged": [problem_json(problem) for problem in troubles],
                "told": list(told),
            }
        )
    else:
        _show(rows, troubles, told, everything=bool(agent_ids))
    return Exit.NEEDS_PERSON if rows or troubles or told else Exit.FINE


def states_table(rows: Iterable[HoldRow]) -> Table:
    """One line for each state: how many operations of how many agents, what it is, how it ends."""
    found = (
        (reason.value, len(held), len({row.agent_id for row in held}), what(reason), ends(reason))
        for reason, held in _by_state(rows)
    )
    return table("Held", _COLUMNS, found)


def states_json(rows: Iterable[HoldRow]) -> list[dict[str, object]]:
    """The same for scripts."""
    return [
        {
            "state": reason.value,
            "count": len(held),
            "agents": len({row.agent_id for row in held}),
            "what": what(reason),
            "ends": ends(reason),
        }
        for reason, held in _by_state(rows)
    ]


def _by_state(rows: Iterable[HoldRow]) -> list[tuple[HoldReason, list[HoldRow]]]:
    found: dict[HoldReason, list[HoldRow]] = {}
    for row in rows:
        found.setdefault(row.reason, []).append(row)
    return [(reason, found[reason]) for reason in HoldReason if reason in found]


def _not_judged(store: Store, agent_ids: Sequence[int]) -> Iterator[Problem]:
    """Why some agents were not judged at all by their last run: their clock, calendar or rights."""
    for agent in store.agent_status():
        problem = agent.last_problem
        active = agent.state in (AgentState.FIRST_RUN, AgentState.LIVE)
        if problem is not None and active and (not agent_ids or agent.agent_id in agent_ids):
            yield Problem(agent.agent_id, problem.system, problem.reason, problem.addressee, problem.remedy)


def _show(rows: Sequence[HoldRow], troubles: Sequence[Problem], told: Sequence[str], *, everything: bool) -> None:
    if rows:
        results().print(states_table(rows))
        shown = rows if everything else sorted(rows, key=lambda row: (row.when, row.agent_id))[:MOST_SHOWN]
        results().print(holds_table(shown))
        if len(shown) < len(rows):
            messages().print(f"{len(rows) - len(shown)} more: name agents (`rdv-gateway holds AGENT`), or take --json.")
    for sentence in told:
        messages().print(f"database: {sentence}.")
    for line in problem_lines(troubles):
        messages().print(line)
    if not (rows or troubles or told):
        messages().print("Nothing waits.")
