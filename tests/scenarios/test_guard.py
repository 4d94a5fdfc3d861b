"""Many removals at once wait for a person; what adds busy time does not."""

from __future__ import annotations

from gateway.sync.values import HoldReason
from tests.scenarios.departement import Departement, held, reasons
from tests.scenarios.person import Person, Shown, hours


def _twelve(departement: Departement, agent: Person) -> list[str]:
    events = [agent.types_event(f"N° {day}", *hours(departement.at(day, 9))) for day in range(1, 13)]
    departement.settled()
    assert len(agent.blocks()) == 12
    return events


def test_ten_of_twelve_events_deleted_at_once_are_held_while_new_time_is_blocked(
    departement: Departement, agent: Person
) -> None:
    events = _twelve(departement, agent)
    for event in events[:10]:
        agent.deletes(event)
    agent.types_event("Nouveau", *hours(departement.at(20, 9)))
    departement.sync()
    report = departement.settled()[-1]
    assert reasons(report) == {HoldReason.MANY_REMOVALS}
    assert len(held(report)) == 10
    assert len(agent.blocks()) == 13

    assert departement.approves() == 10
    departement.settled()
    assert agent.blocks() == [hours(departement.at(day, 9)) for day in (11, 12, 20)]


def test_many_events_moved_at_once_block_the_new_time_and_hold_the_old(departement: Departement, agent: Person) -> None:
    events = _twelve(departement, agent)
    for day, event in enumerate(events, 1):
        agent.moves(event, *hours(departement.at(day, 14)))
    report = departement.settled()[-1]
    assert len(held(report)) == 12
    assert len(agent.blocks()) == 24
    departement.approves()
    departement.settled()
    assert agent.blocks() == [hours(departement.at(day, 14)) for day in range(1, 13)]


def test_an_emptied_calendar_frees_nothing_until_approved_and_copies_come_back(
    departement: Departement, agent: Person
) -> None:
    events = _twelve(departement, agent)
    departement.rdv(departement.at(1, 15), agent)
    departement.settled()
    for href in [*events, *agent.ours()]:
        agent.deletes(href)
    departement.settled()
    assert len(agent.blocks()) == 12
    assert agent.shown() == [Shown("RDV", *hours(departement.at(1, 15), 0.5))]
    departement.approves()
    departement.settled()
    assert agent.blocks() == []


def test_what_comes_back_while_it_is_held_is_no_longer_held(departement: Departement, agent: Person) -> None:
    """A calendar emptied by mistake, and put back."""
    events = _twelve(departement, agent)
    bodies = [agent.file(event) for event in events]
    for event in events:
        agent.deletes(event)
    assert len(held(departement.sync())) == 12
    for body in bodies:
        agent.files(body.decode())
    assert held(departement.settled()[-1]) == []
    assert len(agent.blocks()) == 12


def test_an_approval_is_for_what_was_shown_alone(departement: Departement, agent: Person) -> None:
    events = [agent.types_event(f"N° {day}", *hours(departement.at(day, 9))) for day in range(1, 21)]
    departement.settled()
    for event in events[:7]:
        agent.deletes(event)
    departement.sync()
    assert departement.approves() == 7
    for event in events[7:14]:
        agent.deletes(event)
    assert len(held(departement.settled()[-1])) == 7
    assert agent.blocks() == [hours(departement.at(day, 9)) for day in range(8, 21)]
