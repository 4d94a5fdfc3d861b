"""RDVs over busy time, from the first sync that sees them to the last."""

from __future__ import annotations

from datetime import timedelta

from gateway.sync.values import ConflictKind
from tests.scenarios.departement import Departement, conflicts
from tests.scenarios.person import Person, hours


def listed(departement: Departement) -> list[tuple[int | None, int | None]]:
    """RDVs and absences of the conflicts that are kept."""
    return [(row.conflict.rdv_id, row.conflict.absence_id) for row in departement.store.conflicts()]


def test_leave_over_rdvs_is_told_for_each_and_is_over_when_it_moves(departement: Departement, agent: Person) -> None:
    rdvs = [departement.rdv(departement.at(day, 9), agent) for day in (1, 2, 8)]
    departement.settled()
    leave = agent.types_event("Congés", departement.day(1), departement.day(4))
    report = departement.settled()[-1]
    assert conflicts(report) == ["rdv_over_busy"] * 2
    assert listed(departement) == [(rdvs[0], None), (rdvs[1], None)]
    since = {row.since for row in departement.store.conflicts()}
    departement.sync()
    assert {row.since for row in departement.store.conflicts()} == since
    assert len(departement.store.conflict_notices()) == 2

    agent.moves(leave, departement.day(2), departement.day(4))
    departement.settled()
    assert listed(departement) == [(rdvs[1], None)]
    journaled = [
        (row.entry.reference, row.entry.rule)
        for row in departement.store.journal()
        if row.entry.object == "rdv_over_busy"
    ]
    assert journaled == [
        (f"rdv {rdvs[0]}", "conflict_over"),
        (f"rdv {rdvs[1]}", "conflict_appeared"),
        (f"rdv {rdvs[0]}", "conflict_appeared"),
    ]


def test_an_rdv_taken_over_a_block_is_told_until_somebody_frees_the_time(
    departement: Departement, agent: Person
) -> None:
    agent.types_event("Réunion", *hours(departement.at(1, 9), 2))
    departement.settled()
    rdv = departement.rdv(departement.at(1, 10), agent)
    departement.settled()
    assert listed(departement) == [(rdv, None)]
    departement.state.absences.delete(agent.absence_at(departement.at(1, 9)))
    departement.settled()
    assert listed(departement) == []


def test_an_absence_typed_over_an_rdv_is_told(departement: Departement, agent: Person) -> None:
    rdv = departement.rdv(departement.at(1, 10), agent)
    absence = departement.absence(agent, "Formation", *hours(departement.at(1, 9), 3))
    departement.settled()
    assert listed(departement) == [(rdv, absence)]
    departement.state.rdvs.move(rdv, departement.at(2, 10))
    departement.settled()
    assert listed(departement) == []


def test_it_is_over_when_the_rdv_begins(departement: Departement, agent: Person) -> None:
    agent.types_event("Réunion", *hours(departement.at(1, 9), 2))
    departement.rdv(departement.at(1, 10), agent)
    departement.settled()
    assert [row.conflict.kind for row in departement.store.conflicts()] == [ConflictKind.RDV_OVER_BUSY]
    passing = departement.at(1, 11).replace(tzinfo=agent.zone) - departement.clock.now()
    departement.sync(minutes=passing / timedelta(minutes=1))
    assert listed(departement) == []
