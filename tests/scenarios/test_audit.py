"""The drift audit: 0 when nothing is wrong, and each cause, made by hand, found and named."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.errors import OurBug
from connectors.records import AbsenceDraft
from gateway.audit.agreement import Touched, agreement_findings
from gateway.audit.read_only import ReadOnlyCalendar, ReadOnlyRdvSolidarites
from gateway.audit.repair import read_again, stale_calendars
from gateway.audit.values import AuditReport, Cause
from gateway.composition import auditor, engine_settings
from gateway.store.values import CalendarState
from gateway.sync.engine import plan_context
from gateway.sync.values import BlockOrigin, CalendarRef, PoolBlock, SeenEvent, Stop
from mappings.identity import NAMESPACE
from tests.scenarios.agenda_text import event_text
from tests.scenarios.choices import on_one_calendar_server
from tests.scenarios.departement import Departement
from tests.scenarios.person import Person, hours

pytestmark = on_one_calendar_server


def audit(departement: Departement) -> AuditReport:
    """One audit, which must leave both sides as they are and ask for nothing that writes."""
    with departement.untouched():
        return auditor(departement.application).run()


def causes(report: AuditReport) -> set[Cause]:
    return {finding.cause for agent in report.agents for finding in agent.findings}


def drift(report: AuditReport) -> set[Cause]:
    return {finding.cause for agent in report.agents for finding in agent.drift}


def ref_of(agent: Person) -> CalendarRef:
    return CalendarRef(agent.login, agent.calendar)


def seen(departement: Departement, agent: Person, href: str) -> SeenEvent:
    """The shadow of one event."""
    return next(each for each in departement.store.agent_view(agent.id).events if each.href == href)


def state_of(departement: Departement, agent: Person) -> CalendarState:
    found = departement.store.calendar_state(ref_of(agent))
    assert found is not None
    return found


def lies_about_changes(departement: Departement, agent: Person) -> None:
    """From now on the server tells of nothing that was changed so far: the token and mark of now, for the shadow of
    before."""
    account, ref = departement.application.accounts[agent.login], ref_of(agent)
    changes = account.changes(ref.calendar, None, {})
    (mark,) = [each.mark for each in account.look() if each.calendar == ref.calendar]
    assert mark
    state = state_of(departement, agent)
    with departement.store.transaction() as tx:
        tx.save_calendar_reading(
            ref,
            events=(),
            gone=(),
            cursor=changes.cursor,
            mark=mark,
            read_at=departement.clock.now(),
            patterns=state.patterns,
        )


@pytest.fixture
def full(departement: Departement, agent: Person) -> Person:
    """An agent with one of everything, settled."""
    agent.types_event("Équipe", *hours(departement.at(1, 9)), "RRULE:FREQ=WEEKLY;COUNT=5")
    agent.types_event("Formation", departement.day(3), departement.day(4))
    agent.types_event("Dentiste", *hours(departement.at(2, 14)))
    agent.types_event("Libre", *hours(departement.at(2, 16)), "TRANSP:TRANSPARENT")
    for day in (1, 2, 8):
        departement.rdv(departement.at(day, 11), agent)
    departement.workshop(departement.at(5, 9), agent)
    departement.absence(agent, "Congé", *hours(departement.at(4, 14)))
    departement.settled()
    departement.state.absences.delete(agent.absence_at(departement.at(2, 14)))
    departement.settled()
    return agent


# --- nothing wrong -------------------------------------------------------------------------------------------


def test_after_a_quiet_sync_there_is_no_drift_and_nothing_is_written(departement: Departement, full: Person) -> None:
    report = audit(departement)
    assert (report.drift, report.not_compared) == (0, 0)
    assert causes(report) == {Cause.SUPPRESSED}  # what a person freed is told of
    (one,) = report.agents
    assert (one.compared.copies, one.compared.mirrors, one.compared.absences) == (4, 1, 7)
    assert one.compared.events == 4 + 4 + 1
    assert dict(report.requests).keys() >= {"rdv_solidarites", full.login}


def test_a_new_agent_whose_first_plan_waits_has_no_drift(departement: Departement) -> None:
    agent = departement.agent()
    agent.types_event("Équipe", *hours(departement.at(1, 9)))
    departement.rdv(departement.at(2, 9), agent)
    departement.sync()
    report = audit(departement)
    assert (report.drift, causes(report)) == (0, {Cause.HELD})


def test_what_persons_change_after_the_last_reading_is_listed_and_is_no_drift(
    departement: Departement, full: Person
) -> None:
    """On both sides, and what the next sync will do about it."""
    moved = full.types_event("Autre", *hours(departement.at(9, 9)))
    departement.rdv(departement.at(9, 14), full)
    departement.absence(full, "Réunion", *hours(departement.at(10, 9)))
    report = audit(departement)
    (one,) = report.agents
    found = {(each.kind, each.cause) for each in one.findings if each.cause is not Cause.SUPPRESSED}
    assert report.drift == 0
    assert found == {(kind, Cause.SINCE_LAST_READING) for kind in ("event", "rdv", "absence", "operation")}
    assert any(each.reference.endswith(moved) for each in one.findings)
    departement.settled()
    assert causes(audit(departement)) == {Cause.SUPPRESSED}


def test_days_that_come_within_the_horizon_are_no_drift(departement: Departement, full: Person) -> None:
    full.types_event("Loin", *hours(departement.at(58, 9)))
    departement.settled()
    departement.clock.sleep(3 * 86_400)
    report = audit(departement)
    assert (report.drift, causes(report)) == (0, {Cause.SUPPRESSED, Cause.SINCE_LAST_READING})


def test_an_audit_beside_a_sync_at_work_finds_no_drift(departement: Departement, full: Person) -> None:
    """What a sync changes meanwhile is none: writes of its own, and what it has read and not written yet."""
    for day in range(1, 15):
        full.types_event("Rendez-vous", *hours(departement.at(day, 17)))
        departement.rdv(departement.at(day, 15), full)
    application = departement.application
    departement.faults.add("slow", method="POST", path="/api/v1/absences", seconds=0.1, times=None)

    def sync() -> None:
        with application.store.sync_lock():
            application.engine.run()

    worker = threading.Thread(target=sync)
    worker.start()
    drifts = [auditor(application).run().drift]
    while worker.is_alive():
        drifts.append(auditor(application).run().drift)
    worker.join()
    assert len(drifts) > 2
    assert set(drifts) == {0}
    departement.settled()
    assert audit(departement).drift == 0


# --- drift, cause by cause -----------------------------------------------------------------------------------


def test_a_server_that_does_not_tell_of_a_change_is_named_and_reading_again_ends_it(
    departement: Departement, full: Person
) -> None:
    new = full.types_event("Tu", *hours(departement.at(9, 9)))
    (gone,) = [href for href in full.files_by_href() if "Dentiste" in full.files_by_href()[href][1]]
    full.deletes(gone)
    lies_about_changes(departement, full)
    departement.sync()
    assert hours(departement.at(9, 9)) not in full.blocks()  # the lie works

    report = audit(departement)
    (one,) = report.agents
    events = {each.reference: each.cause for each in one.drift if each.kind == "event"}
    assert events == {f"{ref_of(full)} {href}": Cause.NOT_TOLD for href in (new, gone)}
    assert Cause.UNKNOWN_TO_SYNC in drift(report)  # the block that is missing for it
    assert "Tu" not in repr(report)

    stale = stale_calendars(one.findings, [ref_of(full)])
    assert stale == (ref_of(full),)
    read_again(departement.store, stale, at=departement.clock.now(), by="test")
    departement.settled()
    assert hours(departement.at(9, 9)) in full.blocks()
    assert audit(departement).drift == 0


def test_an_etag_that_came_back_for_another_content_is_named_and_mended(departement: Departement, full: Person) -> None:
    href = full.types_event("Équipe", *hours(departement.at(9, 9)))
    departement.settled()
    shadow = seen(departement, full, href)
    assert shadow.times is not None
    moved = replace(shadow.times.components[0], start=departement.at(9, 7), end=departement.at(9, 8))
    wrong = replace(shadow, raw_digest="0" * 64, times=replace(shadow.times, components=(moved,)))
    with departement.store.transaction() as tx:
        tx.save_event(wrong)
    report = audit(departement)
    (one,) = report.agents
    assert {each.cause for each in one.drift if each.kind == "event"} == {Cause.VERSION_CAME_BACK}
    assert Cause.MISTAKEN in drift(report)  # it would move the block after a shadow
    read_again(departement.store, stale_calendars(one.findings, [ref_of(full)]), at=departement.clock.now(), by="test")
    departement.settled()
    assert audit(departement).drift == 0


def test_content_that_was_understood_otherwise_is_named(departement: Departement, full: Person) -> None:
    href = full.types_event("Équipe", *hours(departement.at(9, 9)))
    departement.settled()
    with departement.store.transaction() as tx:
        tx.save_event(replace(seen(departement, full, href), times=None))
    assert Cause.UNDERSTOOD_OTHERWISE in drift(audit(departement))


def test_an_rdv_whose_digest_hides_that_it_is_another_is_named(departement: Departement, full: Person) -> None:
    rdv = departement.store.agent_view(full.id).rdvs[0].rdv
    (digest,) = [each.digest for each in departement.store.observed_rdvs(rdv.organisation_id) if each.id == rdv.id]
    other = replace(rdv, starts_at=rdv.starts_at + timedelta(hours=1), ends_at=rdv.ends_at + timedelta(hours=1))
    for kept in ("another", digest):
        with departement.store.transaction() as tx:
            tx.save_rdvs([other], digests={rdv.id: kept}, agents_epoch=0, read_at=departement.clock.now())
    report = audit(departement)
    (found,) = [each for each in report.agents[0].drift if each.kind == "rdv"]
    assert (found.cause, found.fields) == (Cause.STORE_CONTRADICTS, ("starts_at", "ends_at"))


def test_a_copy_of_an_rdv_that_nobody_knows_is_named(departement: Departement, full: Person) -> None:
    copy = departement.store.agent_view(full.id).copies[-1]
    with departement.store.transaction() as tx:
        tx.put_copy(replace(copy, rdv_id=999_999, href=f"{full.calendar}nowhere.ics", uid=f"{NAMESPACE}0"))
    (found,) = audit(departement).agents[0].drift
    assert (found.cause, found.reference) == (Cause.STORE_CONTRADICTS, "rdv 999999")


@pytest.mark.parametrize(
    ("event", "cause"),
    [
        ("gone", Cause.OTHER_WRITER),
        ("edited", Cause.OTHER_WRITER),
        ("moved", Cause.OTHER_WRITER),
        ("twice", Cause.DOUBLE),
    ],
)
def test_a_copy_that_is_not_as_agreed_while_no_plan_answers_is_named(
    departement: Departement, full: Person, event: str, cause: Cause
) -> None:
    """A plan answers to each of these; this is what is said if one day it does not."""
    application = departement.application
    context = plan_context(engine_settings(application.settings), application.keys, departement.clock.now())
    view = departement.store.agent_view(full.id)
    copy = min(view.copies, key=lambda each: each.ends_at)
    of_copy = next(each for each in view.events if each.href == copy.href)
    others = tuple(each for each in view.events if each is not of_copy)
    assert of_copy.times is not None
    component = of_copy.times.components[0]
    later = replace(component, start=component.start + timedelta(hours=1), end=component.end + timedelta(hours=1))
    found = {
        "gone": (),
        "edited": (replace(of_copy, owned_digest="0"),),
        "moved": (replace(of_copy, times=replace(of_copy.times, components=(later,))),),
        "twice": (of_copy, replace(of_copy, href=f"{full.calendar}twice.ics")),
    }[event]
    nothing = Touched(frozenset(), frozenset(), frozenset())
    assert list(agreement_findings(view, nothing, context)) == []
    findings = list(agreement_findings(replace(view, events=(*others, *found)), nothing, context))
    assert [(each.cause, each.reference.partition("/")[0].strip()) for each in findings] == [
        (cause, f"rdv {copy.rdv_id}")
    ]


def test_a_block_that_exists_nowhere_is_never_taken_for_granted(departement: Departement, full: Person) -> None:
    """The database says that an absence stands for time, and there is none."""
    with departement.store.transaction() as tx:
        tx.put_block(PoolBlock(999_999, full.id, *hours(departement.at(12, 9)), frozenset(), BlockOrigin.CREATED))
    report = audit(departement)
    assert {each.reference for each in report.agents[0].drift} == {"absence 999999"}


def test_what_the_last_sync_failed_to_do_is_drift_until_it_is_done(departement: Departement, full: Person) -> None:
    full.types_event("Équipe", *hours(departement.at(9, 9)))
    departement.faults.add("status", method="POST", path="/api/v1/absences", status=422)
    departement.sync()
    report = audit(departement)
    (found,) = report.agents[0].drift
    assert (found.cause, found.kind, found.when) == (Cause.UNFINISHED, "operation", departement.at(9, 9))
    departement.settled()
    assert audit(departement).drift == 0


def test_a_clock_that_went_back_is_named(departement: Departement, full: Person) -> None:
    state = state_of(departement, full)
    with departement.store.transaction() as tx:
        tx.save_calendar_reading(
            ref_of(full),
            events=(),
            gone=(),
            cursor=state.cursor,
            mark=state.mark,
            read_at=departement.clock.now() + timedelta(hours=2),
            patterns=state.patterns,
        )
    assert drift(audit(departement)) == {Cause.CLOCK}


# --- what waits is told and does not count -------------------------------------------------------------------


def test_writes_that_are_stopped_wait_and_do_not_count(departement: Departement, full: Person) -> None:
    full.types_event("Équipe", *hours(departement.at(9, 9)))
    with departement.store.transaction() as tx:
        tx.set_stop(Stop(departement.clock.now(), "somebody"))
    departement.sync()
    report = audit(departement)
    assert (report.drift, Cause.WAITING in causes(report)) == (0, True)


def test_what_is_held_and_what_is_approved_do_not_count(departement: Departement, full: Person) -> None:
    events = [full.types_event("Équipe", *hours(departement.at(day, 17))) for day in range(1, 15)]
    departement.settled()
    for href in events:
        full.deletes(href)
    departement.sync()
    report = audit(departement)
    assert (report.drift, Cause.HELD in causes(report)) == (0, True)
    departement.approves()
    report = audit(departement)
    assert (report.drift, Cause.APPROVED in causes(report)) == (0, True)


def test_orphans_and_what_cannot_be_read_do_not_count(departement: Departement, full: Person) -> None:
    full.types_event("RDV", *hours(departement.at(9, 9)), uid=f"{NAMESPACE}{'0' * 32}")
    body = event_text("illisible", "Illisible", *hours(departement.at(10, 9)), full.zone)
    full.files(body.replace(full.zone.key, "Atlantis/Capitale").replace("+0100", "+0137"))
    departement.settled()
    report = audit(departement)
    assert report.drift == 0
    assert causes(report) >= {Cause.ORPHAN, Cause.SET_ASIDE}


def test_a_write_whose_answer_was_lost_does_not_count(departement: Departement, full: Person) -> None:
    full.types_event("Équipe", *hours(departement.at(9, 9)))
    departement.faults.add("cut_after", method="POST", path="/api/v1/absences")
    departement.sync()
    report = audit(departement)
    assert (report.drift, Cause.OPEN_WRITE in causes(report)) == (0, True)


# --- what cannot be compared ---------------------------------------------------------------------------------


def test_an_agent_whose_calendar_does_not_answer_is_told_apart_from_no_drift(departement: Departement) -> None:
    lost, other = departement.agent(), departement.agent()
    departement.goes_live()
    departement.addresses[lost.login] = "http://127.0.0.1:9/"
    departement.stop()
    report = audit(departement)
    assert (report.drift, report.not_compared) == (0, 1)
    assert {each.agent_id: bool(each.problems) for each in report.agents} == {lost.id: True, other.id: False}


def test_an_agent_who_became_invisible_is_not_compared(departement: Departement, full: Person) -> None:
    departement.state.directory.remove_role(full.id, 1)
    report = audit(departement)
    assert (report.drift, report.not_compared) == (0, 1)


def test_nothing_can_be_written_through_the_ports_of_an_audit(departement: Departement, full: Person) -> None:
    account = ReadOnlyCalendar(departement.application.accounts[full.login])
    client = ReadOnlyRdvSolidarites(departement.application.rdv_solidarites)
    (href, *_) = full.ours()
    item = account.read(full.calendar, href)
    assert item is not None
    draft = AbsenceDraft(full.id, "x", *hours(departement.at(1, 9)))
    with departement.untouched():
        for write in (
            lambda: account.create(full.calendar, None),
            lambda: account.update(full.calendar, item, None, notes=False),
            lambda: account.delete(full.calendar, item),
            lambda: client.create_absence(draft),
            lambda: client.update_absence(1, draft),
            lambda: client.delete_absence(1),
        ):
            with pytest.raises(OurBug):
                write()
