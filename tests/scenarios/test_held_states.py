"""What may befall a side as a whole: each state by its name, on real servers, and how it ends."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from connectors.ports import Clock
from gateway.sync.engine import plan_context
from gateway.sync.rejecting import reject, unpin
from gateway.sync.values import AgentState, BlockOrigin, HoldReason
from tests.scenarios.choices import on_one_calendar_server
from tests.scenarios.departement import Departement, done, held, problems, reasons
from tests.scenarios.person import Person, Shown, hours
from tests.scenarios.small_departement import SOCIAL

pytestmark = on_one_calendar_server


def rejects(departement: Departement) -> int:
    """Somebody refuses all that waits."""
    application = departement.application
    settings = application.engine._settings
    context = plan_context(settings, application.keys, departement.clock.now())
    holds = application.store.holds()
    return reject(application.store, context, holds, at=departement.clock.now(), by="scenario")


def block_ids(departement: Departement, agent: Person) -> list[int]:
    return sorted(block.absence_id for block in departement.store.agent_view(agent.id).blocks)


# --- a calendar -----------------------------------------------------------------------------------------------


def _mostly_past(departement: Departement, agent: Person) -> list[str]:
    """Nine events of which three block: too few removals to be many."""
    events = [agent.types_event(f"Fini {day}", *hours(departement.at(-day, 9))) for day in range(1, 7)]
    events += [agent.types_event(f"N° {day}", *hours(departement.at(day, 9))) for day in range(1, 4)]
    departement.settled()
    assert len(agent.blocks()) == 3
    return events


def test_a_calendar_that_held_many_events_and_holds_none_frees_nothing(departement: Departement, agent: Person) -> None:
    for event in _mostly_past(departement, agent):
        agent.deletes(event)
    agent.types_event("Nouveau", *hours(departement.at(9, 9)))
    report = departement.settled()[-1]
    assert reasons(report) == {HoldReason.SHRUNKEN_CALENDAR}
    assert "held 9 events and now holds 1" in held(report)[0].explanation
    assert len(agent.blocks()) == 4
    departement.approves()
    departement.settled()
    assert agent.blocks() == [hours(departement.at(9, 9))]


def test_a_calendar_that_comes_back_ends_the_state_by_itself(departement: Departement, agent: Person) -> None:
    events = _mostly_past(departement, agent)
    bodies = [agent.file(event) for event in events]
    for event in events:
        agent.deletes(event)
    assert reasons(departement.settled()[-1]) == {HoldReason.SHRUNKEN_CALENDAR}
    for body in bodies:
        agent.files(body.decode())
    assert held(departement.settled()[-1]) == []
    agent.deletes(next(iter(sorted(agent.files_by_href()))))
    assert held(departement.settled()[-1]) == []


def test_a_calendar_restored_from_a_backup_changes_no_absence(departement: Departement, agent: Person) -> None:
    """Yesterday's copy lacks today's RDVs, has others as they were, and the event of a leave where it was."""
    leave = departement.absence(agent, "Congé", *hours(departement.at(5, 9)))
    rdvs = [departement.rdv(departement.at(day, 14), agent) for day in (1, 2)]
    departement.settled()
    yesterday = {href: agent.file(href) for href in agent.files_by_href()}
    departement.clock.sleep(86_400)
    (shown_leave,) = [href for href, event in agent.ours().items() if event["SUMMARY"] == "Congé"]
    agent.moves(shown_leave, *hours(departement.at(5, 15)))
    for number, day in zip(rdvs, (3, 4), strict=True):
        departement.state.rdvs.move(number, departement.at(day, 14))
    for day in (8, 9, 10):
        departement.rdv(departement.at(day, 14), agent)
    departement.settled()
    assert ("Congé", *hours(departement.at(5, 15))) in agent.absences()

    for href in agent.files_by_href():
        agent.deletes(href)
    for href, body in yesterday.items():
        agent.files(body.decode(), name=href.rpartition("/")[2].removesuffix(".ics"))
    report = departement.settled()[-1]
    assert reasons(report) == {HoldReason.CALENDAR_RESTORED}
    assert {each.operation.absence_id for each in held(report)} == {leave}
    assert ("Congé", *hours(departement.at(5, 15))) in agent.absences()
    assert [each.start for each in agent.shown() if each.title == "RDV"] == [
        departement.at(day, 14) for day in (3, 4, 8, 9, 10)
    ]
    assert rejects(departement) == 1
    assert held(departement.settled()[-1]) == []
    assert ("Congé", *hours(departement.at(5, 15))) in agent.absences()


# --- RDV-Solidarités --------------------------------------------------------------------------------------------


def _eight_blocks(departement: Departement, agent: Person, *, first: int = 1) -> None:
    for day in range(first, first + 8):
        agent.types_event(f"N° {day}", *hours(departement.at(day, 9)))
    departement.settled()


def _delete_blocks(departement: Departement, numbers: list[int]) -> None:
    for number in numbers:
        departement.state.absences.delete(number)


def test_many_blocks_deleted_at_once_are_not_believed_to_be_freed_until_approved(
    departement: Departement, agent: Person
) -> None:
    _eight_blocks(departement, agent)
    _delete_blocks(departement, block_ids(departement, agent)[:7])
    report = departement.settled()[-1]
    assert reasons(report) == {HoldReason.MANY_FREED}
    assert len(held(report)) == 7
    assert departement.store.agent_view(agent.id).suppressions == ()
    assert departement.approves() == 7
    assert held(departement.settled()[-1]) == []
    assert len(agent.blocks()) == 1
    assert len(departement.store.agent_view(agent.id).suppressions) == 7


def test_many_blocks_deleted_at_once_are_made_again_when_that_is_rejected(
    departement: Departement, agent: Person
) -> None:
    _eight_blocks(departement, agent)
    _delete_blocks(departement, block_ids(departement, agent)[:7])
    departement.settled()
    assert rejects(departement) == 7
    departement.settled()
    assert sorted(agent.blocks()) == [hours(departement.at(day, 9)) for day in range(1, 9)]
    assert departement.store.agent_view(agent.id).suppressions == ()


def test_few_blocks_deleted_at_once_are_freed_as_ever(departement: Departement, agent: Person) -> None:
    _eight_blocks(departement, agent)
    _delete_blocks(departement, block_ids(departement, agent)[:3])
    assert held(departement.settled()[-1]) == []
    assert len(agent.blocks()) == 5


def test_rdv_solidarites_restored_from_a_backup_is_named_and_what_it_lost_is_made_again_once(
    departement: Departement,
) -> None:
    """The newest absences of two agents are gone, and the events that stand for some of them stay."""
    people = departement.agent(), departement.agent(service=SOCIAL)
    for person in people:
        person.types_event("Ancien", *hours(departement.at(1, 9)))
        departement.absence(person, "Congé", *hours(departement.at(5, 9)))
    departement.goes_live()
    newest: list[int] = []
    for person in people:
        known = block_ids(departement, person)
        person.types_event("Récent", *hours(departement.at(2, 9)))
        person.types_event("Récent", *hours(departement.at(3, 9)))
        newest.append(departement.absence(person, "Formation", *hours(departement.at(6, 9))))
        departement.settled()
        newest += [number for number in block_ids(departement, person) if number not in known]
    _delete_blocks(departement, newest)

    report = departement.settled()[-1]
    assert reasons(report) == {HoldReason.RDVS_RESTORED}
    for person in people:
        assert [each.title for each in person.shown()] == ["Congé", "Formation"]
        assert person.blocks() == [hours(departement.at(1, 9))]
    departement.approves()
    departement.settled()
    for person in people:
        assert sorted(person.blocks()) == [hours(departement.at(day, 9)) for day in (1, 2, 3)]
        assert [each.title for each in person.shown()] == ["Congé"]
    assert held(departement.settled()[-1]) == []


# --- our own database -------------------------------------------------------------------------------------------


def test_a_database_of_yesterday_is_named_and_removes_nothing_until_a_person_looked(
    departement: Departement, agent: Person
) -> None:
    event = agent.types_event("Équipe", *hours(departement.at(1, 9)))
    agent.types_event("Autre", *hours(departement.at(2, 9)))
    departement.settled()
    copy = departement.saves_database()
    departement.settled()
    departement.restores_database(copy)
    agent.deletes(event)
    report = departement.sync()
    assert reasons(report) == {HoldReason.DATABASE_RESTORED}
    assert "restored from a backup" in report.told[0]
    assert len(agent.blocks()) == 2
    departement.approves()
    departement.settled()
    assert len(agent.blocks()) == 1
    assert departement.sync().told == ()


def test_a_database_of_yesterday_is_told_once_when_nothing_is_left_to_remove(
    departement: Departement, agent: Person
) -> None:
    copy = departement.saves_database()
    departement.settled()
    departement.restores_database(copy)
    assert departement.sync().told
    assert departement.sync().told == ()


def test_a_new_database_under_used_keys_is_told(departement: Departement, agent: Person) -> None:
    departement.settled()
    departement.loses_database()
    report = departement.sync()
    assert "lost or replaced" in report.told[0]
    departement.goes_live()
    departement.sync()
    assert departement.sync().told == ()


# --- everybody ----------------------------------------------------------------------------------------------------


def test_too_many_agents_who_would_lose_something_at_once_lose_nothing(departement: Departement) -> None:
    people = [departement.agent() for _ in range(3)]
    events = [person.types_event("Équipe", *hours(departement.at(1, 9))) for person in people]
    departement.limits = {"many_agents_least": 3, "many_agents_share": 0.5}
    departement.goes_live()
    for person, event in zip(people[:2], events, strict=False):
        person.deletes(event)
    people[2].types_event("Nouveau", *hours(departement.at(2, 9)))
    report = departement.settled()[-1]
    assert reasons(report) == {HoldReason.MANY_AGENTS}
    assert "2 of 3 agents" in held(report)[0].explanation
    assert [len(person.blocks()) for person in people] == [1, 1, 2]
    departement.approves()
    departement.settled()
    assert [len(person.blocks()) for person in people] == [0, 0, 2]


def test_one_agent_of_many_loses_what_they_deleted(departement: Departement) -> None:
    people = [departement.agent() for _ in range(3)]
    events = [person.types_event("Équipe", *hours(departement.at(1, 9))) for person in people]
    departement.limits = {"many_agents_least": 3, "many_agents_share": 0.5}
    departement.goes_live()
    people[0].deletes(events[0])
    departement.settled()
    assert [len(person.blocks()) for person in people] == [0, 1, 1]


# --- the clock ------------------------------------------------------------------------------------------------------


class _Off:
    """A clock that is wrong by so much."""

    def __init__(self, right: Clock, by: timedelta) -> None:
        self._right = right
        self._by = by

    def now(self) -> datetime:
        return self._right.now() + self._by

    def sleep(self, seconds: float) -> None:
        self._right.sleep(seconds)


@pytest.mark.parametrize("by", [timedelta(days=60), timedelta(hours=-3), timedelta(minutes=7)])
def test_a_clock_that_no_server_agrees_with_decides_nothing(
    departement: Departement, agent: Person, by: timedelta
) -> None:
    agent.types_event("Équipe", *hours(departement.at(1, 9)))
    right = departement.clock
    departement.stop()
    departement.clock = _Off(right, by)
    with departement.untouched():
        report = departement.sync()
    assert any("our clock is" in each for each in problems(report))
    assert done(report) == []
    departement.stop()
    departement.clock = right
    assert problems(departement.sync()) == []
    assert len(agent.blocks()) == 1


# --- reject -----------------------------------------------------------------------------------------------------------


def test_what_was_rejected_is_not_shown_again_until_its_source_changes(departement: Departement, agent: Person) -> None:
    events = [agent.types_event(f"N° {day}", *hours(departement.at(day, 9))) for day in range(1, 8)]
    departement.settled()
    for event in events:
        agent.deletes(event)
    assert len(held(departement.settled()[-1])) == 7
    assert rejects(departement) == 7
    for _ in range(2):
        report = departement.sync()
        assert (held(report), done(report)) == ([], [])
    assert len(agent.blocks()) == 7
    assert len(departement.store.pins()) == 7
    unpin(departement.store, departement.store.pins(), at=departement.clock.now(), by="scenario", approve=True)
    departement.settled()
    assert agent.blocks() == []


def test_a_rejected_first_run_leaves_the_agent_as_they_are(departement: Departement) -> None:
    person = departement.agent()
    event = person.types_event("Équipe", *hours(departement.at(1, 9)))
    departement.rdv(departement.at(2, 9), person)
    departement.absence(person, "Congé", *hours(departement.at(3, 9)))
    departement.sync()
    assert rejects(departement) == 3
    with departement.untouched():
        departement.goes_live()
    assert departement.store.agents()[0].state is AgentState.LIVE
    assert departement.store.agent_view(person.id).blocks == ()
    person.moves(event, *hours(departement.at(1, 11)))
    departement.settled()
    assert person.blocks() == [hours(departement.at(1, 11))]


def test_an_rdv_that_changes_ends_its_pin(departement: Departement) -> None:
    person = departement.agent()
    number = departement.rdv(departement.at(2, 9), person)
    departement.sync()
    assert rejects(departement) == 1
    departement.goes_live()
    departement.state.rdvs.move(number, departement.at(3, 9))
    departement.settled()
    assert person.shown() == [Shown("RDV", *hours(departement.at(3, 9), 0.5))]
    assert departement.store.pins() == ()


def test_a_typed_absence_that_a_rejection_keeps_stays_found(departement: Departement) -> None:
    person = departement.agent()
    event = person.types_event("Équipe", *hours(departement.at(1, 9)))
    departement.absence(person, "Équipe", *hours(departement.at(1, 9)))
    departement.sync()
    person.deletes(event)
    departement.sync()
    rejects(departement)
    departement.goes_live()
    departement.settled()
    assert person.absences() == [("Équipe", *hours(departement.at(1, 9)))]
    assert {block.origin for block in departement.store.agent_view(person.id).blocks} <= {BlockOrigin.FOUND}
