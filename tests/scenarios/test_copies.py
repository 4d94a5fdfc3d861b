"""RDV-Solidarités -> calendar, under a département's rules: what a copy shows, what it is given, when it is written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from icalendar import Alarm

from gateway.sync.values import HoldReason
from tests.scenarios.departement import Departement, done, reasons
from tests.scenarios.person import Person, Shown, Vevent, hours
from tests.scenarios.small_departement import NORD, PMI, SOCIAL, USAGER, motif

NAMES = {"label": "motif", "motifs": "all", "usager_fields": ["first_name", "last_name"]}
RICH = {"category": "RDV usager", "color": "teal", "reminder_minutes": 30}


def chooses(departement: Departement, **copies: Any) -> None:
    """IT writes this into the configuration, and starts the gateway again."""
    departement.copies = copies
    departement.stop()


def rules(departement: Departement, **choices: Any) -> None:
    departement.rules = choices
    departement.stop()


def alarms(agent: Person) -> list[int]:
    """How many alarms each copy has, in order of time."""
    events = sorted(agent.ours().values(), key=lambda event: event["DTSTART"].dt)
    return [len(event.walk("VALARM")) for event in events]


# --- statuses ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cancelled", ["mark", "remove"])
@pytest.mark.parametrize("status", ["excused", "revoked"])
def test_cancelled_then_planned_again_is_the_same_event(
    departement: Departement, agent: Person, status: str, cancelled: str
) -> None:
    chooses(departement, cancelled=cancelled)
    rdv = departement.rdv(departement.at(2, 9), agent)
    departement.settled()
    before = agent.ours().keys()
    departement.state.rdvs.cancel(rdv, status)
    departement.settled()
    left = [Shown("[Annulé] RDV", *hours(departement.at(2, 9), 0.5))] if cancelled == "mark" else []
    assert agent.shown() == left
    departement.state.rdvs.recreate(rdv)
    departement.settled()
    assert agent.shown() == [Shown("RDV", *hours(departement.at(2, 9), 0.5))]
    assert agent.ours().keys() == before


@pytest.mark.parametrize("status", ["noshow", "seen"])
def test_what_happened_is_no_cancellation_and_costs_no_write(
    departement: Departement, agent: Person, status: str
) -> None:
    """A no-show has a date of cancellation all the same."""
    rdv = departement.rdv(departement.at(2, 9), agent)
    departement.settled()
    departement.forget_requests()
    departement.state.rdvs.set_status(rdv, status)
    departement.settled()
    assert departement.writes() == []
    assert agent.shown() == [Shown("RDV", *hours(departement.at(2, 9), 0.5))]


def test_a_past_copy_stays_when_its_rdv_is_purged_and_a_coming_one_goes(
    departement: Departement, agent: Person
) -> None:
    """Nothing tells the two apart in a listing but the date."""
    past = departement.rdv(departement.at(-3, 9), agent)
    coming = departement.rdv(departement.at(3, 9), agent)
    departement.rdv(departement.at(4, 9), agent)
    departement.rdv(departement.at(-4, 9), agent)
    departement.settled()
    departement.state.rdvs.purge(past)
    departement.state.rdvs.purge(coming)
    for _ in range(3):
        departement.sync(minutes=24 * 60)
    assert [shown.start for shown in agent.shown()] == [departement.at(day, 9) for day in (-4, -3, 4)]


def test_another_time_and_another_agent_at_once(departement: Departement) -> None:
    """As an online reschedule does; one of two agents stays."""
    stays, leaves, comes = departement.agent(), departement.agent(), departement.agent()
    departement.goes_live()
    rdv = departement.rdv(departement.at(1, 9), leaves, stays)
    departement.settled()
    departement.state.rdvs.move(rdv, departement.at(9, 14), agent_ids=[comes.id, stays.id])
    departement.settled()
    assert leaves.shown() == []
    for agent in (stays, comes):
        assert agent.shown() == [Shown("RDV", *hours(departement.at(9, 14), 0.5))]


# --- what is shown -------------------------------------------------------------------------------------------


def test_fields_of_one_motif_are_not_shown_for_another(departement: Departement, agent: Person) -> None:
    rules(departement, **{"for": [{"motif": motif(NORD, PMI), "copies": NAMES | {"motifs": []}}]})
    departement.rdv(departement.at(1, 9), agent, service=PMI)
    departement.rdv(departement.at(1, 11), agent, service=SOCIAL)
    departement.settled()
    assert [shown.title for shown in agent.shown()] == [f"Consultation · {USAGER}", "RDV"]
    assert sum(USAGER in text for _, text in agent.files_by_href().values()) == 1


def test_another_choice_of_fields_reaches_every_rdv_at_the_next_sync(departement: Departement, agent: Person) -> None:
    """The far ones too, which are seldom read; and what is not chosen any more leaves calendar and database."""
    chooses(departement, label="motif", motifs="all")
    departement.rdv(departement.at(1, 9), agent)
    departement.rdv(departement.at(300, 9), agent)
    departement.settled()
    assert [shown.title for shown in agent.shown()] == ["Consultation"] * 2

    chooses(departement, **NAMES)
    departement.sync()
    assert [shown.title for shown in agent.shown()] == [f"Consultation · {USAGER}"] * 2

    chooses(departement, label="motif", motifs="all")
    departement.sync()
    assert [shown.title for shown in agent.shown()] == ["Consultation"] * 2
    participations = [each for seen in departement.store.agent_view(agent.id).rdvs for each in seen.rdv.participations]
    assert [each.usager for each in participations] == [(), ()]
    told = {(row.entry.object, row.entry.rule) for row in departement.store.journal(limit=1000)}
    assert ("rdv_copy", "rdv_changed") in told
    assert ("rdv", "changed") not in told  # nobody changed an RDV


def test_the_phone_of_the_organisation_and_the_place(departement: Departement, agent: Person) -> None:
    chooses(departement, label="motif", motifs="all", show_phone=True, show_place=True)
    departement.rdv(departement.at(1, 9), agent)
    departement.settled()
    (event,) = agent.ours().values()
    assert event["LOCATION"] == "MDS Nord, 1 rue de Nord"
    assert "Accueil : 0100000000" in event["DESCRIPTION"]


# --- what a new copy is given --------------------------------------------------------------------------------


def test_the_first_fill_is_silent_and_what_comes_later_reminds(departement: Departement) -> None:
    """From 1 January on; no reminder, no mail. Afterwards a new copy has its reminder."""
    chooses(departement, **RICH)
    agent = departement.agent()
    days = (datetime(2025, 12, 31, 9), datetime(2026, 1, 2, 9), departement.at(1, 9), departement.at(40, 9))
    for day in days:
        departement.rdv(day, agent)
    departement.goes_live()
    assert [shown.start for shown in agent.shown()] == list(days[1:])
    assert alarms(agent) == [0, 0, 0]
    assert departement.state.notifications() == []
    departement.rdv(departement.at(2, 9), agent)
    departement.rdv(departement.at(-2, 9), agent)
    departement.settled()
    assert alarms(agent) == [0, 0, 0, 1, 0]
    (event,) = [event for event in agent.ours().values() if event.walk("VALARM")]
    assert event.walk("VALARM")[0]["TRIGGER"].to_ical() == b"-PT30M"
    assert [str(each) for each in event["CATEGORIES"].cats] == ["RDV usager"]
    assert event["COLOR"] == "teal"
    assert all("ATTENDEE" not in text and "ORGANIZER" not in text for _, text in agent.files_by_href().values())


def test_a_first_fill_that_takes_hours_is_silent_to_its_end(departement: Departement) -> None:
    """The ceiling of writes spreads it: the agent is live before it is done."""
    chooses(departement, **RICH)
    departement.limits = {"writes_per_hour": 3}
    agent = departement.agent()
    for day in range(1, 8):
        departement.rdv(departement.at(day, 9), agent)
    departement.sync()
    departement.approves()
    for _ in range(4):
        departement.sync(minutes=60)
    assert alarms(agent) == [0] * 7
    departement.rdv(departement.at(8, 9), agent)
    departement.sync(minutes=60)
    assert alarms(agent) == [0] * 7 + [1]


def test_the_day_of_the_backfill_can_be_chosen(departement: Departement) -> None:
    rules(departement, backfill_from="2025-12-31")
    agent = departement.agent()
    for day in (30, 31):
        departement.rdv(datetime(2025, 12, day, 9), agent)
    departement.goes_live()
    assert [shown.start for shown in agent.shown()] == [datetime(2025, 12, 31, 9)]


def test_what_a_person_makes_of_a_copy_survives_every_update(departement: Departement, agent: Person) -> None:
    """Another alarm, another category, a note, a colour: all at once, while the RDV changes all that it can."""
    chooses(departement, **RICH)
    rdv = departement.rdv(departement.at(2, 9), agent)
    departement.settled()
    (href,) = agent.ours()

    def personalise(event: Vevent) -> None:
        event.subcomponents.clear()
        for trigger in ("-PT5M", "-P1D"):
            alarm = Alarm()
            alarm.add("action", "DISPLAY")
            alarm.add("description", "À moi")
            alarm["TRIGGER"] = trigger
            event.add_component(alarm)
        for name in ("CATEGORIES", "COLOR", "DESCRIPTION"):
            del event[name]
        event.add("categories", ["Équipe", "Important"])
        event.add("color", "tomato")
        event["DESCRIPTION"] = "Prendre le dossier bleu"

    agent.edits(href, personalise)
    changes: tuple[Callable[[], object], ...] = (
        lambda: departement.state.rdvs.move(rdv, departement.at(3, 14), duration_in_min=60),
        lambda: departement.state.rdvs.cancel(rdv),
        lambda: departement.state.rdvs.recreate(rdv),
        lambda: agent.moves(href, *hours(departement.at(5, 9))),
        lambda: chooses(departement, **(NAMES | RICH | {"category": "Autre", "color": "navy"})),
    )
    for change in changes:
        change()
        departement.settled()
        event = agent.event(href)
        assert sorted(alarm["TRIGGER"].to_ical() for alarm in event.walk("VALARM")) == [b"-P1D", b"-PT5M"]
        assert _categories(event) == {"Équipe", "Important"}
        assert event["COLOR"] == "tomato"
        assert event["DESCRIPTION"] == "Prendre le dossier bleu"
    assert agent.shown() == [Shown(f"Consultation · {USAGER}", departement.at(3, 14), departement.at(3, 15))]


def _categories(event: Vevent) -> set[str]:
    """However a server writes them: on one line, or on one each."""
    found = event["CATEGORIES"]
    return {str(each) for line in (found if isinstance(found, list) else [found]) for each in line.cats}


# --- workshops -----------------------------------------------------------------------------------------------


def test_registrations_to_a_workshop_are_written_together_and_a_move_at_once(
    departement: Departement, agent: Person
) -> None:
    chooses(departement, **NAMES)
    rdv = departement.workshop(departement.at(1, 14), agent)
    departement.settled()
    departement.forget_requests()
    for name in ("Une", "Deux", "Trois"):
        departement.state.rdvs.add_participant(rdv, departement.state.directory.add_user(name, "Usager"))
        departement.sync()
    assert departement.writes() == []
    departement.sync(minutes=10)
    assert len(departement.writes()) == 1
    (event,) = agent.ours().values()
    assert str(event["DESCRIPTION"]).startswith("Inscrits : 3\nUsagers : Une Usager, Deux Usager, Trois Usager\n")
    departement.state.rdvs.add_participant(rdv, departement.state.directory.add_user("Quatre", "Usager"))
    departement.sync()
    assert len(departement.writes()) == 1
    departement.state.rdvs.move(rdv, departement.at(1, 16))
    departement.sync()
    assert [shown.start for shown in agent.shown()] == [departement.at(1, 16)]
    (event,) = agent.ours().values()
    assert str(event["DESCRIPTION"]).startswith("Inscrits : 4\n")


# --- directions ----------------------------------------------------------------------------------------------


def test_a_direction_switched_off_takes_back_what_is_ahead_and_on_again_gives_it(
    departement: Departement, agent: Person
) -> None:
    departement.rdv(departement.at(-2, 9), agent)
    departement.rdv(departement.at(2, 9), agent)
    departement.settled()
    rules(departement, **{"for": [{"agent": agent.id, "copy_rdvs": False}]})
    departement.settled()
    assert [shown.start for shown in agent.shown()] == [departement.at(-2, 9)]
    rules(departement)
    departement.settled()
    assert [shown.start for shown in agent.shown()] == [departement.at(-2, 9), departement.at(2, 9)]


def test_many_copies_of_a_direction_switched_off_wait_for_a_person(departement: Departement, agent: Person) -> None:
    for day in range(1, 8):
        departement.rdv(departement.at(day, 9), agent)
    departement.settled()
    rules(departement, copy_rdvs=False)
    report = departement.sync()
    assert reasons(report) == {HoldReason.MANY_REMOVALS}
    assert len(agent.shown()) == 7
    departement.approves()
    assert len(done(departement.sync())) == 7
    assert agent.shown() == []
