"""A trial of other rules over what was last read, for many agents.

What was never asked before is read live, in memory; nothing is written anywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from connectors.errors import ConnectorError
from connectors.ports import CalendarAccount, RdvSolidarites
from connectors.records import Rdv, RdvSelection
from gateway.agents.enrolling import Refused, attempt
from gateway.rules.book import RuleBook
from gateway.rules.rereading import either, read_events, read_rdvs, unread_calendars, with_events, with_rdvs
from gateway.rules.simulating import Simulation, simulate
from gateway.store.store import Store
from gateway.sync.observe_calendars import CalendarObserver
from gateway.sync.planning import PlanContext
from gateway.sync.values import AgentView, CalendarRef, LinkedAgent, Problem, SeenEvent


@dataclass(frozen=True, slots=True)
class TrialReport:
    """What came of it. `reread`: how many calendars were read live; `rdvs_reread`: whether RDVs were; `requests`: that
    this took, by system. `problems`: why an agent is missing."""

    agents: tuple[Simulation, ...]
    reread: int
    rdvs_reread: bool
    requests: Mapping[str, int]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """The saved rules (of `before`) and `other` ones over the same state of the store, at the same instant.

    `observer` asks events about what either book wants to know. `client` makes one that lets these fields of usagers
    through; it is closed here. `threads`: how many agents at a time, since calendars may have to be read.
    """

    store: Store
    accounts: Mapping[str, CalendarAccount]
    before: PlanContext
    other: RuleBook
    observer: CalendarObserver
    client: Callable[[RdvSelection], RdvSolidarites]
    threads: int

    def run(self, agents: Sequence[LinkedAgent], one_done: Callable[[object], None]) -> TrialReport:
        """`one_done` is called from worker threads. Raises `ConnectorError` when RDVs have to be read and cannot."""
        before = self._calendar_requests()
        rdvs, asked = self._rdvs()

        def step(agent: LinkedAgent) -> tuple[Simulation, int]:
            done = self._one(agent, rdvs)
            one_done(agent)
            return done

        answers = attempt(step, agents, self.threads)
        requests = self._calendar_requests()
        requests.subtract(before)
        requests["rdv_solidarites"] = asked
        done = [answer for answer in answers if isinstance(answer, tuple)]
        return TrialReport(
            agents=tuple(simulation for simulation, _ in done),
            reread=sum(reread for _, reread in done),
            rdvs_reread=asked > 0,
            requests={name: count for name, count in sorted(requests.items()) if count},
            problems=tuple(
                _problem(agent, answer)
                for agent, answer in zip(agents, answers, strict=True)
                if not isinstance(answer, tuple)
            ),
        )

    def _one(self, agent: LinkedAgent, rdvs: Mapping[int, Rdv]) -> tuple[Simulation, int]:
        """Raises `ConnectorError` when a calendar cannot be read, `Refused` when none was ever read."""
        store = self.store
        if any(store.calendar_state(ref) is None for ref in agent.calendars):
            raise Refused(
                f"The calendars of agent {agent.agent_id} were not read yet.", remedy="Run `rdv-gateway plan` first."
            )
        saved = self.before.rulebook
        view = store.agent_view(agent.agent_id)
        unread = tuple(unread_calendars(agent, store, (saved, self.other), saved.patterns))
        view = with_events(view, {ref: self._read(view, ref) for ref in unread})
        after = replace(self.before, rulebook=self.other)
        approvals = store.approvals(agent.agent_id)
        found = simulate(with_rdvs(view, rdvs), self.before, after, approvals=approvals)
        return found, len(unread)

    def _read(self, view: AgentView, ref: CalendarRef) -> tuple[SeenEvent, ...]:
        account = self.accounts.get(ref.account)
        if account is None:
            raise Refused(f"There is no account {ref.account}.", remedy="Add it to [[accounts]] again.")
        return read_events(account, ref, self.observer, [event for event in view.events if event.ref == ref])

    def _rdvs(self) -> tuple[dict[int, Rdv], int]:
        """RDVs anew, and how many requests that took, when the other rules show something that was never read."""
        saved, wanted = self.before.rulebook.selection, self.other.selection
        if not (wanted.usager_fields - saved.usager_fields or (wanted.context and not saved.context)):
            return {}, 0
        with closing(self.client(either(saved, wanted))) as client:
            return read_rdvs(client, self.store), client.requests

    def _calendar_requests(self) -> Counter[str]:
        counts: Counter[str] = Counter()
        for name, account in self.accounts.items():
            counts[name.partition("/")[0]] += account.requests
        return counts


def _problem(agent: LinkedAgent, error: Refused | ConnectorError) -> Problem:
    if isinstance(error, Refused):
        return Problem(agent.agent_id, "gateway", str(error), "it", error.remedy)
    return Problem(agent.agent_id, error.system, str(error), error.addressee.value, error.remedy)
