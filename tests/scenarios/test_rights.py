"""Lost rights look like emptied lists: nothing is removed anywhere, and all goes on when they are back."""

from __future__ import annotations

import pytest

from gateway.sync.values import HoldReason
from tests.scenarios.choices import on_one_calendar_server
from tests.scenarios.departement import Departement, done, held, problems, reasons
from tests.scenarios.person import Person, Shown, hours
from tests.scenarios.small_departement import ACCOUNT_ID, NORD, PMI, SOCIAL, SUD
from tests.servers.counting_proxy import Instead, Reply

_HOURS = 60


def _two_services(departement: Departement) -> tuple[Person, Person]:
    """An agent of each service, with RDVs, blocks and mirrors; an organisation of which one RDV is known."""
    agents = departement.agent(), departement.agent(organisations=[NORD, SUD], service=SOCIAL)
    for agent, service in zip(agents, (PMI, SOCIAL), strict=True):
        for day in (1, 2):
            departement.rdv(departement.at(day, 9 + service), agent, service=service)
        agent.types_event("Équipe", *hours(departement.at(3, 9)), "RRULE:FREQ=WEEKLY;COUNT=3")
        departement.absence(agent, "Congé", departement.at(4, 0), departement.at(4, 23, 59))
    departement.rdv(departement.at(2, 15), agents[1], organisation=SUD, service=SOCIAL)
    departement.rdv(departement.at(2, 16), *agents)
    departement.goes_live()
    return agents


def _many_rounds(departement: Departement) -> list[str]:
    """Near and far readings while something is missing; what was said of it."""
    said: list[str] = []
    for _ in range(3):
        said += problems(departement.sync(minutes=4 * _HOURS))
    return said


@on_one_calendar_server
@pytest.mark.parametrize("lost", ["everything", "organisation", "service", "agent"])
def test_lost_rights_remove_nothing_and_given_back_all_is_well(departement: Departement, lost: str) -> None:
    first, second = _two_services(departement)
    target = {"everything": 0, "organisation": SUD, "service": SOCIAL, "agent": second.id}[lost]
    with departement.untouched():
        departement.state.rights.withhold(ACCOUNT_ID, lost, target)
        said = _many_rounds(departement)
        assert said, "IT is not told"
        departement.state.rights.restore(ACCOUNT_ID)
        departement.settled()
        report = departement.sync(minutes=7 * _HOURS)
    assert held(report) == []
    assert problems(report) == []
    first.types_event("Après", *hours(departement.at(8, 9)))
    departement.settled()
    assert hours(departement.at(8, 9)) in first.blocks()


@on_one_calendar_server
@pytest.mark.parametrize("listing", ["organisations", "agents", "absences", r"organisations/\d+/rdvs"])
def test_a_list_that_does_not_come_whole_removes_nothing(departement: Departement, listing: str) -> None:
    first, _ = _two_services(departement)
    with departement.untouched():
        for kind in ("page_empty", "page_repeat", "html", "status", "truncate"):
            departement.faults.add(kind, method="GET", path=f"/api/v1/{listing}", times=None)
            _many_rounds(departement)
            departement.faults.clear()
            departement.settled()
        assert held(departement.sync(minutes=7 * _HOURS)) == []
    assert len(first.shown()) == 4


def test_a_second_page_of_absences_that_is_missing_removes_nothing(departement: Departement, agent: Person) -> None:
    """Absences are listed from the last one on: the second page is that of the nearest days."""
    departement.absence(agent, "Congé", *hours(departement.at(1, 9)))
    agent.types_event("Équipe", *hours(departement.at(2, 9)))
    stranger = departement.state.directory.add_agent("Sans", "Passerelle", email="sans@dept.example", service_ids=[1])
    departement.state.directory.set_role(stranger, NORD)
    for number in range(120):
        start = departement.at(3 + number, 9)
        departement.state.absences.create(
            stranger, title="Bureau", first_day=start.date(), start_time=start.time(), end_time=start.time().replace(10)
        )
    departement.settled()
    assert (len(agent.shown()), len(agent.blocks())) == (1, 1)
    with departement.untouched():
        departement.faults.add("page_empty", method="GET", path="/api/v1/absences", page=2, times=None)
        assert problems(departement.sync())
        assert problems(departement.sync())
        departement.faults.clear()
        departement.settled()


def test_the_last_rdv_of_an_organisation_is_held_when_deleted_and_goes_when_approved(
    departement: Departement, agent: Person
) -> None:
    """Nothing proves that it is gone: the same would be seen if the right to see it were."""
    rdv = departement.rdv(departement.at(1, 9), agent)
    departement.settled()
    departement.state.rdvs.delete(rdv)
    for _ in range(3):
        report = departement.sync()
    (waiting,) = held(report)
    assert waiting.reason is HoldReason.UNPROVEN
    assert "rights may have been lost" in waiting.explanation
    assert agent.shown() == [Shown("RDV", *hours(departement.at(1, 9), 0.5))]
    assert departement.approves() == 1
    departement.settled()
    assert agent.shown() == []


def test_a_calendar_that_may_no_longer_be_read_frees_no_time(departement: Departement) -> None:
    """One home is refused, gone, or fails: its agent waits, the other goes on."""
    first, second = _two_with_a_meeting(departement)
    for status in (403, 404, 500):
        with departement.untouched():
            departement.door.when(None, Instead(Reply(status)), times=None, path=f"/{first.login}/")
            report = departement.sync()
            assert [bool(each.problems) for each in report.agents] == [True, False]
            departement.door.behave()
    second.types_event("Autre", *hours(departement.at(1, 15)))
    departement.clock.sleep(3600)
    departement.settled()
    assert reasons(departement.sync()) == set()
    assert done(departement.sync()) == []
    assert second.blocks() == [hours(departement.at(1, 9)), hours(departement.at(1, 15))]


def test_a_password_that_is_no_longer_right_frees_no_time_and_the_new_one_is_taken_up(departement: Departement) -> None:
    first, second = _two_with_a_meeting(departement)
    departement.configures_password(first, "ancien")
    with departement.untouched():
        for _ in range(3):
            report = departement.sync()
            assert [bool(each.problems) for each in report.agents] == [True, False]
    refused = [seen for seen in departement.door.seen if seen.status == 401]
    assert len(refused) == 1  # not tried again: directories lock people out
    first.types_event("Autre", *hours(departement.at(1, 15)))
    departement.configures_password(first, first.password)
    departement.settled()
    assert first.blocks() == [hours(departement.at(1, 9)), hours(departement.at(1, 15))]
    assert second.blocks() == [hours(departement.at(1, 9))]


def _two_with_a_meeting(departement: Departement) -> tuple[Person, Person]:
    agents = departement.agent(), departement.agent()
    for agent in agents:
        agent.types_event("Équipe", *hours(departement.at(1, 9)))
    departement.goes_live()
    return agents
