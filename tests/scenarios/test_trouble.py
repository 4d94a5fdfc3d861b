"""Servers in trouble: one bad item never stops the rest, and what passes by itself needs nobody."""

from __future__ import annotations

import pytest

from tests.scenarios.departement import Departement, problems
from tests.scenarios.person import Person, Shown, hours
from tests.servers.counting_proxy import Instead, Reply


def test_one_absence_that_is_refused_stops_no_other(departement: Departement, agent: Person) -> None:
    for day in range(1, 4):
        agent.types_event("Équipe", *hours(departement.at(day, 9)))
    departement.rdv(departement.at(4, 9), agent)
    departement.faults.add("status", method="POST", path="/api/v1/absences", status=422)
    report = departement.sync()
    assert len(problems(report)) == 1
    assert len(agent.blocks()) == 2
    assert len(agent.shown()) == 1
    departement.settled()
    assert len(agent.blocks()) == 3


def test_one_copy_that_is_refused_stops_no_other(departement: Departement, agent: Person) -> None:
    for day in range(1, 4):
        departement.rdv(departement.at(day, 9), agent)
    agent.types_event("Équipe", *hours(departement.at(4, 9)))
    departement.door.when("PUT", Instead(Reply(415)))
    report = departement.sync()
    assert len(problems(report)) == 1
    assert len(agent.shown()) == 2
    assert len(agent.blocks()) == 1
    departement.settled()
    assert len(agent.shown()) == 3


@pytest.mark.parametrize(
    "trouble", [{"status": 429, "retry_after": 30}, {"status": 500}, {"status": 503, "body": "html"}], ids=str
)
def test_a_burst_of_refusals_delays_and_loses_nothing(
    departement: Departement, agent: Person, trouble: dict[str, object]
) -> None:
    agent.types_event("Équipe", *hours(departement.at(1, 9)))
    departement.absence(agent, "Congé", *hours(departement.at(2, 9)))
    departement.rdv(departement.at(3, 9), agent)
    departement.faults.add("status", path="/api/v1/.*", times=None, **trouble)
    for _ in range(3):
        departement.sync()
    departement.faults.clear()
    departement.settled()
    assert agent.blocks() == [hours(departement.at(1, 9))]
    assert agent.shown() == [
        Shown("Congé", *hours(departement.at(2, 9))),
        Shown("RDV", *hours(departement.at(3, 9), 0.5)),
    ]


def test_writes_that_are_throttled_go_on_later_and_the_calendar_is_served_meanwhile(
    departement: Departement, agent: Person
) -> None:
    for day in range(1, 6):
        agent.types_event("Équipe", *hours(departement.at(day, 9)))
    departement.rdv(departement.at(6, 9), agent)
    departement.faults.add(
        "status", method="POST", path="/api/v1/absences", skip=2, times=3, status=429, retry_after=30
    )
    departement.sync()
    assert len(agent.blocks()) == 2
    assert len(agent.shown()) == 1
    departement.settled(most=10)
    assert len(agent.blocks()) == 5


def test_a_session_that_ended_is_opened_again_once(departement: Departement, agent: Person) -> None:
    """Another program signed in with the same account, or the token expired."""
    agent.types_event("Équipe", *hours(departement.at(1, 9)))
    departement.state.accounts.revoke_all()
    departement.forget_requests()
    assert problems(departement.sync()) == []
    assert agent.blocks() == [hours(departement.at(1, 9))]
    signed_in = [name for name in departement.sandbox.request_counts if "sign_in" in name]
    assert [departement.sandbox.request_counts[name] for name in signed_in] == [1]


def test_rights_lost_for_writing_are_told_and_nothing_is_judged_gone(departement: Departement, agent: Person) -> None:
    event = agent.types_event("Équipe", *hours(departement.at(1, 9)))
    departement.settled()
    agent.moves(event, *hours(departement.at(1, 14)))
    departement.faults.add(
        "status", method="PATCH|DELETE|POST", path=r"/api/v1/absences(/\d+)?", status=403, times=None
    )
    for _ in range(3):
        report = departement.sync()
    assert problems(report)
    assert agent.blocks() == [hours(departement.at(1, 9))]
    departement.faults.clear()
    departement.settled()
    assert agent.blocks() == [hours(departement.at(1, 14))]
