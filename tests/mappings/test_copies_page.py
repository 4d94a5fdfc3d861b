"""docs/copies.md: each example, its rules read as a configuration is, shows what the page says."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from connectors.records import Rdv
from gateway.rules.book import RuleSubject
from gateway.settings_rules import RulesSection
from mappings.rdv_event import rdv_draft
from tests.mappings.samples import IDENTITY, rdv, usager

PAGE = (Path(__file__).parents[2] / "docs" / "copies.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```\s+```text\n(.*?)\n```", PAGE, re.DOTALL)
RDV = rdv(
    motif_id=31,
    motif_name="Suivi de grossesse",
    title="Préparation à la naissance",
    participations=(
        usager(1, "Inès", "EXEMPLE", phone_number="06 00 00 00 01", birth_date="1990-02-01"),
        usager(2, "Noé", "EXEMPLE"),
        usager(3, "Zélie", "ABSENTE", "excused"),
    ),
    url="https://rdv.example/r/7",
    visio_url="",
)
OTHERS = {
    'location_type = "home"': {"location_type": "home", "lieu_name": "", "lieu_address": "3 rue Haute, Arras"},
    'location_type = "visio"': {
        "location_type": "visio",
        "lieu_name": "",
        "lieu_address": "",
        "visio_url": "https://visio.example/salle",
    },
    "collectif": {"collectif": True, "users_count": 2, "max_participants_count": 8},
    'status = "revoked"': {"status": "revoked"},
}


def example_rdv(rules: str) -> Rdv:
    first = rules.partition("\n")[0]
    return replace(RDV, **OTHERS[first.removeprefix("# ")]) if first.startswith("#") else RDV  # type: ignore[arg-type]


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) == 7


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_shows_what_the_page_says(number: int) -> None:
    rules, shown = EXAMPLES[number]
    book = RulesSection.model_validate(tomllib.loads(rules).get("rules", {})).to_book()
    record = example_rdv(rules).only(book.selection)
    draft = rdv_draft(record, 12, ZoneInfo("Europe/Paris"), book.for_rdv(RuleSubject(12), "a:b", record), IDENTITY)
    assert f"{draft.summary}\n{draft.location}\n---\n{draft.description}" == shown
