"""The double of RDV-Solidarités that sends webhooks to the gateway's routes, and people who keep it busy."""

from __future__ import annotations

import random
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

from connectors.rdv_solidarites import DeviseTokens, MemoryTokenStore, RdvSolidaritesClient
from connectors.records import RdvSelection
from gateway.clock import SystemClock
from gateway.keys import Keyring
from gateway.sandbox.server import Sandbox
from gateway.store.database import open_database
from gateway.store.store import Store
from gateway.sync.observe_rdv_solidarites import RdvSolidaritesObserver, ReadingSettings
from tests.sandbox.support import PASSWORD, seed
from tests.store.samples import agent
from tests.webhooks.listener import SECRET, Listener

AGENTS = (2, 3, 5)
SUBSCRIPTIONS = ("rdv", "absence", "agent", "agent_role", "lieu")


class Busy:
    """What people do, at random."""

    def __init__(self, sandbox: Sandbox, seed_: int) -> None:
        self.state = sandbox.state
        self.chance = random.Random(seed_)
        self.rdvs: list[int] = []
        self.absences: list[int] = []
        self._day = (datetime.now(UTC) + timedelta(days=3)).date()

    def act(self) -> None:
        act = self.chance.choice([self._create, self._change, self._change, self._remove, self._absence, self._absence])
        act()

    def _create(self) -> None:
        self.rdvs.append(
            self.state.rdvs.create(
                organisation_id=1,
                motif_id=1,
                lieu_id=1,
                user_ids=[1],
                agent_ids=[self.chance.choice([2, 5])],
                starts_at=datetime.combine(self._day, time(8 + self.chance.randrange(10))),
            )
        )

    def _change(self) -> None:
        if not self.rdvs:
            self._create()
            return
        rdv = self.chance.choice(self.rdvs)
        match self.chance.randrange(4):
            case 0:
                self.state.rdvs.move(rdv, datetime.combine(self._day, time(8 + self.chance.randrange(10))))
            case 1:
                self.state.rdvs.set_agents(rdv, [self.chance.choice([2, 5])])
            case 2:
                self.state.rdvs.edit(rdv)
            case _:
                self.state.rdvs.set_status(rdv, self.chance.choice(["unknown", "seen", "excused"]))

    def _remove(self) -> None:
        if len(self.rdvs) > 3:
            self.state.rdvs.delete(self.rdvs.pop(self.chance.randrange(len(self.rdvs))))

    def _absence(self) -> None:
        draw = self.chance.random()
        hour = 8 + self.chance.randrange(10)
        if draw < 0.5 or not self.absences:
            made = self.state.absences.create(
                3, title="Réunion", first_day=self._day, start_time=time(hour), end_time=time(hour + 1)
            )
            self.absences.append(made)
        elif draw < 0.8:
            absence = self.chance.choice(self.absences)
            self.state.absences.update(absence, start_time=time(hour), end_time=time(hour + 1))
        else:
            self.state.absences.delete(self.absences.pop(self.chance.randrange(len(self.absences))))


def observer_of(sandbox: Sandbox, store: Store, keys: Keyring) -> tuple[RdvSolidaritesObserver, RdvSolidaritesClient]:
    """A reading of the double into a store. The caller closes the client."""
    clock = SystemClock()
    client = RdvSolidaritesClient(
        sandbox.url,
        DeviseTokens("admin@demo.example", PASSWORD, MemoryTokenStore(), clock),
        clock=clock,
        requests_per_second=None,
    )
    settings = ReadingSettings(56, None, timedelta(hours=6), RdvSelection())
    return RdvSolidaritesObserver(client, store, clock, settings, keys.digest_key), client


def held(store: Store) -> tuple[dict[int, str], dict[int, object]]:
    """What is observed there: RDVs by digest, absences by times."""
    rdvs = {
        each.id: each.digest
        for organisation in (1, 2, 3)
        for each in store.observed_rdvs(organisation)
        if each.presence == "present"
    }
    absences = {
        each.id: (each.agent_id, each.start, each.end, each.title_digest)
        for each in store.observed_absences().values()
        if each.presence == "present"
    }
    return rdvs, absences


def polled(sandbox: Sandbox, keys: Keyring, place: Path) -> Any:
    """What readings alone give."""
    database = open_database(place, keys, synchronous="OFF")
    store = Store(database)
    with store.transaction() as tx:
        for number in AGENTS:
            tx.put_agent(agent(number))
    observer, client = observer_of(sandbox, store, keys)
    observer.read(AGENTS)
    found = held(store)
    client.close()
    database.close()
    return found


def subscribe(sandbox: Sandbox, listener: Listener) -> None:
    for organisation in (1, 2):
        sandbox.state.webhooks.add_endpoint(organisation, listener.hook(organisation), SECRET, SUBSCRIPTIONS)


__all__ = ["AGENTS", "Busy", "held", "observer_of", "polled", "seed", "subscribe"]
