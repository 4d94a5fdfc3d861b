"""A reading of RDV-Solidarités that goes into a real store, from a server that is told what it holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from connectors.records import Absence, AbsenceListing, Agent, Organisation, Rdv, RdvListing, RdvSelection, RdvWindow
from gateway.keys import Keyring
from gateway.store.database import open_database
from gateway.store.last_word import Said, Thing
from gateway.store.store import Store
from gateway.sync.observe_rdv_solidarites import RdvSolidaritesObserver, ReadingSettings
from gateway.sync.values import Presence
from tests.store.samples import AGENT, NOW, agent


class Clock:
    def __init__(self) -> None:
        self.instant = NOW

    def now(self) -> datetime:
        return self.instant

    def sleep(self, seconds: float) -> None:
        self.instant += timedelta(seconds=seconds)


class Server:
    """Lists what it holds; `meanwhile` happens between the request and the answer's being stored."""

    requests = 0
    read_timeout = 1.0

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.rdvs_held: dict[int, Rdv] = {}
        self.absences_held: dict[int, Absence] = {}
        self.meanwhile: Callable[[], None] = lambda: None
        self.whole = True

    def organisations(self) -> tuple[Organisation, ...]:
        return (Organisation(3, "Nord"),)

    def agents(self, organisation_id: int | None = None) -> tuple[Agent, ...]:
        return (Agent(AGENT, None, "A", "M"),)

    def rdvs(self, organisation_id: int, windows: tuple[RdvWindow, ...]) -> RdvListing:
        asked = self.clock.now()
        listing = RdvListing(organisation_id, tuple(self.rdvs_held.values()), tuple(windows) * self.whole, asked)
        self.clock.sleep(1)
        self.meanwhile()
        return listing

    def absences(self) -> AbsenceListing:
        asked = self.clock.now()
        listing = AbsenceListing(tuple(self.absences_held.values()), self.whole, asked)
        self.clock.sleep(1)
        self.meanwhile()
        return listing

    def absence(self, absence_id: int) -> Absence | None:
        return self.absences_held.get(absence_id)


class World:
    def __init__(self, keys: Keyring, place: Path | str = "sqlite://") -> None:
        self.clock = Clock()
        self.server = Server(self.clock)
        self.database = open_database(place, keys, synchronous="OFF")
        self.store = Store(self.database)
        with self.store.transaction() as tx:
            tx.put_agent(agent(AGENT))
        settings = ReadingSettings(56, None, timedelta(hours=6), RdvSelection())
        self.observer = RdvSolidaritesObserver(
            self.server,  # type: ignore[arg-type]  # as much of the port as a reading asks for
            self.store,
            self.clock,
            settings,
            keys.digest_key,
        )

    def read(self) -> None:
        self.clock.sleep(60)
        self.observer.read({AGENT})

    def say(self, thing: Thing, number: int, *, gone: bool = False, by_us: bool = False) -> None:
        with self.store.transaction() as tx:
            tx.words.put_said(thing, {number: Said(self.clock.now(), by_us=by_us, gone=gone)})

    @property
    def absences(self) -> dict[int, datetime]:
        return {each.id: each.start for each in self.store.observed_absences().values()}

    @property
    def rdvs(self) -> dict[int, Presence]:
        return {each.id: each.presence for each in self.store.observed_rdvs(3)}
