"""Rejecting what is held: what is there stays as it is, until its source asks for something else.

A copy, a block and a mirrored absence are pinned. Time that was to be blocked is left free as if a person had freed it.
What persons took away from the pool at once is not believed: the next plan puts it back. Taking either back is
`unpin`, or `approve`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from gateway.journal.decisions import decided
from gateway.store.store import Store
from gateway.store.transaction import Transaction
from gateway.store.values import HoldRow
from gateway.sync.guard.deciding import change_digest, not_believed
from gateway.sync.planning import PlanContext, make_plan
from gateway.sync.planning.busy_time import BusyTime, busy_time
from gateway.sync.planning.copies import rdv_version
from gateway.sync.planning.pins import block_version, pair_version, pin_text
from gateway.sync.planning.pool_state import left_free
from gateway.sync.planning.recognition import SortedEvents, sort_events
from gateway.sync.record import apply_change
from gateway.sync.values import (
    Action,
    AgentView,
    BlockOrigin,
    HoldReason,
    Interval,
    ObjectKind,
    Operation,
    Pin,
    PinnedThing,
    Plan,
    PoolBlock,
    Presence,
    Suppression,
)

REJECTED, UNDONE = "reject", "undo"


def reject(store: Store, context: PlanContext, holds: Collection[HoldRow], *, at: datetime, by: str) -> int:
    """Refuse what is held; how many that is. What no approval lets through cannot be rejected either, nor what is not
    planned any more."""
    by_agent: dict[int, list[HoldRow]] = {}
    for hold in holds:
        if hold.reason is not HoldReason.NATIVE_SYNC:
            by_agent.setdefault(hold.agent_id, []).append(hold)
    count = 0
    for agent_id, own in sorted(by_agent.items()):
        rejecting = _Rejecting.of(store.agent_view(agent_id), context, at, by)
        with store.transaction() as tx:
            done = [hold for hold in own if rejecting.one(tx, hold)]
            digests = [hold.digest for hold in done]
            tx.drop_holds(agent_id, digests)
            for digest in digests:
                tx.consume_approval(agent_id, digest)
            tx.journal(decided("reject", "hold", f"{len(done)} operations", at=at, by=by, agent_id=agent_id))
        count += len(done)
    return count


def unpin(store: Store, pins: Iterable[Pin], *, at: datetime, by: str, approve: bool = False) -> int:
    """Let things follow their sources again; how many that is. `approve`: what was rejected is let through as well."""
    count = 0
    with store.transaction() as tx:
        for pin in pins:
            if not tx.drop_pin(pin):
                continue
            count += 1
            if approve and pin.digest:
                tx.approve(pin.agent_id, [pin.digest], at=at, by=by)
            tx.journal(decided("unpin", pin.thing.value, pin_text(pin), at=at, by=by, agent_id=pin.agent_id))
    return count


def version_of(view: AgentView, context: PlanContext, thing: PinnedThing, number: int) -> str | None:
    """What the source of something asks for now; None when that is not known, or nothing of that number is there."""
    if thing is PinnedThing.RDV:
        agreed = next((each for each in view.copies if each.rdv_id == number), None)
        rdv = next((each for each in view.rdvs if each.rdv.id == number), None)
        return rdv_version(view, context, rdv, agreed)
    events = sort_events(view, context)
    if thing is PinnedThing.BLOCK:
        block = next((each for each in view.blocks if each.absence_id == number), None)
        occurrences = [each.whole for each in busy_time(view, events, context).occurrences]
        return None if block is None else block_version(block, occurrences, context.digest_key)
    mirror = next((each for each in view.mirrors if each.absence_id == number), None)
    event = events.by_place.get((mirror.ref, mirror.href)) if mirror else events.mirrors.get(number)
    absence = next(
        (s.absence for s in view.absences if s.absence.id == number and s.presence is Presence.PRESENT), None
    )
    return pair_version(absence, event, context.digest_key)


@dataclass(frozen=True, slots=True)
class _Rejecting:
    """For one agent, over what was last read."""

    view: AgentView
    context: PlanContext
    plan: Plan
    busy: BusyTime
    at: datetime
    by: str

    @classmethod
    def of(cls, view: AgentView, context: PlanContext, at: datetime, by: str) -> _Rejecting:
        events: SortedEvents = sort_events(view, context)
        return cls(view, context, make_plan(view, context), busy_time(view, events, context), at, by)

    def one(self, tx: Transaction, hold: HoldRow) -> bool:
        """Refuse one; False when it cannot be."""
        if hold.action is Action.ACCEPT:
            return self._disbelieve(tx, hold)
        ways: dict[ObjectKind, Callable[[Transaction, HoldRow], bool]] = {
            ObjectKind.RDV_COPY: lambda tx, hold: self._pin(tx, hold, PinnedThing.RDV, hold.rdv_id),
            ObjectKind.ABSENCE_EVENT: lambda tx, hold: self._pin(tx, hold, PinnedThing.MIRROR, hold.absence_id),
            ObjectKind.ABSENCE: lambda tx, hold: self._pin(tx, hold, PinnedThing.MIRROR, hold.absence_id),
            ObjectKind.BUSY_BLOCK: self._block,
        }
        return ways[hold.kind](tx, hold)

    def _pin(self, tx: Transaction, hold: HoldRow, thing: PinnedThing, number: int | None) -> bool:
        if number is None:
            return False
        version = version_of(self.view, self.context, thing, number)
        if version is None:
            return False
        tx.put_pin(Pin(hold.agent_id, thing, number, version, hold.digest, REJECTED, self.at, self.by))
        return True

    def _block(self, tx: Transaction, hold: HoldRow) -> bool:
        operation = next((each for each in self.plan.operations if each.digest == hold.digest), None)
        if operation is not None and operation.action is not Action.DELETE:
            tx.add_suppressions(self._left_free(operation))
            if operation.action is Action.CREATE:
                return True
        return self._pin(tx, hold, PinnedThing.BLOCK, hold.absence_id)

    def _left_free(self, operation: Operation) -> tuple[Suppression, ...]:
        """The time that this operation would newly block."""
        if operation.interval is None:
            return ()
        start, end = operation.interval.start, operation.interval.end
        wanted = PoolBlock(0, operation.agent_id, start, end, operation.provenance, BlockOrigin.CREATED)
        occurrences = [each.whole for each in self.busy.occurrences]
        return left_free(wanted, [Interval(start, end)], self.view, occurrences)

    def _disbelieve(self, tx: Transaction, hold: HoldRow) -> bool:
        """Where a copy was restored it is the other way round: an approval puts blocks back where their events are."""
        change = next((each for each in self.plan.changes if change_digest(each) == hold.digest), None)
        if change is None or change.block is None:
            return False
        number = change.block.absence_id
        before = next((block for block in self.view.blocks if block.absence_id == number), change.block)
        restored = hold.reason in (HoldReason.RDVS_RESTORED, HoldReason.DATABASE_RESTORED)
        apply_change(tx, change if restored else not_believed(change, before))
        return True
