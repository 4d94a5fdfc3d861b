"""Whether the database is the one of the last run, or one of an earlier day, or a new one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from gateway.store.store import Store
from gateway.store.transaction import Transaction
from gateway.sync.values import AgentHistory, AgentState, HoldReason, Sign


class RunCounter(Protocol):
    """A count that survives the database."""

    def highest(self) -> int:
        """The highest count ever noted; 0: none."""

    def note(self, count: int) -> None:
        """Remember a count."""


class NoRunCounter:
    """For an engine whose database cannot be set back."""

    def highest(self) -> int:
        """Nothing is known."""
        return 0

    def note(self, count: int) -> None:
        """Nothing is kept."""


def count_run(store: Store, tx: Transaction, counter: RunCounter, active: Iterable[int]) -> int:
    """Count one more run, within the transaction that begins it; the count, to be noted once that is committed.

    Where more runs are known of than the database saw, every active agent is marked: nothing of theirs is removed
    before a person looked or a run found nothing to remove.
    """
    seen, highest = store.run_count(), counter.highest()
    if seen < highest:
        behind = highest - seen
        if seen == 0:
            text = (
                f"the database is new, and these keys were used in {highest} runs before: it was lost or replaced."
                " What is there on both sides is paired; each agent's plan waits for its approval"
            )
        else:
            text = f"the database lacks the last {behind} runs: it was restored from a backup"
            sign = Sign(HoldReason.DATABASE_RESTORED, f"it lacks the last {behind} runs")
            for agent_id in active:
                _mark(store, tx, agent_id, sign)
        tx.set_told((text,))
    count = max(seen, highest) + 1
    tx.set_run_count(count)
    return count


def _mark(store: Store, tx: Transaction, agent_id: int, sign: Sign) -> None:
    history = store.history_of(agent_id)
    others = tuple(each for each in history.signs if each.reason is not sign.reason)
    # What calendars held on that day says nothing of today.
    tx.put_history(agent_id, AgentHistory({}, (*others, sign)))


def forget_what_is_over(store: Store, tx: Transaction) -> None:
    """After a run: nothing more is told of a database that everybody has gone through."""
    if not store.told():
        return
    for agent in store.agents((AgentState.FIRST_RUN, AgentState.LIVE)):
        signs = {sign.reason for sign in store.history_of(agent.agent_id).signs}
        if HoldReason.DATABASE_RESTORED in signs or agent.state is AgentState.FIRST_RUN:
            return
    tx.set_told(())
