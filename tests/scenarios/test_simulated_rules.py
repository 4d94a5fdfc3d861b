"""What `rules simulate` says is what a sync under those rules then does."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from gateway.cli.rules_simulate import trial
from gateway.rules.trial import TrialReport
from gateway.settings_rules import RulesSection
from gateway.sync.values import Operation, RunReport
from tests.scenarios.choices import on_one_calendar_server
from tests.scenarios.departement import Departement, done, held
from tests.scenarios.person import Interval, Person, hours
from tests.scenarios.small_departement import NORD, PMI, SOCIAL, USAGER, motif

pytestmark = on_one_calendar_server

CANARY = "Zéphyrine"
"""In every title that the agent types."""

CHANGES: dict[str, dict[str, Any]] = {
    "all-day events never block": {"blocks": {"all_day": "never"}},
    "one block for each event": {"merge_blocks": False},
    "a title that never blocks": {"blocks": {"never_titles": [f"Dentiste {CANARY}"]}},
    "a title that blocks though it is free": {"blocks": {"always_titles": [f"astreinte {CANARY}*"]}},
    "a label by category": {"blocks": {"labels": {"Formation": "En formation"}}},
    "hours that matter": {"blocks": {"hours": {"tuesday": ["09:30-12:00"], "wednesday": ["08:00-12:00"]}}},
    "a shorter horizon": {"horizon_days": 3},
    "a longer horizon": {"horizon_days": 90},
    "no blocks": {"block_time": False},
    "no copies": {"copy_rdvs": False},
    "no events of absences": {"mirror_absences": False},
    "named motifs": {"copies": {"label": "motif", "motifs": "all"}},
    "named usagers": {"copies": {"label": "motif", "motifs": "all", "usager_fields": ["first_name", "last_name"]}},
    "by motif": {"for": [{"motif": motif(NORD, SOCIAL), "copies": {"neutral_title": "Occupé"}}]},
    "by agent, for another one": {"for": [{"agent": 77, "block_time": False}]},
    "nothing": {},
}
WITHOUT_EFFECT = {"nothing", "by agent, for another one"}
REREADS = {"a title that never blocks", "a title that blocks though it is free", "a label by category"}


@pytest.fixture
def busy(departement: Departement, agent: Person) -> Person:
    """An agent with something of everything, settled under the rules as they are by default."""
    day = departement.day
    agent.types_event(f"Dentiste {CANARY}", *hours(departement.at(1, 9)))
    agent.types_event(f"Réunion {CANARY}", *hours(departement.at(1, 9, 30)))
    agent.types_event(f"Équipe {CANARY}", *hours(departement.at(2, 14)), "RRULE:FREQ=WEEKLY;COUNT=12")
    agent.types_event(f"Congés {CANARY}", day(10), day(12))
    agent.types_event(f"Cours {CANARY}", *hours(departement.at(3, 9), 2), "CATEGORIES:Formation")
    agent.types_event(f"Astreinte {CANARY} de nuit", *hours(departement.at(4, 18), 3), "TRANSP:TRANSPARENT")
    departement.absence(agent, f"Commission {CANARY}", *hours(departement.at(5, 10)))
    for number, service in ((1, PMI), (8, SOCIAL)):
        departement.rdv(departement.at(number, 16), agent, motif_id=motif(NORD, service), service=service)
    departement.settled()
    return agent


def tried(departement: Departement, rules: dict[str, Any]) -> TrialReport:
    """The trial, which must not be seen on either side."""
    application = departement.application
    with departement.untouched():
        report = trial(application, RulesSection.model_validate(rules).to_book()).run(
            application.store.agents(), lambda _one: None
        )
    assert report.problems == ()
    return report


def told(operations: list[Operation]) -> Counter[object]:
    return Counter((each.digest, each.rule, each.label, each.draft) for each in operations)


def asked(report: RunReport) -> list[Operation]:
    return [*done(report), *(each.operation for each in held(report))]


@pytest.mark.parametrize("change", CHANGES)
def test_a_sync_under_the_new_rules_does_what_was_told(departement: Departement, busy: Person, change: str) -> None:
    """Operation by operation, text by text; what is held there was told to be held; and once all of it is approved,
    exactly the blocks stand that were there, less those that disappear, with those that appear."""
    before = Counter(blocks(busy))
    report = tried(departement, CHANGES[change])
    (simulated,) = report.agents
    assert CANARY not in repr(report)
    assert (report.reread > 0) == (change in REREADS)
    assert report.rdvs_reread == (change == "named usagers")
    assert simulated.writes_anyway == 0
    assert simulated.changes_nothing == (change in WITHOUT_EFFECT)

    departement.rules = dict(CHANGES[change])
    departement.copies = departement.rules.pop("copies", {})
    departement.stop()
    synced = departement.sync()
    assert told(asked(synced)) == told(list(simulated.operations))
    assert told([each.operation for each in held(synced)]) == told([each.operation for each in simulated.held])

    departement.approves()
    departement.settled()
    expected = before - intervals(simulated.disappear) + intervals(simulated.appear)
    assert Counter(blocks(busy)) == expected
    titles = {title for title, *_ in busy.absences()}
    assert {f"{span.label} · agenda" for span in simulated.relabelled} <= titles


def blocks(person: Person) -> list[Interval]:
    """Times that the gateway keeps occupied, under whatever label."""
    return [(start, end) for title, start, end in person.absences() if title.endswith(" · agenda")]


def intervals(spans: tuple[Any, ...]) -> Counter[Interval]:
    return Counter((span.start, span.end) for span in spans)


def test_hours_are_those_of_the_blocks(departement: Departement, busy: Person) -> None:
    """Without the two days of leave, 48 hours less over the horizon of eight weeks and a day."""
    (simulated,) = tried(departement, CHANGES["all-day events never block"]).agents
    less = simulated.hours_before - simulated.hours_after
    assert less == pytest.approx(48 * 7 / 57, abs=0.05)


def test_a_change_since_the_last_sync_is_no_effect_of_the_rules(departement: Departement, busy: Person) -> None:
    """A calendar that is read again shows a new event under both: it is told as a write that is due anyway."""
    busy.types_event(f"Nouveau {CANARY}", *hours(departement.at(12, 9)))
    (simulated,) = tried(departement, CHANGES["a title that never blocks"]).agents
    assert simulated.writes_anyway == 1
    assert intervals(simulated.appear) == {hours(departement.at(1, 9, 30)): 1}
    merged = (departement.at(1, 9), departement.at(1, 9) + timedelta(hours=1, minutes=30))
    assert intervals(simulated.disappear) == {merged: 1}
    assert USAGER not in repr(simulated)


def test_who_cannot_be_read_is_named_and_the_others_are_simulated(departement: Departement) -> None:
    """Nothing is guessed of an agent whose calendar refuses the password."""
    lost, well = departement.agent(), departement.agent()
    for person in (lost, well):
        person.types_event(f"Dentiste {CANARY}", *hours(departement.at(1, 9)))
    departement.goes_live()
    departement.configures_password(lost, "wrong")
    application = departement.application
    book = RulesSection.model_validate(CHANGES["a title that never blocks"]).to_book()
    report = trial(application, book).run(application.store.agents(), lambda _one: None)
    assert [each.agent_id for each in report.problems] == [lost.id]
    assert [(each.agent_id, len(each.disappear)) for each in report.agents] == [(well.id, 1)]
    assert report.requests.keys() == {lost.login, well.login}
