"""Killed at any moment and started again: one of everything."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import IO

from tests.scenarios.clock import LeapingClock
from tests.scenarios.conftest import New
from tests.scenarios.departement import Departement
from tests.scenarios.person import Person, Shown, hours

_KILLS = 10
_MOST_KILLS = 40
_GIVE_UP = 20.0


class _Killable:
    """The process of `tests.scenarios.killable`."""

    def __init__(self, lines_in: IO[str], lines_out: IO[str]) -> None:
        self._in = lines_in
        self._out = lines_out

    def start(self) -> int:
        """A new sync; its process id."""
        self._in.write("\n")
        self._in.flush()
        return int(self._out.readline())

    def kill(self, process: int) -> None:
        os.kill(process, signal.SIGKILL)
        assert self._out.readline() == "ended\n"


@contextmanager
def _killable(departement: Departement) -> Iterator[_Killable]:
    path = departement.directory / "configuration.json"
    path.write_text(json.dumps(departement.configuration()))
    with subprocess.Popen(
        [sys.executable, "-m", "tests.scenarios.killable", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield _Killable(process.stdin, process.stdout)
        process.stdin.close()
        assert process.wait(_GIVE_UP) == 0


class _Diary:
    """What an agent has on both sides, and what must therefore be found in the end."""

    def __init__(self, departement: Departement, agent: Person, chance: random.Random) -> None:
        self._departement = departement
        self._agent = agent
        self._chance = chance
        self._free = [departement.at(day, hour) for day in range(2, 40) for hour in range(8, 19, 2)]
        chance.shuffle(self._free)
        self.events: dict[str, datetime] = {}
        self.rdvs: dict[int, datetime] = {}
        self.absences: dict[int, datetime] = {}

    def changes_something(self) -> None:
        departement, agent, start = self._departement, self._agent, self._free.pop()
        choice = self._chance.randrange(7)
        if choice == 0 and self.events:
            href = self._chance.choice(sorted(self.events))
            agent.moves(href, *hours(start))
            self.events[href] = start
        elif choice == 1 and self.events:
            href = self._chance.choice(sorted(self.events))
            agent.deletes(href)
            del self.events[href]
        elif choice == 2 and self.rdvs:
            rdv = self._chance.choice(sorted(self.rdvs))
            departement.state.rdvs.move(rdv, start)
            self.rdvs[rdv] = start
        elif choice == 3:
            self.absences[departement.absence(agent, "Réunion", *hours(start))] = start
        elif choice == 4:
            self.rdvs[departement.rdv(start, agent)] = start
        else:
            self.events[agent.types_event("Rendez-vous", *hours(start))] = start

    def assert_one_of_everything(self) -> None:
        expected = [Shown("RDV", *hours(start, 0.5)) for start in self.rdvs.values()]
        expected += [Shown("Réunion", *hours(start)) for start in self.absences.values()]
        assert sorted(self._agent.shown(), key=repr) == sorted(expected, key=repr)
        assert sorted(self._agent.blocks()) == sorted(hours(start) for start in self.events.values())
        assert len(self._agent.absences()) == len(self.events) + len(self.absences)
        own = self._departement.store.agent_view(self._agent.id)
        assert (len(own.copies), len(own.blocks), len(own.mirrors)) == (
            len(self.rdvs),
            len(self.events),
            len(self.absences),
        )


def test_killed_again_and_again_in_the_midst_of_its_work_it_ends_with_one_of_everything(new_departement: New) -> None:
    departement = new_departement(LeapingClock())
    departement.read_timeout = 0.5  # bounds how long an unanswered creation is waited for
    departement.rules = {"many_count": 1000}
    agent = departement.agent()
    departement.goes_live()
    chance = random.Random(f"{departement.server.name} 1")
    diary = _Diary(departement, agent, chance)
    for _ in range(10):
        diary.changes_something()
    left_open = 0
    departement.stop()
    with _killable(departement) as killable:
        kills = 0
        # On a machine that is slow or fast, a few more until one falls between an intent and its outcome.
        while kills < _KILLS or (left_open == 0 and kills < _MOST_KILLS):
            kills += 1
            for _ in range(5):
                diary.changes_something()
            process = killable.start()
            _wait_for_writes(departement, chance.randrange(6))
            time.sleep(chance.uniform(0, 0.02))
            killable.kill(process)
            departement.database.wait_until_free()
            left_open += len(departement.store.open_intents())
            departement.stop()
    time.sleep(0.2)  # what was under way when the last one died
    departement.settled(most=10)
    departement.settled()
    diary.assert_one_of_everything()
    assert left_open > 0, "no kill came between an intent and its outcome: this run proved nothing"


def _wait_for_writes(departement: Departement, count: int) -> None:
    """Until it asked for something and both servers together answered so many writes, if it has so many to make."""
    departement.forget_requests()
    until = time.monotonic() + _GIVE_UP
    while not departement.door.seen:
        assert time.monotonic() < until, "the sync makes no request"
        time.sleep(0.001)
    until = time.monotonic() + 1.0
    while len(departement.writes()) < count and time.monotonic() < until:
        time.sleep(0.001)
