"""Leaving: what the gateway wrote for agents is kept as it is, or found and removed, with a statement of it.

Removals go through the same machinery as every write: an intent before it, the remote re-read and compared right
before, a precondition where the server has one, the pre-image in the journal, the outcome after it. A process that is
killed leaves nothing half done: the same command finds what is still there and goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import uuid4

from gateway.agents.searching import Search
from gateway.agents.traces import Doubt, Trace, trace_of
from gateway.composition import Application, engine_settings
from gateway.feeds.links import revoke
from gateway.store.transaction import Transaction
from gateway.sync.apply import Applied, Applier, Outcome
from gateway.sync.ledger import Ledger
from gateway.sync.observe_calendars import CalendarObserver
from gateway.sync.planning import PlanContext
from gateway.sync.record import Recorder
from gateway.sync.settle import Settlement, Settler
from gateway.sync.values import (
    AgentReport,
    AgentState,
    AgentView,
    BlockOrigin,
    CalendarRef,
    JournalEntry,
    LinkedAgent,
    Operation,
    Problem,
    RunReport,
    Side,
)
from mappings.feed_levels import Purpose
from mappings.identity import Identity

_NOWHERE = CalendarRef("", "")
"""What receives for an agent whom a lost database forgot and of whom only absences were found."""

_WHY_NOT = {
    Outcome.NOT_DONE: ("it changed while it was being removed", "Run the same command again."),
    Outcome.UNKNOWN: ("the answer to its removal was lost", "Run the same command again."),
    Outcome.STOPPED: ("all writes are stopped", "`rdv-gateway resume --writes`, then run the same command again."),
    Outcome.CEILING: ("the ceiling of writes is reached", "Run the same command again in an hour."),
}


@dataclass(frozen=True, slots=True)
class Statement:
    """What was found of one agent, and what became of it."""

    agent_id: int
    found: Mapping[Trace, int] = field(default_factory=dict)
    removed: Mapping[Trace, int] = field(default_factory=dict)
    typed: int = 0  # absences of persons: never ours to remove
    unsettled: int = 0  # earlier writes whose answer was lost and that may still be done
    doubts: tuple[Doubt, ...] = ()
    problems: tuple[Problem, ...] = ()

    def still_there(self, kind: Trace) -> int:
        """How much of what was found was not removed."""
        return self.found.get(kind, 0) - self.removed.get(kind, 0)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to do or to decide."""
        nothing_left = not any(self.still_there(kind) for kind in Trace)
        return nothing_left and not (self.unsettled or self.doubts or self.problems)


def found_statements(search: Search) -> tuple[Statement, ...]:
    """What a removal would concern."""
    counts: dict[int, Counter[Trace]] = {agent_id: Counter() for agent_id in search.agents}
    for operation in search.removals:
        counts[operation.agent_id][trace_of(operation)] += 1
    return tuple(
        Statement(
            agent_id=agent_id,
            found=counts[agent_id],
            typed=search.typed.get(agent_id, 0),
            doubts=tuple(doubt for doubt in search.doubts if doubt.agent_id == agent_id),
        )
        for agent_id in search.agents
    )


class Leaving:
    """Serves one command. The caller holds the sync lock, so that no sync runs meanwhile."""

    def __init__(self, application: Application, *, by: str) -> None:
        self._application = application
        self._store = application.store
        self._by = by
        self._run_id = uuid4().hex
        self._started = application.clock.now()
        self._known = {agent.agent_id: agent for agent in self._store.agents()}

    def keep(self, agents: Iterable[LinkedAgent]) -> tuple[Statement, ...]:
        """Stop their sync, and leave everything as it is. Reaches no remote system."""
        leaving = tuple(agents)
        with self._store.transaction() as tx:
            for agent in leaving:
                self._end(tx, agent, "kept")
        return self.as_they_are(leaving)

    def as_they_are(self, agents: Iterable[LinkedAgent]) -> tuple[Statement, ...]:
        """What `keep` would say of them. Changes nothing."""
        return tuple(_kept(self._store.agent_view(agent.agent_id)) for agent in agents)

    def remove(
        self, search: Search, *, on_statement: Callable[[Statement], None] | None = None
    ) -> tuple[Statement, ...]:
        """Stop the sync of everybody concerned, then remove what was found. One agent's trouble stops no other."""
        by_agent: dict[int, list[Operation]] = {agent_id: [] for agent_id in search.agents}
        for operation in search.removals:
            by_agent[operation.agent_id].append(operation)
        with self._store.transaction() as tx:
            tx.start_run(self._run_id, at=self._started)
            for agent_id, operations in by_agent.items():
                self._end(tx, self._known.get(agent_id) or self._forgotten(agent_id, operations), "removed")
        statements: list[Statement] = []
        reports: list[AgentReport] = []
        for statement in found_statements(search):
            done, report = self._remove_one(statement, by_agent[statement.agent_id], search)
            statements.append(done)
            reports.append(report)
            if on_statement is not None:
                on_statement(done)
        self._finish(reports)
        return tuple(statements)

    # --- one agent -------------------------------------------------------------------------------------------

    def _remove_one(
        self, statement: Statement, operations: list[Operation], search: Search
    ) -> tuple[Statement, AgentReport]:
        application, agent_id = self._application, statement.agent_id
        recorder = self._recorder()
        ledger = self._ledger(agent_id, search)
        settlement = self._settle(recorder, ledger, search)
        applier = Applier(
            self._store,
            application.rdv_solidarites,
            application.accounts,
            recorder.observer,
            recorder,
            application.clock,
            self._run_id,
            engine_settings(application.settings).ceiling,
        )
        done: list[Operation] = []
        problems = [*settlement.problems]
        stopped: set[Side] = set()
        for operation in operations:
            if operation.side in stopped:
                continue
            applied = applier.apply(ledger, operation)
            if applied.outcome is Outcome.DONE:
                done.append(operation)
                continue
            problems.append(applied.problem or _problem(operation, applied))
            if applied.stops_side or applied.outcome in (Outcome.STOPPED, Outcome.CEILING):
                stopped.add(operation.side)
        if settlement.open:  # a removal that was sent before and whose thing is gone now is settled by that
            settlement = self._settle(recorder, ledger, search)
        self._forget_found(agent_id)
        removed = Counter(trace_of(operation) for operation in done)
        told = tuple(dict.fromkeys(problems))
        report = AgentReport(agent_id, done=tuple(done), problems=told, unsettled=settlement.open)
        return replace(statement, removed=removed, unsettled=settlement.open, problems=told), report

    def _forget_found(self, agent_id: int) -> None:
        """Absences that a person typed and that were paired: should the agent come back, they are paired anew."""
        found = [each for each in self._store.agent_view(agent_id).blocks if each.origin is BlockOrigin.FOUND]
        with self._store.transaction() as tx:
            for block in found:
                tx.drop_block(block.absence_id)

    def _ledger(self, agent_id: int, search: Search) -> Ledger:
        ledger = Ledger.of(self._store.agent_view(agent_id))
        ledger.absences.update(
            (absence.id, absence) for absence in search.readable.absences if absence.agent_id == agent_id
        )
        return ledger

    def _settle(self, recorder: Recorder, ledger: Ledger, search: Search) -> Settlement:
        intents = self._store.open_intents(ledger.agent.agent_id)
        settler = Settler(
            store=self._store,
            rdv_solidarites=self._application.rdv_solidarites,
            accounts=self._application.accounts,
            observer=recorder.observer,
            recorder=recorder,
            clock=self._application.clock,
            absences_proven_at=search.readable.absences_proven_at,
        )
        return settler.settle(ledger, intents)

    def _recorder(self) -> Recorder:
        application = self._application
        settings, keys = engine_settings(application.settings), application.keys
        context = PlanContext(
            now=self._started,
            rulebook=settings.rulebook,
            identity=Identity(keys.identity_key, keys.instance_id),
            digest_key=keys.digest_key,
            default_zone=settings.default_zone,
            organisation_zones=settings.organisation_zones,
        )
        horizon = timedelta(days=settings.rulebook.longest_horizon_days)
        patterns = settings.rulebook.patterns
        observer = CalendarObserver(self._store, application.clock, keys.digest_key, horizon, patterns)
        return Recorder(self._store, application.accounts, observer, context, application.clock, self._run_id)

    # --- the sync of an agent --------------------------------------------------------------------------------

    def _forgotten(self, agent_id: int, operations: list[Operation]) -> LinkedAgent:
        """An agent whom the database does not know: what is removed for them has to be journaled as theirs."""
        refs = [operation.ref for operation in operations if operation.ref is not None]
        zone = self._application.settings.rdv_solidarites.time_zone
        return LinkedAgent(agent_id, zone, (), refs[0] if refs else _NOWHERE, AgentState.LEFT)

    def _end(self, tx: Transaction, agent: LinkedAgent, what: str) -> None:
        tx.put_agent(replace(agent, state=AgentState.LEFT))
        tx.drop_matched(agent.agent_id)
        tx.drop_figures(agent.agent_id)
        tx.withdraw_approvals(agent.agent_id)
        tx.replace_holds(agent.agent_id, (), run_id=self._run_id, at=self._started)
        tx.drop_conflicts(agent.agent_id)
        links = [each.id for each in tx.feeds.links_of(Purpose.AGENT, agent.agent_id)]
        revoke(tx, links, at=self._started, by=self._by, why="the agent left")
        tx.journal(
            JournalEntry(
                at=self._started,
                run_id=self._run_id,
                agent_id=agent.agent_id,
                side="gateway",
                action="leave",
                object="agent",
                reference=f"agent {agent.agent_id}",
                rule=f"what was written is {what}",
                fields=("state",),
                by=self._by,
            )
        )

    def _finish(self, reports: list[AgentReport]) -> None:
        now = self._application.clock.now()
        report = RunReport(
            run_id=self._run_id,
            started_at=self._started,
            seconds=(now - self._started).total_seconds(),
            agents=tuple(reports),
        )
        with self._store.transaction() as tx:
            for agent in reports:
                tx.save_agent_result(agent, run_id=self._run_id, at=now, complete=False)
            tx.finish_run(report, at=now)


def _kept(view: AgentView) -> Statement:
    ours = [block for block in view.blocks if block.origin in (BlockOrigin.CREATED, BlockOrigin.ADOPTED)]
    counts = {Trace.COPY: len(view.copies), Trace.BLOCK: len(ours), Trace.MIRROR: len(view.mirrors)}
    return Statement(view.agent.agent_id, found=counts, typed=len(view.blocks) - len(ours))


def _problem(operation: Operation, applied: Applied) -> Problem:
    what, remedy = _WHY_NOT[applied.outcome]
    return Problem(operation.agent_id, "gateway", f"{trace_of(operation).value}: {what}", "it", remedy)
