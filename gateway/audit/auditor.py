"""The audit of many agents: reads everything, compares it, and checks again what would count.

Nothing is written: not to either side, and not to what is observed or agreed. A sync may be at work meanwhile; what it
changes under our eyes is not drift, so an agent is compared again when their state moved, and whatever would count is
looked at a second time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connectors.errors import Addressee, ConnectorError, ITMustAct, RetryLater
from connectors.ports import CalendarAccount, Clock, RdvSolidarites
from gateway.audit.agreement import agreement_findings, touched_by
from gateway.audit.plans import Circumstances, decide, plan_findings, standing_findings
from gateway.audit.read_only import ReadOnlyCalendar, ReadOnlyRdvSolidarites
from gateway.audit.reading import RdvSolidaritesNow, read_calendar, read_rdv_solidarites, view_now
from gateway.audit.shadows import (
    CalendarNow,
    Told,
    absence_findings,
    as_read_next,
    clock_findings,
    differing_events,
    ordinary_reading,
    rdv_findings,
)
from gateway.audit.values import AgentAudit, AuditReport, Cause, Compared, Finding
from gateway.keys import Keyring
from gateway.store.problems import AnotherSync
from gateway.store.store import Store
from gateway.store.values import AgentStatus
from gateway.sync.ceiling import RDV_SOLIDARITES
from gateway.sync.engine import EngineSettings, plan_context
from gateway.sync.observe_calendars import CalendarObserver, reading_scope
from gateway.sync.observe_rdv_solidarites import problem_of
from gateway.sync.values import AgentState, AgentView, CalendarRef, LinkedAgent, Problem

_TIMES = 3
"""How often an agent is compared whose state moves meanwhile."""
_PAUSE = timedelta(seconds=2)
"""Before what would count is looked at again: many servers' marks have a granularity of a second."""
_RUNS_KNOWN = 1_000


@dataclass(frozen=True, slots=True)
class Auditor:
    """Audits agents. `rdv_solidarites` and `accounts` are asked through ports that cannot write."""

    store: Store
    rdv_solidarites: RdvSolidarites
    accounts: Mapping[str, CalendarAccount]
    keys: Keyring
    settings: EngineSettings
    clock: Clock

    def run(
        self,
        agent_ids: Collection[int] | None = None,
        *,
        on_agent: Callable[[AgentAudit], None] | None = None,
    ) -> AuditReport:
        """Audit the agents given, or everybody who is synced. What fails for one agent is told of that one."""
        started = self.clock.now()
        before = self._requests()
        active = self.store.agents(states=(AgentState.FIRST_RUN, AgentState.LIVE))
        agents = [agent for agent in active if agent_ids is None or agent.agent_id in agent_ids]
        audits = {audit.agent_id: audit for audit in self._pass(agents, on_agent)}
        doubtful = [agent for agent in agents if audits[agent.agent_id].drift or audits[agent.agent_id].problems]
        if doubtful:
            self.clock.sleep(_PAUSE.total_seconds())
            for again in self._pass(doubtful, None):
                audits[again.agent_id] = _confirmed(audits[again.agent_id], again)
        spent = Counter(self._requests())
        spent.subtract(before)
        return AuditReport(
            started_at=started,
            seconds=(self.clock.now() - started).total_seconds(),
            agents=tuple(audits[agent.agent_id] for agent in agents),
            requests=tuple(sorted(spent.items())),
        )

    def _requests(self) -> Counter[str]:
        counts = Counter({RDV_SOLIDARITES: self.rdv_solidarites.requests})
        for name, account in self.accounts.items():
            counts[name.partition("/")[0]] += account.requests
        return counts

    # --- everybody -------------------------------------------------------------------------------------------

    def _pass(
        self, agents: Sequence[LinkedAgent], on_agent: Callable[[AgentAudit], None] | None
    ) -> Iterator[AgentAudit]:
        """Compare each once. Each server has its few threads: one that hangs holds up its own agents alone."""
        if not agents:
            return
        try:
            client = ReadOnlyRdvSolidarites(self.rdv_solidarites)
            there = read_rdv_solidarites(client, self.clock.now(), self.settings.backfill_from)
        except ConnectorError as error:
            for agent in agents:
                yield AgentAudit(agent.agent_id, problems=(problem_of(error, agent.agent_id),))
            return
        with ExitStack() as stack:
            pools: dict[str, ThreadPoolExecutor] = {}
            for host in sorted({self._host(agent) for agent in agents}):
                pools[host] = stack.enter_context(ThreadPoolExecutor(self.settings.threads_per_host))
            audit = _AgentAuditor(self, client, there, self._standing()).audit
            waiting = [pools[self._host(agent)].submit(audit, agent) for agent in agents]
            for future in waiting:
                done = future.result()
                if on_agent is not None:
                    on_agent(done)
                yield done

    def _host(self, agent: LinkedAgent) -> str:
        account = self.accounts.get(agent.target.account)
        return account.host if account is not None else ""

    def _standing(self) -> _Standing:
        return _Standing(
            agents={each.agent_id: each for each in self.store.agent_status()},
            runs={row.run_id: row.started_at for row in self.store.runs(_RUNS_KNOWN)},
            sync_running=self._sync_is_running(),
        )

    def _sync_is_running(self) -> bool:
        """A run that never finished may have been killed: then nobody holds the lock."""
        last = self.store.runs(1)
        if not last or last[0].finished_at is not None:
            return False
        try:
            with self.store.sync_lock():
                return False
        except AnotherSync:
            return True


def _confirmed(first: AgentAudit, again: AgentAudit) -> AgentAudit:
    """What counts was there both times. An agent who could be compared once was compared."""
    if first.problems:
        return again
    if again.problems:
        return replace(first, findings=(), problems=again.problems)
    known = {finding.key for finding in first.drift}
    findings = tuple(
        replace(each, cause=Cause.MOVING) if each.cause.is_drift and each.key not in known else each
        for each in again.findings
    )
    return replace(again, findings=findings)


# --- one agent -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Standing:
    """How the last runs left the agents, read once for all. `runs`: when each started."""

    agents: Mapping[int, AgentStatus]
    runs: Mapping[str, datetime]
    sync_running: bool


@dataclass(frozen=True, slots=True)
class _AgentAuditor:
    """Compares agents with one reading of RDV-Solidarités."""

    whole: Auditor
    client: ReadOnlyRdvSolidarites
    there: RdvSolidaritesNow
    standing: _Standing

    def audit(self, agent: LinkedAgent) -> AgentAudit:
        """One agent; never raises for trouble with this one."""
        number = agent.agent_id
        if number not in self.there.visible_agents:
            error = ITMustAct(
                f"agent {number} is no longer visible to the service account",
                system=RDV_SOLIDARITES,
                remedy="Give the service account its rights on this agent back, or withdraw the agent if they left.",
            )
            return AgentAudit(number, problems=(problem_of(error, number),))
        try:
            for _ in range(_TIMES):
                stored = self.whole.store.agent_view(number)
                calendars = [self._calendar(ref, stored) for ref in agent.calendars]
                if self.whole.store.agent_view(number) == stored:
                    return self._compare(stored, calendars)
            raise RetryLater("a sync changes this agent's state all the time", system="gateway")
        except ConnectorError as error:
            return AgentAudit(number, problems=(problem_of(error, number),))
        except Exception as error:  # noqa: BLE001 - one agent's trouble never stops the others; its text may hold anything
            what = f"unexpected {type(error).__name__} while comparing"
            told = Problem(number, "gateway", what, Addressee.MAINTAINERS.value, "Report it.")
            return AgentAudit(number, problems=(told,))

    def _calendar(self, ref: CalendarRef, stored: AgentView) -> CalendarNow:
        """Read one calendar whole; when something differs, ask what an ordinary reading would be told."""
        found = self.whole.accounts.get(ref.account)
        if found is None:
            raise ITMustAct(
                f"account {ref.account!r} is not configured",
                system=ref.account,
                remedy="Add it to [[accounts]] again.",
            )
        account = ReadOnlyCalendar(found)
        observer = self._observer
        state = self.whole.store.calendar_state(ref)
        shadow = {event.href: event for event in stored.events if event.ref == ref}
        now = read_calendar(account, ref, observer)
        scope = reading_scope(self.whole.store, ref, self.whole.clock.now(), observer.horizon)
        told = Told(frozenset())
        if state is not None and differing_events(shadow, now):
            versions = {href: event.version for href, event in shadow.items()}
            told = ordinary_reading(account, ref, state, versions, scope)
        return CalendarNow(ref, shadow, now, state, told, observer.patterns.digest, scope)

    @property
    def _observer(self) -> CalendarObserver:
        whole, book = self.whole, self.whole.settings.rulebook
        horizon = timedelta(days=book.longest_horizon_days)
        host = whole.settings.instance_host
        return CalendarObserver(
            whole.store, whole.clock, whole.keys.digest_key, horizon, book.patterns, instance_host=host
        )

    def _compare(self, stored: AgentView, calendars: Sequence[CalendarNow]) -> AgentAudit:
        agent, whole = stored.agent, self.whole
        events = [event for calendar in calendars for event in calendar.now.values()]
        now = view_now(stored, events, self.there, self.client)
        findings = [found for calendar in calendars for found in calendar.findings(stored)]
        differ = {seen.rdv.id: seen for seen in stored.rdvs} != {seen.rdv.id: seen for seen in now.rdvs}
        digests = self._digests(stored) if differ else {}
        findings += rdv_findings(stored, now, digests, self.there, whole.keys.digest_key)
        findings += absence_findings(stored, now)
        findings += clock_findings(agent.agent_id, _readings(calendars), whole.clock.now())
        following = as_read_next(stored, now, calendars, findings)
        findings += self._of_plans(stored, following, now)
        findings += standing_findings(stored)
        compared = Compared(
            events=len(events),
            rdvs=len(now.rdvs),
            absences=len(now.absences),
            copies=len(stored.copies),
            blocks=len(stored.blocks),
            mirrors=len(stored.mirrors),
        )
        return AgentAudit(agent.agent_id, _each_once(findings), compared=compared)

    def _of_plans(self, stored: AgentView, following: AgentView, now: AgentView) -> Iterator[Finding]:
        whole, agent = self.whole, stored.agent
        context = plan_context(whole.settings, whole.keys, whole.clock.now())
        approvals = whole.store.approvals(agent.agent_id)
        status = self.standing.agents.get(agent.agent_id)
        last_run = self.standing.runs.get(status.last_run_id or "") if status is not None else None
        last = None if last_run is None else decide(stored, replace(context, now=last_run), approvals)
        coming = decide(following, context, approvals)
        real = decide(now, context, approvals)
        circumstances = Circumstances(
            approvals=approvals,
            sync_running=self.standing.sync_running,
            stopped=whole.store.stop() is not None,
            full=frozenset(self._full(agent)),
            failed=status is not None and status.last_problem is not None,
        )
        yield from plan_findings(last, coming, real, circumstances)
        yield from agreement_findings(now, touched_by(real.plan, now), context)

    def _full(self, agent: LinkedAgent) -> Iterator[str]:
        store, now = self.whole.store, self.whole.clock.now()
        for remote in (RDV_SOLIDARITES, agent.target.account.partition("/")[0]):
            if self.whole.settings.ceiling.left(store.written(remote, now=now), now) <= 0:
                yield remote

    def _digests(self, stored: AgentView) -> dict[int, str]:
        """As stored, by RDV."""
        wanted = {seen.rdv.id for seen in stored.rdvs}
        organisations = {seen.rdv.organisation_id for seen in stored.rdvs}
        return {
            each.id: each.digest
            for organisation_id in sorted(organisations)
            for each in self.whole.store.observed_rdvs(organisation_id)
            if each.id in wanted
        }


def _readings(calendars: Iterable[CalendarNow]) -> dict[str, datetime]:
    return {str(calendar.ref): calendar.state.read_at for calendar in calendars if calendar.state is not None}


def _each_once(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The first of those that are alike; those that count before the others."""
    kept = dict.fromkeys(findings)
    return tuple(
        sorted(kept, key=lambda each: (not each.cause.is_drift, each.cause.value, str(each.when), each.reference))
    )
