"""Stopping and going on: what each change of an agent's state means for what was approved."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from gateway.journal.decisions import decided
from gateway.store.store import Store
from gateway.store.transaction import Transaction
from gateway.sync.values import AgentState, LinkedAgent

_RUNNING = (AgentState.FIRST_RUN, AgentState.LIVE)


def pause(tx: Transaction, agent: LinkedAgent) -> None:
    """Nothing is read or written for the agent any more. What was written stays.

    Approvals are taken back: a plan that was approved before a pause is shown again after it. A first run that was
    approved and not done becomes one that is not approved.
    """
    if agent.state is AgentState.FIRST_RUN:
        tx.set_first_run_approved(agent.agent_id, approved=False)
    tx.withdraw_approvals(agent.agent_id)
    tx.set_agent_state(agent.agent_id, AgentState.PAUSED)


def resume(tx: Transaction, agent: LinkedAgent) -> None:
    """Go on where the agent stood: live, or waiting for the approval of a first plan."""
    state = AgentState.LIVE if agent.first_run_approved else AgentState.FIRST_RUN
    tx.set_agent_state(agent.agent_id, state)


def set_paused(
    store: Store, agents: Iterable[LinkedAgent], *, paused: bool, at: datetime, by: str
) -> tuple[LinkedAgent, ...]:
    """Pause them, or let them go on, in one transaction; those to whom that was news. Who has left stays so."""
    changed = [agent for agent in agents if (agent.state in _RUNNING if paused else agent.state is AgentState.PAUSED)]
    with store.transaction() as tx:
        for agent in changed:
            (pause if paused else resume)(tx, agent)
            action = "pause" if paused else "resume"
            who = f"agent {agent.agent_id}"
            tx.journal(decided(action, "agent", who, at=at, by=by, agent_id=agent.agent_id, fields=("state",)))
    return tuple(changed)
