"""`python -m tests.campaigns.serve`: the real `rdv-gateway serve` with many agents, on fast doubles over real sockets.

Each agent has a calendar home of their own, which is looked at by itself. RDVs are made and events typed all the time,
in three phases: everything answers; the calendar server answers 503; it is back. What is told: requests a second of
each remote, how long each change took from its making on one side to its arrival on the other, and what the process
used.
Fails (1) when a change did not arrive, or the process grew without bound, or did not end in time.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Self
from zoneinfo import ZoneInfo

from gateway.keys import create_key_file, load_keys
from gateway.sandbox.server import Sandbox
from gateway.store.database import open_database, upgrade
from gateway.store.store import Store
from gateway.sync.values import AgentState, CalendarRef, LinkedAgent
from tests.scenarios.agenda_text import event_text
from tests.scenarios.small_departement import ACCOUNT, NORD, PASSWORD, PMI, motif, seed
from tests.serve.running import PROGRAM, ROOT, free_port, write_configuration
from tests.servers.dav_double import DavDouble, Manners, _Calendar, _row

_PARIS = ZoneInfo("Europe/Paris")
_AGENDAS, _RDVS = "agendas", "rdv_solidarites"
_PHASES = ("before", "away", "after")
_TICKS = os.sysconf("SC_CLK_TCK")


class Agendas(DavDouble):
    """One service account that opens everybody's home. `away`: every request is answered 503."""

    manners = Manners(dates=False)

    def __init__(self, agents: int, arrived: Callable[[str], None]) -> None:
        self.away = False
        self.requests = 0
        self._arrived = arrived
        super().__init__({"service": "service"})
        self.step = timedelta(0)
        for number in range(agents):
            self.calendars[f"/dav/agent{number}/agenda/"] = _Calendar("Agenda")

    @property
    def clock(self) -> datetime:
        return datetime.now(UTC)

    @clock.setter
    def clock(self, _value: datetime) -> None: ...

    def __enter__(self) -> Self:
        super().__enter__()
        assert self._server is not None
        base: Any = self._server.RequestHandlerClass
        double = self

        class Handler(base):  # type: ignore[misc]
            def _answer(self) -> None:
                double.requests += 1
                if double.away:
                    self.rfile.read(int(self.headers.get("Content-Length") or 0))
                    self._send(503)
                else:
                    super()._answer()

            def _propfind(self, path: str, body: bytes) -> None:
                calendar = double.calendars.get(f"{path}agenda/")
                if calendar is None:
                    super()._propfind(path, body)
                    return
                home = _row(path, "<D:resourcetype><D:collection/></D:resourcetype>")
                self._multistatus([home, self._calendar_row(f"{path}agenda/", calendar)])

        self._server.RequestHandlerClass = Handler
        return self

    def typed(self, path: str, body: bytes) -> None:
        with self.lock:
            self.fill(path, body)

    def put(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        answer = super().put(path, body, headers)
        if answer[0] == 201:
            self._arrived(path.split("/")[2])
        return answer


@dataclass(slots=True)
class Phase:
    """Delays are of changes that were made in it, in seconds; requests those that came in it."""

    seconds: float = 0.0
    requests: dict[str, int] = field(default_factory=dict)
    per_second: dict[str, float] = field(default_factory=dict)
    busiest_second: dict[str, int] = field(default_factory=dict)
    changes: int = 0
    rdv_to_copy: dict[str, float] = field(default_factory=dict)
    event_to_block: dict[str, float] = field(default_factory=dict)
    cpu_share: float = 0.0
    rss_mib: int = 0
    threads: int = 0
    sockets: int = 0


@dataclass(slots=True)
class Figures:
    agents: int
    everybody_synced_after: float = 0.0
    phases: dict[str, Phase] = field(default_factory=dict)
    rss_start_mib: int = 0
    rss_end_mib: int = 0
    most_threads: int = 0
    most_sockets: int = 0
    not_arrived: int = 0
    seconds_to_end: float = 0.0
    exit_code: int = 0


class Changes:
    """What was made and has not arrived yet: one at a time for each agent and direction."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[tuple[str, str], tuple[float, str]] = {}
        self.delays: dict[tuple[str, str], list[float]] = {}
        self.made: Counter[str] = Counter()

    def begin(self, kind: str, who: str, phase: str) -> bool:
        with self._lock:
            if (kind, who) in self._open:
                return False
            self._open[kind, who] = time.monotonic(), phase
            self.made[phase] += 1
            return True

    def arrived(self, kind: str, who: str) -> None:
        with self._lock:
            found = self._open.pop((kind, who), None)
            if found is not None:
                self.delays.setdefault((kind, found[1]), []).append(time.monotonic() - found[0])

    @property
    def open(self) -> int:
        with self._lock:
            return len(self._open)


class Campaign:
    """The doubles, the configuration and the process."""

    def __init__(self, folder: Path, agents: int, per_minute: float) -> None:
        self.folder = folder
        self.figures = Figures(agents)
        self.pause = 60 / per_minute
        self.changes = Changes()
        self.agendas = Agendas(agents, lambda who: self.changes.arrived("copy", who))
        self.sandbox = Sandbox(seed=seed)
        self.phase = _PHASES[0]
        self.ids: dict[str, int] = {}
        self._chance = Random(1)
        self._used: Counter[str] = Counter()
        self._numbers: dict[int, str] = {}
        self._ending = threading.Event()

    def prepare(self) -> None:
        """Everybody is there and live, with an empty calendar."""
        state = self.sandbox.state
        insert = state.absences.insert

        def noting(columns: Mapping[str, Any]) -> int:
            made = insert(columns)
            self.changes.arrived("block", self._numbers[columns["agent_id"]])
            return made

        state.absences.insert = noting  # type: ignore[method-assign]
        for number in range(self.figures.agents):
            login = f"agent{number}"
            made = state.directory.add_agent(login, "AGENT", email=f"{login}@dept.example", service_ids=[PMI])
            state.directory.set_role(made, NORD)
            self.ids[login], self._numbers[made] = made, login
        (self.folder / "rdvs").write_text(PASSWORD)
        (self.folder / "service").write_text("service")
        create_key_file(self.folder / "keys")
        upgrade(self.folder / "gateway.sqlite3")
        database = open_database(self.folder / "gateway.sqlite3", load_keys(self.folder / "keys"))
        with Store(database).transaction() as tx:
            for login, number in self.ids.items():
                ref = CalendarRef(f"{_AGENDAS}/{login}@dept.example", f"/dav/{login}/agenda/")
                tx.put_agent(LinkedAgent(number, _PARIS, (ref,), ref, AgentState.LIVE))
        database.close()
        self.ports = free_port(), free_port()
        write_configuration(self.folder / "rdv-gateway.toml", self._configuration())

    def _configuration(self) -> dict[str, Any]:
        return {
            "gateway": {"database": "gateway.sqlite3", "keys": "keys"},
            "rdv_solidarites": {
                "url": self.sandbox.url,
                "login": ACCOUNT,
                "password_file": "rdvs",
                "requests_per_second": 100.0,
            },
            "accounts": [
                {
                    "name": _AGENDAS,
                    "url": self.agendas.url,
                    "home": "/dav/{local}/",
                    "username": "service",
                    "password_file": "service",
                }
            ],
            "limits": {"writes_per_hour": 1_000_000, "writes_per_day": 1_000_000},
            "web": {"public_bind": f"127.0.0.1:{self.ports[0]}", "internal_bind": f"127.0.0.1:{self.ports[1]}"},
        }

    # --- what people do --------------------------------------------------------------------------------------

    def people(self) -> None:
        """In a thread: one change after the other, three RDVs for two events."""
        logins = list(self.ids)
        while not self._ending.wait(self.pause):
            login = self._chance.choice(logins)
            kind = self._chance.choice(("copy", "copy", "copy", "block", "block"))
            if not self.changes.begin(kind, login, self.phase):
                continue
            start = self._free(login)
            if kind == "copy":
                self.sandbox.state.rdvs.create(
                    organisation_id=NORD,
                    motif_id=motif(NORD, PMI),
                    lieu_id=NORD,
                    user_ids=[1],
                    agent_ids=[self.ids[login]],
                    starts_at=start,
                )
            else:
                name = f"typed-{self._used[login]}"
                text = event_text(name, "Réunion", start, start + timedelta(minutes=30), zone=_PARIS)
                self.agendas.typed(f"/dav/{login}/agenda/{name}.ics", text.encode())

    def _free(self, login: str) -> datetime:
        """A time of this agent's that nothing else was put at, half an hour from its neighbours."""
        self._used[login] += 1
        day, slot = divmod(self._used[login], 10)
        morning = datetime.combine(datetime.now(_PARIS).date() + timedelta(days=2 + day), datetime.min.time())
        return morning + timedelta(hours=8 + slot)

    # --- the process -----------------------------------------------------------------------------------------

    def play(self, seconds: tuple[float, float, float]) -> Figures:
        with (self.folder / "serve.log").open("w") as log:
            command = [*PROGRAM, "serve", "--config", str(self.folder / "rdv-gateway.toml"), "--json"]
            process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
        assert process.stdout is not None
        assert process.stdout.readline(), (self.folder / "serve.log").read_text()
        began = time.monotonic()
        try:
            self._until_everybody_synced()
            self.figures.everybody_synced_after = round(time.monotonic() - began, 1)
            self.figures.rss_start_mib = _used(process.pid).rss_mib
            people = threading.Thread(target=self.people, daemon=True)
            people.start()
            for name, length in zip(_PHASES, seconds, strict=True):
                self.phase = name
                self.agendas.away = name == "away"
                self._watch(name, length, process.pid)
            self._ending.set()
            people.join()
            self._drain(process.pid)
        finally:
            ended = time.monotonic()
            process.send_signal(signal.SIGTERM)
            self.figures.exit_code = process.wait(30)
            self.figures.seconds_to_end = round(time.monotonic() - ended, 1)
        for name in _PHASES:
            phase = self.figures.phases[name]
            phase.changes = self.changes.made[name]
            phase.rdv_to_copy = _quantiles(self.changes.delays.get(("copy", name), []))
            phase.event_to_block = _quantiles(self.changes.delays.get(("block", name), []))
        return self.figures

    def _until_everybody_synced(self) -> None:
        database = open_database(self.folder / "gateway.sqlite3", load_keys(self.folder / "keys"))
        deadline = time.monotonic() + 300
        while any(each.last_complete_at is None for each in Store(database).agent_status()):
            if time.monotonic() > deadline:
                raise TimeoutError("not everybody was synced within ten minutes")
            time.sleep(1)
        database.close()

    def _watch(self, name: str, seconds: float, pid: int) -> None:
        """One look a second."""
        phase = self.figures.phases[name] = Phase()
        before, cpu, began = self._requests(), _used(pid).cpu_seconds, time.monotonic()
        last, busiest = before, Counter[str]()
        while time.monotonic() - began < seconds:
            time.sleep(1)
            now = self._requests()
            busiest |= now - last
            last = now
            self._note_size(_used(pid))
        used = _used(pid)
        phase.seconds = round(time.monotonic() - began, 1)
        phase.requests = dict(self._requests() - before)
        phase.per_second = {each: round(count / phase.seconds, 1) for each, count in phase.requests.items()}
        phase.busiest_second = dict(busiest)
        phase.cpu_share = round((used.cpu_seconds - cpu) / phase.seconds, 2)
        phase.rss_mib, phase.threads, phase.sockets = used.rss_mib, used.threads, used.sockets
        print(f"{name}: {asdict(phase)}", file=sys.stderr, flush=True)

    def _drain(self, pid: int) -> None:
        """What is under way arrives: nobody changes anything any more."""
        deadline = time.monotonic() + 240
        while self.changes.open and time.monotonic() < deadline:
            time.sleep(1)
        self.figures.not_arrived = self.changes.open
        self.figures.rss_end_mib = _used(pid).rss_mib

    def _requests(self) -> Counter[str]:
        return Counter({_AGENDAS: self.agendas.requests, _RDVS: sum(self.sandbox.request_counts.values())})

    def _note_size(self, used: Used) -> None:
        self.figures.most_threads = max(self.figures.most_threads, used.threads)
        self.figures.most_sockets = max(self.figures.most_sockets, used.sockets)


@dataclass(frozen=True, slots=True)
class Used:
    cpu_seconds: float
    rss_mib: int
    threads: int
    sockets: int


def _used(pid: int) -> Used:
    """By a process, as Linux tells."""
    proc = Path(f"/proc/{pid}")
    fields = (proc / "stat").read_text().rpartition(")")[2].split()
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    sockets = 0
    for each in (proc / "fd").iterdir():
        try:
            sockets += str(each.readlink()).startswith("socket:")
        except OSError:
            continue
    cpu = (int(fields[11]) + int(fields[12])) / _TICKS
    return Used(cpu, int(status["VmRSS"].split()[0]) >> 10, int(status["Threads"]), sockets)


def _quantiles(values: list[float]) -> dict[str, float]:
    if not values:
        return {}
    ordered = sorted(values)
    at95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return {
        "count": len(ordered),
        "p50": round(statistics.median(ordered), 1),
        "p95": round(at95, 1),
        "max": round(ordered[-1], 1),
    }


def table(figures: Figures) -> str:
    """For people, as a table of Markdown."""
    rows = ["| What | " + " | ".join(_PHASES) + " |", "|---|" + "---|" * len(_PHASES)]
    rows += [
        f"| {name.replace('_', ' ')} | "
        + " | ".join(_text(getattr(figures.phases[each], name)) for each in _PHASES)
        + " |"
        for name in Phase.__slots__
    ]
    whole = {name: value for name, value in asdict(figures).items() if name != "phases"}
    rows += ["", "| Whole | |", "|---|---|"]
    rows += [f"| {name.replace('_', ' ')} | {value} |" for name, value in whole.items()]
    return "\n".join(rows)


def _text(value: object) -> str:
    return ", ".join(f"{name} {each}" for name, each in value.items()) if isinstance(value, dict) else str(value)


def main(arguments: list[str]) -> int:
    """0 when every change arrived and the process stayed within its bounds."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.serve", description=__doc__)
    parser.add_argument("--agents", type=int, default=2_000)
    parser.add_argument("--minutes", type=float, default=10.0, help="of all three phases")
    parser.add_argument("--per-minute", type=float, default=120.0, help="changes that people make")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    whole = options.minutes * 60
    with tempfile.TemporaryDirectory(prefix="load-") as name:
        campaign = Campaign(Path(name), options.agents, options.per_minute)
        with campaign.sandbox, campaign.agendas:
            campaign.prepare()
            figures = campaign.play((0.4 * whole, 0.2 * whole, 0.4 * whole))
    print(json.dumps(asdict(figures), indent=2) if options.json else table(figures))
    sound = figures.exit_code == 0 and figures.not_arrived == 0 and figures.seconds_to_end < 10
    return 0 if sound and figures.most_threads < 300 and figures.most_sockets < 200 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
