"""Undoing a run, or one write of it: what is there now is read, what is still as it was left is put back.

It is a run of its own, with intents, preconditions, ceilings and the stop as any other; what it did can be undone too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from connectors.errors import ConnectorError, RightsMissing
from connectors.ports import CalendarAccount, Clock, RdvSolidarites
from gateway.journal.decisions import decided
from gateway.store.store import Store
from gateway.store.values import JournalRow
from gateway.sync.apply import Applier, Outcome
from gateway.sync.ceiling import Ceiling, remote_of
from gateway.sync.guard import GuardContext, guard, totals_of
from gateway.sync.ledger import Ledger
from gateway.sync.observe_calendars import CalendarObserver
from gateway.sync.observe_rdv_solidarites import problem_of
from gateway.sync.planning import PlanContext, make_plan
from gateway.sync.planning.context import title_digest
from gateway.sync.record import Recorder
from gateway.sync.undo.planning import Current, Thing, UndoItem, plan_item, things
from gateway.sync.values import (
    AgentReport,
    AgentState,
    AgentView,
    CalendarRef,
    LinkedAgent,
    ObjectKind,
    Operation,
    Plan,
    Problem,
    RunReport,
    Side,
)
from mappings.absence_event import absence_span

MOST_ENTRIES = 100_000
_SYNCED = (AgentState.FIRST_RUN, AgentState.LIVE, AgentState.PAUSED)


@dataclass(slots=True)
class UndoReport:
    """`items`: all that it was about, newest write first. `done`: entry ids of those that were put back; `waiting`: of
    those left, since a ceiling is reached or a stop is in force; `lost`: whose answers were lost, to be settled by the
    next sync."""

    run_id: str
    dry_run: bool
    items: list[UndoItem] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def refused(self) -> list[UndoItem]:
        """What is left as it is, each with its reason."""
        return [item for item in self.items if item.refused]


@dataclass(frozen=True, slots=True)
class Undoer:
    """Undoes for one person. The caller holds the sync lock. `by`: who asks."""

    store: Store
    rdv_solidarites: RdvSolidarites
    accounts: Mapping[str, CalendarAccount]
    observer: CalendarObserver
    context: PlanContext
    clock: Clock
    ceiling: Ceiling
    run_id: str
    by: str

    def rows(self, *, run_id: str | None = None, entry_id: int | None = None) -> tuple[JournalRow, ...]:
        """The entries of a run, or the one of that number, with their pre-images."""
        if entry_id is not None:
            rows = self.store.journal(before_id=entry_id + 1, limit=1, with_content=True)
            return tuple(row for row in rows if row.id == entry_id)
        return self.store.journal(run_id=run_id, limit=MOST_ENTRIES, with_content=True)

    def undo(self, rows: Sequence[JournalRow], *, what: str, dry_run: bool) -> UndoReport:
        """Put back what these entries changed, item by item. `what`: the run or entry, for the journal."""
        found, lost = things(rows, self.store.undo_steps([row.id for row in rows]))
        report = UndoReport(self.run_id, dry_run, list(lost))
        agents = {agent.agent_id for agent in self.store.agents(_SYNCED)}
        started = self.clock.now()
        if not dry_run:
            with self.store.transaction() as tx:
                tx.start_run(self.run_id, at=started)
                tx.journal(decided("undo", "run", what, at=self.clock.now(), by=self.by, run_id=self.run_id))
        for agent_id in sorted({thing.agent_id for thing in found}):
            own = [thing for thing in found if thing.agent_id == agent_id]
            if agent_id not in agents:
                report.items += [_refused(thing, "its agent is not synced any more") for thing in own]
            else:
                self._agent(agent_id, own, report)
        report.items.sort(key=lambda item: -item.entry_id)
        if not dry_run:
            self._finish(report, started)
        return report

    # --- one agent -------------------------------------------------------------------------------------------

    def _agent(self, agent_id: int, own: Sequence[Thing], report: UndoReport) -> None:
        view = self.store.agent_view(agent_id)
        if view.open_intents:
            why = "a write of an earlier run is not settled: run `rdv-gateway sync` first"
            report.items += [_refused(thing, why) for thing in own]
            return
        unseen = ""
        if any(thing.kind is ObjectKind.RDV_COPY for thing in own):
            unseen = self._look(view.agent, report)
            view = self.store.agent_view(agent_id)
        items: list[UndoItem] = []
        for thing in own:
            if unseen and thing.kind is ObjectKind.RDV_COPY:
                items.append(_refused(thing, unseen))
                continue
            try:
                items.append(plan_item(thing, self._current(thing, view)))
            except ConnectorError as error:
                report.problems.append(problem_of(error, agent_id))
                items.append(_refused(thing, f"what is there now cannot be read: {error}"))
        items = self._guarded(view, items)
        report.items += items
        if not report.dry_run:
            self._apply(view, items, report)

    def _look(self, agent: LinkedAgent, report: UndoReport) -> str:
        """Read the agent's calendars: another sync may write there since the last run, and no copy is put beside what
        it wrote. Why they could not be read; "" if they were."""
        by_account: dict[str, list[CalendarRef]] = {}
        for ref in agent.calendars:
            by_account.setdefault(ref.account, []).append(ref)
        try:
            for name, refs in by_account.items():
                if name not in self.accounts:
                    raise RightsMissing("their calendar is not configured any more", system="configuration")
                account = self.accounts[name]
                marks = {mark.calendar: mark.mark for mark in account.look()}
                for ref in refs:
                    self.observer.read(account, ref, marks.get(ref.calendar, ""), run_id=self.run_id)
        except ConnectorError as error:
            report.problems.append(problem_of(error, agent.agent_id))
            return f"whether another sync writes there too cannot be read: {error}"
        return ""

    def _guarded(self, view: AgentView, items: Sequence[UndoItem]) -> list[UndoItem]:
        """A person asked for it by name: only what no approval lets through is held."""
        operations = tuple(item.operation for item in items if item.operation is not None)
        doubled = make_plan(view, self.context).doubled
        context = GuardContext(
            state=view.agent.state,
            totals=totals_of(view),
            approvals=frozenset(each.digest for each in operations),
            rules=self.context.rules(view.agent),
        )
        held = {
            each.operation.digest: each.explanation
            for each in guard(Plan(view.agent.agent_id, operations, doubled=doubled), context).held
        }
        return [
            replace(item, operation=None, refused=held[item.operation.digest])
            if item.operation is not None and item.operation.digest in held
            else item
            for item in items
        ]

    def _apply(self, view: AgentView, items: Sequence[UndoItem], report: UndoReport) -> None:
        recorder = Recorder(self.store, self.accounts, self.observer, self.context, self.clock, self.run_id, self.by)
        applier = Applier(
            store=self.store,
            rdv_solidarites=self.rdv_solidarites,
            accounts=self.accounts,
            observer=self.observer,
            recorder=recorder,
            clock=self.clock,
            run_id=self.run_id,
            ceiling=self.ceiling,
        )
        ledger = Ledger.of(view)
        troubled: set[str | None] = set()
        for item in items:
            if item.operation is None:
                continue
            remote = remote_of(item.operation)
            if remote in troubled:
                report.waiting.append(item.entry_id)
                continue
            applied = applier.apply(ledger, item.operation)
            if applied.problem is not None:
                report.problems.append(applied.problem)
            if applied.stops_side or applied.outcome in (Outcome.CEILING, Outcome.STOPPED):
                troubled.add(remote)
            self._note(item, applied.outcome, report)

    def _note(self, item: UndoItem, outcome: Outcome, report: UndoReport) -> None:
        if outcome is Outcome.DONE:
            report.done.append(item.entry_id)
        elif outcome is Outcome.UNKNOWN:
            report.lost.append(item.entry_id)
        elif outcome in (Outcome.CEILING, Outcome.STOPPED):
            report.waiting.append(item.entry_id)
        else:
            place = report.items.index(item)
            why = "it changed while it was to be put back, or the server refused it"
            report.items[place] = replace(item, operation=None, refused=why)

    # --- what is there now -----------------------------------------------------------------------------------

    def _current(self, thing: Thing, view: AgentView) -> Current:
        """Raises what the ports raise."""
        _, left = thing.last
        if thing.side is Side.CALENDAR:
            if left.ref is None or left.ref.account not in self.accounts:
                raise RightsMissing("its calendar is not configured any more", system="configuration")
            item = self.accounts[left.ref.account].read(left.ref.calendar, left.href)
            return Current(item=item, digest=self.observer.raw_digest(item) if item is not None else "")
        absence = self.rdv_solidarites.absence(left.absence_id) if left.absence_id is not None else None
        if absence is not None:
            return Current(absence=absence, title=title_digest(self.context.digest_key, absence.title))
        return Current(twins=self._twins(thing, view))

    def _twins(self, thing: Thing, view: AgentView) -> frozenset[int]:
        """Absences that the gateway knows at the time of one that would be made anew."""
        _, step = thing.first
        block = step.block or step.mirror
        if block is None:
            return frozenset()
        known = {each.absence_id for each in view.blocks} | {each.absence_id for each in view.mirrors}
        wanted = (block.start, block.end)
        return frozenset(
            each.absence.id
            for each in view.absences
            if each.absence.id in known and absence_span(each.absence) == wanted
        )

    # --- the run ---------------------------------------------------------------------------------------------

    def _finish(self, report: UndoReport, started: datetime) -> None:
        now = self.clock.now()
        done = set(report.done)
        by_agent: dict[int, list[Operation]] = {}
        for item in report.items:
            if item.operation is not None and item.entry_id in done:
                by_agent.setdefault(item.agent_id, []).append(item.operation)
        agents = tuple(AgentReport(agent_id, done=tuple(own)) for agent_id, own in sorted(by_agent.items()))
        seconds = (now - started).total_seconds()
        with self.store.transaction() as tx:
            tx.finish_run(RunReport(self.run_id, started, seconds, agents, tuple(report.problems)), at=now)


def _refused(thing: Thing, why: str) -> UndoItem:
    _, left = thing.last
    is_rdv = thing.kind is ObjectKind.RDV_COPY
    reference = f"rdv {left.rdv_id}" if is_rdv else f"absence {left.absence_id}"
    return UndoItem(thing.last[0].id, thing.agent_id, thing.kind, reference, None, why)
