"""record: the outcome of an operation, the mapping, what is agreed and the journal entry, in one transaction.

The agreed value is what was re-read after our write: servers rewrite bodies and still give an ETag.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TypeVar

from connectors.ports import CalendarAccount, Clock
from connectors.records import Absence, CalendarItem, EventDraft
from gateway.store.last_word import Said, Thing
from gateway.store.store import Store
from gateway.store.transaction import Transaction
from gateway.sync.ledger import Ledger
from gateway.sync.observe_calendars import CalendarObserver
from gateway.sync.planning.context import PlanContext, title_digest
from gateway.sync.planning.mirrors import mirror_asked
from gateway.sync.planning.pins import pin_text
from gateway.sync.undo.agreeing import Undone
from gateway.sync.undo.steps import UndoStep
from gateway.sync.values import (
    Action,
    AgreedCopy,
    AgreedMirror,
    BlockOrigin,
    Change,
    ChangeKind,
    Interval,
    JournalEntry,
    ObjectKind,
    OpenIntent,
    Operation,
    PoolBlock,
    SeenEvent,
    Side,
)
from mappings.absence_event import absence_span, absence_times
from mappings.owned import notes_digest, owned_digest, owned_of_draft, times_digest

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Result:
    """What the remote holds after a write: one of the two, none after a removal. `before`: the pre-image."""

    item: CalendarItem | None = None
    absence: Absence | None = None
    before: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Recorder:
    """Writes outcomes down for one run, and keeps the ledger in step."""

    store: Store
    accounts: Mapping[str, CalendarAccount]
    observer: CalendarObserver
    context: PlanContext
    clock: Clock
    run_id: str
    by: str = ""  # the person who undoes something

    def done(self, ledger: Ledger, operation: Operation, result: Result, intent: OpenIntent | None) -> None:
        """A remote write that succeeded, or an earlier one found to have succeeded."""
        seen = self._seen(operation, result)
        step = self._step(ledger, operation, result, seen)
        undone = self.store.undo_steps([operation.undoes]) if operation.undoes else {}
        with self.store.transaction() as tx:
            self._note_observed(tx, ledger, operation, result, seen)
            if operation.undoes in undone:
                what = Undone(operation, undone[operation.undoes], seen, result.absence, self.clock.now(), self.by)
                what.agree(tx, ledger, self.context)
            else:
                self._agree(tx, ledger, operation, seen, result.absence)
            if intent is not None:
                tx.close_intent(intent.id, "done")
            approved_by = tx.consume_approval(operation.agent_id, operation.digest)
            entry = self._entry(operation, result, seen)
            tx.put_undo_step(tx.journal(replace(entry, by=approved_by or self.by)), step)

    def unanswered(self, intent: OpenIntent) -> None:
        """A write was sent, and what is there now is not what it was to bring about. It may have been done all the
        same, and undone by somebody, or be done late: it is written down with its pre-image."""
        entry = self._entry(intent.operation, Result(before=intent.before), None)
        with self.store.transaction() as tx:
            tx.close_intent(intent.id, "not_done")
            tx.journal(replace(entry, action="unanswered", fields=(intent.operation.action.value, *entry.fields)))

    def paired(self, ledger: Ledger, operation: Operation) -> None:
        """What is there already is recognised: nothing was written."""
        seen = ledger.events.get((operation.ref, operation.href)) if operation.ref else None
        with self.store.transaction() as tx:
            self._agree(tx, ledger, operation, seen, None)
            tx.journal(self._entry(operation, Result(), seen))

    def changed(self, change: Change) -> None:
        """What a person did, taken over into the agreed state."""
        with self.store.transaction() as tx:
            apply_change(tx, change)
            by = tx.consume_approval(change.agent_id, change.approval) if change.approval else None
            if change.kind is not ChangeKind.PROVENANCE_MOVED:
                tx.journal(replace(self._observed_entry(change), by=by or ""))

    def _step(self, ledger: Ledger, operation: Operation, result: Result, seen: SeenEvent | None) -> UndoStep:
        """What an undo needs to know, before what is agreed moves on."""
        absence = result.absence
        number = absence.id if absence is not None else operation.absence_id
        return UndoStep(
            when=operation.when,
            op_class=operation.op_class,
            ref=operation.ref,
            href=seen.href if seen is not None else operation.href,
            rdv_id=operation.rdv_id,
            absence_id=number,
            recurring=operation.recurring,
            left_raw=seen.raw_digest if seen is not None else "",
            left_interval=Interval(*absence_span(absence)) if absence is not None else None,
            left_title=title_digest(self.context.digest_key, absence.title) if absence is not None else "",
            copy=ledger.copies.get(operation.rdv_id) if operation.rdv_id is not None else None,
            block=ledger.blocks.get(number) if number is not None else None,
            mirror=ledger.mirrors.get(number) if number is not None else None,
        )

    # --- observed --------------------------------------------------------------------------------------------

    def _seen(self, operation: Operation, result: Result) -> SeenEvent | None:
        if operation.ref is None or operation.side is not Side.CALENDAR or result.item is None:
            return None
        return self.observer.see(self.accounts[operation.ref.account], operation.ref, result.item)

    def _note_observed(
        self, tx: Transaction, ledger: Ledger, operation: Operation, result: Result, seen: SeenEvent | None
    ) -> None:
        """The shadow follows our own write, so that a plan made before the next reading knows of it."""
        if operation.side is Side.CALENDAR:
            if seen is not None:
                tx.save_event(seen)
                ledger.events[seen.ref, seen.href] = seen
            elif operation.ref is not None:
                tx.drop_event(operation.ref, operation.href)
                ledger.events.pop((operation.ref, operation.href), None)
        elif result.absence is not None:
            tx.save_absences([result.absence])
            tx.words.put_said(Thing.ABSENCE, {result.absence.id: Said(self.clock.now(), by_us=True, gone=False)})
            ledger.absences[result.absence.id] = result.absence
        elif operation.absence_id is not None:
            tx.forget_absences([operation.absence_id])
            tx.words.put_said(Thing.ABSENCE, {operation.absence_id: Said(self.clock.now(), by_us=True, gone=True)})
            ledger.absences.pop(operation.absence_id, None)

    # --- agreed ----------------------------------------------------------------------------------------------

    def _agree(
        self, tx: Transaction, ledger: Ledger, operation: Operation, seen: SeenEvent | None, absence: Absence | None
    ) -> None:
        match operation.kind:
            case ObjectKind.RDV_COPY:
                self._agree_copy(tx, ledger, operation, seen)
            case ObjectKind.BUSY_BLOCK:
                _agree_block(tx, ledger, operation, absence)
            case ObjectKind.ABSENCE_EVENT:
                self._agree_event(tx, ledger, operation, seen)
            case ObjectKind.ABSENCE:
                _agree_absence(tx, ledger, operation)

    def _agree_copy(self, tx: Transaction, ledger: Ledger, operation: Operation, seen: SeenEvent | None) -> None:
        rdv_id = _required(operation.rdv_id)
        if operation.action is Action.DELETE:
            tx.drop_copy(rdv_id, operation.agent_id)
            ledger.copies.pop(rdv_id, None)
            return
        draft, event = _required(operation.draft), _required(seen)
        known = ledger.copies.get(rdv_id)
        put_back_on, count = _put_backs(known, operation, self.context.today(ledger.agent))
        written_at = self.clock.now() if operation.action is not Action.PAIR else known.written_at if known else None
        copy = AgreedCopy(
            rdv_id=rdv_id,
            agent_id=operation.agent_id,
            ref=event.ref,
            href=event.href,
            uid=draft.uid,
            asked_digest=self._asked(operation, event),
            owned_digest=self._agreed_fields(draft, event),
            notes_digest=self._agreed_notes(known, operation, event),
            ends_at=_instant(draft.end),
            put_back_on=put_back_on,
            put_back_count=count,
            written_at=written_at,
        )
        tx.put_copy(copy)
        ledger.copies[rdv_id] = copy

    def _agree_event(self, tx: Transaction, ledger: Ledger, operation: Operation, seen: SeenEvent | None) -> None:
        absence_id = _required(operation.absence_id)
        if operation.action is Action.DELETE:
            tx.drop_mirror(absence_id)
            ledger.mirrors.pop(absence_id, None)
            return
        event = _required(seen)
        known = ledger.mirrors.get(absence_id)
        interval = _required(operation.interval)
        mirror = AgreedMirror(
            absence_id=absence_id,
            agent_id=operation.agent_id,
            ref=event.ref,
            href=event.href,
            uid=_required(operation.draft).uid,
            start=known.start if known else interval.start,
            end=known.end if known else interval.end,
            recurring=operation.recurring,
            asked_digest=self._mirror_asked(operation, event),
            # A title that a person typed stays theirs: it is never the agreed one.
            title_digest=known.title_digest if known and operation.keeps_title else event.title_digest,
            times_digest=event.times_digest,
        )
        mirror = _settle_times(mirror, ledger, is_new=known is None)
        tx.put_mirror(mirror)
        ledger.mirrors[absence_id] = mirror

    def _agreed_notes(self, known: AgreedCopy | None, operation: Operation, seen: SeenEvent) -> str:
        """Notes that a person wrote are theirs, and never become the agreed ones."""
        if operation.action is Action.PAIR:
            return notes_digest(self.context.digest_key, owned_of_draft(_required(operation.draft)))
        if operation.action is Action.UPDATE and known is not None and not operation.rewrites_notes:
            return known.notes_digest
        return seen.notes_digest

    def _agreed_fields(self, draft: EventDraft, seen: SeenEvent) -> str:
        """As re-read, since servers rewrite what they store. But none rewrites times: other times than those asked for
        were put there by a person between our write and our reading, and are to be found edited."""
        key, asked = self.context.digest_key, owned_of_draft(draft)
        is_ours = seen.times_digest == times_digest(key, asked)
        return seen.owned_digest if is_ours else owned_digest(key, asked)

    def _asked(self, operation: Operation, seen: SeenEvent) -> str:
        """What the event was last asked to be. One that was found again counts as asked for only if it agrees."""
        asked = self.context.asked(_required(operation.draft))
        if operation.action is Action.PAIR and not asked.startswith(f"{seen.owned_digest}:"):
            return ""
        return asked

    def _mirror_asked(self, operation: Operation, seen: SeenEvent) -> str:
        draft = _required(operation.draft)
        if draft.recurrence:
            return self._asked(operation, seen)
        asked = mirror_asked(self.context, draft)
        return asked if operation.action is not Action.PAIR or asked == seen.title_digest else ""

    # --- journal ---------------------------------------------------------------------------------------------

    def _entry(self, operation: Operation, result: Result, seen: SeenEvent | None) -> JournalEntry:
        fields: tuple[str, ...] = ()
        if operation.action is Action.UPDATE:
            fields = _EVENT_FIELDS if operation.side is Side.CALENDAR else ("start", "end")
            if operation.kind is ObjectKind.BUSY_BLOCK:
                fields = ("start", "end", "title")
        return JournalEntry(
            at=self.clock.now(),
            run_id=self.run_id,
            agent_id=operation.agent_id,
            side=operation.side.value,
            action=operation.action.value,
            object=operation.kind.value,
            reference=_reference(operation, result),
            rule=operation.rule,
            fields=fields,
            before=result.before,
            after_digest=seen.owned_digest if seen else "",
        )

    def _observed_entry(self, change: Change) -> JournalEntry:
        about = change.block or change.mirror
        number = getattr(about, "absence_id", None)
        reference = f"absence {number}" if number else f"{len(change.suppressions)} occurrences"
        if change.pin is not None:
            reference = pin_text(change.pin)
        return JournalEntry(
            at=self.clock.now(),
            run_id=self.run_id,
            agent_id=change.agent_id,
            side=Side.RDV_SOLIDARITES.value,
            action="observed",
            object=change.kind.value,
            reference=reference,
            rule=change.rule,
        )


_EVENT_FIELDS = ("start", "end", "title", "place", "status", "transparency", "class", "url")


def _agree_block(tx: Transaction, ledger: Ledger, operation: Operation, absence: Absence | None) -> None:
    number = absence.id if absence is not None else _required(operation.absence_id)
    if operation.action is Action.DELETE:
        tx.drop_block(number)
        ledger.blocks.pop(number, None)
        return
    interval = _required(operation.interval)
    known = ledger.blocks.get(number)
    is_found = operation.action is Action.PAIR and operation.needs_approval
    origin = BlockOrigin.FOUND if is_found else BlockOrigin.ADOPTED if operation.action is Action.PAIR else None
    block = PoolBlock(
        absence_id=number,
        agent_id=operation.agent_id,
        start=absence.start if absence else interval.start,
        end=absence.end if absence else interval.end,
        provenance=operation.provenance,
        origin=origin or (known.origin if known else BlockOrigin.CREATED),
        approved=not is_found,
        label=operation.label,
    )
    tx.put_block(block)
    ledger.blocks[number] = block


def _agree_absence(tx: Transaction, ledger: Ledger, operation: Operation) -> None:
    number = _required(operation.absence_id)
    known = ledger.mirrors.get(number)
    if operation.action is Action.DELETE:
        tx.drop_mirror(number)
        ledger.mirrors.pop(number, None)
    elif known is not None:
        mirror = _settle_times(known, ledger, is_new=False)
        tx.put_mirror(mirror)
        ledger.mirrors[number] = mirror


def _settle_times(mirror: AgreedMirror, ledger: Ledger, *, is_new: bool) -> AgreedMirror:
    """A field becomes agreed when both sides hold it alike; until then the ancestor stays.

    A new pair that differs has no ancestor: the event's value stands for it, so that the side of birth wins.
    """
    absence = ledger.absences.get(mirror.absence_id)
    event = ledger.events.get((mirror.ref, mirror.href))
    if mirror.recurring or absence is None or event is None or event.times is None:
        return mirror
    here = Interval(*absence_span(absence))
    there = Interval(*absence_times(event.times, ledger.agent.zone))
    start = there.start if is_new or there.start == here.start else mirror.start
    end = there.end if is_new or there.end == here.end else mirror.end
    return replace(mirror, start=start, end=end)


def apply_change(tx: Transaction, change: Change) -> None:
    """Take a change over into what is agreed."""
    match change.kind:
        case ChangeKind.BLOCK_FREED | ChangeKind.BLOCK_FORGOTTEN | ChangeKind.BLOCK_LOST:
            absence_id = _required(change.block).absence_id
            tx.drop_block(absence_id)
            tx.forget_absences([absence_id])
            tx.add_suppressions(change.suppressions)
        case (
            ChangeKind.BLOCK_SHORTENED
            | ChangeKind.BLOCK_RELEASED
            | ChangeKind.BLOCK_AGREED
            | ChangeKind.PROVENANCE_MOVED
        ):
            tx.put_block(_required(change.block))
            tx.add_suppressions(change.suppressions)
        case ChangeKind.SUPPRESSION_ENDED:
            tx.end_suppressions(change.suppressions)
        case ChangeKind.PIN_ENDED:
            tx.drop_pin(_required(change.pin))
        case ChangeKind.MIRROR_AGREED:
            tx.put_mirror(_required(change.mirror))
        case ChangeKind.MIRROR_FORGOTTEN:
            mirror = _required(change.mirror)
            tx.drop_mirror(mirror.absence_id)
            tx.forget_absences([mirror.absence_id])


def _put_backs(before: AgreedCopy | None, operation: Operation, today: date) -> tuple[date | None, int]:
    """How often a person's edit was put back today."""
    known = before.put_back_count if before and before.put_back_on == today else 0
    if operation.puts_back:
        return today, known + 1
    return (today, known) if known else (None, 0)


def _reference(operation: Operation, result: Result) -> str:
    if operation.rdv_id is not None:
        return f"rdv {operation.rdv_id}"
    number = result.absence.id if result.absence else operation.absence_id
    if number is None:  # one that was to be made, and of which no trace was found
        return f"absence at {operation.when.isoformat(timespec='minutes')}"
    return f"absence {number}"


def _instant(value: date | datetime) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError("an RDV's copy must have aware times")
    return value


def _required(value: _T | None) -> _T:
    """An operation carries what its kind and action need; if not, the planner has a bug."""
    if value is None:
        raise ValueError("an operation lacks what its kind and action need")
    return value
