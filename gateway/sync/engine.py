"""A run: observe both sides once for everybody, then plan, guard, apply and record for each agent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import structlog

from connectors.ports import CalendarAccount, Clock, RdvSolidarites
from gateway.keys import Keyring
from gateway.rules.book import RuleBook
from gateway.store.store import Store
from gateway.sync.agent_run import AgentRunner, Unfinished
from gateway.sync.ceiling import RDV_SOLIDARITES, Ceiling, even_share, nearest_first, writes_by_remote
from gateway.sync.epoch import NoRunCounter, RunCounter, count_run, forget_what_is_over
from gateway.sync.fleet import Fleet, Steps
from gateway.sync.guard.fleet import Tally
from gateway.sync.guard.values import GuardLimits
from gateway.sync.judging import Judge
from gateway.sync.observe_calendars import CalendarObserver
from gateway.sync.observe_rdv_solidarites import RdvSolidaritesObserver, ReadingSettings
from gateway.sync.outages import Outage, resting
from gateway.sync.planning import PlanContext
from gateway.sync.values import AgentReport, AgentState, LinkedAgent, RunReport
from mappings.identity import Identity

_LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """The département's choices. `backfill_from`: first day of RDVs to copy, None = 1 January of this year."""

    rulebook: RuleBook
    default_zone: ZoneInfo
    organisation_zones: Mapping[int, ZoneInfo] = field(default_factory=dict)
    backfill_from: date | None = None
    far_interval: timedelta = timedelta(hours=6)
    threads_per_host: int = 4
    ceiling: Ceiling = field(default_factory=Ceiling)
    instance_host: str = ""  # of RDV-Solidarités
    guard: GuardLimits = field(default_factory=GuardLimits)


def plan_context(settings: EngineSettings, keys: Keyring, now: datetime) -> PlanContext:
    """What every plan is given beside the agent's view, at this instant."""
    return PlanContext(
        now=now,
        rulebook=settings.rulebook,
        identity=Identity(keys.identity_key, keys.instance_id),
        digest_key=keys.digest_key,
        default_zone=settings.default_zone,
        organisation_zones=settings.organisation_zones,
    )


class Engine:
    """Runs syncs. One run at a time per database: the caller holds the sync lock.

    `pools` makes the executor for one server, by name; None: a few threads each. `counter`: by which a database of an
    earlier day is known for one.
    """

    def __init__(
        self,
        *,
        store: Store,
        rdv_solidarites: RdvSolidarites,
        accounts: Mapping[str, CalendarAccount],
        keys: Keyring,
        settings: EngineSettings,
        clock: Clock,
        new_id: Callable[[], str],
        pools: Callable[[str], Executor] | None = None,
        counter: RunCounter | None = None,
    ) -> None:
        self._store = store
        self._counter = counter or NoRunCounter()
        self._rdv_solidarites = rdv_solidarites
        self._accounts = accounts
        self._keys = keys
        self._settings = settings
        self._clock = clock
        self._new_id = new_id
        self._pools = pools or partial(ThreadPoolExecutor, settings.threads_per_host)
        rulebook = settings.rulebook
        horizon = timedelta(days=rulebook.longest_horizon_days)
        self._calendars = CalendarObserver(
            store, clock, keys.digest_key, horizon, rulebook.patterns, instance_host=settings.instance_host
        )

    @property
    def calendars(self) -> CalendarObserver:
        """How calendars are seen under the rules in force."""
        return self._calendars

    def run(
        self,
        agent_ids: Collection[int] | None = None,
        *,
        dry_run: bool = False,
        on_report: Callable[[AgentReport], None] | None = None,
    ) -> RunReport:
        """Sync the enrolled agents (or those given). A dry run observes and stops after the guard.

        `on_report` is called from worker threads, once per agent, as soon as it is done.
        """
        started = self._clock.now()
        run_id = self._new_id()
        requests_before = self._requests()
        active = self._store.agents(states=(AgentState.FIRST_RUN, AgentState.LIVE))
        outages = self._store.outages()
        away = resting(active, outages, started, host=self._host)
        chosen = tuple(agent for agent in active if agent_ids is None or agent.agent_id in agent_ids)
        agents = tuple(agent for agent in chosen if agent.agent_id not in away)
        last_instant = self._store.last_instant()
        with self._store.transaction() as tx:
            count = count_run(self._store, tx, self._counter, [agent.agent_id for agent in active])
            tx.start_run(run_id, at=started, dry_run=dry_run)
        self._counter.note(count)
        runner = self._runner(run_id, started, agents, last_instant, dry_run=dry_run)
        steps = Steps(
            read_rdv_solidarites=partial(self._reader(run_id).read, frozenset(agent.agent_id for agent in active)),
            read_calendar=partial(self._calendars.read, run_id=run_id),
            work=runner.work,
            grant=self._grant,
            resume=runner.resume,
            failed=runner.failed,
        )
        fleet = Fleet(agents, self._accounts, steps, pools=self._pools, on_report=on_report)
        reports, problems = fleet.run() if agents else ((), ())
        finished = self._clock.now()
        requests = Counter(self._requests())
        requests.subtract(requests_before)
        report = RunReport(
            run_id=run_id,
            started_at=started,
            seconds=(finished - started).total_seconds(),
            agents=reports,
            problems=problems,
            requests=tuple(sorted((name, requests[name]) for name in requests)),
            dry_run=dry_run,
            stop=self._store.stop(),
            told=(*self._store.told(), *_told(outages, started, len(chosen) - len(agents))),
        )
        with self._store.transaction() as tx:
            tx.finish_run(report, at=finished)
            forget_what_is_over(self._store, tx)
        _LOG.info("run finished", run_id=run_id, agents=len(reports), seconds=report.seconds, dry_run=dry_run)
        return report

    def _host(self, account: str) -> str:
        found = self._accounts.get(account)
        return found.host if found else ""

    def _requests(self) -> Counter[str]:
        """By section of the configuration: the parts of one that serves many agents are counted together."""
        counts = Counter({"rdv_solidarites": self._rdv_solidarites.requests})
        for name, account in self._accounts.items():
            counts[name.partition("/")[0]] += account.requests
        return counts

    def _left(self, remote: str) -> int:
        """How many more writes this remote gets in this clock hour."""
        now = self._clock.now()
        return self._settings.ceiling.left(self._store.written(remote, now=now), now)

    def _grant(self, unfinished: tuple[Unfinished, ...]) -> Mapping[int, Mapping[str, int]]:
        """What is left of each remote's writes, to the nearest dates of the whole fleet."""
        queues = {each.agent.agent_id: each.rest for each in unfinished}
        remotes = writes_by_remote(operation for queue in queues.values() for operation in queue)
        left = {remote: self._left(remote) for remote in remotes}
        return nearest_first(queues, left, self._clock.now().date())

    def _shares(self, agents: tuple[LinkedAgent, ...]) -> dict[str, int]:
        """What each agent may write at once, by remote."""
        sharing = Counter(agent.target.account for agent in agents) + Counter({RDV_SOLIDARITES: len(agents)})
        return {remote: even_share(self._left(remote), count) for remote, count in sharing.items()}

    def _runner(
        self,
        run_id: str,
        started: datetime,
        agents: tuple[LinkedAgent, ...],
        last_instant: datetime | None,
        *,
        dry_run: bool,
    ) -> AgentRunner:
        context, limits = plan_context(self._settings, self._keys, started), self._settings.guard
        live = sum(agent.state is AgentState.LIVE for agent in agents)
        return AgentRunner(
            store=self._store,
            rdv_solidarites=self._rdv_solidarites,
            accounts=self._accounts,
            observer=self._calendars,
            context=context,
            clock=self._clock,
            run_id=run_id,
            started=started,
            dry_run=dry_run,
            ceiling=self._settings.ceiling,
            shares=self._shares(agents),
            judge=Judge(self._store, context, limits, Tally(live, limits), last_instant),
        )

    def _reader(self, run_id: str) -> RdvSolidaritesObserver:
        settings = ReadingSettings(
            horizon_days=self._settings.rulebook.longest_horizon_days,
            backfill_from=self._settings.backfill_from,
            far_interval=self._settings.far_interval,
            selection=self._settings.rulebook.selection,
        )
        return RdvSolidaritesObserver(
            client=self._rdv_solidarites,
            store=self._store,
            clock=self._clock,
            settings=settings,
            digest_key=self._keys.digest_key,
            run_id=run_id,
        )


def _told(outages: Iterable[Outage], now: datetime, waiting: int) -> Iterator[str]:
    """Why nothing was read of some agents."""
    systems = [outage.system for outage in outages if outage.is_on(now)]
    if systems:
        yield f"an outage of {', '.join(systems)} is declared: {waiting} agents wait, and nothing of theirs is judged"
    elif waiting:
        yield f"{waiting} agents come back from an outage, one after the other"
