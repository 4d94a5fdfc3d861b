"""One agent's plan before the guard: what is remembered and seen of their sides, which removals wait for everybody's
plans, and whether the present can be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connectors.ports import CalendarAccount, Clock, RdvSolidarites, TellsTime
from gateway.store.store import Store
from gateway.store.transaction import Transaction
from gateway.sync.guard import context_of, guard
from gateway.sync.guard.clock import clock_trouble
from gateway.sync.guard.deciding import cover_part, is_removal
from gateway.sync.guard.fleet import Tally
from gateway.sync.guard.signs import edited_copies, remembered
from gateway.sync.guard.values import GuardLimits
from gateway.sync.guard.words import what
from gateway.sync.planning import PlanContext
from gateway.sync.values import (
    Action,
    AgentView,
    Guarded,
    Held,
    HoldReason,
    LinkedAgent,
    Operation,
    Plan,
    Problem,
    Sign,
)


@dataclass(frozen=True, slots=True)
class Judged:
    """A plan after the guard, and what the guard knew."""

    view: AgentView
    plan: Plan
    signs: tuple[Sign, ...]
    approvals: frozenset[str]
    guarded: Guarded

    def remember(self, tx: Transaction, *, complete: bool) -> None:
        """What is not over by now holds in the next run too. `complete`: all of RDV-Solidarités was read."""
        reasons = {each.reason for each in self.guarded.held}
        moves = [each.operation.digest for each in self.guarded.held if each.operation.action is Action.ACCEPT]
        kept = remembered(self.view, self.signs, reasons, doubted=moves if complete else None)
        tx.put_history(self.view.agent.agent_id, kept)


@dataclass(frozen=True, slots=True)
class Judge:
    """Of one run. Safe to use for several agents at once. `last_instant`: of the runs before."""

    store: Store
    context: PlanContext
    limits: GuardLimits
    tally: Tally
    last_instant: datetime | None

    def wrong_clock(
        self, agent: LinkedAgent, clock: Clock, source: RdvSolidarites, accounts: Mapping[str, CalendarAccount]
    ) -> Problem | None:
        """Why nothing of this agent's is decided now, if our clock cannot be believed."""
        told = (_offset(source), _offset(accounts.get(agent.target.account)))
        offsets = [offset for offset in told if offset is not None]
        trouble = clock_trouble(clock.now(), self.last_instant, offsets, self.limits.clock_tolerance)
        if trouble is None:
            return None
        return Problem(
            agent.agent_id,
            "clock",
            f"{trouble}: what is past and what is near cannot be told, so nothing is decided",
            "it",
            "Set this machine's clock (NTP); or raise limits.clock_tolerance_minutes if the servers' clocks are wrong.",
        )

    def judge(self, view: AgentView, plan: Plan, everywhere: Sign | None) -> Judged:
        """`everywhere`: what is wrong with RDV-Solidarités as a whole."""
        agent = view.agent
        if everywhere is not None and all(sign.reason is not everywhere.reason for sign in view.history.signs):
            known = view.history
            view = replace(view, history=replace(known, signs=(*known.signs, everywhere)))
        edited = [copy.rdv_id for copy in edited_copies(view)]
        earlier = self.store.left_before(agent.agent_id, edited) if edited else {}
        approvals = self.store.approvals(agent.agent_id)
        context = context_of(view, plan, approvals, self.context.rules(agent), earlier=earlier)
        return Judged(view, plan, context.signs, approvals, guard(plan, context))

    def put_off(self, judged: Judged) -> tuple[list[Operation], list[Operation]]:
        """What may run at once; and what waits until everybody's plan is known: in a large run, removals that nobody
        approved, since too many agents may lose something."""
        self.tally.note(judged.view.agent.agent_id, judged.plan.operations, judged.approvals)
        operations = judged.guarded.allowed
        if not self.tally.watches:
            return list(operations), []
        waits = [is_removal(each) and each.digest not in judged.approvals for each in operations]
        now = [each for each, later in zip(operations, waits, strict=True) if not later]
        return now, [each for each, later in zip(operations, waits, strict=True) if later]

    def hold_removals(self, judged: Judged, rest: Sequence[Operation]) -> tuple[Judged, tuple[Operation, ...]]:
        """When too many agents would lose something: what is held besides, and what of `rest` goes on."""
        if not (self.tally.watches and self.tally.trips):
            return judged, tuple(rest)
        explanation = f"{what(HoldReason.MANY_AGENTS)} ({self.tally.explanation})"
        going_on: list[Operation] = []
        held: list[Held] = []
        for operation in rest:
            if not is_removal(operation) or operation.digest in judged.approvals:
                going_on.append(operation)
                continue
            cover, waiting = cover_part(operation, HoldReason.MANY_AGENTS)
            going_on.extend(cover)
            held.append(Held(waiting, HoldReason.MANY_AGENTS, explanation))
        waiting_before = set(rest)
        done = [each for each in judged.guarded.allowed if each not in waiting_before]
        guarded = replace(judged.guarded, allowed=(*done, *going_on), held=(*judged.guarded.held, *held))
        return replace(judged, guarded=guarded), tuple(going_on)


def _offset(remote: object) -> timedelta | None:
    """How far a remote's clock is ahead of ours, if it told."""
    return remote.clock_offset if isinstance(remote, TellsTime) else None
