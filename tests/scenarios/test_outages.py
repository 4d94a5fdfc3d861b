"""A declared outage on real servers: nothing is asked or judged there, others go on, and all is caught up."""

from __future__ import annotations

from datetime import timedelta

from gateway.sync.outages import Outage, ended
from tests.scenarios.departement import Departement, held, problems
from tests.scenarios.person import Person, hours
from tests.servers.counting_proxy import Cut


def declare(departement: Departement, system: str, *, hours_long: float | None = None) -> None:
    now = departement.clock.now()
    until = None if hours_long is None else now + timedelta(hours=hours_long)
    with departement.store.transaction() as tx:
        tx.set_outages([Outage(system, now, until, "scenario")])


def end(departement: Departement, system: str) -> None:
    with departement.store.transaction() as tx:
        tx.set_outages(ended(departement.store.outages(), system, departement.clock.now()))


def test_an_account_that_is_away_is_neither_asked_nor_told_of_and_others_go_on(departement: Departement) -> None:
    away, other = departement.agent(), departement.agent()
    departement.goes_live()
    declare(departement, away.login)
    departement.door.when(None, Cut(), times=None, path=f"/{away.login}/")
    departement.rdv(departement.at(1, 9), away, other)
    departement.forget_requests()
    report = departement.sync()
    assert problems(report) == []
    assert [f"/{away.login}/" in seen.path for seen in departement.door.seen].count(True) == 0
    assert (len(away.shown()), len(other.shown())) == (0, 1)
    assert "an outage of" in report.told[0]
    assert departement.store.agent_status()[0].last_problem is None

    departement.door.behave()
    end(departement, away.login)
    departement.settled()
    assert len(away.shown()) == 1


def test_while_rdv_solidarites_is_away_nothing_is_asked_anywhere_and_it_ends_by_itself(
    departement: Departement, agent: Person
) -> None:
    events = [agent.types_event(f"N° {day}", *hours(departement.at(day, 9))) for day in range(1, 4)]
    departement.settled()
    declare(departement, "rdv_solidarites", hours_long=2)
    departement.faults.add("status", path="/api/v1/.*", times=None, status=503)
    agent.deletes(events[0])
    departement.forget_requests()
    with departement.untouched():
        report = departement.sync()
    assert (problems(report), held(report)) == ([], [])
    assert sum(departement.sandbox.request_counts.values()) == 0
    departement.faults.clear()
    departement.clock.sleep(3 * 3600)
    departement.settled()
    assert len(agent.blocks()) == 2
