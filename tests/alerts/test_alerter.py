"""From what the store knows to mails that a real server takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from gateway.alerts.mail import MailServer as Mail
from gateway.store.alerts import QueuedMessage
from gateway.store.transaction import Transaction
from gateway.sync.outages import Outage
from gateway.sync.values import AgentState, Conflict, ConflictKind, Suppression
from mappings.blocks import Provenance
from tests.alerts.conftest import IT, REFERENTE, START, Deployment, rdv_over_busy, trouble

MARTINE = "martine@departement.example.fr"
DAY = 24 * 60


def subjects(deployment: Deployment, to: str) -> list[str]:
    return [text.partition("\n")[0].replace("\u00a0", " ") for text in deployment.server.texts(to)]


def test_a_server_away_for_1200_agents_is_one_message_to_it_and_one_when_it_is_back(deployment):
    deployment.stale_after = timedelta(hours=1)
    agents = range(1, 1201)
    deployment.enrol(*agents)
    deployment.ran(*agents)
    deployment.clock.instant += timedelta(minutes=50)
    deployment.ran(*agents, problem=trouble("nobody"))
    deployment.minutes(60, step=5)
    assert subjects(deployment, IT) == ["[Agenda RDV] Un système ne répond pas : zimbra"]
    assert "Agents concernés\u00a0: 1200." in deployment.server.texts(IT)[0]
    deployment.ran(*agents)
    deployment.minutes(50, step=5)
    assert subjects(deployment, IT)[1:] == ["[Agenda RDV] Terminé : Le système répond de nouveau : zimbra"]
    assert len(deployment.server.mails) == 2


def test_an_agent_whose_access_is_refused_is_told_at_the_address_of_their_account(deployment):
    deployment.enrol(7, account="zimbra/" + MARTINE)
    deployment.ran(7, problem=trouble("agent", system="zimbra/" + MARTINE))
    deployment.minutes(30)
    (text,) = deployment.server.texts(MARTINE)
    assert "Votre agenda n'est plus accessible" in text
    assert "assistance@departement.example.fr" in text
    assert deployment.server.texts(IT) == []


def test_an_agents_other_address_is_that_of_rdv_solidarites(deployment):
    deployment.enrol(7)
    deployment.addresses = {7: MARTINE}
    deployment.ran(7, problem=trouble("agent"))
    deployment.minutes(12)
    assert len(deployment.server.texts(MARTINE)) == 1


def test_it_is_told_of_agents_who_cannot_be_told(deployment):
    deployment.enrol(7)
    deployment.addresses = {8: "other@departement.example.fr"}
    deployment.ran(7, problem=trouble("agent"))
    deployment.minutes(80, deployment.alerter())
    assert subjects(deployment, IT) == ["[Agenda RDV] Des agents n'ont pas d'adresse connue"]


def test_many_agents_refused_at_once_are_its_matter_and_not_theirs(deployment):
    agents = range(1, 11)
    deployment.enrol(*agents, account="zimbra/agent{id}@departement.example.fr")
    deployment.ran(*agents, problem=trouble("agent"))
    deployment.minutes(60)
    assert {to for to, _ in deployment.server.mails} == {IT}
    assert subjects(deployment, IT) == ["[Agenda RDV] De nombreux accès personnels sont refusés : zimbra"]


def test_an_rdv_over_an_engagement_is_told_with_its_time_and_nothing_else(deployment):
    deployment.enrol(7, account="zimbra/" + MARTINE)
    deployment.ran(7)
    deployment.conflicts(7, rdv_over_busy(7), tell=("agent", "referente", "chef@departement.example.fr"))
    deployment.minutes(20)
    (text,) = deployment.server.texts(MARTINE)
    assert "- lundi 9 mars 2026 de 9\u00a0h\u00a030 à 10\u00a0h\u00a030\n" in text
    (counted,) = deployment.server.texts(REFERENTE)
    assert "- Agent n° 7\u00a0: 1" in counted
    assert "9 mars" not in counted
    assert len(deployment.server.texts("chef@departement.example.fr")) == 1
    assert deployment.store.conflicts()[0].told_at is not None
    deployment.conflicts(7)
    deployment.minutes(90)
    assert subjects(deployment, MARTINE)[1:] == [
        "[Agenda RDV] Terminé : Le RDV ne tombe plus sur un moment où vous êtes occupé·e"
    ]


def test_a_decision_of_the_gateways_is_told_once_although_it_is_over_as_soon_as_found(deployment):
    deployment.enrol(7, account="zimbra/" + MARTINE)
    deployment.ran(7)
    edited = Conflict(7, ConflictKind.BOTH_EDITED, "absence 34: both edited", absence_id=34)
    deployment.conflicts(7, edited)
    deployment.minutes(3)
    deployment.conflicts(7)
    deployment.minutes(90)
    assert subjects(deployment, MARTINE) == ["[Agenda RDV] Une indisponibilité a été modifiée des deux côtés"]
    assert deployment.store.conflict_notices(only_over=True) == ()
    assert deployment.store.alert_entries() == {}


def test_a_block_freed_by_hand_is_told_once(deployment):
    deployment.enrol(7, account="zimbra/" + MARTINE)
    deployment.ran(7)
    start, end = datetime(2026, 3, 4, 14, 0), datetime(2026, 3, 4, 15, 0)
    provenance = Provenance("/dav/Calendar/", "/dav/Calendar/1.ics", "uid", "")
    with deployment.store.transaction() as tx:
        tx.add_suppressions([Suppression(7, provenance, start, end, start, end)])
    deployment.minutes(3 * DAY, step=30)
    (text,) = deployment.server.texts(MARTINE)
    assert "mercredi 4 mars 2026 de 14\u00a0h à 15\u00a0h" in text


def test_what_comes_within_the_hour_for_one_agent_goes_into_one_message(deployment):
    deployment.enrol(7, account="zimbra/" + MARTINE)
    deployment.ran(7)
    deployment.conflicts(7, rdv_over_busy(7))
    deployment.minutes(10)
    found = [rdv_over_busy(7, day=day) for day in range(9, 14)]
    deployment.conflicts(7, *found)
    deployment.minutes(30)
    assert len(deployment.server.mails) == 1
    deployment.minutes(40)
    assert len(deployment.server.mails) == 2
    assert deployment.server.texts(MARTINE)[1].count("- ") >= 4


def test_agents_of_whom_nothing_is_heard_are_told_to_it(deployment):
    deployment.stale_after = timedelta(hours=1)
    deployment.enrol(1, 2)
    deployment.ran(1, 2)
    deployment.minutes(60 + 15)
    assert subjects(deployment, IT) == ["[Agenda RDV] Des agendas ne sont plus synchronisés"]
    assert "Agents concernés : 2." in deployment.server.texts(IT)[0].replace("\u00a0", " ")


def test_a_declared_outage_tells_nobody_anything(deployment):
    deployment.stale_after = timedelta(hours=1)
    deployment.enrol(1, 2)
    deployment.ran(1, 2)
    with deployment.store.transaction() as tx:
        tx.set_outages([Outage("zimbra", START, None, "admin")])
    deployment.clock.instant += timedelta(hours=3)
    deployment.ran(1, 2, problem=trouble("nobody"))
    deployment.minutes(60)
    assert deployment.server.mails == []


@pytest.mark.parametrize("state", [AgentState.PAUSED, AgentState.LEFT, AgentState.FIRST_RUN])
def test_agents_who_are_not_live_are_told_nothing_not_even_that_it_is_over(deployment, state):
    deployment.enrol(7, account="zimbra/" + MARTINE)
    deployment.ran(7, problem=trouble("agent"))
    deployment.minutes(12)
    assert len(deployment.server.mails) == 1
    with deployment.store.transaction() as tx:
        tx.set_agent_state(7, state)
    deployment.minutes(60)
    assert len(deployment.server.mails) == 1


@pytest.mark.parametrize(
    "change", [{"agents": False}, {"opted_out": frozenset({7})}, {"off": frozenset({"reconnect"})}]
)
def test_who_does_not_want_to_be_told_is_not(deployment, change):
    deployment.section = deployment.section.model_copy(update=change)
    deployment.enrol(7, account="zimbra/" + MARTINE)
    deployment.ran(7, problem=trouble("agent"))
    deployment.minutes(2 * 60)
    assert deployment.server.mails == []


def test_an_hour_has_so_many_messages_and_the_others_come_in_the_next(deployment):
    deployment.section = deployment.section.model_copy(update={"messages_per_hour": 4})
    agents = range(1, 11)
    deployment.enrol(*agents, account="zimbra/agent{id}@departement.example.fr")
    deployment.ran(*agents)
    for agent in agents:
        deployment.conflicts(agent, rdv_over_busy(agent))
    deployment.minutes(30)
    assert len(deployment.server.mails) == 4
    deployment.minutes(4 * 60)
    assert sorted(to for to, _ in deployment.server.mails) == sorted(
        f"agent{number}@departement.example.fr" for number in agents
    )


def test_a_crash_between_queueing_and_sending_loses_nothing(deployment):
    deployment.enrol(7, account="zimbra/" + MARTINE)
    deployment.ran(7, problem=trouble("agent"))
    for _ in range(12):
        deployment.alerter().evaluate()  # and no sending: it was killed
        deployment.clock.instant += timedelta(minutes=1)
    deployment.minutes(5)
    assert len(deployment.server.mails) == 1


def test_a_crash_between_sending_and_noting_sends_the_same_message_once_more(deployment, monkeypatch):
    deployment.enrol(7, account="zimbra/" + MARTINE)
    deployment.ran(7, problem=trouble("agent"))

    def killed(_tx: Transaction, _id: str, *, at: datetime) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Transaction, "message_sent", killed)
        with pytest.raises(KeyboardInterrupt):
            deployment.minutes(30)
    deployment.clock.instant += timedelta(minutes=1)
    deployment.minutes(60)
    assert len(deployment.server.ids) == 2
    assert len(set(deployment.server.ids)) == 1


def test_a_server_that_takes_nothing_now_is_tried_again_later_and_later(deployment):
    tries: list[datetime] = []

    def busy() -> str:
        tries.append(deployment.clock.now())
        return "451 later" if len(tries) < 5 else "250 OK"

    deployment.server.answer = busy
    deployment.enrol(7, account="zimbra/" + MARTINE)
    deployment.ran(7, problem=trouble("agent"))
    deployment.minutes(60)
    gaps = [(two - one) // timedelta(minutes=1) for one, two in pairwise(tries)]
    assert gaps == [1, 2, 4, 8]
    assert len(deployment.server.mails) == 1


def test_an_address_that_is_refused_for_good_is_given_up_and_it_is_told(deployment):
    deployment.server.refused = {MARTINE: "550 no such user"}
    deployment.enrol(7, account="zimbra/" + MARTINE)
    deployment.ran(7, problem=trouble("agent"))
    deployment.minutes(60)
    assert subjects(deployment, IT) == ["[Agenda RDV] Des messages n'ont pas pu être remis"]
    assert deployment.store.message_counts().given_up == 1


def test_a_message_that_nobody_took_for_three_days_is_given_up(deployment):
    deployment.server.answer = lambda: "451 later"
    deployment.enrol(7, account="zimbra/" + MARTINE)
    deployment.ran(7, problem=trouble("agent"))
    deployment.minutes(4 * DAY, step=20)
    counts = deployment.store.message_counts()
    assert counts.given_up >= 1
    assert counts.sent == 0


def test_one_channels_trouble_does_not_hold_up_the_others(deployment):
    class Broken:
        def send(self, letter: object) -> None:
            raise RuntimeError("canary@departement.example.fr")

    now = deployment.clock.now()
    alerter = deployment.alerter(chat=Broken())
    with deployment.store.transaction() as tx:
        content = b'{"to": "' + IT.encode() + b'", "subject": "s", "body": "b"}'
        tx.queue_messages([QueuedMessage(name, name, "g", now, now, content=content) for name in ("chat", "mail")])
    assert alerter.outbox.send() == 1
    assert len(deployment.server.mails) == 1


def test_an_empty_evaluation_writes_nothing_and_mails_nobody(deployment):
    deployment.enrol(1)
    deployment.ran(1)
    deployment.minutes(30)
    assert deployment.store.alert_entries() == {}
    assert deployment.server.mails == []


CANARIES = ("Dentiste", "Rue des Lilas", "Dupont", "secret-jeton")


def test_mails_database_and_reprs_hold_no_personal_text(deployment):
    """Whatever a problem's text is: of persons' addresses nothing passes on."""
    deployment.enrol(1, 2, account="zimbra/" + MARTINE)
    text = f"https://dav/{MARTINE}/ refuses"
    it = replace(trouble("it"), system="zimbra/" + MARTINE, reason=text, remedy=f"Look at {MARTINE}: 403.")
    deployment.ran(1, 2, problem=it)
    deployment.minutes(15)
    (mail,) = deployment.server.texts(IT)
    assert "martine" not in mail.lower()
    assert "Détail technique" in mail
    entries = deployment.store.alert_entries()
    assert "martine" not in repr(entries)
    messages = deployment.store.due_messages(deployment.clock.now() + timedelta(days=1), 10)
    assert IT not in repr((messages, Mail("h", 1, "none", "s@x", None, password="secret-jeton")))  # type: ignore[arg-type]
    assert "secret-jeton" not in repr(Mail("h", 1, "none", "s@x", None, password="secret-jeton"))  # type: ignore[arg-type]
