"""A store, a mail server and an alerter of its own for each test, with a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

import pytest

from connectors.network import Network
from gateway.alerts.alerter import Alerter
from gateway.alerts.composing import Sender
from gateway.alerts.mail import MailServer as Mail
from gateway.alerts.outbox import MAIL, Outbox
from gateway.alerts.recipients import Directory
from gateway.alerts.situation import SituationReader
from gateway.keys import create_key_file, load_keys
from gateway.settings_alerts import AlertsSection
from gateway.store.database import open_database
from gateway.store.store import Store
from gateway.sync.values import AgentReport, AgentState, CalendarRef, Conflict, ConflictKind, LinkedAgent, Problem
from tests.servers.smtp import MailServer

PARIS = ZoneInfo("Europe/Paris")
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
IT = "dsi@departement.example.fr"
REFERENTE = "accueil@departement.example.fr"
SECTION = AlertsSection(it=(IT,), referentes=(REFERENTE,))
SENDER = Sender("Département de l'Exemple", "assistance@departement.example.fr", "https://rdv.example.fr", PARIS)


@dataclass
class Clock:
    instant: datetime = START

    def now(self) -> datetime:
        return self.instant


@dataclass
class Deployment:
    """What a service keeps (the store), and what a restart makes anew (the alerter)."""

    store: Store
    server: MailServer
    clock: Clock = field(default_factory=Clock)
    section: AlertsSection = SECTION
    addresses: dict[int, str] = field(default_factory=dict)
    stale_after: timedelta = timedelta(days=30)
    ids: Iterator[int] = field(default_factory=count)

    def alerter(self, **channels: object) -> Alerter:
        mail = Mail("127.0.0.1", self.server.port, "none", "passerelle@departement.example.fr", Network(), timeout=5)
        outbox = Outbox(self.store, {MAIL: mail, **channels}, self.clock, lambda: f"{next(self.ids):032x}")
        reader = SituationReader(self.store, lambda name: f"{name}.example.fr:443", self.stale_after)
        return Alerter(self.store, reader, self.section, SENDER, outbox, Directory(lambda: self.addresses), self.clock)

    def enrol(self, *ids: int, account: str = "zimbra", state: AgentState = AgentState.LIVE) -> None:
        with self.store.transaction() as tx:
            for agent_id in ids:
                ref = CalendarRef(account.format(id=agent_id), "/dav/Calendar/")
                tx.put_agent(LinkedAgent(agent_id, PARIS, (ref,), ref, state, organisation_id=3))

    def ran(self, *ids: int, problem: Problem | None = None) -> None:
        """A run ended for these agents just now."""
        with self.store.transaction() as tx:
            for agent_id in ids:
                report = AgentReport(agent_id, problems=(problem,) if problem else ())
                tx.save_agent_result(report, run_id="run", at=self.clock.now(), complete=problem is None)

    def conflicts(self, agent_id: int, *found: Conflict, tell: tuple[str, ...] = ("agent",)) -> None:
        now = self.clock.now()
        wall = now.astimezone(PARIS).replace(tzinfo=None)
        with self.store.transaction() as tx:
            tx.replace_conflicts(agent_id, found, tell=tell, run_id="run", at=now, wall=wall)

    def minutes(self, number: int, alerter: Alerter | None = None, step: int = 1) -> None:
        """Evaluations, one each minute; with a restart before each unless an alerter is given."""
        for _ in range(0, number, step):
            (alerter or self.alerter()).evaluate_and_send()
            self.clock.instant += timedelta(minutes=step)


@pytest.fixture
def deployment(tmp_path) -> Iterator[Deployment]:
    create_key_file(tmp_path / "keys.toml")
    database = open_database("sqlite://", load_keys(tmp_path / "keys.toml"))
    with MailServer() as server:
        yield Deployment(Store(database), server)
    database.close()


def trouble(addressee: str, *, system: str = "zimbra", remedy: str = "Mend it.") -> Problem:
    return Problem(None, system, "The server refuses.", addressee, remedy)


def rdv_over_busy(agent_id: int, *, day: int = 9) -> Conflict:
    start = datetime(2026, 3, day, 9, 30)
    return Conflict(
        agent_id, ConflictKind.RDV_OVER_BUSY, "rdv 12 lies over an event", 12, start=start, end=start.replace(hour=10)
    )
