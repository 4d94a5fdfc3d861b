"""Starts runs for those who are due. It knows nothing of what a run does.

Each lane (`fleet_map`) has two places: one for the groups that are due by the clock, one for agents of whom something
changed, so that a change never waits for a round of polling. RDV-Solidarités is read by `read`, a job of its own.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from connectors.errors import Addressee, ConnectorError
from connectors.ports import Clock
from gateway.scheduling import schedule
from gateway.scheduling.delays import Delays, Direction
from gateway.scheduling.fleet_map import FleetMap, Lane, fleet_map
from gateway.scheduling.schedule import Outcome, Pace, Standing
from gateway.store.store import Store
from gateway.sync.fleet import place_of
from gateway.sync.observe_rdv_solidarites import RdvSolidaritesReading
from gateway.sync.values import AgentReport, AgentState, ObjectKind, RunReport, Side

_LOG = structlog.get_logger(__name__)
_MAP_LASTS = timedelta(seconds=10)
_SECOND = timedelta(seconds=1)
_CATCHING_UP = 4
"""Groups that are overdue, as after a stop, are looked at this many times as fast as usual, and no faster."""
_PROBE = timedelta(seconds=15)
"""So often one group of a server that is away is tried before its time, so that its return is noticed soon. While the
connector leaves the server alone, no request comes of it."""
_READING_LASTS = timedelta(minutes=15)
"""Runs go on with a reading of RDV-Solidarités of so long ago, when newer ones fail; then they wait for one."""


class Syncs(Protocol):
    """What the conductor needs of `gateway.sync.engine.Engine`."""

    def run(
        self,
        agent_ids: Collection[int] | None = None,
        *,
        on_report: Callable[[AgentReport], None] | None = None,
        reading: RdvSolidaritesReading | None = None,
    ) -> RunReport: ...

    def read_rdv_solidarites(self) -> RdvSolidaritesReading: ...

    def host(self, account: str) -> str: ...

    def halt(self) -> None: ...

    def go_on(self) -> None: ...


@dataclass(frozen=True, slots=True)
class BackedOff:
    """A group that is asked less often since its runs fail. `away`: for something that passes by itself."""

    agent_ids: frozenset[int]
    failures: int
    away: bool
    due: datetime


@dataclass(frozen=True, slots=True)
class Situation:
    """What the conductor is at, for `status` and metrics. `reading_at`: of the last good one of RDV-Solidarités.
    `ticked_at`: when it last looked for what is due."""

    groups: int
    agents: int
    overdue: int
    asked: int
    running: int
    backed_off: tuple[BackedOff, ...]
    reading_at: datetime | None
    reading_failures: int
    reading_due: datetime
    ticked_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Run:
    """One that is under way. `left`: agents without a report yet. `asked`: since when some are waited for."""

    lane: Lane
    keys: frozenset[str]  # of groups that were due by the clock; empty: for agents who were asked for
    left: set[int]
    asked: dict[int, datetime]
    started: datetime


@dataclass(slots=True)
class _Reading:
    due: datetime
    last: RdvSolidaritesReading | None = None
    at: datetime | None = None
    failures: int = 0
    busy: bool = field(default=False)


class Conductor:
    """Thread-safe. `tick` and `read` are called by the clock; `at_once` by whoever knows of a change.

    `chance` gives numbers from 0 to 1. `batch`: about how many agents a run is made for.
    """

    def __init__(
        self,
        *,
        engine: Syncs,
        store: Store,
        clock: Clock,
        pace: Pace,
        reading_interval: timedelta,
        delays: Delays,
        chance: Callable[[], float],
        executor: Executor,
        batch: int = 32,
    ) -> None:
        self._engine = engine
        self._store = store
        self._clock = clock
        self._pace = pace
        self._reading_interval = reading_interval
        self._delays = delays
        self._chance = chance
        self._executor = executor
        self._batch = batch
        self._lock = threading.Lock()
        self._quiet = threading.Condition(self._lock)
        self._map: FleetMap | None = None
        self._ticked_at: datetime | None = None
        self._mapped_at = clock.now()
        self._standings: dict[str, Standing] = {}
        self._asked: dict[int, datetime] = {}
        self._looked: dict[int, datetime] = {}
        self._runs: list[_Run] = []
        self._next_round: dict[Lane, datetime] = {}
        self._rounds: dict[Lane, datetime] = {}  # when the last one began
        self._reading = _Reading(clock.now())
        self._open = True

    # --- what others call ------------------------------------------------------------------------------------

    def at_once(self, agent_ids: Iterable[int], *, since: datetime | None = None) -> None:
        """Something of these agents changed, known `since` then: each is synced now, or right after its run ends."""
        now = self._clock.now()
        with self._lock:
            for agent_id in agent_ids:
                self._asked[agent_id] = min(since or now, self._asked.get(agent_id, now))
        self.tick()

    def tick(self) -> None:
        """Start what is due."""
        now = self._clock.now()
        with self._lock:
            self._ticked_at = now
            if not self._open:
                return
            self._look_at_fleet(now)
            reading = self._reading.last
            if reading is None or self._reading.at is None or now - self._reading.at > _READING_LASTS:
                return
            started = [*self._asked_runs(now), *self._due_runs(now)]
        for run in started:
            self._executor.submit(self._conduct, run, reading)

    def read(self) -> None:
        """Read RDV-Solidarités if that is due, and have those of whom something changed synced at once."""
        now = self._clock.now()
        with self._lock:
            if not self._open or self._reading.busy or now < self._reading.due:
                return
            self._reading.busy = True
        reading = None
        try:
            reading = self._engine.read_rdv_solidarites()
        except ConnectorError as error:
            _LOG.warning("RDV-Solidarités cannot be read", reason=str(error), addressee=error.addressee.value)
        except Exception as error:  # noqa: BLE001 - its text may hold anything: only kind and place are told
            _LOG.error("reading RDV-Solidarités failed", kind=type(error).__name__, place=place_of(error))
        self._note_reading(reading)

    def read_soon(self) -> None:
        """The next `read` is due: a webhook could not be applied by itself."""
        with self._lock:
            self._reading.due = min(self._reading.due, self._clock.now())

    def pace_reading(self, interval: timedelta) -> None:
        """How often RDV-Solidarités is read from now on: rarely while webhooks tell of changes."""
        with self._lock:
            if interval < self._reading_interval:
                self._reading.due = min(self._reading.due, self._clock.now() + interval)
            self._reading_interval = interval

    def drain(self, seconds: float | None) -> bool:
        """Start nothing more, let runs end between two writes, and wait for that; False when some have not by then."""
        with self._quiet:
            self._open = False
            self._engine.halt()
            return self._quiet.wait_for(lambda: not self._runs and not self._reading.busy, seconds)

    def go_on(self) -> None:
        """After a `drain` to its end. Another process may have written meanwhile: RDV-Solidarités is read first."""
        with self._lock:
            self._engine.go_on()
            self._map, self._reading.last, self._reading.due = None, None, self._clock.now()
            self._open = True

    @property
    def situation(self) -> Situation:
        """As it is now."""
        now = self._clock.now()
        with self._lock:
            groups = self._map.groups if self._map is not None else {}
            backed_off = [
                BackedOff(groups[key].agent_ids, each.failures, each.away, each.due)
                for key, each in self._standings.items()
                if each.failures and key in groups
            ]
            return Situation(
                groups=len(groups),
                agents=len(self._map.group_of) if self._map is not None else 0,
                overdue=sum(each.due <= now for each in self._standings.values()),
                asked=len(self._asked),
                running=len(self._runs),
                backed_off=tuple(sorted(backed_off, key=lambda each: (each.due, min(each.agent_ids)))),
                reading_at=self._reading.at,
                reading_failures=self._reading.failures,
                reading_due=self._reading.due,
                ticked_at=self._ticked_at,
            )

    # --- who is due ------------------------------------------------------------------------------------------

    def _look_at_fleet(self, now: datetime) -> None:
        """Take up who was enrolled, and let go who left."""
        if self._map is not None and now - self._mapped_at < _MAP_LASTS:
            return
        agents = self._store.agents((AgentState.FIRST_RUN, AgentState.LIVE))
        self._map, self._mapped_at = fleet_map(agents, self._engine.host), now
        self._standings = {
            key: self._standings.get(key) or schedule.first(key, now, self._pace) for key in self._map.groups
        }
        here = self._map.group_of.keys()
        self._asked = {agent_id: since for agent_id, since in self._asked.items() if agent_id in here}
        self._looked = {agent_id: at for agent_id, at in self._looked.items() if agent_id in here}

    def _asked_runs(self, now: datetime) -> list[_Run]:
        """For each lane whose place for that is free, those of whom something changed."""
        if self._map is None or not self._asked:
            return []
        taken = {run.lane for run in self._runs if not run.keys}
        busy = self._busy()
        chosen: dict[Lane, set[int]] = {}
        for agent_id in sorted(self._asked, key=lambda each: self._asked[each]):
            group = self._map.group_of.get(agent_id)
            if group is None or group.lane in taken or self._standings[group.key].away:
                continue
            cell, members = self._map.cell_of[agent_id], chosen.setdefault(group.lane, set())
            if not cell & busy and len(members) < self._batch:
                members |= cell
        return [self._begin(lane, frozenset(), members, now) for lane, members in chosen.items() if members]

    def _due_runs(self, now: datetime) -> list[_Run]:
        """For each lane whose place for that is free, the groups that have been due for longest."""
        if self._map is None:
            return []
        taken = {run.lane for run in self._runs if run.keys}
        taken |= {lane for lane, due in self._next_round.items() if due > now}
        sizes = Counter(group.lane for group in self._map.groups.values())
        busy = self._busy()
        keys: dict[Lane, set[str]] = {}
        chosen: dict[Lane, set[int]] = {}
        due = sorted((each.due, key) for key, each in self._standings.items() if each.due <= now)
        for key in (*self._probes(now), *(key for _, key in due)):
            group = self._map.groups[key]
            members = chosen.setdefault(group.lane, set())
            most = min(self._batch, _in_time(_SECOND, sizes[group.lane], self._pace))
            if group.lane in taken or len(members) >= self._batch or len(keys.get(group.lane, ())) >= most:
                continue
            free = [cell for cell in group.cells if not cell & busy]
            if free:
                keys.setdefault(group.lane, set()).add(key)
                members.update(*free)
        for lane, started in keys.items():
            self._rounds[lane] = now
            self._next_round[lane] = now + self._pace.usual * len(started) / (_CATCHING_UP * sizes[lane])
        return [self._begin(lane, frozenset(keys[lane]), chosen[lane], now) for lane in keys]

    def _probes(self, now: datetime) -> list[str]:
        """For each lane of which a group is away, the one whose turn comes first, if none was begun for a while."""
        if self._map is None:
            return []
        first: dict[Lane, tuple[datetime, str]] = {}
        for key, each in self._standings.items():
            lane = self._map.groups[key].lane
            if each.away and now - self._rounds.get(lane, now - _PROBE) >= _PROBE:
                first[lane] = min(first.get(lane, (each.due, key)), (each.due, key))
        return [key for _, key in first.values()]

    def _busy(self) -> set[int]:
        return {agent_id for run in self._runs for agent_id in run.left}

    def _begin(self, lane: Lane, keys: frozenset[str], members: set[int], now: datetime) -> _Run:
        asked = {agent_id: self._asked.pop(agent_id) for agent_id in members if agent_id in self._asked}
        run = _Run(lane, keys, members, asked, now)
        self._runs.append(run)
        return run

    # --- a run -----------------------------------------------------------------------------------------------

    def _conduct(self, run: _Run, reading: RdvSolidaritesReading) -> None:
        """In a thread of the executor."""
        members = frozenset(run.left)
        reports: tuple[AgentReport, ...] = ()
        broken = False
        try:
            reports = self._engine.run(
                members, on_report=lambda each: self._reported(run, each), reading=reading
            ).agents
        except ConnectorError as error:
            broken = True
            _LOG.warning("a run failed", reason=str(error), addressee=error.addressee.value)
        except Exception as error:  # noqa: BLE001 - one run's trouble never stops the others
            broken = True
            _LOG.error("a run failed", kind=type(error).__name__, place=place_of(error))
        now = self._clock.now()
        with self._quiet:
            self._runs = [each for each in self._runs if each is not run]
            if broken:
                self._note_failure(members, now)
            else:
                self._note_outcomes(run, {each.agent_id: each for each in reports}, now)
            self._quiet.notify_all()
        self.tick()

    def _reported(self, run: _Run, report: AgentReport) -> None:
        """One agent is done: nobody else in this run works on them any more."""
        now = self._clock.now()
        looked = self._looked.get(report.agent_id)
        for operation in report.done:
            if operation.side is Side.CALENDAR and operation.kind is ObjectKind.RDV_COPY:
                since = run.asked.get(report.agent_id)
                if since is not None:
                    self._delays.record(Direction.COPY, (now - since).total_seconds())
            elif operation.side is Side.RDV_SOLIDARITES and operation.kind is ObjectKind.BUSY_BLOCK:
                self._delays.record(Direction.BLOCK, (now - run.started).total_seconds())
                if looked is not None:
                    self._delays.record(Direction.BLOCK_AT_MOST, (now - looked).total_seconds())
        with self._lock:
            run.left.discard(report.agent_id)
            if _could_read(report):
                self._looked[report.agent_id] = run.started

    def _note_outcomes(self, run: _Run, reports: dict[int, AgentReport], now: datetime) -> None:
        if self._map is None:
            return
        keys = run.keys or {group.key for agent in reports if (group := self._map.group_of.get(agent)) is not None}
        through = False
        for key in keys & self._standings.keys():
            own = [reports[agent] for agent in self._map.groups[key].agent_ids if agent in reports]
            outcome = _outcome(own)
            through = through or (bool(own) and not outcome.failed)
            before = self._standings[key]
            if run.keys:
                self._standings[key] = schedule.after(before, outcome, now, self._pace, self._chance())
            elif outcome.changed:
                self._standings[key] = replace(before, changed_at=now)
        if through:
            self._server_is_back(run.lane, now)

    def _server_is_back(self, lane: Lane, now: datetime) -> None:
        for key, standing in self._standings.items():
            if standing.away and self._map is not None and self._map.groups[key].lane == lane:
                self._standings[key] = schedule.server_is_back(standing, key, now, self._pace)

    def _note_failure(self, members: Collection[int], now: datetime) -> None:
        """The run itself broke off, as when the database is away: its groups wait, whoever asked."""
        failed = Outcome(failed=True, passing=True)
        keys = {group.key for each in members if self._map and (group := self._map.group_of.get(each)) is not None}
        for key in keys & self._standings.keys():
            self._standings[key] = schedule.after(self._standings[key], failed, now, self._pace, self._chance())

    # --- RDV-Solidarités -------------------------------------------------------------------------------------

    def _note_reading(self, reading: RdvSolidaritesReading | None) -> None:
        now = self._clock.now()
        with self._quiet:
            state = self._reading
            state.busy = False
            if reading is None:
                state.failures += 1
                state.due = now + schedule.backoff(state.failures, self._pace)
            else:
                if state.at is not None and now - state.at > _READING_LASTS:
                    # Everybody waited for it: they come one after the other.
                    self._standings = {key: schedule.first(key, now, self._pace) for key in self._standings}
                state.last, state.at, state.failures = reading, now, 0
                state.due = now + self._reading_interval
            self._quiet.notify_all()
        if reading is not None:
            self.at_once(reading.touched, since=now)


def _in_time(span: timedelta, groups: int, pace: Pace) -> int:
    """How many groups of a lane are looked at in a time, at most; at least one."""
    return max(1, round(_CATCHING_UP * groups * (span / pace.usual)))


def _could_read(report: AgentReport) -> bool:
    """Whether both sides of an agent were read: else there are problems, and nothing was decided."""
    return not report.problems or bool(report.planned or report.held)


def _outcome(reports: Collection[AgentReport]) -> Outcome:
    failed = [each for each in reports if not _could_read(each)]
    return Outcome(
        changed=any(each.done for each in reports),
        failed=bool(reports) and len(failed) == len(reports),
        passing=all(problem.addressee == Addressee.NOBODY for each in failed for problem in each.problems),
    )
