"""What is agreed after something was undone, in the transaction that records it: as before the write that was undone,
with a pin on what its source asks for. Doing it again takes the pin away."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from connectors.errors import OurBug
from connectors.records import Absence
from gateway.store.transaction import Transaction
from gateway.sync.ledger import Ledger
from gateway.sync.planning.busy_time import busy_time
from gateway.sync.planning.context import PlanContext
from gateway.sync.planning.copies import rdv_version
from gateway.sync.planning.pins import block_version, pair_version
from gateway.sync.planning.pool_state import left_free
from gateway.sync.planning.recognition import sort_events
from gateway.sync.undo.planning import UNDO
from gateway.sync.undo.steps import UndoStep
from gateway.sync.values import (
    Action,
    AgreedMirror,
    BlockOrigin,
    Interval,
    ObjectKind,
    Operation,
    Pin,
    PinnedThing,
    PoolBlock,
    Presence,
    SeenEvent,
)
from mappings.blocks import Block, subtract

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Undone:
    """One item that was put back. `step`: of the first write that was undone. `seen`, `absence`: what is there now;
    both None: nothing."""

    operation: Operation
    step: UndoStep
    seen: SeenEvent | None
    absence: Absence | None
    at: datetime
    by: str

    def agree(self, tx: Transaction, ledger: Ledger, context: PlanContext) -> None:
        """Put down what is agreed now, and the pin."""
        match self.operation.kind:
            case ObjectKind.RDV_COPY:
                self._copy(tx, ledger, context)
            case ObjectKind.BUSY_BLOCK:
                self._block(tx, ledger, context)
            case ObjectKind.ABSENCE_EVENT | ObjectKind.ABSENCE:
                self._mirror(tx, ledger, context)

    # --- RDVs ------------------------------------------------------------------------------------------------

    def _copy(self, tx: Transaction, ledger: Ledger, context: PlanContext) -> None:
        number = _known(self.operation.rdv_id)
        if self.operation.action is Action.DELETE:
            tx.drop_copy(number, self.operation.agent_id)
            ledger.copies.pop(number, None)
        else:
            # Our own fields as agreed then: where a person had edited them, they are found edited again.
            copy = replace(_known(self.step.copy), href=_known(self.seen).href, written_at=self.at)
            tx.put_copy(copy)
            ledger.copies[number] = copy
        # Whoever had no copy any more, of an RDV that went to somebody else, did not see it when the undo began.
        version = rdv_version(ledger.view, context, tx.seen_rdv(number), ledger.copies.get(number))
        self._pin(tx, PinnedThing.RDV, number, version)

    # --- absences and their events ---------------------------------------------------------------------------

    def _mirror(self, tx: Transaction, ledger: Ledger, context: PlanContext) -> None:
        operation = self.operation
        number = self.absence.id if self.absence is not None else _known(operation.absence_id)
        is_event = operation.kind is ObjectKind.ABSENCE_EVENT
        if operation.action is Action.DELETE:
            tx.drop_mirror(number)
            ledger.mirrors.pop(number, None)
        elif self.step.mirror is not None and (is_event or operation.action is Action.UPDATE):
            mirror = self.step.mirror
            if is_event and number not in ledger.absences:
                self._remember_gone(tx, number, mirror)
            tx.put_mirror(mirror)
            ledger.mirrors[number] = mirror
        mirror_now = ledger.mirrors.get(number)
        place = (mirror_now.ref, mirror_now.href) if mirror_now else None
        event = ledger.events.get(place) if place else None
        gone = {each.absence.id for each in ledger.view.absences if each.presence is Presence.GONE}
        absence = self.absence or (None if number in gone else ledger.absences.get(number))
        self._pin(tx, PinnedThing.MIRROR, number, pair_version(absence, event, context.digest_key))

    def _remember_gone(self, tx: Transaction, number: int, mirror: AgreedMirror) -> None:
        """An event that is put back for an absence that was forgotten: as soon as it is not pinned any more, it follows
        what became of that."""
        tx.save_absences([Absence(number, mirror.agent_id, "", mirror.start, mirror.end)])
        tx.save_absence_presence(number, Presence.GONE, "")

    # --- blocks ----------------------------------------------------------------------------------------------

    def _block(self, tx: Transaction, ledger: Ledger, context: PlanContext) -> None:
        operation, step = self.operation, self.step
        occurrences = ledger.occurrences
        if occurrences is None:
            busy = busy_time(ledger.view, sort_events(ledger.view, context), context)
            occurrences = ledger.occurrences = [each.whole for each in busy.occurrences]
        if operation.action is Action.DELETE:
            number = _known(operation.absence_id)
            tx.drop_block(number)
            block = ledger.blocks.pop(number, None)
            if block is not None:
                self._leave_free(tx, ledger, block, [Interval(block.start, block.end)], occurrences)
            tx.drop_pin(self._a_pin(PinnedThing.BLOCK, number, ""))
            return
        absence = _known(self.absence)
        was = ledger.blocks.get(absence.id)
        known = _known(step.block) if step.block is not None else _known(was)
        # What let the gateway change or remove what a person typed was undone with it.
        typed = known.origin is BlockOrigin.FOUND and operation.rule == UNDO
        block = replace(
            known,
            absence_id=absence.id,
            start=absence.start,
            end=absence.end,
            approved=known.approved and not typed,
        )
        tx.put_block(block)
        ledger.blocks[block.absence_id] = block
        if was is not None:
            rest = subtract(Block(was.start, was.end, was.provenance), [(block.start, block.end)])
            self._leave_free(tx, ledger, was, [Interval(part.start, part.end) for part in rest], occurrences)
        self._cover_again(tx, ledger, block)
        self._pin(tx, PinnedThing.BLOCK, block.absence_id, block_version(block, occurrences, context.digest_key))

    def _leave_free(
        self, tx: Transaction, ledger: Ledger, block: PoolBlock, freed: list[Interval], occurrences: list[Block]
    ) -> None:
        """Time that is not blocked any more stays so, per occurrence, until the event changes."""
        tx.add_suppressions(left_free(block, freed, ledger.view, occurrences))

    def _cover_again(self, tx: Transaction, ledger: Ledger, block: PoolBlock) -> None:
        """What an undo left free, and is blocked again, is free no more."""
        if self.operation.rule == UNDO:
            return
        tx.end_suppressions(
            [
                each
                for each in ledger.view.suppressions
                if each.provenance in block.provenance and block.start <= each.start and each.end <= block.end
            ]
        )

    # --- pins ------------------------------------------------------------------------------------------------

    def _pin(self, tx: Transaction, thing: PinnedThing, number: int, version: str | None) -> None:
        pin = self._a_pin(thing, number, version or "")
        if self.operation.rule == UNDO and version is not None:
            tx.put_pin(pin)
        else:
            tx.drop_pin(pin)

    def _a_pin(self, thing: PinnedThing, number: int, version: str) -> Pin:
        return Pin(self.operation.agent_id, thing, number, version, "", UNDO, self.at, self.by)


def _known(value: _T | None) -> _T:
    if value is None:
        raise OurBug("an undo lacks what it needs", system="gateway")
    return value
