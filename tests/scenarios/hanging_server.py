"""Five of fifty agents on a server that accepts connections and never answers: what the others lose by it.

`python -m tests.scenarios.hanging_server` prints the figures for a server that hangs for 60 s (about twelve minutes).
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import statistics
import tempfile
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from gateway import logs
from gateway.clock import SystemClock
from gateway.sandbox.server import Sandbox
from gateway.sync.values import AgentReport
from tests.scenarios.database import SqliteDatabase
from tests.scenarios.departement import Departement
from tests.scenarios.person import hours
from tests.scenarios.small_departement import seed
from tests.servers.counting_proxy import CountingProxy
from tests.servers.radicale import RadicaleServer

AGENTS, HANGING = 50, 5


class SilentServer:
    """Accepts every connection, says nothing for `seconds`, hangs up."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ending = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._threads: list[threading.Thread] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self.connections = 0

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._start(self._say_nothing, connection)

    def _say_nothing(self, connection: socket.socket) -> None:
        with connection:
            self._ending.wait(self._seconds)


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds until the last of the healthy agents was done, by round."""

    without: list[float]
    beside: list[float]

    @property
    def bound(self) -> float:
        """What the median beside a hanging server may be."""
        return 1.2 * statistics.median(self.without) + 1.0

    @property
    def median(self) -> float:
        return statistics.median(self.beside)


def measure(departement: Departement, silent: SilentServer, *, agents: int, hanging: int, pairs: int) -> Figures:
    """Interleaved pairs of syncs in which every healthy agent has something to do."""
    people = [departement.agent() for _ in range(agents)]
    healthy = people[hanging:]
    for person in people[:hanging]:
        departement.addresses[person.login] = silent.url
    departement.stop()
    events = {}
    for person in healthy:
        events[person] = person.types_event("Équipe", *hours(departement.at(3, 9)))
        departement.rdv(departement.at(4, 9), person)
    ids = [person.id for person in healthy]
    departement.application.engine.run(ids)
    departement.approves()
    departement.application.engine.run(ids)
    times: dict[bool, list[float]] = {False: [], True: []}
    for number, beside in enumerate(itertools.islice(itertools.cycle((False, True)), 2 * pairs)):
        for person, href in events.items():
            person.moves(href, *hours(departement.at(3 + number % 2, 11 + number)))
        times[beside].append(_seconds_of(departement, ids, everybody=beside))
    return Figures(times[False], times[True])


def _seconds_of(departement: Departement, healthy: list[int], *, everybody: bool) -> float:
    reports: list[AgentReport] = []
    departement.application.engine.run(None if everybody else healthy, on_report=reports.append)
    of_healthy = [report for report in reports if report.agent_id in healthy]
    assert len(of_healthy) == len(healthy)
    for report in of_healthy:
        assert len(report.done) == 1, report
    assert all(report.problems for report in reports if report.agent_id not in healthy)
    return max(report.seconds for report in of_healthy)


def main() -> None:
    logs.configure()
    users = {f"agent{number}": f"secret-{number}" for number in range(1, AGENTS + 1)}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(RadicaleServer(users, directory / "radicale"))
        door = stack.enter_context(CountingProxy(server.url))
        clock = SystemClock()
        sandbox = stack.enter_context(Sandbox(seed=seed, clock=clock.now))
        silent = stack.enter_context(SilentServer(60.0))
        database = SqliteDatabase(directory)
        departement = Departement(
            directory, server=server, door=door, sandbox=sandbox, database=database, clock=clock, logins=iter(users)
        )
        stack.callback(departement.close)
        departement.read_timeout = 90.0  # the server hangs up before the gateway gives up
        figures = measure(departement, silent, agents=AGENTS, hanging=HANGING, pairs=5)
    print(f"{AGENTS - HANGING} agents alone, s:             {_line(figures.without)}")
    print(f"beside {HANGING} on a server hanging 60 s: {_line(figures.beside)}")
    print(f"median {figures.median:.2f} s, bound 1.2 x + 1 s = {figures.bound:.2f} s")


def _line(times: list[float]) -> str:
    return " ".join(f"{each:.2f}" for each in times)


if __name__ == "__main__":
    main()
