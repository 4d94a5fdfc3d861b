"""RDV-Solidarités itself also writes into an agent's calendars: its files as it writes them, on real servers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.sync.values import AgentState, ConflictKind
from tests.scenarios.departement import Departement, conflicts, held
from tests.scenarios.person import Person, Shown, hours

UNKNOWN = "7d3f5a10-52b4-4c6e-9a7f-1f2e3d4c5b6a"
"""The uuid of an RDV that the technical account does not see."""

MICROSOFT = "-//Microsoft Corporation//Outlook 16.0 MIMEDIR//EN"
THUNDERBIRD = "-//Mozilla.org/NONSGML Mozilla Calendar V1.1//EN"
HALF = 0.5


def link(departement: Departement, rdv: int = 812) -> str:
    """The address that its files, mails and Outlook events give."""
    return f"{departement.rdv_solidarites_url}/admin/organisations/1/rdvs/{rdv}"


def uuid_of(departement: Departement, rdv: int) -> str:
    (found,) = [row["uuid"] for row in departement.state.contents()["rdvs"] if row["id"] == rdv]
    return str(found)


def file_of(
    agent: Person, uid: str, start: datetime, *lines: str, product: str = "RDV Solidarités", minutes: int = 30
) -> str:
    """A VCALENDAR as the product writes it: no METHOD once it is stored, SEQUENCE always 0."""

    def utc(moment: datetime) -> str:
        return f"{moment.replace(tzinfo=agent.zone).astimezone(UTC):%Y%m%dT%H%M%SZ}"

    body = [
        *("BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{product}", "CALSCALE:GREGORIAN", "BEGIN:VEVENT"),
        *("DTSTAMP:20260301T080000Z", f"UID:{uid}", f"DTSTART:{utc(start)}"),
        *(f"DTEND:{utc(start + timedelta(minutes=minutes))}", "SEQUENCE:0", "SUMMARY:Suivi RSA", *lines),
        *("END:VEVENT", "END:VCALENDAR"),
    ]
    return "".join(f"{line}\r\n" for line in body)


def told(departement: Departement) -> list[ConflictKind]:
    return [row.conflict.kind for row in departement.store.conflicts()]


def test_its_caldav_sync_is_told_holds_copies_alone_and_ends_with_its_last_file(
    departement: Departement, agent: Person
) -> None:
    there = departement.rdv(departement.at(2, 9), agent)
    departement.settled()
    moved = departement.rdv(departement.at(3, 9), agent)
    uuid = uuid_of(departement, moved)
    known = agent.files(file_of(agent, uuid, departement.at(3, 9), f"DESCRIPTION:{link(departement)}"), name=uuid)
    unseen = agent.files(file_of(agent, UNKNOWN.upper(), departement.at(4, 9)), name=UNKNOWN.upper())
    agent.types_event("Dentiste", *hours(departement.at(1, 9)))
    departement.state.rdvs.move(there, departement.at(2, 14))
    report = departement.settled()[-1]
    assert conflicts(report) == ["native_sync"]
    assert "CalDAV" in report.agents[0].conflicts[0].reason
    assert {(each.operation.rdv_id, each.operation.action.value) for each in held(report)} == {
        (there, "update"),
        (moved, "create"),
    }
    assert agent.shown() == [Shown("RDV", *hours(departement.at(2, 9), HALF))]
    assert agent.blocks() == [hours(departement.at(1, 9))]
    since = departement.store.conflicts()[0].since

    agent.deletes(known)
    departement.settled()
    assert told(departement) == [ConflictKind.NATIVE_SYNC]
    assert departement.store.conflicts()[0].since == since

    agent.deletes(unseen)
    departement.settled()
    assert agent.shown() == [
        Shown("RDV", *hours(departement.at(2, 14), HALF)),
        Shown("RDV", *hours(departement.at(3, 9), HALF)),
    ]
    assert told(departement) == []
    entries = [row.entry.rule for row in departement.store.journal() if row.entry.object == "native_sync"]
    assert entries == ["conflict_over", "conflict_appeared"]


def test_its_feed_in_a_calendar_beside_holds_copies_and_is_not_busy(departement: Departement) -> None:
    """A subscription of the calendar server's own: one file for each RDV, from a month ago on, cancelled ones too."""
    agent = departement.agent()
    subscribed = departement.second_calendar(agent)
    departement.goes_live()
    rdv = departement.rdv(departement.at(3, 9), agent)
    agent.files(file_of(agent, UNKNOWN, departement.at(-3, 9)), calendar=subscribed)
    copy = agent.files(file_of(agent, uuid_of(departement, rdv), departement.at(3, 9)), calendar=subscribed)
    report = departement.settled()[-1]
    assert [(each.operation.rdv_id, each.reason.value) for each in held(report)] == [(rdv, "native_sync")]
    assert agent.blocks() == []
    agent.deletes(copy)
    departement.settled()
    assert agent.shown() == [Shown("RDV", *hours(departement.at(3, 9), HALF))]


def test_what_it_left_of_past_and_cancelled_rdvs_holds_nothing(departement: Departement, agent: Person) -> None:
    agent.files(file_of(agent, UNKNOWN, departement.at(-3, 9)), name=UNKNOWN)
    cancelled = UNKNOWN.replace("7", "8")
    agent.files(file_of(agent, cancelled, departement.at(2, 9), "STATUS:CANCELLED"), name=cancelled)
    departement.rdv(departement.at(3, 9), agent)
    report = departement.settled()[-1]
    assert (conflicts(report), held(report)) == ([], [])
    assert agent.shown() == [Shown("RDV", *hours(departement.at(3, 9), HALF))]


@pytest.mark.parametrize("seen", [True, False], ids=["of an RDV that is read", "of another"])
def test_a_mailed_invitation_that_was_accepted(departement: Departement, agent: Person, *, seen: bool) -> None:
    """Stored by the agent's own program: its PRODID, no METHOD, the answer given."""
    rdv = departement.rdv(departement.at(3, 9), agent)
    uid = uuid_of(departement, rdv) if seen else UNKNOWN
    lines = (
        "ORGANIZER:mailto:secretariat-auto@rdv.example",
        f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{agent.login}@dept.example",
        f"DESCRIPTION:Plus d'informations : {link(departement, rdv)}",
    )
    agent.files(file_of(agent, uid, departement.at(3, 9), *lines, product=THUNDERBIRD))
    report = departement.settled()[-1]
    assert conflicts(report) == ["native_sync"]
    assert "accepted" in report.agents[0].conflicts[0].reason
    assert (agent.shown(), agent.blocks()) == ([], [])


def test_its_outlook_sync_and_an_own_event_that_quotes_the_same_link(departement: Departement, agent: Person) -> None:
    """Exchange gives every event a UID of its own: only the link and the very time tell."""
    rdv = departement.rdv(departement.at(3, 9), agent)
    quoted = f"DESCRIPTION:{link(departement, rdv)}"
    copy = agent.files(file_of(agent, "040000008200E00074C5", departement.at(3, 9), quoted, product=MICROSOFT))
    agent.files(file_of(agent, "040000008200E00099", departement.at(2, 14), quoted, product=MICROSOFT, minutes=60))
    report = departement.settled()[-1]
    assert "Outlook" in report.agents[0].conflicts[0].reason
    assert agent.shown() == []
    assert agent.blocks() == [hours(departement.at(2, 14))]
    agent.deletes(copy)
    departement.settled()
    assert agent.shown() == [Shown("RDV", *hours(departement.at(3, 9), HALF))]


def test_a_mailed_absence_is_not_busy_and_holds_no_rdv(departement: Departement, agent: Person) -> None:
    """The absence itself is mirrored, so that it is there twice, and said to be."""
    number = departement.absence(agent, "Formation", *hours(departement.at(2, 9)))
    mailed = file_of(agent, f"absence_{number}@RDV Solidarités", departement.at(2, 9), minutes=60)
    agent.files(mailed.replace("PRODID:RDV Solidarités", "PRODID:-//Zimbra//FR"))
    departement.rdv(departement.at(3, 9), agent)
    report = departement.settled()[-1]
    assert (conflicts(report), held(report)) == (["native_sync"], [])
    assert len(agent.shown()) == 2
    assert agent.blocks() == []


def test_a_first_run_says_it_and_its_approval_doubles_nothing(departement: Departement) -> None:
    agent = departement.agent()
    rdv = departement.rdv(departement.at(3, 9), agent)
    agent.files(file_of(agent, uuid_of(departement, rdv), departement.at(3, 9)), name=UNKNOWN)
    agent.types_event("Dentiste", *hours(departement.at(1, 9)))
    plan = departement.application.engine.run(dry_run=True)
    assert conflicts(plan) == ["native_sync"]
    assert told(departement) == []  # a plan keeps nothing
    assert departement.approves() == 1  # the block alone
    departement.settled()
    assert (agent.shown(), agent.blocks()) == ([], [hours(departement.at(1, 9))])
    assert [each.state for each in departement.store.agents()] == [AgentState.LIVE]
    assert told(departement) == [ConflictKind.NATIVE_SYNC]
