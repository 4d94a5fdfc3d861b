"""Undo on real servers: both sides as they were, what somebody edited left alone, nothing done again."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from gateway.composition import undoer
from gateway.sync.rejecting import unpin
from gateway.sync.undo.undoing import UndoReport
from gateway.sync.values import HoldReason, RunReport, Stop
from tests.scenarios.choices import on_one_calendar_server
from tests.scenarios.departement import Departement, done, held, reasons
from tests.scenarios.person import Person, hours

pytestmark = on_one_calendar_server


def undo(
    departement: Departement, run: RunReport | str, *, entry: int | None = None, dry_run: bool = False
) -> UndoReport:
    run_id = run if isinstance(run, str) else run.run_id
    work = undoer(departement.application, uuid4().hex, by="scenario")
    rows = work.rows(run_id=run_id) if entry is None else work.rows(entry_id=entry)
    return work.undo(rows, what=run_id, dry_run=dry_run)


def redoes_nothing(departement: Departement) -> None:
    """The next three syncs write nothing."""
    with departement.untouched():
        for _ in range(3):
            report = departement.sync()
            assert (done(report), held(report)) == ([], [])


def both_sides(departement: Departement) -> tuple[Any, Any]:
    """Bodies of all events, and what absences say, whatever their numbers."""
    everything = departement.everything()
    calendars = {
        login: {href: body for href, (_, body) in files.items()} for login, files in everything["calendars"].items()
    }
    absences = sorted(tuple(person.absences()) for person in departement.people)
    return calendars, [sorted(each) for each in absences]


def _lived_in(departement: Departement, agent: Person) -> dict[str, Any]:
    """Something of each kind, and later a run that makes, changes and removes some of each."""
    known = {
        "moved_event": agent.types_event("Bouge", *hours(departement.at(1, 9))),
        "deleted_event": agent.types_event("Part", *hours(departement.at(2, 9))),
        "moved_rdv": departement.rdv(departement.at(3, 9), agent),
        "moved_leave": departement.absence(agent, "Congé", *hours(departement.at(4, 9))),
        "deleted_leave": departement.absence(agent, "Parti", *hours(departement.at(5, 9))),
    }
    departement.settled()
    return known


def _busy_run(departement: Departement, agent: Person, known: dict[str, Any]) -> RunReport:
    titles = {str(event["SUMMARY"]): href for href, event in agent.ours().items()}
    agent.moves(known["moved_event"], *hours(departement.at(1, 14)))
    agent.deletes(known["deleted_event"])
    agent.types_event("Nouveau", *hours(departement.at(8, 9)))
    departement.state.rdvs.move(known["moved_rdv"], departement.at(3, 15))
    departement.rdv(departement.at(9, 9), agent)
    departement.absence(agent, "Nouveau congé", *hours(departement.at(10, 9)))
    agent.moves(titles["Congé"], *hours(departement.at(4, 14)))
    departement.state.absences.delete(known["deleted_leave"])
    report = departement.sync()
    assert len(done(report)) >= 8
    return report


def test_an_undone_run_leaves_both_sides_as_they_were_and_is_not_done_again(
    departement: Departement, agent: Person
) -> None:
    known = _lived_in(departement, agent)
    before = agent.blocks()
    shown = {href: agent.file(href) for href in agent.ours()}
    report = _busy_run(departement, agent, known)
    undone = undo(departement, report)
    assert undone.refused == []
    assert undone.problems == []
    assert len(undone.done) == len({(each.kind, each.rdv_id, each.absence_id) for each in done(report)})
    assert sorted(agent.blocks()) == sorted(before)
    assert ("Congé", *hours(departement.at(4, 9))) in agent.absences()
    moved_leave = {href for href in shown if b"Cong" in shown[href]}
    ours = {href: agent.file(href) for href in agent.ours()}
    assert ours.keys() == shown.keys()
    assert {href: body for href, body in ours.items() if href not in moved_leave} == {
        href: body for href, body in shown.items() if href not in moved_leave
    }
    redoes_nothing(departement)


def test_an_undo_that_is_undone_gives_the_first_state_back(departement: Departement, agent: Person) -> None:
    known = _lived_in(departement, agent)
    report = _busy_run(departement, agent, known)
    departement.settled()
    before = both_sides(departement)
    undone = undo(departement, report)
    assert both_sides(departement) != before
    again = undo(departement, undone.run_id)
    assert (again.refused, again.problems) == ([], [])
    assert both_sides(departement) == before
    assert departement.store.pins() == ()
    redoes_nothing(departement)
    once_more = undo(departement, again.run_id)
    assert once_more.refused == []
    redoes_nothing(departement)


def test_a_dry_run_changes_nothing_and_says_the_same(departement: Departement, agent: Person) -> None:
    known = _lived_in(departement, agent)
    report = _busy_run(departement, agent, known)
    with departement.untouched():
        looked = undo(departement, report, dry_run=True)
    assert looked.done == []
    assert {item.entry_id for item in looked.items} == set(undo(departement, report).done)


def test_one_entry_can_be_undone(departement: Departement, agent: Person) -> None:
    departement.rdv(departement.at(1, 9), agent)
    departement.rdv(departement.at(2, 9), agent)
    report = departement.sync()
    entry = max(row.id for row in departement.store.journal(run_id=report.run_id) if row.entry.action == "create")
    assert undo(departement, report, entry=entry).done == [entry]
    assert len(agent.shown()) == 1
    redoes_nothing(departement)


def test_what_was_undone_follows_its_source_again_when_that_changes(departement: Departement, agent: Person) -> None:
    event = agent.types_event("Équipe", *hours(departement.at(1, 9)))
    number = departement.rdv(departement.at(2, 9), agent)
    report = departement.sync()
    undo(departement, report)
    assert (agent.blocks(), agent.shown()) == ([], [])
    agent.moves(event, *hours(departement.at(1, 14)))
    departement.state.rdvs.move(number, departement.at(2, 14))
    departement.settled()
    assert agent.blocks() == [hours(departement.at(1, 14))]
    assert [each.start for each in agent.shown()] == [departement.at(2, 14)]
    assert departement.store.pins() == ()


def test_of_events_that_overlap_under_labels_the_undone_one_gets_no_block_again_nor_gives_its_label(
    departement: Departement, agent: Person
) -> None:
    departement.rules = {"blocks": {"labels": {"Formation": "Formation"}}}
    departement.stop()
    agent.types_event("Équipe", *hours(departement.at(1, 9), 2))
    departement.settled()
    before = agent.absences()
    agent.types_event("Secourisme", *hours(departement.at(1, 9), 3), "CATEGORIES:Formation")
    report = departement.sync()
    assert len(agent.absences()) == 2
    assert undo(departement, report).refused == []
    redoes_nothing(departement)
    assert agent.absences() == before


def test_the_copy_of_an_rdv_that_went_to_somebody_else_is_put_back_and_stays(departement: Departement) -> None:
    first, second = departement.agent(), departement.agent()
    departement.goes_live()
    number = departement.rdv(departement.at(1, 9), first)
    departement.settled()
    departement.state.rdvs.swap_agent(number, first.id, second.id)
    report = departement.settled()[0]
    assert (len(first.shown()), len(second.shown())) == (0, 1)
    assert undo(departement, report).refused == []
    assert (len(first.shown()), len(second.shown())) == (1, 0)
    redoes_nothing(departement)


def test_the_copy_of_an_rdv_that_is_gone_is_put_back_and_goes_again_once_it_is_not_pinned_and_approved(
    departement: Departement, agent: Person
) -> None:
    number = departement.rdv(departement.at(1, 9), agent)
    departement.rdv(departement.at(2, 9), agent)
    departement.settled()
    departement.state.rdvs.delete(number)
    report = next(each for each in (departement.sync() for _ in range(4)) if done(each))
    departement.settled()
    assert undo(departement, report).refused == []
    assert len(agent.shown()) == 2
    redoes_nothing(departement)
    assert unpin(departement.store, departement.store.pins(), at=departement.clock.now(), by="scenario") == 1
    assert reasons(departement.sync()) == {HoldReason.UNPROVEN}
    departement.approves()
    departement.settled()
    assert len(agent.shown()) == 1


def test_what_a_later_run_changed_is_refused(departement: Departement, agent: Person) -> None:
    number = departement.rdv(departement.at(2, 9), agent)
    first = departement.sync()
    departement.state.rdvs.move(number, departement.at(3, 9))
    second = departement.sync()
    assert ["a later run did" in item.refused for item in undo(departement, first).items] == [True]
    assert len(undo(departement, second).done) == 1
    assert [each.start for each in agent.shown()] == [departement.at(2, 9)]
    redoes_nothing(departement)


def test_an_absence_that_a_person_typed_and_an_undo_put_back_is_not_removed_again_unasked(
    departement: Departement,
) -> None:
    agent = departement.agent()
    times = hours(departement.at(1, 9))
    event = agent.types_event("Équipe", *times)
    departement.absence(agent, "Réunion", *times)
    departement.goes_live()
    agent.deletes(event)
    report = departement.sync()
    assert agent.absences() == []
    assert undo(departement, report).refused == []
    redoes_nothing(departement)
    unpin(departement.store, departement.store.pins(), at=departement.clock.now(), by="scenario")
    assert reasons(departement.sync()) == {HoldReason.FOUND_ABSENCE}
    assert [title for title, *_ in agent.absences()] == ["Réunion"]


def test_no_copy_is_put_back_beside_what_another_sync_wrote_since_the_last_run(
    departement: Departement, agent: Person
) -> None:
    first, second = departement.rdv(departement.at(1, 9), agent), departement.rdv(departement.at(2, 9), agent)
    departement.settled()
    departement.state.rdvs.move(first, departement.at(3, 9))
    report = departement.sync()
    uuid = next(each["uuid"] for each in departement.state.contents()["rdvs"] if each["id"] == second)
    agent.types_event("RDV natif", *hours(departement.at(2, 9), 0.5), uid=uuid)
    with departement.untouched():
        undone = undo(departement, report)
    assert undone.done == []
    assert ["RDV-Solidarités itself" in item.refused for item in undone.items] == [True]


def test_while_writes_are_stopped_nothing_is_undone(departement: Departement, agent: Person) -> None:
    departement.rdv(departement.at(2, 9), agent)
    report = departement.sync()
    with departement.store.transaction() as tx:
        tx.set_stop(Stop(departement.clock.now(), "adele"))
    with departement.untouched():
        undone = undo(departement, report)
    assert (len(undone.waiting), undone.done) == (1, [])


def test_a_run_of_five_hundred_writes_is_undone_but_for_the_twenty_that_somebody_edited(
    departement: Departement, agent: Person
) -> None:
    """Byte by byte on both sides; exactly those twenty are refused, each by name."""
    for hour in (6, 8, 10, 12, 14, 16, 18):
        agent.types_event("Équipe", *hours(departement.at(1, hour)), "RRULE:FREQ=DAILY;COUNT=52")
    for day in range(1, 53):
        for hour in (7, 9):
            departement.rdv(departement.at(day, hour), agent)
        departement.absence(agent, "Congé", *hours(departement.at(day, 20)))
    before = departement.everything()
    report = departement.sync()
    assert len(done(report)) > 500

    edited_events = sorted(agent.ours())[:10]
    for href in edited_events:
        agent.writes(href, location="Ailleurs")
    blocks = sorted(departement.store.agent_view(agent.id).blocks, key=lambda each: each.absence_id)[:10]
    for block in blocks:
        departement.move_absence(block.absence_id, block.start, block.end.replace(minute=30))

    undone = undo(departement, report)
    assert len(undone.refused) == 20
    assert all("somebody edited it" in item.refused for item in undone.refused)
    assert {item.reference for item in undone.refused} >= {f"absence {block.absence_id}" for block in blocks}
    assert len(undone.done) == len(done(report)) - 20
    after = departement.everything()
    kept = {block.absence_id for block in blocks}
    assert [row for row in after["absences"] if row["id"] not in kept] == before["absences"]
    files = {href: file for href, file in after["calendars"][agent.login].items() if href not in edited_events}
    assert files == before["calendars"][agent.login]

    again = [departement.sync() for _ in range(3)]
    undone_things = {(item.kind, item.reference) for item in undone.items if not item.refused}
    for operation in done(*again):
        what = f"rdv {operation.rdv_id}" if operation.rdv_id else f"absence {operation.absence_id}"
        assert (operation.kind, what) not in undone_things
    assert len(done(*again[1:])) == 0
