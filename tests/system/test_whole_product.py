"""The main scenarios through the whole product, on the calendar servers that Debian packages."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from connectors.ports import Clock
from tests.scenarios import test_absences, test_events, test_rdvs
from tests.scenarios.clock import ScenarioClock
from tests.scenarios.conftest import New, SharedSandbox
from tests.scenarios.database import SqliteDatabase
from tests.scenarios.departement import CalendarServer, Departement, done
from tests.scenarios.person import Person, Shown, hours
from tests.servers.counting_proxy import CountingProxy
from tests.system.conftest import AGENTS

pytestmark = pytest.mark.system

test_an_absence_deleted = test_absences.test_an_absence_deleted_takes_its_event_along
test_an_event_moved = test_absences.test_its_event_moved_moves_the_absence_and_keeps_its_title
test_a_block = test_events.test_a_block_follows_its_event_created_moved_made_free_busy_again_and_deleted
test_a_freed_block = test_events.test_a_block_deleted_in_rdv_solidarites_stays_freed_and_its_event_is_untouched
test_a_series = test_events.test_blocks_follow_a_series_with_a_moved_a_cancelled_and_an_added_occurrence
test_a_copy = test_rdvs.test_a_copy_follows_its_rdv_through_its_whole_life
test_a_swapped_agent = test_rdvs.test_a_copy_moves_house_when_the_agent_of_its_rdv_is_swapped


@dataclass(frozen=True)
class Served:
    """A calendar server as people's programs meet it: behind a web server, which bears what they cannot."""

    behind: CalendarServer
    url: str

    @property
    def name(self) -> str:
        return self.behind.name

    @property
    def users(self) -> dict[str, str]:
        return self.behind.users

    def home(self, user: str) -> str:
        return self.behind.home(user)


@pytest.fixture(scope="session")
def logins_of() -> dict[str, Iterator[str]]:
    """Every agent of every test has an account of their own on each server."""
    return {name: iter(AGENTS) for name in ("sogo", "davical", "cyrus")}


@pytest.fixture(params=["sogo", "davical", "cyrus"])
def new_departement(
    request: pytest.FixtureRequest,
    shared_sandbox: SharedSandbox,
    logins_of: dict[str, Iterator[str]],
    tmp_path: Path,
) -> Iterator[New]:
    server: CalendarServer = request.getfixturevalue(request.param)
    with ExitStack() as stack:
        front = stack.enter_context(CountingProxy(server.url))

        def new(clock: Clock) -> Departement:
            keep_alive = "silent" if server.name == "sogo" else "yes"
            made = Departement(
                tmp_path,
                server=Served(server, front.url),
                door=stack.enter_context(CountingProxy(server.url, keep_alive=keep_alive)),
                sandbox=shared_sandbox.as_on_the_first_day(clock),
                database=SqliteDatabase(tmp_path),
                clock=clock,
                logins=logins_of[server.name],
            )
            stack.callback(made.close)
            return made

        yield new


@pytest.fixture
def departement(new_departement: New) -> Departement:
    return new_departement(ScenarioClock())


@pytest.fixture
def agent(departement: Departement) -> Person:
    person = departement.agent()
    departement.goes_live()
    return person


def test_both_directions_then_nothing_left_to_do_then_one_request(departement: Departement) -> None:
    agent = departement.agent()
    agent.types_event("Équipe", *hours(departement.at(1, 9)), "RRULE:FREQ=WEEKLY;COUNT=5")
    agent.types_event("Formation", departement.day(4), departement.day(6))
    departement.rdv(departement.at(2, 9), agent)
    departement.absence(agent, "Congé", departement.at(3, 0), departement.at(3, 23, 59))
    departement.goes_live()
    assert agent.shown() == [
        Shown("RDV", *hours(departement.at(2, 9), 0.5)),
        Shown("Congé", departement.day(3), departement.day(4)),
    ]
    assert len(agent.blocks()) == 5 + 1

    time.sleep(2.05)  # SOGo tells moments apart by whole seconds
    departement.forget_requests()
    assert done(departement.sync()) == []
    assert departement.writes() == []

    departement.forget_requests()
    departement.sync()
    assert departement.calendar_requests() == {"PROPFIND": 1}
    assert departement.writes() == []
