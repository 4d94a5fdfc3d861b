"""apply: one operation at a time. What it concerns is re-read; the intent is committed with the pre-image; then comes
the remote write with its precondition, then the outcome.

What a lost answer or a crash leaves open is settled by reading (`settle`), never by writing blindly. Absences have
no precondition on the wire: each is re-read right before it is changed or removed.

A stop that a person gave and the ceilings of writes are looked at in the transaction of the intent: once a stop is
committed no further write is sent, and no write is sent that is not counted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from connectors.errors import AnswerLost, BadItem, ConnectorError, Stale
from connectors.ports import CalendarAccount, Clock, RdvSolidarites
from connectors.records import Absence, AbsenceDraft, CalendarItem, EventDraft
from gateway.store.store import Store
from gateway.sync.ceiling import Ceiling, remote_of
from gateway.sync.ledger import Ledger
from gateway.sync.observe_calendars import CalendarObserver
from gateway.sync.observe_rdv_solidarites import problem_of
from gateway.sync.planning.blocks import interval_text
from gateway.sync.record import Recorder, Result
from gateway.sync.steps import OURSELVES, StepName, step, watcher
from gateway.sync.undo.planning import RAW
from gateway.sync.values import Action, ObjectKind, OpenIntent, Operation, Problem, Side
from mappings.absence_event import absence_span
from mappings.identity import absence_title, is_tagged


class Outcome(StrEnum):
    DONE = "done"
    NOT_DONE = "not_done"  # certain: nothing was changed; the next plan decides again
    UNKNOWN = "unknown"  # its answer was lost: the intent stays open
    CEILING = "ceiling"  # its remote gets no more writes for now: left to a later run
    STOPPED = "stopped"  # a person stopped all writes: left to a later run


@dataclass(frozen=True, slots=True)
class Applied:
    """`stops_side`: the remote itself is in trouble, so that further writes there would fail alike."""

    outcome: Outcome
    problem: Problem | None = None
    stops_side: bool = False


@dataclass(frozen=True, slots=True)
class _Ready:
    """A write that may be sent now; None: nothing is left to be written. `before`: the pre-image of what it
    overwrites or removes, kept with the intent, so that no crash and no lost answer loses it."""

    send: Callable[[], Result] | None
    before: bytes | None = field(default=None, repr=False)


class _Braked(Exception):
    """The write may not be sent now; nothing was."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Applier:
    """Carries operations out for one run."""

    store: Store
    rdv_solidarites: RdvSolidarites
    accounts: Mapping[str, CalendarAccount]
    observer: CalendarObserver
    recorder: Recorder
    clock: Clock
    run_id: str
    ceiling: Ceiling

    def apply(self, ledger: Ledger, operation: Operation) -> Applied:
        """Do one operation. Errors of the tree become a `Problem`; anything else is our bug and goes up."""
        applied = self._apply(ledger, operation)
        told = watcher()
        if told is not None:
            told.applied(operation, applied.outcome.value)
        return applied

    def _apply(self, ledger: Ledger, operation: Operation) -> Applied:
        if operation.action is Action.PAIR:
            self.recorder.paired(ledger, operation)
            return Applied(Outcome.DONE)
        intent: OpenIntent | None = None
        try:
            with step(StepName.WRITE, remote_of(operation) or OURSELVES, expected=_Braked) as counts:
                counts[f"{operation.action}_{operation.kind}"] = 1
                ready = self._prepare(operation)
                result = Result()
                if ready.send is not None:
                    intent = self._open(operation, ready.before)
                    result = replace(ready.send(), before=ready.before)
        except _Braked as brake:
            return Applied(brake.outcome)
        except AnswerLost as error:
            self._await(intent)
            return Applied(Outcome.UNKNOWN, problem_of(error, operation.agent_id), stops_side=True)
        except Stale:
            self._close(intent, "stale")
            return Applied(Outcome.NOT_DONE)
        except ConnectorError as error:
            self._close(intent, "refused")
            return Applied(
                Outcome.NOT_DONE,
                problem_of(error, operation.agent_id, _name(operation)),
                stops_side=not isinstance(error, BadItem),
            )
        self.recorder.done(ledger, operation, result, intent)
        return Applied(Outcome.DONE)

    def _open(self, operation: Operation, before: bytes | None) -> OpenIntent:
        """From here on the write may have happened, whatever becomes of this process. Raises `_Braked`."""
        remote = remote_of(operation)
        now = self.clock.now()
        with self.store.transaction() as tx:
            known = tx.before_write(remote, now=now)
            if known.stopped:
                raise _Braked(Outcome.STOPPED)
            if remote is not None:
                if self.ceiling.left(known.written, now) == 0:
                    raise _Braked(Outcome.CEILING)
                tx.count_write(remote, at=now)
            highest = known.highest_absence_id
            return tx.open_intent(self.run_id, operation, highest_absence_id=highest, at=now, before=before)

    def _close(self, intent: OpenIntent | None, outcome: str) -> None:
        if intent is None:
            return  # nothing had been sent
        with self.store.transaction() as tx:
            tx.close_intent(intent.id, outcome)

    def _await(self, intent: OpenIntent | None) -> None:
        """It may have waited for its turn for long, so that patience begins now: a late one can still come."""
        if intent is None:
            return  # it was a reading that got no answer
        with self.store.transaction() as tx:
            tx.await_intent(intent.id, at=max(intent.opened_at, self.clock.now()))

    def _prepare(self, operation: Operation) -> _Ready:
        """Read what the write needs. Raises `Stale` when the remote is not what the plan saw."""
        writers: dict[tuple[Side, Action], Callable[[Operation], _Ready]] = {
            (Side.CALENDAR, Action.CREATE): self._create_event,
            (Side.CALENDAR, Action.UPDATE): self._update_event,
            (Side.CALENDAR, Action.DELETE): self._delete_event,
            (Side.RDV_SOLIDARITES, Action.CREATE): self._create_absence,
            (Side.RDV_SOLIDARITES, Action.UPDATE): self._update_absence,
            (Side.RDV_SOLIDARITES, Action.DELETE): self._delete_absence,
        }
        return writers[operation.side, operation.action](operation)

    # --- calendar --------------------------------------------------------------------------------------------

    def _create_event(self, operation: Operation) -> _Ready:
        account, calendar = self._calendar(operation)
        if operation.body is not None:
            body = operation.body
            return _Ready(lambda: Result(item=account.put_back(calendar, operation.href, body, None)))
        draft = _draft(operation)
        return _Ready(lambda: Result(item=account.create(calendar, draft)))

    def _update_event(self, operation: Operation) -> _Ready:
        account, calendar = self._calendar(operation)
        item = self._still_there(account, calendar, operation)
        if item is None:
            raise Stale("the event is gone", system=account.name)
        if operation.body is not None:
            body = operation.body
            return _Ready(lambda: Result(item=account.put_back(calendar, item.href, body, item)), item.body)
        draft = _draft(operation)
        if operation.keeps_title:
            event = account.parse(item)
            if event is not None:
                draft = replace(draft, summary=event.components[0].summary)
        return _Ready(
            lambda: Result(item=account.update(calendar, item, draft, notes=operation.rewrites_notes)), item.body
        )

    def _delete_event(self, operation: Operation) -> _Ready:
        account, calendar = self._calendar(operation)
        item = self._still_there(account, calendar, operation)
        if item is None:
            return _Ready(None)  # gone already: what was wanted

        def send() -> Result:
            account.delete(calendar, item)
            return Result()

        return _Ready(send, item.body)

    def _still_there(self, account: CalendarAccount, calendar: str, operation: Operation) -> CalendarItem | None:
        """The item right before the write, if it is what the plan saw; the pre-image for undo.

        An ETag alone proves nothing on some servers, so our own fields are compared.
        """
        item = account.read(calendar, operation.href)
        if item is None:
            return None
        if operation.ref is not None:
            seen = self.observer.see(account, operation.ref, item)
            found = f"{RAW}{seen.raw_digest}" if operation.basis.startswith(RAW) else seen.owned_digest
            if found != operation.basis:
                raise Stale("the event changed since it was read", system=account.name)
        return item

    def _calendar(self, operation: Operation) -> tuple[CalendarAccount, str]:
        if operation.ref is None:
            raise ValueError("an operation on a calendar without a calendar")
        return self.accounts[operation.ref.account], operation.ref.calendar

    # --- RDV-Solidarités -------------------------------------------------------------------------------------

    def _create_absence(self, operation: Operation) -> _Ready:
        draft = self._absence_draft(operation, operation.title or absence_title(operation.label))
        return _Ready(lambda: Result(absence=self.rdv_solidarites.create_absence(draft)))

    def _update_absence(self, operation: Operation) -> _Ready:
        number, current = self._current_absence(operation)
        if current is None:
            raise Stale("the absence is gone", system="rdv_solidarites")
        # A title that a person typed stays what it is there: it is never ours to change.
        is_ours = operation.kind is ObjectKind.BUSY_BLOCK and is_tagged(current.title)
        title = absence_title(operation.label) if is_ours else current.title
        draft = self._absence_draft(operation, operation.title or title)
        return _Ready(
            lambda: Result(absence=self.rdv_solidarites.update_absence(number, draft)), absence_image(current)
        )

    def _delete_absence(self, operation: Operation) -> _Ready:
        number, current = self._current_absence(operation)
        if current is None:
            return _Ready(None)

        def send() -> Result:
            self.rdv_solidarites.delete_absence(number)
            return Result()

        return _Ready(send, absence_image(current))

    def _current_absence(self, operation: Operation) -> tuple[int, Absence | None]:
        if operation.absence_id is None:
            raise ValueError("an operation on an absence without its id")
        current = self.rdv_solidarites.absence(operation.absence_id)
        if current is not None and interval_text(*absence_span(current)) != operation.basis:
            raise Stale("the absence changed since it was read", system="rdv_solidarites")
        return operation.absence_id, current

    def _absence_draft(self, operation: Operation, title: str) -> AbsenceDraft:
        if operation.interval is None:
            raise ValueError("an absence without its times")
        return AbsenceDraft(operation.agent_id, title, operation.interval.start, operation.interval.end)


def _draft(operation: Operation) -> EventDraft:
    if operation.draft is None:
        raise ValueError("an event is to be written and nothing says what it shall be")
    return operation.draft


def _name(operation: Operation) -> str:
    """Which thing an error is about: ids only."""
    if operation.rdv_id is not None:
        return f"copy of rdv {operation.rdv_id}"
    if operation.absence_id is not None:
        return f"absence {operation.absence_id}"
    return f"busy block at {operation.when.isoformat(timespec='minutes')}"


def absence_image(absence: Absence) -> bytes:
    """The pre-image of an absence: personal, kept encrypted."""
    image = {
        "id": absence.id,
        "agent_id": absence.agent_id,
        "title": absence.title,
        "start": absence.start.isoformat(),
        "end": absence.end.isoformat(),
        "rrule": absence.rrule,
    }
    return json.dumps(image, ensure_ascii=False, sort_keys=True).encode()
