"""The main scenarios, on doubles of servers that cannot run here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.ports import Clock
from tests.scenarios import test_absences, test_events, test_rdvs
from tests.scenarios.conftest import _USERS, New, SharedSandbox
from tests.scenarios.database import SqliteDatabase
from tests.scenarios.departement import Departement
from tests.servers.counting_proxy import CountingProxy
from tests.servers.sogo_like import SogoLike
from tests.servers.zimbra_like import ZimbraLike

test_an_absence_deleted = test_absences.test_an_absence_deleted_takes_its_event_along
test_an_event_moved = test_absences.test_its_event_moved_moves_the_absence_and_keeps_its_title
test_a_block = test_events.test_a_block_follows_its_event_created_moved_made_free_busy_again_and_deleted
test_a_freed_block = test_events.test_a_block_deleted_in_rdv_solidarites_stays_freed_and_its_event_is_untouched
test_a_series = test_events.test_blocks_follow_a_series_with_a_moved_a_cancelled_and_an_added_occurrence
test_a_copy = test_rdvs.test_a_copy_follows_its_rdv_through_its_whole_life
test_a_swapped_agent = test_rdvs.test_a_copy_moves_house_when_the_agent_of_its_rdv_is_swapped


@pytest.fixture(params=[SogoLike, ZimbraLike])
def new_departement(
    request: pytest.FixtureRequest, shared_sandbox: SharedSandbox, logins: Iterator[str], tmp_path: Path
) -> Iterator[New]:
    with request.param(_USERS) as server, ExitStack() as stack:

        def new(clock: Clock) -> Departement:
            # Persons' client cannot bear what the gateway has to: connections that end without notice.
            keep_alive = "silent" if server.manners.hangs_up else "yes"
            server.manners = replace(server.manners, hangs_up=False)
            door = stack.enter_context(CountingProxy(server.url, keep_alive=keep_alive))
            sandbox = shared_sandbox.as_on_the_first_day(clock)
            database = SqliteDatabase(tmp_path)
            made = Departement(
                tmp_path, server=server, door=door, sandbox=sandbox, database=database, clock=clock, logins=logins
            )
            stack.callback(made.close)
            return made

        yield new
