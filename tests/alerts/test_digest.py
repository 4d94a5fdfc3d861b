"""The weekly digest: its figures, once a week, whatever restarts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.alerts.digest import Digest
from gateway.sync.values import AgentState
from tests.alerts.conftest import IT, REFERENTE, SENDER, Deployment, rdv_over_busy, trouble

MONDAY = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)  # seven in Paris


def digest(deployment: Deployment) -> Digest:
    made = deployment.alerter()
    return Digest(deployment.store, made.reader, deployment.section, SENDER, made.outbox, deployment.clock.now)


def sent(deployment: Deployment) -> None:
    assert digest(deployment).queue_when_due()
    deployment.alerter().outbox.send()


def line(text: str, start: str) -> str:
    (found,) = [each for each in text.replace("\u00a0", " ").splitlines() if each.startswith(start)]
    return found.rpartition(" : ")[2]


def test_it_reads_of_everybody_and_each_organisations_referentes_of_their_own(deployment):
    deployment.stale_after = timedelta(hours=1)
    update = {"referentes_of": {3: ("nord@departement.example.fr",)}}
    deployment.section = deployment.section.model_copy(update=update)
    deployment.enrol(1, 2, 3)
    deployment.enrol(4, state=AgentState.PAUSED)
    deployment.clock.instant = MONDAY - timedelta(hours=2)
    deployment.ran(1)
    deployment.clock.instant = MONDAY
    deployment.ran(2)
    deployment.ran(3, problem=trouble("it"))
    deployment.conflicts(2, rdv_over_busy(2))
    sent(deployment)
    assert {to for to, _ in deployment.server.mails} == {IT, "nord@departement.example.fr"}
    (it,), (nord,) = deployment.server.texts(IT), deployment.server.texts("nord@departement.example.fr")
    for text in (it, nord):
        assert line(text, "Agents synchronisés") == "3"
        assert line(text, "Agents en pause") == "1"
        assert line(text, "Agents à jour") == "1"
        assert line(text, "Agents dont la dernière") == "1"
        assert line(text, "Agents en erreur") == "1"
        assert line(text, "Agents jamais") == "1"
        assert line(text, "Points à régler") == "1"
        assert line(text, "Dernière synchronisation") == "lundi 2 mars 2026 à 5 h"
    assert line(it, "Alertes en cours") == "0"
    assert "Écritures" not in nord


def test_organisations_without_referentes_of_their_own_are_those_of_the_others(deployment):
    deployment.enrol(1)
    deployment.clock.instant = MONDAY
    sent(deployment)
    assert {to for to, _ in deployment.server.mails} == {IT, REFERENTE}


def test_it_is_made_once_a_week_on_its_day_and_within_the_day_after_it(deployment):
    deployment.clock.instant = MONDAY - timedelta(days=3)
    made = []
    for hour in range(24 * 21):
        if digest(deployment).queue_when_due():
            made.append(deployment.clock.now())
        deployment.clock.instant = MONDAY - timedelta(days=3) + timedelta(hours=hour + 1)
    assert made == [MONDAY, MONDAY + timedelta(days=7), MONDAY + timedelta(days=14)]


@pytest.mark.parametrize(("late", "is_made"), [(timedelta(hours=23), True), (timedelta(hours=25), False)])
def test_a_machine_that_was_off_at_seven_makes_it_within_the_day(deployment, late, is_made):
    deployment.clock.instant = MONDAY + late
    assert digest(deployment).queue_when_due() is is_made


def test_never_is_never(deployment):
    deployment.section = deployment.section.model_copy(update={"digest": "never"})
    deployment.clock.instant = MONDAY
    assert digest(deployment).queue_when_due() is False
