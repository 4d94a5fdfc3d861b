"""Calendar -> RDV-Solidarités: blocks follow events, and a person's hand on a block is respected."""

from __future__ import annotations

from datetime import timedelta

from tests.scenarios.departement import REUNION, Departement, conflicts, done
from tests.scenarios.person import Person, hours
from tests.scenarios.small_departement import SAINT_DENIS

_DAY_END = timedelta(hours=23, minutes=59)


def test_a_block_follows_its_event_created_moved_made_free_busy_again_and_deleted(
    departement: Departement, agent: Person
) -> None:
    event = agent.types_event("Dentiste", *hours(departement.at(1, 9)))
    departement.settled()
    assert agent.blocks() == [hours(departement.at(1, 9))]
    number = agent.absence_at(departement.at(1, 9))

    agent.moves(event, *hours(departement.at(2, 14), 2))
    departement.settled()
    assert agent.blocks() == [hours(departement.at(2, 14), 2)]
    assert agent.absence_at(departement.at(2, 14)) == number  # the same absence, changed

    agent.frees(event)
    departement.settled()
    assert agent.absences() == []

    agent.writes(event, transp="OPAQUE")
    departement.settled()
    assert agent.blocks() == [hours(departement.at(2, 14), 2)]

    agent.deletes(event)
    departement.settled()
    assert agent.absences() == []


def test_blocks_follow_a_series_with_a_moved_a_cancelled_and_an_added_occurrence(
    departement: Departement, agent: Person
) -> None:
    mondays = [departement.at(7 * week, 13, 30) for week in range(1, 5)]
    series = agent.types_event("Équipe", *hours(mondays[0]), "RRULE:FREQ=WEEKLY;COUNT=4")
    departement.settled()
    assert agent.blocks() == [hours(monday) for monday in mondays]  # the clocks change after the third

    agent.moves_occurrence(series, mondays[1], *hours(departement.at(15, 10)))
    departement.settled()
    assert agent.blocks() == [hours(start) for start in (mondays[0], departement.at(15, 10), mondays[2], mondays[3])]

    agent.cancels_occurrence(series, mondays[2])
    departement.settled()
    assert agent.blocks() == [hours(start) for start in (mondays[0], departement.at(15, 10), mondays[3])]

    agent.adds_occurrence(series, departement.at(18, 8))
    departement.settled()
    expected = (mondays[0], departement.at(15, 10), departement.at(18, 8), mondays[3])
    assert agent.blocks() == [hours(start) for start in expected]

    agent.deletes(series)
    departement.settled()
    assert agent.absences() == []


def test_touching_events_are_one_block_and_part_again(departement: Departement, agent: Person) -> None:
    agent.types_event("Un", *hours(departement.at(1, 9)))
    second = agent.types_event("Deux", *hours(departement.at(1, 10)))
    departement.settled()
    assert agent.blocks() == [hours(departement.at(1, 9), 2)]
    agent.moves(second, *hours(departement.at(1, 11)))
    departement.settled()
    assert agent.blocks() == [hours(departement.at(1, 9)), hours(departement.at(1, 11))]


def test_whole_days_block_from_midnight_to_the_last_minute(departement: Departement, agent: Person) -> None:
    agent.types_event("Congés", departement.day(1), departement.day(4))
    agent.types_event("Anniversaire", departement.day(8), departement.day(9), "TRANSP:TRANSPARENT")
    departement.settled()
    assert agent.blocks() == [(departement.at(1, 0), departement.at(3, 0) + _DAY_END)]


def test_a_block_overseas_has_the_wall_clock_of_the_agent(departement: Departement) -> None:
    agent = departement.agent(organisations=[SAINT_DENIS], zone=REUNION)
    departement.goes_live()
    agent.types_event("Équipe", *hours(departement.at(1, 8)))
    departement.settled()
    assert agent.blocks() == [hours(departement.at(1, 8))]


def test_a_block_deleted_in_rdv_solidarites_stays_freed_and_its_event_is_untouched(
    departement: Departement, agent: Person
) -> None:
    event = agent.types_event("Dentiste", *hours(departement.at(1, 9)), "LOCATION:Chez lui", "CLASS:PRIVATE")
    before = agent.file(event)
    departement.settled()
    departement.state.absences.delete(agent.absence_at(departement.at(1, 9)))
    departement.forget_requests()
    for _ in range(4):
        departement.sync(minutes=200)
    assert agent.absences() == []
    assert agent.file(event) == before
    assert departement.writes() == []
    (suppression,) = departement.store.agent_view(agent.id).suppressions
    assert (suppression.start, suppression.end) == hours(departement.at(1, 9))

    agent.moves(event, *hours(departement.at(1, 15)))
    departement.settled()
    assert agent.blocks() == [hours(departement.at(1, 15))]


def test_freeing_one_occurrence_frees_no_other(departement: Departement, agent: Person) -> None:
    starts = [departement.at(7 * week, 9) for week in range(1, 4)]
    agent.types_event("Équipe", *hours(starts[0]), "RRULE:FREQ=WEEKLY;COUNT=3")
    departement.settled()
    departement.state.absences.delete(agent.absence_at(starts[1]))
    departement.settled()
    assert agent.blocks() == [hours(starts[0]), hours(starts[2])]


def test_a_shortened_block_stays_short_and_is_whole_again_when_its_event_changes(
    departement: Departement, agent: Person
) -> None:
    event = agent.types_event("Formation", *hours(departement.at(1, 9), 3))
    before = agent.file(event)
    departement.settled()
    number = agent.absence_at(departement.at(1, 9))
    departement.move_absence(number, *hours(departement.at(1, 9), 1))
    departement.settled()
    assert agent.blocks() == [hours(departement.at(1, 9), 1)]
    assert agent.file(event) == before

    agent.moves(event, *hours(departement.at(2, 9), 3))
    departement.settled()
    assert agent.blocks() == [hours(departement.at(2, 9), 3)]


def test_a_block_moved_by_hand_is_theirs_and_never_written_again(departement: Departement, agent: Person) -> None:
    event = agent.types_event("Formation", *hours(departement.at(1, 9), 2))
    departement.settled()
    number = agent.absence_at(departement.at(1, 9))
    departement.move_absence(number, *hours(departement.at(1, 14), 2))
    departement.settled()
    assert agent.blocks() == [hours(departement.at(1, 14), 2)]
    agent.deletes(event)
    departement.settled()
    assert agent.blocks() == [hours(departement.at(1, 14), 2)]


def test_an_event_with_an_unknown_zone_is_set_aside_and_the_rest_goes_on(
    departement: Departement, agent: Person
) -> None:
    readable = agent.types_event("Bon", *hours(departement.at(1, 9)))
    body = agent.file(readable).decode().replace("Europe/Paris", "Atlantis/Capitale").replace("+0100", "+0137")
    agent.files(body.replace("UID:", "UID:autre-"))
    report = departement.settled()[-1]
    assert agent.blocks() == [hours(departement.at(1, 9))]
    (aside,) = report.agents[0].set_aside
    assert "zone" in aside.reason.lower()


def test_an_event_that_lies_in_the_past_when_it_is_found_blocks_nothing(
    departement: Departement, agent: Person
) -> None:
    agent.types_event("Hier", *hours(departement.at(-1, 9)))
    assert done(*departement.settled()) == []


def test_a_block_whose_event_comes_and_goes_with_its_absence_in_one_round_leaves_nothing(
    departement: Departement, agent: Person
) -> None:
    """Both sides remove what belongs together before the gateway looks again."""
    event = agent.types_event("Bref", *hours(departement.at(1, 9)))
    departement.settled()
    departement.state.absences.delete(agent.absence_at(departement.at(1, 9)))
    agent.deletes(event)
    reports = departement.settled()
    assert agent.absences() == []
    assert conflicts(reports[-1]) == []
