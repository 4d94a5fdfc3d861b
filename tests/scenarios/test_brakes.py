"""A ceiling of writes and a stop, on real servers: nothing is lost, nothing is doubled, the rest comes later."""

from __future__ import annotations

from collections import Counter

from gateway.sync.values import RunReport, Side, Stop
from tests.scenarios.departement import Departement, done
from tests.scenarios.person import Person, hours
from tests.scenarios.small_departement import SOCIAL


def busy(departement: Departement, person: Person, days: list[int]) -> None:
    for day in days:
        person.types_event("Réunion", *hours(departement.at(day, 9)))


def waiting(report: RunReport) -> int:
    return sum(len(agent.waiting) for agent in report.agents)


def test_the_rest_waits_for_the_next_hour_nearest_dates_of_the_fleet_first(departement: Departement) -> None:
    """Nobody is left out: a part is shared evenly. Nothing of it is an error."""
    near, far = departement.agent(), departement.agent(service=SOCIAL)
    departement.goes_live()
    departement.limits = {"writes_per_hour": 4}
    departement.stop()
    busy(departement, near, [1, 2, 3, 4, 7])
    busy(departement, far, [22, 23, 24])
    departement.clock.sleep(3600)

    report = departement.sync()
    written = done(report)
    assert Counter(operation.agent_id for operation in written) == {near.id: 3, far.id: 1}
    assert {operation.when.date() for operation in written if operation.agent_id == near.id} == {
        departement.day(day) for day in (1, 2, 3)
    }
    assert waiting(report) == 4
    assert all(agent.problems == () for agent in report.agents)

    departement.forget_requests()
    again = departement.sync()
    assert (len(done(again)), waiting(again), departement.writes()) == (0, 4, [])

    assert len(done(departement.sync(minutes=60))) == 4
    reports = departement.settled()
    assert waiting(reports[-1]) == 0
    assert [len(departement.state.absences_of(person.id)) for person in (near, far)] == [5, 3]


def test_a_restart_does_not_begin_to_count_anew(departement: Departement, agent: Person) -> None:
    departement.limits = {"writes_per_hour": 2}
    departement.stop()
    departement.clock.sleep(3600)
    busy(departement, agent, [1, 2, 3])
    assert len(done(departement.sync())) == 2
    departement.stop()
    assert done(departement.sync()) == []


def test_the_day_has_a_ceiling_too(departement: Departement, agent: Person) -> None:
    departement.limits = {"writes_per_day": 2}
    departement.stop()
    departement.clock.sleep(25 * 3600)
    busy(departement, agent, [2, 3, 4])
    assert len(done(departement.sync())) == 2
    assert done(departement.sync(minutes=180)) == []
    assert len(done(departement.sync(minutes=24 * 60))) == 1


def test_an_agent_whose_writes_wait_is_not_completely_synced(departement: Departement, agent: Person) -> None:
    departement.limits = {"writes_per_hour": 1}
    departement.stop()
    departement.clock.sleep(3600)
    busy(departement, agent, [1, 2])
    (before,) = departement.store.agent_status()
    departement.sync()
    (after,) = departement.store.agent_status()
    assert after.last_complete_at == before.last_complete_at
    departement.sync(minutes=60)
    (finally_,) = departement.store.agent_status()
    assert finally_.last_complete_at != before.last_complete_at


def test_a_stop_given_in_the_middle_of_a_run_lets_no_further_write_through(
    departement: Departement, agent: Person
) -> None:
    """It is committed while the first write is under way; both sides are read as ever, and nothing is lost."""
    busy(departement, agent, [1, 2, 3])
    departement.rdv(departement.at(5, 14), agent)
    client = departement.application.rdv_solidarites
    create = client.create_absence

    def stopped_meanwhile(draft):
        with departement.store.transaction() as tx:
            tx.set_stop(Stop(departement.clock.now(), "adele", "essai"))
        return create(draft)

    client.create_absence = stopped_meanwhile  # type: ignore[method-assign]
    departement.forget_requests()
    report = departement.sync()
    assert [operation.side for operation in done(report)] == [Side.RDV_SOLIDARITES]
    assert len(departement.writes()) == 1
    assert (waiting(report), report.stop and report.stop.by) == (3, "adele")

    client.create_absence = create  # type: ignore[method-assign]
    departement.forget_requests()
    assert done(departement.sync()) == []
    assert departement.writes() == []

    with departement.store.transaction() as tx:
        tx.lift_stop()
    assert len(done(departement.sync())) == 3
    assert len(departement.state.absences_of(agent.id)) == 3


def test_a_first_run_approved_during_a_stop_stays_one(departement: Departement) -> None:
    """What is added meanwhile is still held against the approval."""
    person = departement.agent()
    busy(departement, person, [1])
    departement.sync()
    departement.approves()
    with departement.store.transaction() as tx:
        tx.set_stop(Stop(departement.clock.now(), "adele"))
    departement.sync()
    assert departement.store.agents()[0].state == "first_run"
    with departement.store.transaction() as tx:
        tx.lift_stop()
    assert len(done(departement.sync())) == 1
    assert departement.store.agents()[0].state == "live"
