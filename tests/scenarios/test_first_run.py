"""Day one, and the day after our own database was lost: what is there already is recognised, not doubled."""

from __future__ import annotations

from gateway.sync.values import Action, BlockOrigin, HoldReason
from tests.scenarios.departement import Departement, conflicts, done, held, reasons
from tests.scenarios.person import Person, Shown, hours


def test_200_twins_typed_by_hand_on_both_sides_are_paired_without_a_write(departement: Departement) -> None:
    agents = [departement.agent() for _ in range(4)]
    for agent in agents:
        for number in range(50):
            interval = hours(departement.at(1 + number // 2, 9 + 2 * (number % 2)))
            agent.types_event(f"Réunion {number}", *interval)
            departement.absence(agent, f"Réunion {number}", *interval)
    with departement.untouched():
        first = departement.sync()
        assert {operation.action for operation in done(first)} == {Action.PAIR}
        assert len(done(first)) == 200
        assert held(first) == []
        departement.approves()
        departement.settled()
        departement.settled()
    for agent in agents:
        assert len(departement.store.agent_view(agent.id).blocks) == 50


def test_two_twins_that_touch_are_paired_one_by_one(departement: Departement) -> None:
    """Events are compared before they are merged."""
    agent = departement.agent()
    for hour in (9, 10):
        agent.types_event("Réunion", *hours(departement.at(1, hour)))
        departement.absence(agent, "Réunion", *hours(departement.at(1, hour)))
    with departement.untouched():
        assert [operation.action for operation in done(departement.sync())] == [Action.PAIR, Action.PAIR]
        departement.approves()
        departement.settled()


def test_nothing_is_written_before_the_first_plan_is_approved(departement: Departement) -> None:
    agent = departement.agent()
    agent.types_event("Dentiste", *hours(departement.at(1, 9)))
    departement.rdv(departement.at(2, 9), agent)
    departement.absence(agent, "Congé", *hours(departement.at(3, 9)))
    with departement.untouched():
        for _ in range(3):
            report = departement.sync()
    assert reasons(report) == {HoldReason.FIRST_RUN}
    assert len(held(report)) == 3
    departement.approves()
    departement.settled()
    assert agent.blocks() == [hours(departement.at(1, 9))]
    assert agent.shown() == [
        Shown("RDV", *hours(departement.at(2, 9), 0.5)),
        Shown("Congé", *hours(departement.at(3, 9))),
    ]


def test_twins_that_nearly_coincide_are_listed_for_a_person(departement: Departement) -> None:
    agent = departement.agent()
    agent.types_event("Réunion", *hours(departement.at(1, 9)))
    departement.absence(agent, "Réunion", departement.at(1, 9, 10), departement.at(1, 10))
    assert conflicts(departement.sync()) == ["near_twin"]


def test_a_paired_absence_is_changed_once_the_first_run_was_approved(departement: Departement) -> None:
    """With its title kept, and its pre-image in the journal."""
    agent = departement.agent()
    event = agent.types_event("Réunion", *hours(departement.at(1, 9)))
    departement.absence(agent, "Réunion typée", *hours(departement.at(1, 9)))
    departement.goes_live()
    agent.moves(event, *hours(departement.at(2, 14)))
    departement.settled()
    assert agent.absences() == [("Réunion typée", *hours(departement.at(2, 14)))]
    written = next(row for row in departement.store.journal(with_content=True) if row.entry.action == "update")
    assert b"R\xc3\xa9union typ\xc3\xa9e" in (written.entry.before or b"")


def test_a_twin_typed_after_the_approval_is_not_covered_by_it(departement: Departement) -> None:
    """The approval lists what was there when it was given; a pair of later waits for an approval of its own."""
    agent = departement.agent()
    early = agent.types_event("Réunion", *hours(departement.at(1, 9)))
    departement.absence(agent, "Réunion typée", *hours(departement.at(1, 9)))
    departement.sync()
    departement.approves()
    late = agent.types_event("Réunion", *hours(departement.at(2, 9)))
    departement.absence(agent, "Réunion tardive", *hours(departement.at(2, 9)))
    departement.settled()
    agent.moves(early, *hours(departement.at(1, 14)))
    agent.moves(late, *hours(departement.at(2, 14)))
    report = departement.sync()
    assert reasons(report) == {HoldReason.FOUND_ABSENCE}
    assert ("Réunion typée", *hours(departement.at(1, 14))) in agent.absences()
    assert ("Réunion tardive", *hours(departement.at(2, 9))) in agent.absences()


def _lived_in(departement: Departement) -> Person:
    """An agent with copies, blocks (one of a series), mirrors and a pair."""
    agent = departement.agent()
    agent.types_event("Équipe", *hours(departement.at(1, 9)), "RRULE:FREQ=WEEKLY;COUNT=4")
    agent.types_event("Formation", departement.day(3), departement.day(5))
    agent.types_event("Jumelle", *hours(departement.at(2, 16)))
    departement.absence(agent, "Jumelle", *hours(departement.at(2, 16)))
    departement.absence(agent, "Congé", departement.at(10, 0), departement.at(11, 23, 59))
    departement.absence(agent, "Permanence", *hours(departement.at(9, 9)), rrule="FREQ=WEEKLY;INTERVAL=1;BYDAY=WE;")
    departement.rdv(departement.at(2, 9), agent)
    cancelled = departement.rdv(departement.at(2, 10), agent)
    departement.goes_live()
    departement.state.rdvs.cancel(cancelled)
    departement.settled()
    return agent


def test_a_lost_database_is_rebuilt_from_both_sides_without_a_write(departement: Departement) -> None:
    agent = _lived_in(departement)
    before = departement.store.agent_view(agent.id)
    departement.loses_database()
    with departement.untouched():
        first = departement.sync()
        assert {operation.action for operation in done(first)} == {Action.PAIR}
        assert held(first) == []
        departement.approves()
        departement.settled()
        departement.settled()
    after = departement.store.agent_view(agent.id)
    assert {copy.rdv_id for copy in after.copies} == {copy.rdv_id for copy in before.copies}
    assert {block.absence_id for block in after.blocks} == {block.absence_id for block in before.blocks}
    assert {mirror.absence_id for mirror in after.mirrors} == {mirror.absence_id for mirror in before.mirrors}
    assert BlockOrigin.ADOPTED in {block.origin for block in after.blocks}


def test_what_was_recognised_after_a_loss_still_follows(departement: Departement) -> None:
    agent = _lived_in(departement)
    departement.loses_database()
    departement.goes_live()
    for number, event in agent.ours().items():
        if event["SUMMARY"] == "Congé":
            agent.moves(number, departement.day(12), departement.day(13))
    departement.state.rdvs.move(departement.state.contents()["rdvs"][0]["id"], departement.at(4, 9))
    departement.settled()
    assert ("Congé", departement.at(12, 0), departement.at(12, 23, 59)) in agent.absences()
    assert Shown("RDV", *hours(departement.at(4, 9), 0.5)) in agent.shown()
    assert len(agent.shown()) == 4


def test_a_database_of_yesterday_doubles_nothing_and_undoes_nothing(departement: Departement) -> None:
    agent = _lived_in(departement)
    event = agent.types_event("Bouge", *hours(departement.at(8, 11)))
    agent.types_event("Avant", *hours(departement.at(16, 9)))
    agent.types_event("Après", *hours(departement.at(16, 11)))
    departement.settled()
    copy = departement.saves_database()

    agent.moves(event, *hours(departement.at(8, 14)))
    agent.types_event("Nouvelle", *hours(departement.at(9, 14)))
    departement.rdv(departement.at(7, 9), agent)
    departement.state.rdvs.move(departement.state.contents()["rdvs"][0]["id"], departement.at(4, 9))
    agent.types_event("Entre", *hours(departement.at(16, 10)))  # three become one block
    departement.absence(agent, "Nouveau congé", *hours(departement.at(17, 9)))
    departement.absence(agent, "Équipe", *hours(departement.at(15, 9)))  # takes the place of a block of ours
    departement.clock.sleep(24 * 3600)
    departement.settled()

    departement.restores_database(copy)
    with departement.untouched():
        reports = departement.settled()
        departement.settled()
    assert {operation.action for operation in done(*reports)} <= {Action.PAIR}
    assert conflicts(reports[-1]) == ["rdv_over_busy"]  # the new one, over an occurrence of a series
    assert departement.store.agent_view(agent.id).suppressions == ()
    agent.moves(event, *hours(departement.at(8, 16)))
    departement.settled()
    assert hours(departement.at(8, 14)) not in agent.blocks()
    assert hours(departement.at(8, 16)) in agent.blocks()
