"""Approving what is held: by digest, so that only what a person was shown is let through."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from gateway.store.store import Store
from gateway.store.values import HoldRow
from gateway.sync.values import AgentState, JournalEntry


@dataclass(frozen=True, slots=True)
class Approval:
    """`agents`: whose first run it lets through. `holds`: what it covers."""

    holds: tuple[HoldRow, ...]
    agents: tuple[int, ...]


def pending(store: Store, agent_ids: Collection[int] | None = None) -> Approval:
    """What waits: held operations, and agents whose first plan was made and waits as a whole (even an empty one)."""
    waiting = tuple(hold for hold in store.holds() if agent_ids is None or hold.agent_id in agent_ids)
    planned = {status.agent_id for status in store.agent_status() if status.last_run_id}
    first = tuple(
        agent.agent_id
        for agent in store.agents(states=(AgentState.FIRST_RUN,))
        if agent.agent_id in planned
        and not agent.first_run_approved
        and (agent_ids is None or agent.agent_id in agent_ids)
    )
    return Approval(waiting, first)


def approve(store: Store, approval: Approval, *, at: datetime, by: str) -> None:
    """Let it through at the next run. What is not in it is held again."""
    agents = sorted({hold.agent_id for hold in approval.holds} | set(approval.agents))
    with store.transaction() as tx:
        for agent_id in agents:
            digests = [hold.digest for hold in approval.holds if hold.agent_id == agent_id]
            tx.approve(agent_id, digests, at=at, by=by)
            if agent_id in approval.agents:
                tx.set_first_run_approved(agent_id)
            tx.journal(
                JournalEntry(
                    at=at,
                    run_id="",
                    agent_id=agent_id,
                    side="gateway",
                    action="approve",
                    object="hold",
                    reference=f"{len(digests)} operations",
                    rule=f"approved by {by}",
                )
            )
