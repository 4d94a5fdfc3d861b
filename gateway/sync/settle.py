"""Settling open intents: what a crash or a lost answer left undecided is found out by reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connectors.errors import ConnectorError
from connectors.ports import CalendarAccount, Clock, RdvSolidarites
from connectors.records import Absence, CalendarItem
from gateway.store.store import Store
from gateway.sync.ledger import Ledger
from gateway.sync.observe_calendars import CalendarObserver
from gateway.sync.observe_rdv_solidarites import problem_of
from gateway.sync.record import Recorder, Result
from gateway.sync.values import (
    Action,
    Change,
    ChangeKind,
    Interval,
    ObjectKind,
    OpenIntent,
    Operation,
    PoolBlock,
    Problem,
    SeenEvent,
    Side,
)
from mappings.absence_event import absence_span
from mappings.blocks import Provenance
from mappings.identity import absence_title, is_tagged, label_of
from mappings.owned import owned_digest, owned_of_draft

_UNREADABLE_PATIENCE = timedelta(hours=1)
"""How long a creation is waited for while an absence made since cannot be read. While it is, its time can be booked."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """`open`: how many stay undecided for now."""

    open: int = 0
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Settler:
    """Settles intents for one run. `absences_proven_at`: when the run's complete list was asked for, if it was.
    `unreadable_absences`: ids in that list of which nothing else can be told."""

    store: Store
    rdv_solidarites: RdvSolidarites
    accounts: Mapping[str, CalendarAccount]
    observer: CalendarObserver
    recorder: Recorder
    clock: Clock
    absences_proven_at: datetime | None
    unreadable_absences: frozenset[int] = frozenset()

    def settle(self, ledger: Ledger, intents: tuple[OpenIntent, ...]) -> Settlement:
        """Decide each open intent of one agent that can be decided now."""
        undecided = 0
        problems: list[Problem] = []
        for intent in intents:
            try:
                decided = self._decide(ledger, intent)
            except ConnectorError as error:
                problems.append(problem_of(error, intent.operation.agent_id))
                decided = False
            undecided += not decided
        return Settlement(undecided, tuple(problems))

    def _decide(self, ledger: Ledger, intent: OpenIntent) -> bool:
        operation = intent.operation
        if operation.side is Side.CALENDAR:
            return self._settle_event(ledger, intent)
        if operation.action is Action.CREATE:
            return self._settle_creation(ledger, intent)
        return self._settle_absence(ledger, intent)

    def _close(self, intent: OpenIntent) -> bool:
        self.recorder.unanswered(intent)
        return True

    def _settle_event(self, ledger: Ledger, intent: OpenIntent) -> bool:
        """A late change or removal meets its own precondition, so that calendars can be asked at once.

        A late creation meets none when what it stands for is gone and nothing was made in its place: it is waited for.
        """
        operation = intent.operation
        if operation.ref is None:
            return self._close(intent)
        account = self.accounts[operation.ref.account]
        href = operation.href
        if operation.action is Action.CREATE and operation.draft is not None:
            href = account.href_of(operation.ref.calendar, operation.draft.uid)
        asked_at = self.clock.now()
        item = account.read(operation.ref.calendar, href)
        if operation.action is Action.DELETE:
            if item is not None:
                return self._close(intent)
            self.recorder.done(ledger, operation, Result(before=intent.before), intent)
            return True
        if item is None and operation.action is Action.CREATE:
            return self._close_if_late(intent, asked_at)
        if item is None or not self._is_as_asked(operation, self.observer.see(account, operation.ref, item)):
            self._close(intent)
            self._find_again(ledger, operation, href)
            return True
        self.recorder.done(ledger, operation, Result(item=item, before=intent.before), intent)
        return True

    def _find_again(self, ledger: Ledger, operation: Operation, href: str) -> None:
        """A new event that a person edited before its making was settled is ours all the same. It is agreed at once:
        what it stands for may be gone by the next plan, and then nobody would know what to remove."""
        seen = ledger.events.get((operation.ref, href)) if operation.ref else None
        if operation.action is not Action.CREATE or operation.draft is None or seen is None:
            return
        if seen.uid == operation.draft.uid and seen.marker in (None, operation.draft.marker):
            rule = "own_copy_found_again" if operation.rdv_id is not None else "own_event_found_again"
            found = replace(operation, action=Action.PAIR, rule=rule, href=href, basis=seen.owned_digest)
            self.recorder.paired(ledger, found)

    def _is_as_asked(self, operation: Operation, seen: SeenEvent) -> bool:
        if operation.body is not None and operation.ref is not None:
            once = CalendarItem(seen.href, "", operation.body)
            return seen.owned_digest == self.observer.see(self._account(operation), seen.ref, once).owned_digest
        if operation.draft is None:
            return False
        return seen.owned_digest == owned_digest(self.observer.digest_key, owned_of_draft(operation.draft))

    def _account(self, operation: Operation) -> CalendarAccount:
        if operation.ref is None:
            raise ValueError("an operation on a calendar without a calendar")
        return self.accounts[operation.ref.account]

    def _settle_absence(self, ledger: Ledger, intent: OpenIntent) -> bool:
        """A change or removal of an absence: what was asked is done as soon as it is seen, and not done only when it
        can no longer come. Until then its absence is left alone: a late one would undo what was written since."""
        operation = intent.operation
        if operation.absence_id is None:
            return self._close(intent)
        asked_at = self.clock.now()
        current = self.rdv_solidarites.absence(operation.absence_id)
        if operation.action is Action.DELETE:
            if current is not None:
                return self._close_if_late(intent, asked_at)
            self.recorder.done(ledger, operation, Result(before=intent.before), intent)
            return True
        span = Interval(*absence_span(current)) if current is not None else None
        if current is None or span != operation.interval or not _is_called_right(current, operation):
            decided = self._close(intent) if current is None else self._close_if_late(intent, asked_at)
            if decided:
                self._leave_in_doubt(ledger, operation, span)
            return decided
        self.recorder.done(ledger, operation, Result(absence=current, before=intent.before), intent)
        return True

    def _leave_in_doubt(self, ledger: Ledger, operation: Operation, current: Interval | None) -> None:
        """A person edited or removed a block that a change of ours may have reached before: from which of the two times
        they did, nobody knows. What it held at both is agreed, so that nothing is taken for freed by hand or for
        shortened that they may never have seen: time in doubt is blocked, and a block in doubt is theirs."""
        block = ledger.blocks.get(operation.absence_id) if operation.absence_id is not None else None
        if block is None or operation.interval is None or current == Interval(block.start, block.end):
            return
        doubted = _at_both(block, operation.interval, operation.provenance)
        if doubted != block:
            change = Change(ChangeKind.BLOCK_AGREED, block.agent_id, "edited_while_unsettled", block=doubted)
            self.recorder.changed(change)
            ledger.blocks[block.absence_id] = doubted

    def _settle_creation(self, ledger: Ledger, intent: OpenIntent) -> bool:
        """A creation has no name to ask for: adopt the exact match that came after it, or wait long enough to
        know that none will come."""
        operation = intent.operation
        taken = ledger.blocks.keys() | ledger.mirrors.keys()
        for absence in sorted(ledger.absences.values(), key=lambda each: each.id):
            if (
                absence.id > intent.highest_absence_id
                and absence.id not in taken
                and _is_called_right(absence, operation)
                and Interval(absence.start, absence.end) == operation.interval
            ):
                self.recorder.done(ledger, operation, Result(absence=absence), intent)
                return True
        # One that cannot be read may be it: closed now, it would be nobody's when it can. But a row that stays so must
        # not keep an agent bookable who is busy; if it was ours, it is found again and one of the two removed.
        may_be_it = any(number > intent.highest_absence_id for number in self.unreadable_absences)
        if may_be_it and self.clock.now() < intent.opened_at + _UNREADABLE_PATIENCE:
            return False
        return self._close_if_late(intent, self.absences_proven_at)

    def _close_if_late(self, intent: OpenIntent, read_at: datetime | None) -> bool:
        """Not done, if what was read (None: nothing) was asked for after the server must have had the write."""
        patience = timedelta(seconds=2 * self.rdv_solidarites.read_timeout)
        if read_at is not None and read_at >= intent.opened_at + patience:
            return self._close(intent)
        return False


def _at_both(block: PoolBlock, asked: Interval, provenance: frozenset[Provenance]) -> PoolBlock:
    """A block as it was agreed, reduced to what it also was to be; for no occurrence where the two times are apart."""
    start, end = max(block.start, asked.start), min(block.end, asked.end)
    if start < end:
        return replace(block, start=start, end=end, provenance=block.provenance & provenance)
    return replace(block, start=asked.start, end=asked.end, provenance=frozenset())


def _is_called_right(absence: Absence, operation: Operation) -> bool:
    """Whether a block bears the label that was asked for; a title that a person typed is right as it is, unless an
    undo put another one there, or nobody typed it at all."""
    if operation.title:
        return absence.title == operation.title
    if operation.action is Action.CREATE and not is_tagged(absence.title):
        return False
    if operation.kind is not ObjectKind.BUSY_BLOCK or not is_tagged(absence.title):
        return True
    return label_of(absence.title) == label_of(absence_title(operation.label))
