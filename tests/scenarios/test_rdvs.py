"""RDV-Solidarités -> calendar: copies follow their RDVs, and there is one of each."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.scenarios.departement import REUNION, Departement
from tests.scenarios.person import Person, Shown, Vevent, hours
from tests.scenarios.small_departement import NORD, SAINT_DENIS, SOCIAL


def test_a_copy_follows_its_rdv_through_its_whole_life(departement: Departement, agent: Person) -> None:
    """Created, moved, cancelled, re-created, moved again, deleted: one copy all along, none after."""
    departement.rdv(departement.at(4, 9), agent)  # proves, later, that the organisation still shows its RDVs
    rdv = departement.rdv(departement.at(1, 9), agent)
    departement.settled()
    other = Shown("RDV", departement.at(4, 9), departement.at(4, 9, 30))
    assert agent.shown() == [Shown("RDV", departement.at(1, 9), departement.at(1, 9, 30)), other]

    departement.state.rdvs.move(rdv, departement.at(2, 14), duration_in_min=60)
    departement.settled()
    assert agent.shown() == [Shown("RDV", departement.at(2, 14), departement.at(2, 15)), other]

    departement.state.rdvs.cancel(rdv)
    departement.settled()
    assert agent.shown() == [Shown("[Annulé] RDV", departement.at(2, 14), departement.at(2, 15)), other]
    cancelled = _of_title(agent, "[Annulé] RDV")
    assert (cancelled["STATUS"], cancelled["TRANSP"]) == ("CANCELLED", "TRANSPARENT")

    departement.state.rdvs.recreate(rdv)
    departement.settled()
    assert agent.shown() == [Shown("RDV", departement.at(2, 14), departement.at(2, 15)), other]
    assert {event["TRANSP"] for event in agent.ours().values()} == {"OPAQUE"}

    departement.state.rdvs.delete(rdv)
    departement.settled()
    departement.settled()
    assert agent.shown() == [other]


def test_a_copy_moves_house_when_the_agent_of_its_rdv_is_swapped(departement: Departement) -> None:
    first, second = departement.agent(), departement.agent()
    departement.goes_live()
    rdv = departement.rdv(departement.at(1, 9), first)
    departement.settled()
    departement.state.rdvs.swap_agent(rdv, first.id, second.id)
    departement.settled()
    assert first.shown() == []
    assert second.shown() == [Shown("RDV", departement.at(1, 9), departement.at(1, 9, 30))]


def test_an_rdv_given_to_somebody_who_is_not_enrolled_leaves_the_calendar(
    departement: Departement, agent: Person
) -> None:
    rdv = departement.rdv(departement.at(1, 9), agent)
    departement.settled()
    stranger = departement.state.directory.add_agent("Sans", "Passerelle", email="sans@dept.example", service_ids=[1])
    departement.state.directory.set_role(stranger, NORD)
    departement.state.rdvs.swap_agent(rdv, agent.id, stranger)
    departement.settled()
    assert agent.shown() == []


def test_an_rdv_of_two_agents_is_copied_once_to_each_and_follows_in_both(departement: Departement) -> None:
    pair = departement.agent(), departement.agent()
    departement.goes_live()
    rdv = departement.rdv(departement.at(1, 9), *pair)
    departement.settled()
    departement.state.rdvs.move(rdv, departement.at(1, 11))
    departement.settled()
    for agent in pair:
        assert agent.shown() == [Shown("RDV", departement.at(1, 11), departement.at(1, 11, 30))]


def test_a_collective_rdv_is_one_event_however_many_join_it(departement: Departement, agent: Person) -> None:
    departement.copies = {"label": "motif", "motifs": "all"}
    departement.stop()
    rdv = departement.workshop(departement.at(1, 14), agent)
    departement.settled()
    departement.state.rdvs.add_participant(rdv, 1)
    departement.settled()
    (shown,) = agent.shown()
    assert (shown.start, shown.end) == (departement.at(1, 14), departement.at(1, 14, 30))
    assert shown.title == "Atelier · Budget"


@pytest.mark.parametrize("mode", ["old", "new"])
def test_a_copy_overseas_is_at_the_instant_that_the_agent_means(departement: Departement, mode: str) -> None:
    """The old mode writes La Réunion's wall-clock with Paris' offset; the new one is right. 9:00 there is 5:00 UTC."""
    departement.state.directory.set_zone_mode(SAINT_DENIS, mode)
    agent = departement.agent(organisations=[SAINT_DENIS], zone=REUNION)
    departement.goes_live()
    departement.rdv(departement.at(1, 9), agent, organisation=SAINT_DENIS)
    departement.settled()
    (event,) = agent.ours().values()
    assert event["DTSTART"].dt.astimezone(UTC) == datetime(2026, 3, 3, 5, tzinfo=UTC)
    assert agent.shown() == [Shown("RDV", departement.at(1, 9), departement.at(1, 9, 30))]


def test_an_rdv_moved_across_windows_keeps_its_one_copy(departement: Departement, agent: Person) -> None:
    """From next week to next year, out of what is read often, and back."""
    departement.rdv(departement.at(3, 9), agent)
    rdv = departement.rdv(departement.at(1, 9), agent)
    departement.settled()
    departement.state.rdvs.move(rdv, departement.at(300, 9))
    departement.settled()
    departement.settled()
    assert [shown.start for shown in agent.shown()] == [departement.at(3, 9), departement.at(300, 9)]
    departement.state.rdvs.move(rdv, departement.at(1, 9))
    departement.settled()
    assert [shown.start for shown in agent.shown()] == [departement.at(1, 9), departement.at(3, 9)]


def test_rdvs_never_come_back_as_busy_time(departement: Departement, agent: Person) -> None:
    departement.rdv(departement.at(1, 9), agent, service=SOCIAL)
    departement.settled()
    departement.settled()
    assert agent.absences() == []


def test_a_copy_that_a_person_duplicates_blocks_as_an_event_of_their_own(
    departement: Departement, agent: Person
) -> None:
    departement.rdv(departement.at(1, 9), agent)
    departement.settled()
    ((href, _),) = agent.ours().items()
    agent.files(agent.file(href).decode().replace("UID:rdvgw-", "UID:copie-"))
    departement.settled()
    assert agent.blocks() == [hours(departement.at(1, 9), 0.5)]


def _of_title(agent: Person, title: str) -> Vevent:
    (found,) = [event for event in agent.ours().values() if event["SUMMARY"] == title]
    return found
