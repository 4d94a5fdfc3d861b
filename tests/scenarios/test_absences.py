"""Absences born in RDV-Solidarités: created, edited and deleted on either side, and the other side follows."""

from __future__ import annotations

from tests.scenarios.departement import Departement, conflicts, done
from tests.scenarios.person import Person, Shown, hours


def _only(agent: Person) -> str:
    (href,) = agent.ours()
    return href


def test_an_absence_created_is_shown_in_the_calendar_and_does_not_block_twice(
    departement: Departement, agent: Person
) -> None:
    departement.absence(agent, "Réunion de secteur", *hours(departement.at(1, 9)))
    departement.settled()
    assert agent.shown() == [Shown("Réunion de secteur", *hours(departement.at(1, 9)))]
    assert agent.absences() == [("Réunion de secteur", *hours(departement.at(1, 9)))]


def test_an_absence_edited_moves_its_event(departement: Departement, agent: Person) -> None:
    number = departement.absence(agent, "Réunion", *hours(departement.at(1, 9)))
    departement.settled()
    departement.move_absence(number, *hours(departement.at(2, 14), 3))
    departement.state.absences.update(number, title="Réunion longue")
    departement.settled()
    assert agent.shown() == [Shown("Réunion longue", *hours(departement.at(2, 14), 3))]


def test_an_absence_deleted_takes_its_event_along(departement: Departement, agent: Person) -> None:
    number = departement.absence(agent, "Réunion", *hours(departement.at(1, 9)))
    departement.settled()
    departement.state.absences.delete(number)
    departement.settled()
    assert agent.shown() == []


def test_its_event_moved_moves_the_absence_and_keeps_its_title(departement: Departement, agent: Person) -> None:
    departement.absence(agent, "Réunion", *hours(departement.at(1, 9)))
    departement.settled()
    agent.moves(_only(agent), *hours(departement.at(2, 10), 2))
    departement.settled()
    assert agent.absences() == [("Réunion", *hours(departement.at(2, 10), 2))]
    assert agent.shown() == [Shown("Réunion", *hours(departement.at(2, 10), 2))]


def test_a_title_typed_in_the_calendar_stays_there(departement: Departement, agent: Person) -> None:
    number = departement.absence(agent, "Réunion", *hours(departement.at(1, 9)))
    departement.settled()
    agent.writes(_only(agent), summary="Oncologue")
    departement.settled()
    departement.move_absence(number, *hours(departement.at(1, 11)))
    departement.settled()
    assert agent.shown() == [Shown("Oncologue", *hours(departement.at(1, 11)))]
    assert agent.absences() == [("Réunion", *hours(departement.at(1, 11)))]


def test_its_event_deleted_takes_the_absence_along(departement: Departement, agent: Person) -> None:
    departement.absence(agent, "Réunion", *hours(departement.at(1, 9)))
    departement.settled()
    agent.deletes(_only(agent))
    departement.settled()
    assert agent.absences() == []
    assert agent.shown() == []


def test_start_and_end_changed_on_different_sides_are_merged(departement: Departement, agent: Person) -> None:
    number = departement.absence(agent, "Réunion", *hours(departement.at(1, 9), 2))
    departement.settled()
    departement.move_absence(number, departement.at(1, 8), departement.at(1, 11))
    agent.moves(_only(agent), departement.at(1, 9), departement.at(1, 12))
    departement.settled()
    assert agent.absences() == [("Réunion", departement.at(1, 8), departement.at(1, 12))]
    assert agent.shown() == [Shown("Réunion", departement.at(1, 8), departement.at(1, 12))]


def test_the_same_end_changed_on_both_sides_is_rdv_solidarites_and_said(
    departement: Departement, agent: Person
) -> None:
    number = departement.absence(agent, "Réunion", *hours(departement.at(1, 9)))
    departement.settled()
    departement.move_absence(number, *hours(departement.at(1, 9), 2))
    agent.moves(_only(agent), *hours(departement.at(1, 9), 3))
    report = departement.sync()
    assert conflicts(report) == ["both_edited"]
    departement.settled()
    assert agent.absences() == [("Réunion", *hours(departement.at(1, 9), 2))]
    assert agent.shown() == [Shown("Réunion", *hours(departement.at(1, 9), 2))]


def test_a_whole_day_absence_is_a_whole_day_event_both_ways(departement: Departement, agent: Person) -> None:
    departement.absence(agent, "Congé", departement.at(1, 0), departement.at(1, 23, 59))
    departement.settled()
    assert agent.shown() == [Shown("Congé", departement.day(1), departement.day(2))]
    agent.moves(_only(agent), departement.day(3), departement.day(4))
    departement.settled()
    assert agent.absences() == [("Congé", departement.at(3, 0), departement.at(3, 23, 59))]


def test_a_leave_of_several_days_follows_both_ways(departement: Departement, agent: Person) -> None:
    number = departement.absence(agent, "Congés", departement.at(1, 0), departement.at(5, 23, 59))
    departement.settled()
    assert agent.shown() == [Shown("Congés", departement.day(1), departement.day(6))]
    agent.moves(_only(agent), departement.day(1), departement.day(4))
    departement.settled()
    assert agent.absences() == [("Congés", departement.at(1, 0), departement.at(3, 23, 59))]
    departement.move_absence(number, departement.at(8, 12), departement.at(10, 18))
    departement.settled()
    assert agent.shown() == [Shown("Congés", departement.at(8, 12), departement.at(10, 18))]


def test_a_recurring_absence_is_shown_as_a_series_and_put_back_when_edited(
    departement: Departement, agent: Person
) -> None:
    """The API cannot change it: the calendar only shows it."""
    number = departement.absence(
        agent, "Permanence", *hours(departement.at(1, 9), 3), rrule="FREQ=WEEKLY;INTERVAL=1;BYDAY=TU;"
    )
    departement.settled()
    href = _only(agent)
    assert agent.event(href)["RRULE"].to_ical() == b"FREQ=WEEKLY;BYDAY=TU"
    assert agent.shown() == [Shown("Permanence", *hours(departement.at(1, 9), 3))]
    agent.moves(href, *hours(departement.at(1, 10), 3))
    departement.settled()
    assert agent.shown() == [Shown("Permanence", *hours(departement.at(1, 9), 3))]
    agent.deletes(href)
    departement.settled()
    assert agent.shown() == [Shown("Permanence", *hours(departement.at(1, 9), 3))]
    departement.state.absences.delete(number)
    departement.settled()
    assert agent.shown() == []


def test_an_absence_whose_rule_cannot_be_used_is_named_and_the_rest_goes_on(
    departement: Departement, agent: Person
) -> None:
    """A rule that was built another way than the web page does may have an empty frequency."""
    odd = departement.absence(agent, "Étrange", *hours(departement.at(1, 9)), rrule="FREQ=;BYDAY=TU;")
    departement.absence(agent, "Mensuelle", *hours(departement.at(2, 9)), rrule="FREQ=MONTHLY;BYDAY=1WE;")
    (report,) = departement.settled()[-1].agents
    assert [each.href for each in report.set_aside] == [f"absence {odd}"]
    assert [event["RRULE"].to_ical() for event in agent.ours().values()] == [b"FREQ=MONTHLY;BYDAY=1WE"]


def test_an_event_moved_where_the_api_takes_no_absence_is_named_and_nothing_is_asked(
    departement: Departement, agent: Person
) -> None:
    """Before 2018, or more than five years ahead."""
    departement.absence(agent, "Réunion", *hours(departement.at(1, 9)))
    departement.settled()
    href = _only(agent)
    departement.forget_requests()
    agent.moves(href, *hours(departement.at(6 * 365, 9)))
    (report,) = departement.settled()[-1].agents
    assert [each.href for each in report.set_aside] == [href]
    assert departement.writes() == []
    agent.moves(href, *hours(departement.at(4 * 365, 9)))
    departement.settled()
    assert agent.absences() == [("Réunion", *hours(departement.at(4 * 365, 9)))]


def test_an_absence_like_an_event_that_blocks_already_is_not_shown_again(
    departement: Departement, agent: Person
) -> None:
    """Typed by hand on both sides after the first run: paired, nothing written."""
    agent.types_event("Équipe", *hours(departement.at(1, 9)))
    departement.absence(agent, "Équipe", *hours(departement.at(1, 9)))
    departement.forget_requests()
    assert {operation.action.value for operation in done(*departement.settled())} == {"pair"}
    assert departement.writes() == []
