"""A run: observe both sides once for everybody, then plan, guard, apply and record for each agent.

A service reads RDV-Solidarités by itself (`Engine.read_rdv_solidarites`), and gives that reading to many small runs.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
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
from gateway.sync.guard.fleet import Losses, Tally
from gateway.sync.guard.values import GuardLimits
from gateway.sync.judging import Judge
from gateway.sync.observe_calendars import CalendarObserver
from gateway.sync.observe_rdv_solidarites import RdvSolidaritesObserver, RdvSolidaritesReading, ReadingSettings
from gateway.sync.outages import Outage, resting
from gateway.sync.planning import PlanContext
from gateway.sync.resting import Resting
from gateway.sync.steps import Watcher, watched
from gateway.sync.values import AgentReport, AgentState, HoldReason, LinkedAgent, RunReport
from mappings.identity import Identity

_LOG = structlog.get_logger(__name__)
_AT_ONCE = timedelta(minutes=30)
"""What agents would lose within this time counts as lost at once, when runs are small."""


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


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Of one run. `last_instant`: of the runs before. `reading`: that was given to it."""

    tally: Tally
    last_instant: datetime | None
    reading: RdvSolidaritesReading | None
    dry_run: bool


class Engine:
    """Runs syncs. The caller holds the sync lock; runs of one process on different agents may go on side by side.

    `pools` makes the executor for one server, by name; None: a few threads each. `counter`: by which a database of an
    earlier day is known for one. `watcher` is told of every step.
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
        watcher: Watcher | None = None,
    ) -> None:
        self._store = store
        self._watcher = watcher
        self._counter = counter or NoRunCounter()
        self._rdv_solidarites = rdv_solidarites
        self._accounts = accounts
        self._keys = keys
        self._settings = settings
        self._clock = clock
        self._new_id = new_id
        self._resting = Resting()
        self._runs = 0  # known to have been counted
        self._pools = pools or partial(ThreadPoolExecutor, settings.threads_per_host)
        self._halted = threading.Event()
        self._losses = Losses(_AT_ONCE)
        self._losses_known = False
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
        reading: RdvSolidaritesReading | None = None,
    ) -> RunReport:
        """Sync the enrolled agents (or those given). A dry run observes and stops after the guard.

        `on_report` is called from worker threads, once per agent, as soon as it is done. `reading`: an earlier one of
        RDV-Solidarités, which is not read then. Such a run is one of many small ones: it leaves no row when it found
        nothing, what too many agents lose at once is judged over all of them, and requests are not told by run.
        """
        run_id = self._new_id()
        with watched(self._watcher, run_id):
            report = self._run(run_id, agent_ids, reading, dry_run=dry_run, on_report=on_report)
            if self._watcher is not None:
                self._watcher.ended(report)
            # Small runs that did nothing come by the thousand.
            say = _LOG.debug if reading is not None and not _is_news(report) else _LOG.info
            say("run finished", agents=len(report.agents), seconds=round(report.seconds, 3), dry_run=dry_run)
        return report

    def _run(
        self,
        run_id: str,
        agent_ids: Collection[int] | None,
        reading: RdvSolidaritesReading | None,
        *,
        dry_run: bool,
        on_report: Callable[[AgentReport], None] | None,
    ) -> RunReport:
        started = self._clock.now()
        requests_before = self._requests()
        active = self._store.agents(states=(AgentState.FIRST_RUN, AgentState.LIVE))
        outages = self._store.outages()
        away = resting(active, outages, started, host=self.host)
        chosen = tuple(agent for agent in active if agent_ids is None or agent.agent_id in agent_ids)
        agents = tuple(agent for agent in chosen if agent.agent_id not in away)
        last_instant = self._store.last_instant()
        runs = max(self._runs, self._counter.highest())
        if self._store.run_count() < runs:
            self._resting.forget()  # the database is that of an earlier day: what it counts since is something else
        with self._store.transaction() as tx:
            count = count_run(self._store, tx, self._counter, [agent.agent_id for agent in active])
            tx.start_run(run_id, at=started, dry_run=dry_run)
        self._counter.note(count)
        self._runs = count
        tally = Tally(_live(agents), self._settings.guard)
        if reading is not None:
            tally = self._small_tally(started, active)
        runner = self._runner(run_id, started, agents, Circumstances(tally, last_instant, reading, dry_run=dry_run))
        everybody = frozenset(agent.agent_id for agent in active)
        steps = Steps(
            read_rdv_solidarites=partial(self._reading, run_id, everybody, reading, agents),
            calendars_to_read=self._calendars.to_read,
            read_calendar=partial(self._calendars.read, run_id=run_id),
            work=runner.work,
            grant=self._grant,
            resume=runner.resume,
            failed=runner.failed,
            halted=self._halted.is_set,
        )
        fleet = Fleet(agents, self._accounts, steps, pools=self._pools, on_report=on_report)
        reports, problems = fleet.run() if agents else ((), ())
        finished = self._clock.now()
        report = RunReport(
            run_id=run_id,
            started_at=started,
            seconds=(finished - started).total_seconds(),
            agents=reports,
            problems=problems,
            requests=self._spent(requests_before) if reading is None else (),
            dry_run=dry_run,
            stop=self._store.stop(),
            told=(*self._store.told(), *_told(outages, started, len(chosen) - len(agents))),
        )
        with self._store.transaction() as tx:
            if reading is None:
                tx.finish_run(report, at=finished)
            else:
                tx.finish_small_run(report, at=finished)
            for complete, rested in runner.rested.items():
                tx.save_unchanged(rested, run_id=run_id, at=finished, complete=complete, as_of=runner.as_of)
            forget_what_is_over(self._store, tx)
        return report

    def read_rdv_solidarites(self) -> RdvSolidaritesReading:
        """One reading for the runs that follow. Raises `ConnectorError` when it cannot be read.

        A problem that it met is told in a run without agents.
        """
        run_id, started, requests_before = self._new_id(), self._clock.now(), self._requests()
        active = self._store.agents(states=(AgentState.FIRST_RUN, AgentState.LIVE))
        with watched(self._watcher, run_id):
            reading = self._reader(run_id).read(frozenset(agent.agent_id for agent in active))
        if reading.problems:
            now = self._clock.now()
            report = RunReport(
                run_id, started, (now - started).total_seconds(), (), reading.problems, self._spent(requests_before)
            )
            with self._store.transaction() as tx:
                tx.start_run(run_id, at=started)
                tx.finish_run(report, at=now)
        return reading

    def halt(self) -> None:
        """Let runs end soon: between two writes, and without those agents who were not begun."""
        self._halted.set()

    def go_on(self) -> None:
        """After `halt`, once those runs have ended: runs may go on to their end again."""
        self._halted.clear()

    def host(self, account: str) -> str:
        """The server of an account, by its name; "" for one that is not configured."""
        found = self._accounts.get(account)
        return found.host if found else ""

    def _reading(
        self,
        run_id: str,
        everybody: frozenset[int],
        given: RdvSolidaritesReading | None,
        agents: Collection[LinkedAgent],
    ) -> RdvSolidaritesReading:
        # The problems of one that is given were told with it.
        reading = self._reader(run_id).read(everybody) if given is None else replace(given, problems=())
        return replace(reading, counts=self._store.change_counts(agents))

    def _small_tally(self, started: datetime, active: tuple[LinkedAgent, ...]) -> Tally:
        """Over the runs of the last while. Who was held for it before this process began counts as well."""
        if not self._losses_known:
            for held in self._store.holds():
                if held.reason is HoldReason.MANY_AGENTS:
                    self._losses.note(held.agent_id, started)
            self._losses_known = True
        return Tally(_live(active), self._settings.guard, before=self._losses, started=started)

    def _spent(self, before: Counter[str]) -> tuple[tuple[str, int], ...]:
        requests = Counter(self._requests())
        requests.subtract(before)
        return tuple(sorted((name, requests[name]) for name in requests))

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
        circumstances: Circumstances,
    ) -> AgentRunner:
        context, limits = plan_context(self._settings, self._keys, started), self._settings.guard
        return AgentRunner(
            store=self._store,
            rdv_solidarites=self._rdv_solidarites,
            accounts=self._accounts,
            observer=self._calendars,
            context=context,
            clock=self._clock,
            run_id=run_id,
            started=started,
            dry_run=circumstances.dry_run,
            ceiling=self._settings.ceiling,
            shares=self._shares(agents),
            judge=Judge(self._store, context, limits, circumstances.tally, circumstances.last_instant),
            resting=self._resting,
            rested={True: [], False: []},
            halted=self._halted.is_set,
            as_of=circumstances.reading.asked_at if circumstances.reading is not None else None,
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


def _is_news(report: RunReport) -> bool:
    return bool(report.problems) or any(each.done or each.problems for each in report.agents)


def _live(agents: Iterable[LinkedAgent]) -> int:
    return sum(agent.state is AgentState.LIVE for agent in agents)


def _told(outages: Iterable[Outage], now: datetime, waiting: int) -> Iterator[str]:
    """Why nothing was read of some agents."""
    systems = [outage.system for outage in outages if outage.is_on(now)]
    if systems:
        yield f"an outage of {', '.join(systems)} is declared: {waiting} agents wait, and nothing of theirs is judged"
    elif waiting:
        yield f"{waiting} agents come back from an outage, one after the other"
