"""Who is in which run, with an engine that only notes what it is asked, and a clock that moves when told."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.errors import RetryLater
from gateway.scheduling.conductor import Conductor
from gateway.scheduling.delays import Delays
from gateway.scheduling.schedule import Pace
from gateway.sync.observe_rdv_solidarites import RdvSolidaritesReading
from gateway.sync.values import AgentReport, AgentState, CalendarRef, LinkedAgent, Problem, RunReport

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.instant = NOON

    def now(self) -> datetime:
        return self.instant

    def sleep(self, seconds: float) -> None:
        self.instant += timedelta(seconds=seconds)


class Waiting(Executor):
    """Does what was submitted when told."""

    def __init__(self) -> None:
        self.todo: list[Callable[[], None]] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.todo.append(lambda: fn(*args, **kwargs))
        return Future()

    def work(self) -> None:
        todo, self.todo = self.todo, []
        for each in todo:
            each()


class Engine:
    """`away`: hosts that do not answer. `rdvs_away`: nor does RDV-Solidarités."""

    def __init__(self) -> None:
        self.runs: list[list[int]] = []
        self.away: set[str] = set()
        self.rdvs_away = False
        self.touched: frozenset[int] = frozenset()

    def host(self, account: str) -> str:
        return account.partition("/")[0]

    def read_rdv_solidarites(self) -> RdvSolidaritesReading:
        if self.rdvs_away:
            raise RetryLater("away", system="rdv_solidarites")
        return RdvSolidaritesReading(frozenset(), None, (), complete=True, touched=self.touched)

    def run(self, agent_ids: Any = None, *, on_report: Any = None, reading: Any = None) -> RunReport:
        self.runs.append(sorted(agent_ids))
        away = (Problem(None, "a", "away", "nobody", ""),)
        reports = tuple(AgentReport(each, problems=away if hosts(each) in self.away else ()) for each in agent_ids)
        for each in reports:
            on_report(each)
        return RunReport("run", NOON, 0.0, reports)

    def halt(self) -> None: ...

    def go_on(self) -> None: ...


def hosts(agent_id: int) -> str:
    return "north" if agent_id < 100 else "south"


class Store:
    def agents(self, _states: object) -> tuple[LinkedAgent, ...]:
        ids = [*range(1, 61), *range(101, 111)]
        refs = {each: CalendarRef(f"{hosts(each)}/{each}", "/c/") for each in ids}
        return tuple(
            LinkedAgent(each, ZoneInfo("Europe/Paris"), (ref,), ref, AgentState.LIVE) for each, ref in refs.items()
        )


class Stage:
    def __init__(self) -> None:
        self.clock, self.engine, self.executor = Clock(), Engine(), Waiting()
        store: Any = Store()
        self.conductor = Conductor(
            engine=self.engine,
            store=store,
            clock=self.clock,
            pace=Pace(),
            reading_interval=timedelta(minutes=2),
            delays=Delays(),
            chance=lambda: 0.0,
            executor=self.executor,
        )
        self.conductor.read()
        self.conductor.tick()

    def passes(self, seconds: int) -> list[list[int]]:
        """The runs of so many seconds."""
        self.engine.runs = []
        for _ in range(seconds):
            self.clock.sleep(1)
            self.conductor.read()
            self.conductor.tick()
            while self.executor.todo:
                self.executor.work()
        return self.engine.runs


def test_everybody_is_synced_within_a_minute_and_no_run_has_two_servers():
    """70 agents with accounts of their own on two servers: all at least once, a few at a time."""
    runs = Stage().passes(60)
    assert {each for run in runs for each in run} == {*range(1, 61), *range(101, 111)}
    assert all(len({hosts(each) for each in run}) == 1 for run in runs)
    assert max(map(len, runs)) < 8


def test_who_changed_is_synced_at_once_beside_a_round_of_polling():
    """Also when the same agent is in a run already: then right after it."""
    stage = Stage()
    stage.clock.sleep(100)
    stage.conductor.tick()  # both servers: a run each, not begun
    (north, _) = stage.executor.todo
    stage.conductor.at_once([5, 60])
    assert len(stage.executor.todo) == 3  # somebody of the two was not in that run
    stage.executor.work()
    stage.executor.work()
    later = [run for run in stage.engine.runs if set(run) <= {5, 60}]
    assert {each for run in later for each in run} == {5, 60}
    assert north is not None


def test_a_reading_has_those_synced_of_whom_something_changed():
    """Before their turn comes by the clock."""
    stage = Stage()
    stage.passes(1)
    stage.engine.touched = frozenset({7, 105})
    runs = stage.passes(121)
    assert [7] in runs
    assert [105] in runs


def test_a_server_that_is_away_is_asked_ever_less_and_catches_up_without_a_burst():
    """An hour away: at the end hardly any run; after its return everybody within a minute and a half, never many at a
    time; and the other server's agents notice nothing."""
    stage = Stage()
    stage.passes(60)
    stage.engine.away = {"north"}
    stage.passes(3000)
    during = stage.passes(600)
    asked = sum(each < 100 for run in during for each in run)
    assert asked <= 60 * (600 / 900) * 1.5 + 600 / 15  # each at the longest wait, and one every 15 s to see
    assert sum(each > 100 for run in during for each in run) >= 10 * 5
    assert all(each.away for each in stage.conductor.situation.backed_off)
    stage.engine.away = set()
    after = [run for run in stage.passes(90) if run[0] < 100]
    assert {each for run in after for each in run} == set(range(1, 61))
    assert max(map(len, after)) <= 4
    assert stage.conductor.situation.backed_off == ()


def test_while_rdv_solidarites_is_away_for_long_nobody_is_synced_and_then_all_come_back_spread():
    """Runs go on for a quarter of an hour with the last reading."""
    stage = Stage()
    stage.engine.rdvs_away = True
    assert stage.passes(600)
    stage.passes(400)
    assert stage.passes(2600) == []
    assert stage.conductor.situation.reading_failures > 3
    stage.engine.rdvs_away = False
    runs = stage.passes(960)
    assert {each for run in runs for each in run} == {*range(1, 61), *range(101, 111)}
    assert max(map(len, runs)) < 10


def test_after_a_long_stop_nobody_is_looked_at_faster_than_four_times_the_usual_pace():
    """Everybody is overdue when a machine wakes up: 60 agents of a server within 15 seconds, and not in one."""
    stage = Stage()
    stage.passes(60)
    stage.clock.sleep(800)
    by_second = [sum(each < 100 for run in stage.passes(1) for each in run) for _ in range(17)]
    assert max(by_second) <= 4
    assert sum(by_second[:16]) >= 60
