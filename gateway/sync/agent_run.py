"""One agent's part of a run: settle, plan, guard, apply, record. The unit of work, in one thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from connectors.ports import CalendarAccount, Clock, RdvSolidarites
from gateway.store.store import Store
from gateway.sync.apply import Applier, Outcome
from gateway.sync.guard import GuardContext, guard, totals_of
from gateway.sync.ledger import Ledger
from gateway.sync.observe_calendars import CalendarObserver
from gateway.sync.observe_rdv_solidarites import RdvSolidaritesReading
from gateway.sync.planning import PlanContext, make_plan
from gateway.sync.record import Recorder
from gateway.sync.settle import Settlement, Settler
from gateway.sync.values import (
    AgentReport,
    AgentState,
    AgentView,
    Guarded,
    HoldReason,
    LinkedAgent,
    Operation,
    Plan,
    Problem,
    Rules,
    Side,
)


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

    def work(self, agent: LinkedAgent, reading: RdvSolidaritesReading) -> AgentReport:
        """Bring one agent as far as its plan and the guard allow."""
        if agent.agent_id not in reading.visible_agents:
            return self.failed(agent, (_invisible(agent),))
        recorder = Recorder(self.store, self.accounts, self.observer, self.context, self.clock, self.run_id)
        view = self.store.agent_view(agent.agent_id)
        ledger = Ledger.of(view)
        settlement = Settlement(open=len(view.open_intents))
        if view.open_intents and not self.dry_run:
            settlement = self._settle(recorder, ledger, view, reading)
            view = self.store.agent_view(agent.agent_id)
            ledger = Ledger.of(view)
        plan = make_plan(view, self.context)
        guarded = guard(plan, self._guard_context(agent, view))
        if self.dry_run:
            return self._finish(agent, plan, guarded, (), settlement, complete=False)
        for change in plan.changes:
            recorder.changed(change)
        applier = Applier(
            self.store, self.rdv_solidarites, self.accounts, self.observer, recorder, self.clock, self.run_id
        )
        done, lost, problems = _apply_all(applier, ledger, guarded)
        settlement = Settlement(settlement.open + lost, (*settlement.problems, *problems))
        self._end_first_run(agent, guarded)
        return self._finish(agent, plan, guarded, done, settlement, complete=reading.complete)

    def failed(self, agent: LinkedAgent, problems: tuple[Problem, ...]) -> AgentReport:
        """An agent of whom one side could not be read: nothing is decided, nothing is written, its holds stay."""
        report = AgentReport(agent.agent_id, problems=problems, seconds=self._seconds())
        with self.store.transaction() as tx:
            tx.save_agent_result(report, run_id=self.run_id, at=self.clock.now(), complete=False)
        return report

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
        )
        return settler.settle(ledger, view.open_intents)

    def _guard_context(self, agent: LinkedAgent, view: AgentView) -> GuardContext:
        return GuardContext(
            state=agent.state,
            totals=totals_of(view),
            approvals=self.store.approvals(agent.agent_id),
            rules=self.context.rules,
        )

    def _end_first_run(self, agent: LinkedAgent, guarded: Guarded) -> None:
        """The approved first plan is done: from now on the ordinary guards hold.

        Unless much of it was not in the approval: then that is held again as a first run.
        """
        if agent.state is not AgentState.FIRST_RUN or not agent.first_run_approved:
            return
        outside = sum(held.reason is HoldReason.FIRST_RUN for held in guarded.held)
        rules: Rules = self.context.rules
        if outside > rules.many_count and outside > rules.many_share * (outside + len(guarded.allowed)):
            return
        with self.store.transaction() as tx:
            tx.set_agent_state(agent.agent_id, AgentState.LIVE)
            tx.approve_found_blocks(agent.agent_id)

    def _finish(
        self,
        agent: LinkedAgent,
        plan: Plan,
        guarded: Guarded,
        done: tuple[Operation, ...],
        settlement: Settlement,
        *,
        complete: bool,
    ) -> AgentReport:
        report = AgentReport(
            agent_id=agent.agent_id,
            planned=guarded.allowed,
            done=done,
            held=guarded.held,
            set_aside=plan.set_aside,
            conflicts=plan.conflicts,
            problems=settlement.problems,
            unsettled=settlement.open,
            seconds=self._seconds(),
        )
        now = self.clock.now()
        with self.store.transaction() as tx:
            tx.replace_holds(agent.agent_id, guarded.held, run_id=self.run_id, at=now)
            tx.save_agent_result(report, run_id=self.run_id, at=now, complete=complete and not settlement.problems)
        return report

    def _seconds(self) -> float:
        return (self.clock.now() - self.started).total_seconds()


def _apply_all(
    applier: Applier, ledger: Ledger, guarded: Guarded
) -> tuple[tuple[Operation, ...], int, tuple[Problem, ...]]:
    """What was done, how many answers were lost, what went wrong. A side in trouble is left alone for this run."""
    done: list[Operation] = []
    problems: list[Problem] = []
    stopped: set[Side] = set()
    lost = 0
    for operation in guarded.allowed:
        if operation.side in stopped:
            continue
        applied = applier.apply(ledger, operation)
        if applied.outcome is Outcome.DONE:
            done.append(operation)
        lost += applied.outcome is Outcome.UNKNOWN
        if applied.problem is not None:
            problems.append(applied.problem)
        if applied.stops_side:
            stopped.add(operation.side)
    return tuple(done), lost, tuple(problems)


def _invisible(agent: LinkedAgent) -> Problem:
    return Problem(
        agent.agent_id,
        "rdv_solidarites",
        f"agent {agent.agent_id} is no longer visible to the service account: nothing of theirs is judged or written",
        "it",
        "Give the service account its rights on this agent back, or withdraw the agent if they left.",
    )
