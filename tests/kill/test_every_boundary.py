"""Killed at any boundary of a sync that has one write of every kind to make, and started again: one of everything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import pytest

from tests.scenarios.clock import LeapingClock
from tests.scenarios.conftest import New, calendar_servers, logins, new_departement, shared_sandbox
from tests.scenarios.departement import Departement
from tests.scenarios.person import Person, Shown, hours
from tests.scenarios.small_departement import NORD, PMI

__all__ = ["calendar_servers", "logins", "new_departement", "shared_sandbox"]  # fixtures

_EVERY = int(os.environ.get("KILL_EVERY", "53"))
"""Of so many boundaries one is taken: 1 for all."""
_MOST_RESTARTS = 8
_WRITES = {
    "CalDavAccount.create": 3,  # a copy, and the events of two absences
    "CalDavAccount.update": 2,
    "CalDavAccount.delete": 2,
    "RdvSolidaritesClient.create_absence": 1,
    "RdvSolidaritesClient.update_absence": 2,  # a block, and an absence
    "RdvSolidaritesClient.delete_absence": 2,
}
"""What one sync has to do after a life went on: one write of every kind at least."""


class _Program:
    """The process of `tests.kill.program`."""

    def __init__(self, lines_in: IO[str], lines_out: IO[str], clock: LeapingClock) -> None:
        self._in, self._out, self._clock = lines_in, lines_out, clock

    def syncs(self, *, kill_at: int = 0) -> dict[str, Any]:
        """A minute after the last one."""
        self._clock.sleep(60)
        ahead = (self._clock.now() - LeapingClock().now()).total_seconds()
        self._in.write(json.dumps({"kill_at": kill_at, "ahead": ahead}) + "\n")
        self._in.flush()
        answer: dict[str, Any] = json.loads(self._out.readline())
        return answer


@contextmanager
def _program(departement: Departement, clock: LeapingClock) -> Iterator[_Program]:
    path = departement.directory / "configuration.json"
    path.write_text(json.dumps(departement.configuration()))
    with subprocess.Popen(
        [sys.executable, "-m", "tests.kill.program", str(path)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield _Program(process.stdin, process.stdout, clock)
        process.stdin.close()
        assert process.wait(20) == 0


class _Life:
    """What an agent has on both sides, the oldest first, and what must therefore be found in the end."""

    def __init__(self, departement: Departement, agent: Person, colleague: int) -> None:
        self._departement, self._agent, self._colleague = departement, agent, colleague
        self._free = deque(departement.at(day, hour) for hour in range(8, 19, 2) for day in range(3, 40))
        self.events: dict[str, datetime] = {}
        self.rdvs: dict[int, datetime] = {}
        self.absences: dict[int, datetime] = {}
        for _ in range(2):
            self._types_event()
            self._makes_rdv()
        for _ in range(4):
            self._types_absence()

    def goes_on(self) -> None:
        """One change of every kind: what there is stays as many as it was."""
        departement, agent = self._departement, self._agent
        moved, deleted = list(self.events)
        self.events[moved] = self._slot(self.events[moved])
        agent.moves(moved, *hours(self.events[moved]))
        agent.deletes(deleted)
        self._free.append(self.events.pop(deleted))
        self._types_event()
        put_off, left = list(self.rdvs)
        self.rdvs[put_off] = self._slot(self.rdvs[put_off])
        departement.state.rdvs.move(put_off, self.rdvs[put_off])
        departement.state.rdvs.set_agents(left, [self._colleague])
        self._free.append(self.rdvs.pop(left))
        self._makes_rdv()
        here, gone_here, there, gone_there = list(self.absences)
        self._moves_absence(here)
        departement.state.absences.delete(gone_here)
        agent.moves(self._shown_at(self.absences[there]), *hours(to := self._slot(self.absences[there])))
        agent.deletes(self._shown_at(self.absences[gone_there]))
        self.absences[there] = to
        for gone in (gone_here, gone_there):
            self._free.append(self.absences.pop(gone))
            self._types_absence()

    def assert_one_of_everything(self, where: str) -> None:
        expected = [Shown("RDV", *hours(start, 0.5)) for start in self.rdvs.values()]
        expected += [Shown("Réunion", *hours(start)) for start in self.absences.values()]
        assert sorted(self._agent.shown(), key=repr) == sorted(expected, key=repr), where
        assert sorted(self._agent.blocks()) == sorted(hours(start) for start in self.events.values()), where
        assert len(self._agent.absences()) == len(self.events) + len(self.absences), where
        store = self._departement.store
        own = store.agent_view(self._agent.id)
        counts = (len(own.copies), len(own.blocks), len(own.mirrors))
        assert counts == (len(self.rdvs), len(self.events), len(self.absences)), where
        assert store.open_intents() == (), where
        assert store.verify_journal().is_whole, where

    def _slot(self, left: datetime) -> datetime:
        self._free.append(left)
        return self._free.popleft()

    def _types_event(self) -> None:
        start = self._free.popleft()
        self.events[self._agent.types_event("Rendez-vous", *hours(start))] = start

    def _makes_rdv(self) -> None:
        start = self._free.popleft()
        self.rdvs[self._departement.rdv(start, self._agent)] = start

    def _types_absence(self) -> None:
        start = self._free.popleft()
        self.absences[self._departement.absence(self._agent, "Réunion", *hours(start))] = start

    def _moves_absence(self, number: int) -> None:
        self.absences[number] = self._slot(self.absences[number])
        self._departement.move_absence(number, *hours(self.absences[number]))

    def _shown_at(self, start: datetime) -> str:
        (found,) = [
            href
            for href, event in self._agent.ours().items()
            if event["DTSTART"].dt.astimezone(self._agent.zone).replace(tzinfo=None) == start
        ]
        return found


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("new_departement", ["radicale-sqlite", "radicale-postgresql"], indirect=True)
def test_killed_at_a_boundary_and_started_again_it_ends_with_one_of_everything(new_departement: New) -> None:
    clock = LeapingClock()
    departement = new_departement(clock)
    departement.read_timeout = 1.0  # bounds how long an unanswered write is waited for
    departement.rules = {"many_count": 1000}
    agent = departement.agent()
    colleague = departement.state.directory.add_agent("colleague", "AGENT", email="c@dept.example", service_ids=[PMI])
    departement.state.directory.set_role(colleague, NORD)
    life = _Life(departement, agent, colleague)
    departement.goes_live()
    life.assert_one_of_everything("before the first kill")
    departement.stop()
    with _program(departement, clock) as program:
        boundary, kills = _EVERY // 2 + 1, 0
        while True:
            life.goes_on()
            departement.forget_requests()
            died = program.syncs(kill_at=boundary)
            restarts = _until_quiet(departement, program)
            where = f"killed at boundary {boundary}, {restarts} restarts"
            life.assert_one_of_everything(where)
            departement.stop()
            if died["killed"]:
                boundary, kills = boundary + _EVERY, kills + 1
            elif _wrote_everything(died["crossed"]):
                _report(departement, kills, died["crossed"])
                return
            # Else a server was slow, and less was written: that boundary is tried again.


def _wrote_everything(crossed: list[str]) -> bool:
    """Whether a sync that nobody killed had one write of every kind to make, and made it."""
    return {each: crossed.count(f"after {each}") for each in _WRITES} == _WRITES


def _until_quiet(departement: Departement, program: _Program) -> int:
    """How often the real program was started until it wrote nothing any more."""
    for restarts in range(1, _MOST_RESTARTS + 1):
        departement.database.wait_until_free()
        departement.forget_requests()
        assert not program.syncs()["killed"]
        departement.database.wait_until_free()
        if not departement.writes() and not departement.store.open_intents():
            departement.stop()
            return restarts
        departement.stop()
    raise AssertionError(f"still at work after {_MOST_RESTARTS} restarts")


def _report(departement: Departement, kills: int, crossed: list[str]) -> None:
    """For `make kill`, which shows it."""
    kinds = sorted(set(crossed))
    print(f"\n{departement.database.place}: killed at {kills} of {len(crossed)} boundaries, of {len(kinds)} kinds:")
    print("\n".join(f"  {crossed.count(kind):4} {kind}" for kind in kinds))
