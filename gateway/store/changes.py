"""How often what a plan is made of has changed, and what a run leaves for agents of whom nothing did.

Triggers count, within whatever transaction changes something (migration 0011). Equal counts mean equal plans, but for
time and rules; a count says nothing by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, tuple_, update

from gateway.store.schema import agent_run, calendar_state, change_count
from gateway.store.statements import among, batches, given
from gateway.sync.values import CalendarRef, LinkedAgent

_AT_ONCE = 500  # in one statement

_AGENTS = select(change_count.c.id, change_count.c.changes).where(
    change_count.c.kind == "agent", among(change_count.c.id)
)
_CALENDARS = (
    select(calendar_state.c.account, calendar_state.c.calendar, change_count.c.changes)
    .join(change_count, (change_count.c.kind == "calendar") & (change_count.c.id == calendar_state.c.id))
    .where(tuple_(calendar_state.c.account, calendar_state.c.calendar).in_(bindparam("refs", expanding=True)))
)
_UNCHANGED = update(agent_run).where(given(agent_run.c.agent_id))


@dataclass(frozen=True, slots=True)
class ChangeCounts:
    """By agent, of all that is known of them but events; by calendar, of its events. Not named: never changed."""

    agents: Mapping[int, int] = field(default_factory=dict)
    calendars: Mapping[CalendarRef, int] = field(default_factory=dict)

    def of(self, agent: LinkedAgent) -> tuple[int, ...]:
        """Of one agent and of each of their calendars, in order."""
        return (self.agents.get(agent.agent_id, 0), *(self.calendars.get(ref, 0) for ref in agent.calendars))


def counts(connection: Connection, agents: Collection[LinkedAgent]) -> ChangeCounts:
    by_agent: dict[int, int] = {}
    for some in batches([agent.agent_id for agent in agents], _AT_ONCE):
        by_agent.update((id_, changes) for id_, changes in connection.execute(_AGENTS, {"of_id": some}))
    by_calendar: dict[CalendarRef, int] = {}
    for refs in batches({(ref.account, ref.calendar) for agent in agents for ref in agent.calendars}, _AT_ONCE):
        for account, calendar, changes in connection.execute(_CALENDARS, {"refs": refs}):
            by_calendar[CalendarRef(account, calendar)] = changes
    return ChangeCounts(by_agent, by_calendar)


def save_unchanged(
    connection: Connection,
    agent_ids: Iterable[int],
    *,
    run_id: str,
    at: datetime,
    complete: bool,
    as_of: datetime | None,
) -> None:
    row: dict[str, object] = {"run_id": run_id, "ended_at": at, "problem": None}
    if complete:  # without it the instant of the last complete run stays
        row["complete_at"] = as_of or at
    rows = [row | {"of_agent_id": agent_id} for agent_id in agent_ids]
    if rows:
        connection.execute(_UNCHANGED, rows)
