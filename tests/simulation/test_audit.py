"""After any history, whatever failed in it, the audit finds no drift once everything is calm and done."""

from __future__ import annotations

from datetime import date

import pytest

from gateway.audit.auditor import Auditor
from gateway.audit.values import AuditReport, Cause
from gateway.sync.engine import EngineSettings
from tests.simulation import history, oracle
from tests.simulation.rdv_model import PARIS
from tests.simulation.world import REUNION, World


def audit(world: World) -> AuditReport:
    """What a nightly audit would tell."""
    settings = EngineSettings(
        rulebook=world.rules.book(),
        default_zone=PARIS,
        organisation_zones={2: REUNION},
        backfill_from=date(2025, 1, 1),
        instance_host="rdv.example.test",
    )
    auditor = Auditor(
        store=world.store,
        rdv_solidarites=world.source,
        accounts=world.accounts,
        keys=world.keys,
        settings=settings,
        clock=world.clock,
    )
    return auditor.run()


@pytest.mark.parametrize("first", range(0, 30, 10))
def test_no_history_ends_in_drift(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[AuditReport] = []
    check = oracle.check

    def also_audited(world: World) -> None:
        check(world)
        found.append(audit(world))

    monkeypatch.setattr(oracle, "check", also_audited)
    outcomes = [history.play(seed) for seed in range(first, first + 10)]
    assert [each.what for each in outcomes if each.promise] == []
    assert len(found) == 10
    assert sum(agent.compared.events for report in found for agent in report.agents) > 0
    drift = [each for report in found for agent in report.agents for each in (*agent.drift, *agent.problems)]
    assert drift == []


def test_an_item_that_changes_under_its_etag_is_found_at_the_end_of_any_history(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The proof that the audit above could have found something."""
    found: list[AuditReport] = []
    planted: list[str] = []
    check = oracle.check

    def planted_and_audited(world: World) -> None:
        check(world)
        calendar = world.people[0].target
        href, item = min(world.calendar.calendars[calendar].items())
        item.body = item.body.replace(b"END:VEVENT", b"X-ANOTHER:1\r\nEND:VEVENT", 1)
        planted.append(href)
        found.append(audit(world))

    monkeypatch.setattr(oracle, "check", planted_and_audited)
    for seed in (0, 2, 3, 4):
        assert history.play(seed).promise == ""
    for href, report in zip(planted, found, strict=True):
        drift = [each for agent in report.agents for each in agent.drift]
        assert {(each.cause, each.reference.endswith(href)) for each in drift} == {(Cause.VERSION_CAME_BACK, True)}
