"""Killed at any boundary of a sync that has one write of every kind to make, and started again: one of everything."""

from __future__ import annotations

import os

import pytest

from tests.kill.life import Life
from tests.kill.running import Program, running_program
from tests.scenarios.clock import LeapingClock
from tests.scenarios.conftest import New, calendar_servers, logins, new_departement, shared_sandbox
from tests.scenarios.departement import Departement

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


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("new_departement", ["radicale-sqlite", "radicale-postgresql"], indirect=True)
def test_killed_at_a_boundary_and_started_again_it_ends_with_one_of_everything(new_departement: New) -> None:
    clock = LeapingClock()
    departement = new_departement(clock)
    departement.read_timeout = 1.0  # bounds how long an unanswered write is waited for
    departement.rules = {"many_count": 1000}
    agent = departement.agent()
    life = Life(departement, agent)
    departement.goes_live()
    life.assert_one_of_everything("before the first kill")
    departement.stop()
    with running_program(departement, clock) as program:
        boundary, kills = _EVERY // 2 + 1, 0
        while True:
            life.goes_on()
            departement.forget_requests()
            died = program.runs(kill_at=boundary)
            restarts = _until_quiet(departement, program)
            where = f"killed at boundary {boundary}, {restarts} restarts"
            life.assert_one_of_everything(where)
            departement.stop()
            if died.killed:
                boundary, kills = boundary + _EVERY, kills + 1
            elif _wrote_everything(died.crossed):
                _report(departement, kills, died.crossed)
                return
            # Else a server was slow, and less was written: that boundary is tried again.


def _wrote_everything(crossed: list[str]) -> bool:
    """Whether a sync that nobody killed had one write of every kind to make, and made it."""
    return {each: crossed.count(f"after {each}") for each in _WRITES} == _WRITES


def _until_quiet(departement: Departement, program: Program) -> int:
    """How often the real program was started until it wrote nothing any more."""
    for restarts in range(1, _MOST_RESTARTS + 1):
        departement.database.wait_until_free()
        departement.forget_requests()
        assert not program.runs().killed
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
