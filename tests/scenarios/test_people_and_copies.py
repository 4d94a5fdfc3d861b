"""A person's hand on what the gateway shows them: put back where RDV-Solidarités owns it, kept where it is theirs."""

from __future__ import annotations

from icalendar import Alarm

from connectors.records import Classification
from tests.scenarios.departement import Departement, conflicts
from tests.scenarios.person import Person, Shown, Vevent, hours


def _copy(departement: Departement, agent: Person) -> str:
    departement.rdv(departement.at(3, 9), agent)
    departement.settled()
    (href,) = agent.ours()
    return href


def test_time_and_place_of_a_copy_are_put_back_and_what_is_theirs_is_kept(
    departement: Departement, agent: Person
) -> None:
    href = _copy(departement, agent)

    def personalise(event: Vevent) -> None:
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", "Rappel")
        alarm["TRIGGER"] = "-PT30M"
        event.add_component(alarm)
        event.add("categories", ["Important"])
        event["DESCRIPTION"] = "Prendre le dossier bleu"

    agent.edits(href, personalise)
    departement.settled()
    agent.moves(href, *hours(departement.at(4, 16)))
    agent.writes(href, location="Au café")
    departement.settled()

    event = agent.event(href)
    assert agent.shown() == [Shown("RDV", *hours(departement.at(3, 9), 0.5))]
    assert event["LOCATION"] == "Sur place"
    assert event["DESCRIPTION"] == "Prendre le dossier bleu"
    assert [str(each) for each in event["CATEGORIES"].cats] == ["Important"]
    assert [alarm["TRIGGER"].to_ical() for alarm in event.walk("VALARM")] == [b"-PT30M"]
    assert event["CLASS"] == Classification.PRIVATE
    assert "ORGANIZER" not in event
    assert "ATTENDEE" not in event

    for hour in (11, 14):
        departement.state.rdvs.move(departement.state.contents()["rdvs"][0]["id"], departement.at(3, hour))
        departement.settled()
        assert agent.event(href)["DESCRIPTION"] == "Prendre le dossier bleu"
        assert agent.shown() == [Shown("RDV", *hours(departement.at(3, hour), 0.5))]


def test_alarms_of_a_person_survive_when_the_rdv_itself_moves(departement: Departement, agent: Person) -> None:
    rdv = departement.rdv(departement.at(3, 9), agent)
    departement.settled()
    (href,) = agent.ours()
    agent.writes(href, priority=3)
    departement.state.rdvs.move(rdv, departement.at(4, 9))
    departement.settled()
    assert agent.event(href)["PRIORITY"] == 3
    assert agent.shown() == [Shown("RDV", *hours(departement.at(4, 9), 0.5))]


def test_a_deleted_copy_is_back_at_the_next_sync(departement: Departement, agent: Person) -> None:
    agent.deletes(_copy(departement, agent))
    departement.settled()
    assert agent.shown() == [Shown("RDV", *hours(departement.at(3, 9), 0.5))]


def test_a_third_edit_in_a_day_is_a_conflict_and_the_next_day_it_is_put_back(
    departement: Departement, agent: Person
) -> None:
    href = _copy(departement, agent)
    for hour in (10, 11):
        agent.moves(href, *hours(departement.at(3, hour)))
        departement.settled()
        assert agent.shown() == [Shown("RDV", *hours(departement.at(3, 9), 0.5))]
    agent.moves(href, *hours(departement.at(3, 12)))
    report = departement.settled()[-1]
    assert conflicts(report) == ["put_back_too_often"]
    assert agent.shown() == [Shown("RDV", *hours(departement.at(3, 12)))]
    departement.sync(minutes=24 * 60)
    assert agent.shown() == [Shown("RDV", *hours(departement.at(3, 9), 0.5))]


def test_an_edit_of_a_copy_never_changes_a_participation(departement: Departement, agent: Person) -> None:
    """A participation changed there sends messages to usagers."""
    href = _copy(departement, agent)
    before = departement.state.contents()["rdvs"]
    agent.writes(href, status="CANCELLED")
    departement.settled()
    agent.deletes(href)
    departement.settled()
    assert departement.state.contents()["rdvs"] == before
    assert departement.state.notifications() == []


def test_a_copy_made_by_rdv_solidarites_own_sync_is_told_holds_copies_and_never_blocks(
    departement: Departement, agent: Person
) -> None:
    """Its UID is the RDV's uuid."""
    rdv = departement.rdv(departement.at(3, 9), agent)
    uuid = departement.state.contents()["rdvs"][0]["uuid"]
    native = agent.types_event("RDV natif", *hours(departement.at(3, 9), 0.5), uid=uuid)
    agent.types_event("Dentiste", *hours(departement.at(1, 9)))
    report = departement.settled()[-1]
    assert conflicts(report) == ["native_sync"]
    assert [(each.operation.rdv_id, each.reason.value) for each in report.agents[0].held] == [(rdv, "native_sync")]
    assert agent.shown() == []
    assert agent.blocks() == [hours(departement.at(1, 9))]

    agent.deletes(native)
    departement.settled()
    assert agent.shown() == [Shown("RDV", *hours(departement.at(3, 9), 0.5))]
