"""An agent with two calendars that block: what is in both, or moves from one to the other, is one."""

from __future__ import annotations

import pytest

from tests.scenarios.departement import Departement
from tests.scenarios.person import Person, hours


@pytest.fixture
def agent(departement: Departement) -> Person:
    """Live, with a second calendar."""
    person = departement.agent()
    departement.second_calendar(person)
    departement.goes_live()
    return person


def test_one_meeting_in_both_calendars_is_one_block_until_it_left_both(departement: Departement, agent: Person) -> None:
    (second,) = agent.other_calendars
    here = agent.types_event("Équipe", *hours(departement.at(1, 9)), uid="equipe")
    there = agent.types_event("Équipe", *hours(departement.at(1, 9)), uid="equipe", calendar=second)
    departement.settled()
    assert agent.blocks() == [hours(departement.at(1, 9))]
    agent.deletes(here)
    departement.settled()
    assert agent.blocks() == [hours(departement.at(1, 9))]
    agent.deletes(there)
    departement.settled()
    assert agent.absences() == []


def test_an_event_that_moves_to_the_other_calendar_keeps_its_absence(departement: Departement, agent: Person) -> None:
    (second,) = agent.other_calendars
    here = agent.types_event("Équipe", *hours(departement.at(1, 9)), uid="equipe")
    departement.settled()
    agent.types_event("Équipe", *hours(departement.at(1, 9)), uid="equipe", calendar=second)
    agent.deletes(here)
    departement.forget_requests()
    departement.settled()
    assert departement.writes() == []
    assert agent.blocks() == [hours(departement.at(1, 9))]


def test_time_freed_by_hand_stays_free_when_its_event_moves_to_the_other_calendar(
    departement: Departement, agent: Person
) -> None:
    (second,) = agent.other_calendars
    here = agent.types_event("Équipe", *hours(departement.at(1, 9)), uid="equipe")
    departement.settled()
    departement.state.absences.delete(agent.absence_at(departement.at(1, 9)))
    departement.settled()
    agent.types_event("Équipe", *hours(departement.at(1, 9)), uid="equipe", calendar=second)
    agent.deletes(here)
    departement.settled()
    assert agent.absences() == []


def test_copies_are_written_into_the_first_calendar_alone(departement: Departement, agent: Person) -> None:
    (second,) = agent.other_calendars
    departement.rdv(departement.at(1, 9), agent)
    departement.settled()
    assert len(agent.shown()) == 1
    assert not [seen for seen in departement.door.seen if seen.method == "PUT" and seen.path.startswith(second)]
    departement.forget_requests()
    departement.sync()
    assert departement.calendar_requests() == {"PROPFIND": 1}
