"""One agent's part of a run: settle, plan, guard, apply, record. The unit of work, in one thread.

When a ceiling of writes may be reached, an agent writes its even share at once; the rest is handed back as
`Unfinished`, and `resume` goes on with it when it is known what the whole fleet needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from connectors.ports import CalendarAccount, Clock, RdvSolidarites
from gateway.store.store import Store
from gateway.sync.apply import Applied, Applier, Outcome
from gateway.sync.busy_load import busy_load
from gateway.sync.ceiling import Ceiling, remote_of, split
from gateway.sync.figures import figures_of
from gateway.sync.judging import Judge, Judged
from gateway.sync.keep_conflicts import keep_conflicts
from gateway.sync.ledger import Ledger
from gateway.sync.observe_calendars import CalendarObserver
from gateway.sync.observe_rdv_solidarites import RdvSolidaritesReading
from gateway.sync.planning import PlanContext, make_plan
from gateway.sync.planning.same_until import same_until
from gateway.sync.record import Recorder
from gateway.sync.resting import Resting
from gateway.sync.settle import Settlement, Settler
from gateway.sync.steps import OURSELVES, StepName, step
from gateway.sync.values import (
    AgentReport,
    AgentState,
    AgentView,
    Guarded,
    HoldReason,
    LinkedAgent,
    Operation,
    Problem,
    Side,
)


@dataclass(slots=True)
class _Progress:
    """What became of an agent's operations so far. Mutable, owned by the one thread that works on this agent."""

    done: list[Operation] = field(default_factory=list)
    waiting: list[Operation] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    lost: int = 0
    troubled: set[Side] = field(default_factory=set)  # in trouble itself: left alone for this run
    full: set[str] = field(default_factory=set)  # remotes whose ceiling is reached
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An agent whose share of the writes is used. `rest`: what is left, in its order."""

    agent: LinkedAgent
    rest: tuple[Operation, ...]
    judged: Judged
    settlement: Settlement
    applier: Applier
    ledger: Ledger
    progress: _Progress
    complete: bool
    changes: tuple[int, ...]  # how many of what its plan is made of, before that was read


@dataclass(frozen=True, slots=True)
class AgentRunner:
    """Works on agents for one run. Safe to call for several agents at once."""

    store: Store
    rdv_solidarites: RdvSolidarites
    accounts: Mapping[str, CalendarAccount]
    observer: CalendarObserver
    context: PlanContext
    clock: Clock
    run_id: str
    started: datetime
    dry_run: bool
    ceiling: Ceiling
    shares: Mapping[str, int]  # by remote, what each agent may write at once
    judge: Judge
    resting: Resting
    rested: Mapping[bool, list[int]]  # agents of this run who were not planned, by whether it is complete
    halted: Callable[[], bool] = bool  # whether no write is to begin any more
    as_of: datetime | None = None  # of what was read before the run

    def work(self, agent: LinkedAgent, reading: RdvSolidaritesReading, read_anew: bool) -> AgentReport | Unfinished:
        """Bring one agent as far as its plan, the guard and its share of the writes allow. `read_anew`: a calendar of
        theirs was read, and not merely looked at."""
        if agent.agent_id not in reading.visible_agents:
            return self.failed(agent, (_invisible(agent),))
        trouble = self.judge.wrong_clock(agent, self.clock, self.rdv_solidarites, self.accounts)
        if trouble is not None:
            return self.failed(agent, (trouble,))
        known, changes = None, reading.counts.of(agent)
        if not (read_anew or self.dry_run or reading.sign):
            known = self.resting.report(agent.agent_id, changes, self.context.now)
        if known is not None:
            self.rested[reading.complete].append(agent.agent_id)
            return replace(known, seconds=self._seconds())
        recorder = Recorder(self.store, self.accounts, self.observer, self.context, self.clock, self.run_id)
        progress = _Progress()
        view = self._view(agent)
        ledger = Ledger.of(view)
        settlement = Settlement(open=len(view.open_intents))
        if view.open_intents and not self.dry_run:
            with step(StepName.SETTLE, OURSELVES) as counts:
                counts["open_writes"] = len(view.open_intents)
                settlement = self._settle(recorder, ledger, view, reading)
            view = self._view(agent)
            ledger = Ledger.of(view)
        with step(StepName.PLAN, OURSELVES) as counts:
            counts.update(events=len(view.events), rdvs=len(view.rdvs), absences=len(view.absences))
            judged = self.judge.judge(view, make_plan(view, self.context), reading.sign)
            counts["operations"] = len(judged.guarded.allowed) + len(judged.guarded.held)
        if self.dry_run:
            report = self._finish(agent, judged, progress, settlement, complete=False)
            return replace(report, load=busy_load(view, self.context))
        for change in judged.guarded.changes:
            recorder.changed(change)
        applier = Applier(
            self.store,
            self.rdv_solidarites,
            self.accounts,
            self.observer,
            recorder,
            self.clock,
            self.run_id,
            self.ceiling,
        )
        now, later = self.judge.put_off(judged)
        at_once, rest = split(now, self.shares)
        self._apply_all(applier, ledger, at_once, progress)
        rest += later
        unfinished = Unfinished(
            agent, tuple(rest), judged, settlement, applier, ledger, progress, reading.complete, changes
        )
        return unfinished if rest else self.resume(unfinished, {})

    def resume(self, unfinished: Unfinished, granted: Mapping[str, int]) -> AgentReport:
        """Write `granted` more by remote; what is left then waits for a later run."""
        progress = unfinished.progress
        judged, rest = self.judge.hold_removals(unfinished.judged, unfinished.rest)
        now, later = split(rest, granted)
        self._apply_all(unfinished.applier, unfinished.ledger, now, progress)
        progress.waiting += [each for each in later if each.side not in progress.troubled]
        if not progress.stopped:
            self._end_first_run(unfinished.agent, judged.guarded)
        complete = unfinished.complete and not progress.waiting
        report = self._finish(unfinished.agent, judged, progress, unfinished.settlement, complete=complete)
        if complete and not report.problems and not report.unsettled:
            self._let_rest(judged, report, unfinished.changes)
        return report

    def _let_rest(self, judged: Judged, report: AgentReport, changes: tuple[int, ...]) -> None:
        """If nothing is left to do, and nothing is held or doubtful, the next plan need not be made."""
        view, guarded = judged.view, judged.guarded
        waits = view.open_intents or guarded.held or judged.signs or view.agent.state is not AgentState.LIVE
        until = None if waits or not judged.plan.is_empty else same_until(view, judged.plan.busy, self.context)
        if until is not None:
            self.resting.note(report, changes, since=self.context.now, until=until)

    def failed(self, agent: LinkedAgent, problems: tuple[Problem, ...]) -> AgentReport:
        """An agent of whom one side could not be read: nothing is decided, nothing is written, its holds stay."""
        report = AgentReport(agent.agent_id, problems=problems, seconds=self._seconds())
        with self.store.transaction() as tx:
            tx.save_agent_result(report, run_id=self.run_id, at=self.clock.now(), complete=False)
        return report

    def _view(self, agent: LinkedAgent) -> AgentView:
        with step(StepName.LOAD, OURSELVES) as counts:
            view = self.store.agent_view(agent.agent_id)
            counts.update(events=len(view.events), rdvs=len(view.rdvs), absences=len(view.absences))
        return view

    def _settle(
        self, recorder: Recorder, ledger: Ledger, view: AgentView, reading: RdvSolidaritesReading
    ) -> Settlement:
        settler = Settler(
            store=self.store,
            rdv_solidarites=self.rdv_solidarites,
            accounts=self.accounts,
            observer=self.observer,
            recorder=recorder,
            clock=self.clock,
            absences_proven_at=reading.absences_proven_at,
            unreadable_absences=reading.unreadable_absences,
        )
        return settler.settle(ledger, view.open_intents)

    def _end_first_run(self, agent: LinkedAgent, guarded: Guarded) -> None:
        """The approved first plan is done: from now on the ordinary guards hold.

        Unless much of it was not in the approval: then that is held again as a first run.
        """
        if agent.state is not AgentState.FIRST_RUN or not agent.first_run_approved:
            return
        outside = sum(held.reason is HoldReason.FIRST_RUN for held in guarded.held)
        rules = self.context.rules(agent)
        if outside > rules.many_count and outside > rules.many_share * (outside + len(guarded.allowed)):
            return
        with self.store.transaction() as tx:
            tx.set_agent_state(agent.agent_id, AgentState.LIVE)

    def _finish(
        self,
        agent: LinkedAgent,
        judged: Judged,
        progress: _Progress,
        settlement: Settlement,
        *,
        complete: bool,
    ) -> AgentReport:
        plan, guarded = judged.plan, judged.guarded
        problems = (*settlement.problems, *progress.problems)
        report = AgentReport(
            agent_id=agent.agent_id,
            planned=guarded.allowed,
            done=tuple(progress.done),
            held=guarded.held,
            waiting=tuple(progress.waiting),
            set_aside=plan.set_aside,
            conflicts=plan.conflicts,
            problems=problems,
            unsettled=settlement.open + progress.lost,
            seconds=self._seconds(),
        )
        now = self.clock.now()
        with step(StepName.RECORD, OURSELVES), self.store.transaction() as tx:
            tx.replace_holds(agent.agent_id, guarded.held, run_id=self.run_id, at=now)
            if not self.dry_run:
                rules = self.context.rules(agent)
                keep_conflicts(tx, agent, plan.conflicts, tell=rules.tell_conflicts, run_id=self.run_id, at=now)
                judged.remember(tx, complete=complete)
            if agent.state is AgentState.FIRST_RUN and not agent.first_run_approved:
                horizon = self.context.rules(agent).horizon_days
                tx.save_figures(figures_of(plan, guarded, horizon_days=horizon, at=now))
            done = complete and not problems
            tx.save_agent_result(report, run_id=self.run_id, at=now, complete=done, as_of=self.as_of)
        return report

    def _apply_all(
        self, applier: Applier, ledger: Ledger, operations: Sequence[Operation], progress: _Progress
    ) -> None:
        """One by one, in their order. A side in trouble is left alone for this run; what may not be written now
        waits."""
        for operation in operations:
            remote = remote_of(operation)
            progress.stopped = progress.stopped or self.halted()
            if remote is not None and operation.side in progress.troubled:
                continue
            if remote is not None and (progress.stopped or remote in progress.full):
                progress.waiting.append(operation)
                continue
            _note(applier.apply(ledger, operation), operation, progress)

    def _seconds(self) -> float:
        return (self.clock.now() - self.started).total_seconds()


def _note(applied: Applied, operation: Operation, progress: _Progress) -> None:
    if applied.outcome is Outcome.DONE:
        progress.done.append(operation)
    elif applied.outcome is Outcome.STOPPED:
        progress.stopped = True
        progress.waiting.append(operation)
    elif applied.outcome is Outcome.CEILING:
        progress.full.add(remote_of(operation) or "")
        progress.waiting.append(operation)
    progress.lost += applied.outcome is Outcome.UNKNOWN
    if applied.problem is not None:
        progress.problems.append(applied.problem)
    if applied.stops_side:
        progress.troubled.add(operation.side)


def _invisible(agent: LinkedAgent) -> Problem:
    return Problem(
        agent.agent_id,
        "rdv_solidarites",
        f"agent {agent.agent_id} is no longer visible to the service account: nothing of theirs is judged or written",
        "it",
        "Give the service account its rights on this agent back, or withdraw the agent if they left.",
    )
