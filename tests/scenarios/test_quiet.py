"""Nothing to do costs nothing: what is asked when nobody changed anything, counted at the servers."""

from __future__ import annotations

import math

from tests.scenarios.departement import CALENDAR, Departement, done
from tests.scenarios.person import Person, hours
from tests.scenarios.small_departement import NORD, SOCIAL, SUD

_PAGE = 100


def test_the_second_round_writes_nothing_and_the_third_asks_once_per_home(departement: Departement) -> None:
    """RDV-Solidarités is asked for each page of its organisations, agents and absences, and per organisation for the
    windows of RDVs that are near: here one window each."""
    agents = [departement.agent(), departement.agent(organisations=[NORD, SUD], service=SOCIAL), departement.agent()]
    for number, agent in enumerate(agents):
        agent.types_event("Équipe", *hours(departement.at(1, 9 + number)), "RRULE:FREQ=WEEKLY;COUNT=5")
        departement.rdv(departement.at(2, 9 + number), agent)
        departement.absence(agent, "Congé", departement.at(3, 0), departement.at(3, 23, 59))
    departement.sync()
    departement.approves()
    assert len(done(departement.sync())) == 3 * (5 + 1 + 1)

    departement.forget_requests()
    assert done(departement.sync()) == []
    assert departement.writes() == []

    departement.forget_requests()
    departement.sync()
    assert departement.calendar_requests() == {"PROPFIND": 3}
    assert {seen.path for seen in departement.door.seen} == {_home(agent) for agent in agents}
    assert departement.sandbox.request_counts == {
        "GET /api/v1/organisations": 1,
        "GET /api/v1/agents": 1,
        "GET /api/v1/absences": 1,
        "GET /api/v1/organisations/{id}/rdvs": 3,
    }


def test_a_quiet_round_stays_within_its_bound_when_there_is_much_to_read(
    departement: Departement, agent: Person
) -> None:
    """With more than a page: one request per page of organisations, agents and absences; windows of RDVs hold a page
    at most and are halved when they do not fit, so that those that are near are at most four times the pages that
    their RDVs fill, and one more for each organisation."""
    stranger = departement.state.directory.add_agent("Sans", "Passerelle", email="sans@dept.example", service_ids=[1])
    departement.state.directory.set_role(stranger, NORD)
    with departement.state.storage.transaction():
        for number in range(250):
            start = departement.at(1 + number // 8, 9 + number % 8)
            departement.rdv(start, agent, agent_ids=[stranger])
            departement.absence(agent, "Ancienne", *hours(departement.at(-300 + number, 9)))
    departement.settled()
    departement.forget_requests()
    departement.sync()
    counts = departement.sandbox.request_counts
    assert departement.writes() == []
    assert counts.pop("GET /api/v1/absences") <= math.ceil(250 / _PAGE)
    assert counts.pop("GET /api/v1/organisations/{id}/rdvs") <= 4 * math.ceil(250 / _PAGE) + 3
    assert counts == {"GET /api/v1/organisations": 1, "GET /api/v1/agents": 1}


def test_one_changed_calendar_is_read_alone_and_by_its_change_only(departement: Departement) -> None:
    first, second = departement.agent(), departement.agent()
    for number in range(10):
        first.types_event("Ancien", *hours(departement.at(1 + number, 9)))
    departement.goes_live()
    departement.settled()
    changed = first.types_event("Nouveau", *hours(departement.at(1, 15)))
    departement.forget_requests()
    departement.sync()
    asked = [seen for seen in departement.door.seen if seen.path != _home(first)]
    assert [seen.path for seen in asked if seen.path.startswith(_home(second))] == [_home(second)]
    bodies = b"".join(seen.body for seen in asked if seen.path.startswith(first.calendar))
    assert bodies.count(b".ics") <= 1
    assert changed.rpartition("/")[2].encode() in bodies


def _home(agent: Person) -> str:
    return agent.calendar.removesuffix(f"{CALENDAR}/")
