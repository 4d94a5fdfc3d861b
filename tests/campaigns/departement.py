"""`python -m tests.campaigns.departement`: a whole département goes live, on fast doubles of both sides.

Agents are proposed, imported, and enrolled in three waves, a model day apart, each approved as a group. The store, the
enrolling, the engine, its guard and its ceiling are the real ones; the doubles judge every write as it arrives. Runs
are an hour apart; while the day's writes are used up only the first run is played, which must write nothing.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import structlog

from gateway.agents import roster as rosters
from gateway.agents.accounts import AccountBook, account_check
from gateway.agents.enrolling import Enrolling, record
from gateway.agents.proposing import Proposing
from gateway.agents.roster_file import read_roster, write_csv
from gateway.cli.approve_wave import wave_group
from gateway.keys import create_key_file, load_keys
from gateway.settings import load
from gateway.store.database import Database, open_database, upgrade
from gateway.store.store import Store
from gateway.sync.approval import approve
from gateway.sync.ceiling import Ceiling, even_share
from gateway.sync.engine import Engine, EngineSettings
from gateway.sync.values import Action, AgentState, RunReport
from tests.campaigns.agendas import MOST_OCCURRENCES, ORGANISATION, RDVS, SERIES_OCCURRENCES, calendar_of, fill
from tests.campaigns.judge import AGENDAS, RDV_SOLIDARITES, Judge, remote_of
from tests.simulation.calendar_model import CalendarServer, ModelAccount, Style
from tests.simulation.intervals import Interval
from tests.simulation.rdv_model import PARIS, ModelRdvSolidarites, RdvServer
from tests.simulation.weather import BrokenPromise, ModelClock, Weather
from tests.simulation.world import InlineExecutor

WAVES = 3
_FRIDAY_EVENING = datetime(2026, 2, 27, 19, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_BETWEEN_WAVES = timedelta(days=1)
_CONFIGURATION = """
[rdv_solidarites]
url = "https://rdv.example.test"
login = "technique@example.test"
password_env = "RDV_PASSWORD"
[[accounts]]
name = "agendas"
url = "https://agenda.example.test/"
username = "service"
password_env = "AGENDA_PASSWORD"
"""


class StillWeather(Weather):
    """No faults, and no time passes within a run."""

    def request(self, system: str, *, people: bool = True) -> None:
        """One request is sent."""


@dataclass(slots=True)
class Figures:
    """What one campaign came to. Model time in hours, own time in seconds."""

    agents: int
    occurrences: int = 0
    blocks: int = 0
    pairs: int = 0
    absences_created: int = 0
    events_created: int = 0
    commands: list[str] = field(default_factory=list)
    left_out: int = 0
    runs: int = 0
    idle_hours_skipped: int = 0
    model_hours: int = 0
    busiest_hour: dict[str, int] = field(default_factory=dict)
    busiest_day: dict[str, int] = field(default_factory=dict)
    weeks_ahead: int = 0
    week_complete_after_hours: dict[int, int] = field(default_factory=dict)
    requests_of_next_run: dict[str, int] = field(default_factory=dict)
    requests_of_unchanged_run: dict[str, int] = field(default_factory=dict)
    unchanged_run_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mib: int = 0
    database_mib: int = 0


class Departement:
    """Both sides in memory, the gateway on a database of its own in `folder`."""

    def __init__(self, folder: Path, agents: int, occurrences: int, ceiling: Ceiling) -> None:
        self.clock = ModelClock(_FRIDAY_EVENING)
        weather = StillWeather(Random(1), self.clock)
        self.judge = Judge(self.clock, ceiling.per_hour, ceiling.per_day)
        calendars = CalendarServer(self.clock, Style(), judge=self.judge)
        self.server = RdvServer(self.clock, judge=self.judge, organisations={ORGANISATION: "MDS"})
        chance = Random(2)
        ids = range(1, agents + 1)
        self.agendas = [fill(agent_id, occurrences, chance, calendars, self.server) for agent_id in ids]
        self.client = ModelRdvSolidarites(self.server, weather, Random(3))
        account = ModelAccount(AGENDAS, calendars, tuple(map(calendar_of, ids)), weather)
        self.accounts = AccountBook({AGENDAS: account}, {})
        configuration = folder / "rdv-gateway.toml"
        configuration.write_text(_CONFIGURATION, encoding="utf-8")
        self.settings = load(configuration)
        self.database, self.store, self.engine = self._gateway(folder, ceiling)
        self.figures = Figures(agents)
        self.waiting: set[str] = set()  # remotes that the last run left something for

    def _gateway(self, folder: Path, ceiling: Ceiling) -> tuple[Database, Store, Engine]:
        create_key_file(folder / "keys")
        keys = load_keys(folder / "keys")
        place = f"sqlite:///{folder / 'gateway.sqlite3'}"
        upgrade(place)
        database = open_database(place, keys, synchronous="OFF")
        store = Store(database)
        settings = EngineSettings(self.settings.rules.to_book(), PARIS, ceiling=ceiling)
        engine = Engine(
            store=store,
            rdv_solidarites=self.client,
            accounts=self.accounts,
            keys=keys,
            settings=settings,
            clock=self.clock,
            new_id=lambda: f"run-{self.figures.runs}-{len(self.figures.commands)}",
            pools=lambda _name: InlineExecutor(),
        )
        return database, store, engine

    # --- what a person types ---------------------------------------------------------------------------------

    def roster(self) -> None:
        """Everybody is matched by e-mail and given a wave."""
        now = rosters.known(self.store, self.client.agents(), account_check(self.settings))
        size = -(-self.figures.agents // WAVES)
        proposal = Proposing(self.settings, self.accounts).propose(now, wave_size=size)
        self.figures.commands.append("agents propose")
        found = rosters.compare(read_roster(write_csv(proposal.lines).encode()).lines, now)
        rosters.apply(self.store, found.edits, at=self.clock.now(), by="campaign")
        self.figures.commands.append("agents import")
        if proposal.unmatched or found.faults or len(found.edits) != self.figures.agents:
            raise BrokenPromise("everybody is matched", f"{len(found.edits)} of {self.figures.agents}")

    def go_live(self, wave: int) -> None:
        """Enroll, plan and approve a wave. Nothing is written by that."""
        before = self.judge.total(RDV_SOLIDARITES), self.judge.total(AGENDAS)
        wishes = [each for each in self.store.matched_agents() if each.wave == wave]
        enrolled = Enrolling(self.settings, self.store, self.accounts, self.client).many(wishes)
        record(self.store, enrolled.agents, at=self.clock.now(), by="campaign")
        self.figures.commands.append(f"enroll --wave {wave}")
        self.engine.run(dry_run=True)
        self.figures.commands.append("plan")
        group = wave_group(self.store, wave, (), self.settings.outliers.to_rules())
        approve(self.store, group.approval, at=self.clock.now(), by="campaign")
        self.figures.commands.append(f"approve --wave {wave} --yes")
        self.figures.left_out += len(group.left_out)
        if enrolled.refused or len(group.approval.agents) != len(wishes):
            raise BrokenPromise("a wave goes live as one", f"{len(group.approval.agents)} of {len(wishes)}")
        if before != (self.judge.total(RDV_SOLIDARITES), self.judge.total(AGENDAS)):
            raise BrokenPromise("nothing before the approval", f"wave {wave} was written to")

    # --- what runs by itself ---------------------------------------------------------------------------------

    def run(self) -> RunReport:
        """One run, judged."""
        active = len(self.store.agents((AgentState.FIRST_RUN, AgentState.LIVE)))
        shares = {remote: even_share(self.judge.left(remote), active) for remote in (RDV_SOLIDARITES, AGENDAS)}
        self.judge.run_begins()
        report = self.engine.run()
        self.judge.run_ended(report, shares)
        self.figures.runs += 1
        problems = [*report.problems, *(each for agent in report.agents for each in agent.problems)]
        held = sum(len(agent.held) + agent.unsettled for agent in report.agents)
        if problems or held:
            raise BrokenPromise("nothing stands in the way", f"{held} held, problems: {problems[:3]}")
        done = Counter(operation.action for agent in report.agents for operation in agent.done)
        self.figures.pairs += done[Action.PAIR]
        self.waiting = {remote_of(operation) for agent in report.agents for operation in agent.waiting}
        return report

    def until_done(self, until: datetime | None) -> None:
        """Runs, an hour apart, until nothing waits or the next wave goes live."""
        wrote = True
        while until is None or self.clock.now() < until:
            if not wrote and all(self.judge.left(remote) == 0 for remote in self.waiting):
                self.figures.idle_hours_skipped += 1
            else:
                self.run()
                wrote = bool(self.judge.of_run)
                self._tell()
                if not self.waiting:
                    return
            self.clock.sleep(_HOUR.total_seconds())

    def _tell(self) -> None:
        """A full campaign takes many minutes: one line for each run, on stderr."""
        written = self.judge.total(RDV_SOLIDARITES), self.judge.total(AGENDAS)
        told = f"run {self.figures.runs}: {written[0]} absences and {written[1]} events so far"
        print(f"{self.clock.now():%a %d.%m %H:%M} {told}", file=sys.stderr, flush=True)

    def play(self) -> Figures:
        """The whole campaign. Raises `BrokenPromise`."""
        self.roster()
        for wave in range(1, WAVES + 1):
            self.clock.instant = max(self.clock.now(), _FRIDAY_EVENING + (wave - 1) * _BETWEEN_WAVES)
            self.go_live(wave)
            self.until_done(_FRIDAY_EVENING + wave * _BETWEEN_WAVES if wave < WAVES else None)
        self.figures.model_hours = _hours_since_start(max(self.judge.finished.values())) + 1
        self._afterwards()
        self._compare()
        self._measure()
        return self.figures

    def _afterwards(self) -> None:
        """The next run reads what the gateway itself wrote last; the one after it meets an unchanged département."""
        before = self.judge.total(RDV_SOLIDARITES) + self.judge.total(AGENDAS)
        self.figures.requests_of_next_run = dict(self.run().requests)
        started = time.process_time()
        self.figures.requests_of_unchanged_run = dict(self.run().requests)
        self.figures.unchanged_run_seconds = round(time.process_time() - started, 1)
        if self.judge.total(RDV_SOLIDARITES) + self.judge.total(AGENDAS) != before:
            raise BrokenPromise("nothing is written twice", "a run after the end wrote")

    def _compare(self) -> None:
        """Each agent's absences are what the agendas say, merged by code of the campaign's own."""
        made: dict[int, list[Interval]] = {agenda.agent_id: [] for agenda in self.agendas}
        for absence in self.server.absences.values():
            if not absence.typed:
                made[absence.agent_id].append(absence.interval)
        for agenda in self.agendas:
            if sorted(made[agenda.agent_id]) != [each for each in agenda.blocks if each not in agenda.twins]:
                raise BrokenPromise("busy time is covered, once", f"agent {agenda.agent_id}")
        expected = self.figures.agents * (RDVS + 1)
        if self.judge.total(AGENDAS) != expected:
            raise BrokenPromise("every RDV is copied, once", f"{self.judge.total(AGENDAS)} events of {expected}")
        if any(agent.state is not AgentState.LIVE for agent in self.store.agents()):
            raise BrokenPromise("everybody is live", "somebody is not")

    def _measure(self) -> None:
        figures, judge = self.figures, self.judge
        figures.occurrences = sum(len(agenda.occurrences) for agenda in self.agendas)
        figures.blocks = sum(len(agenda.blocks) for agenda in self.agendas)
        figures.absences_created = judge.total(RDV_SOLIDARITES)
        figures.events_created = judge.total(AGENDAS)
        figures.busiest_hour = {remote: max(counts.values()) for remote, counts in judge.hours.items()}
        figures.busiest_day = {remote: _busiest_day(counts) for remote, counts in judge.hours.items()}
        figures.weeks_ahead = judge.weeks_ahead
        figures.week_complete_after_hours = {
            week: _hours_since_start(moment) + 1 for week, moment in sorted(judge.finished.items())
        }


def _hours_since_start(moment: datetime) -> int:
    return int((moment - _FRIDAY_EVENING) / _HOUR)


def _busiest_day(counts: Counter[datetime]) -> int:
    """The most writes within 24 clock hours in a row."""
    return max(sum(counts[hour - back * _HOUR] for back in range(24)) for hour in list(counts))


def play(agents: int, occurrences: int, ceiling: Ceiling) -> Figures:
    """One campaign in a folder of its own, with what it cost this process. Raises `BrokenPromise`."""
    started = time.process_time()
    with tempfile.TemporaryDirectory(prefix="campaign-") as name:
        departement = Departement(Path(name), agents, occurrences, ceiling)
        with closing(departement.database):
            figures = departement.play()
            figures.database_mib = (Path(name) / "gateway.sqlite3").stat().st_size >> 20
    figures.cpu_seconds = round(time.process_time() - started, 1)
    figures.peak_mib = _peak_mib()
    return figures


def _peak_mib() -> int:
    """The largest resident memory of this process itself."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))) >> 10


def table(figures: Figures) -> str:
    """For people, as a table of Markdown."""
    rows = ((name.replace("_", " "), _text(value)) for name, value in asdict(figures).items())
    return "\n".join(("| What | How much |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)))


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_text(each)}" for name, each in value.items())
    if isinstance(value, list):
        return f"{len(value)}: {', '.join(f'`{each}`' for each in value)}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def main(arguments: list[str]) -> int:
    """0 when every promise held."""
    usual = Ceiling()
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.departement", description=__doc__)
    parser.add_argument("--agents", type=int, default=1_200)
    parser.add_argument("--occurrences", type=int, default=120, help="busy ones of each agent in eight weeks")
    parser.add_argument("--per-hour", type=int, default=usual.per_hour, help="writes that each remote takes")
    parser.add_argument("--per-day", type=int, default=usual.per_day)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if not SERIES_OCCURRENCES <= options.occurrences <= MOST_OCCURRENCES:
        parser.error(f"--occurrences: from {SERIES_OCCURRENCES} to {MOST_OCCURRENCES}")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        figures = play(options.agents, options.occurrences, Ceiling(options.per_hour, options.per_day))
    except BrokenPromise as broken:
        print(f"broken promise: {broken}", file=sys.stderr)
        return 1
    print(json.dumps(asdict(figures), indent=2) if options.json else table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
