"""A calendar that has another address now: what is paired with it goes along, so that nothing is written twice.

What did not come along is not taken for deleted by the agent: until somebody looked, it changes no absence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from gateway.journal.decisions import decided
from gateway.store.store import Store
from gateway.store.transaction import Transaction
from gateway.sync.values import AgentHistory, AgentView, CalendarRef, HoldReason, LinkedAgent, Sign
from mappings.blocks import Provenance


def relink(store: Store, agent: LinkedAgent, old: CalendarRef, new: CalendarRef, *, at: datetime, by: str) -> None:
    """Let `new`, which was read, take the place of `old`. In one transaction, with its journal entry.

    Things are found by their UID, else under their file's name. Writes on `old` whose outcome is not known are
    closed: what they made is known by its marker at the new address.
    """
    before = store.agent_view(agent.agent_id)
    sources = tuple(dict.fromkeys(new if ref == old else ref for ref in agent.sources))
    with store.transaction() as tx:
        tx.put_agent(replace(agent, sources=sources, target=new if agent.target == old else agent.target))
        by_uid = {event.uid: event.href for event in store.agent_view(agent.agent_id).events if event.ref == new}
        _carry(tx, before, old, new, by_uid)
        for intent in before.open_intents:
            if intent.operation.ref == old:
                tx.close_intent(intent.id, "moved")
        usual = {new if ref == old else ref: count for ref, count in before.history.usual.items()}
        sign = Sign(HoldReason.CALENDAR_RESTORED, f"it moved: it was {old.calendar}")
        others = tuple(each for each in before.history.signs if each.reason is not sign.reason)
        tx.put_history(agent.agent_id, AgentHistory(usual, (*others, sign)))
        tx.withdraw_approvals(agent.agent_id)
        who, fields = f"agent {agent.agent_id}", ("sources", "target")
        tx.journal(decided("relink", "agent", who, at=at, by=by, agent_id=agent.agent_id, fields=fields))


def _carry(tx: Transaction, view: AgentView, old: CalendarRef, new: CalendarRef, by_uid: Mapping[str, str]) -> None:
    def place(href: str, uid: str) -> str:
        return by_uid.get(uid) or f"{new.calendar.rstrip('/')}/{href.rpartition('/')[2]}"

    def carried(each: Provenance) -> Provenance:
        for was, now in ((str(old), str(new)), (old.calendar, new.calendar)):
            if each.calendar == was:
                return replace(each, calendar=now, href=place(each.href, each.uid))
        return each

    for copy in view.copies:
        if copy.ref == old:
            tx.put_copy(replace(copy, ref=new, href=place(copy.href, copy.uid)))
    for mirror in view.mirrors:
        if mirror.ref == old:
            tx.put_mirror(replace(mirror, ref=new, href=place(mirror.href, mirror.uid)))
    for block in view.blocks:
        tx.put_block(replace(block, provenance=frozenset(map(carried, block.provenance))))
