"""The notice to an agent says what that agent's own rules do; where they differ by RDV, the most that may be shown."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.records import Agent
from gateway.agents.notice import NoticeSubject, notice
from gateway.rules.book import RuleSubject
from gateway.settings import Settings

WHO = Agent(7, "a.martin@dept.example", "Ada", "MARTIN")
SOURCE = "zimbra:/dav/a.martin/Calendar/"
SUBJECT = NoticeSubject(RuleSubject(7, organisation_id=1, service_id=2), (SOURCE,), SOURCE)
MOTIF = {"label": "motif", "motifs": "all"}


def told(subject: NoticeSubject = SUBJECT, **rules: Any) -> str:
    settings = Settings.model_validate(
        {
            "rdv_solidarites": {"url": "https://rdv.example", "login": "x@dept.example", "password_env": "X"},
            "accounts": [{"name": "zimbra", "url": "https://zimbra.example/", "username": "x", "password_env": "Y"}],
            "rules": rules,
        }
    )
    return notice(WHO, subject, settings).body


def differing(selector: str, number: int, **copies: Any) -> dict[str, Any]:
    return {selector: number, "copies": copies}


NEUTRAL = "vos RDV, sous le titre « RDV », sans nom d'usager ni motif."
NAMED = "vos RDV, avec leur motif."
SOME = "vos RDV, avec leur motif ou, selon le motif, sous le titre « RDV »."
FIRST_NAME, NAME = "le prénom des usagers", "le nom des usagers"
ALWAYS, SOMETIMES = "  Y figurent aussi : ", "  Selon le motif, peuvent y figurer : "
PRIVATE, OPEN, MIXED = "marqués « privé » : selon", "comme vos autres évènements.", "marqués « privé » ou non"

ROWS: dict[str, tuple[dict[str, Any], list[str], list[str]]] = {
    "by default": ({}, [NEUTRAL, PRIVATE, "les 56 prochains jours", "aucun rappel"], [NAMED, ALWAYS, SOMETIMES]),
    "motif for all": ({"copies": MOTIF}, [NAMED], [NEUTRAL, ALWAYS, SOMETIMES]),
    "no motif is allowed": ({"copies": {"label": "motif", "usager_fields": ["last_name"]}}, [NEUTRAL], [NAME]),
    "motifs by list": ({"copies": {"label": "motif", "motifs": [3]}}, [SOME], [NEUTRAL]),
    "fields for all": (
        {"copies": MOTIF | {"usager_fields": ["first_name", "last_name"], "show_place": True}},
        [f"{ALWAYS}{FIRST_NAME}, {NAME} et le lieu."],
        [SOMETIMES],
    ),
    "fields of one motif": (
        {"copies": MOTIF, "for": [differing("motif", 3, usager_fields=["last_name"], show_context=True)]},
        [NAMED, f"{SOMETIMES}{NAME} et le contexte saisi dans le RDV."],
        [ALWAYS],
    ),
    "one field for all, another for one service": (
        {
            "copies": MOTIF | {"usager_fields": ["last_name"]},
            "for": [differing("service", 99, usager_fields=["last_name", "email"])],
        },
        [f"{ALWAYS}{NAME}.", f"{SOMETIMES}le courriel des usagers."],
        [],
    ),
    "only one motif is named": ({"for": [differing("motif", 3, label="motif", show_phone=True)]}, [SOME], [NEUTRAL]),
    "this agent is neutral": (
        {"copies": MOTIF | {"usager_fields": ["last_name"]}, "for": [differing("agent", 7, label="neutral")]},
        [NEUTRAL],
        [NAME],
    ),
    "other agents are shown more": ({"for": [differing("agent", 8, **MOTIF)]}, [NEUTRAL], [NAMED]),
    "this calendar shows more": ({"for": [{"calendar": SOURCE, "copies": MOTIF}]}, [NAMED], [NEUTRAL]),
    "public for one motif": ({"for": [differing("motif", 3, classification="PUBLIC")]}, [MIXED], []),
    "public": ({"copies": {"classification": "PUBLIC"}}, [OPEN], [MIXED]),
    "confidential for one motif": ({"for": [differing("motif", 3, classification="CONFIDENTIAL")]}, [PRIVATE], [MIXED]),
    "several neutral titles": (
        {"for": [differing("motif", 3, neutral_title="Entretien")]},
        ["« Entretien » ou « RDV »"],
        [],
    ),
    "reminders": (
        {"copies": {"reminder_minutes": 15}, "for": [differing("motif", 3, reminder_minutes=60)]},
        ["(15 et 60 minutes avant)"],
        ["aucun rappel"],
    ),
    "labels of blocks": ({"blocks": {"labels": {"Formation": "En formation"}}}, ["mentions : En formation."], []),
    "no blocks": ({"block_time": False}, ["rien de votre agenda."], ["« Occupé · agenda »", "LIBÉRER"]),
    "no RDVs for this agent": (
        {"copies": {"reminder_minutes": 15}, "for": [{"agent": 7, "copy_rdvs": False}]},
        ["vos RDV n'y sont pas écrits.", "aucun rappel"],
        [NEUTRAL, "remis à sa place"],
    ),
    "no absences": ({"mirror_absences": False}, [NEUTRAL], ["que vous saisissez dans RDV-Solidarités, avec"]),
    "the horizon of the service": ({"for": [{"service": 2, "horizon_days": 28}]}, ["les 28 prochains jours"], []),
}


@pytest.mark.parametrize("name", ROWS)
def test_what_the_rules_of_an_agent_come_to(name: str) -> None:
    rules, said, unsaid = ROWS[name]
    body = told(**rules)
    assert [each for each in said if each not in body] == []
    assert [each for each in unsaid if each in body] == []
    assert "{" not in body


def test_an_agent_whose_calendars_are_not_chosen_yet() -> None:
    body = told(NoticeSubject(RuleSubject(7)))
    assert "Dans votre agenda (votre calendrier)" in body
    assert NEUTRAL in body


def test_calendars_are_named_by_their_last_part() -> None:
    body = told(NoticeSubject(RuleSubject(7), (SOURCE, "autre:Astreintes"), SOURCE))
    assert "Dans votre agenda (Calendar, Astreintes)" in body
