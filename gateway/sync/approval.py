"""Approving what is held: by digest, so that only what a person was shown is let through."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from gateway.store.store import Store
from gateway.store.values import HoldRow
from gateway.sync.values import AgentState, HoldReason, JournalEntry


@dataclass(frozen=True, slots=True)
class Approval:
    """`agents`: whose first run it lets through. `holds`: what it covers."""

    holds: tuple[HoldRow, ...]
    agents: tuple[int, ...]


def pending(store: Store, agent_ids: Collection[int] | None = None) -> Approval:
    """What waits: held operations, and agents whose first plan was made and waits as a whole (even an empty one).

    Nothing of those who are paused or have left: what they had is planned and shown again when they come back. Nor what
    a second synchroniser holds: no approval lets that through.
    """
    active = store.agents(states=(AgentState.FIRST_RUN, AgentState.LIVE))
    chosen = {agent.agent_id for agent in active if agent_ids is None or agent.agent_id in agent_ids}
    waiting = tuple(
        hold for hold in store.holds() if hold.agent_id in chosen and hold.reason is not HoldReason.NATIVE_SYNC
    )
    planned = {figures.agent_id for figures in store.first_plans()}
    first = tuple(
        agent.agent_id
        for agent in active
        if agent.state is AgentState.FIRST_RUN and not agent.first_run_approved and agent.agent_id in chosen & planned
    )
    return Approval(waiting, first)


def approve(store: Store, approval: Approval, *, at: datetime, by: str) -> None:
    """Let it through at the next run. What is not in it is held again."""
    by_agent: dict[int, list[str]] = {agent_id: [] for agent_id in approval.agents}
    for hold in approval.holds:
        by_agent.setdefault(hold.agent_id, []).append(hold.digest)
    with store.transaction() as tx:
        for agent_id, digests in sorted(by_agent.items()):
            tx.approve(agent_id, digests, at=at, by=by)
            if agent_id in approval.agents:
                tx.set_first_run_approved(agent_id)
                # Now, not when the first run ends: what is typed twice between is in no plan that was shown.
                tx.approve_found_blocks(agent_id)
            tx.journal(
                JournalEntry(
                    at=at,
                    run_id="",
                    agent_id=agent_id,
                    side="gateway",
                    action="approve",
                    object="hold",
                    reference=f"{len(digests)} operations",
                    rule="approved",
                    by=by,
                )
            )
