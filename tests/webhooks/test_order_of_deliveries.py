"""Whatever order webhooks come in, however often, between whichever readings: the end is what readings alone give."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.deliveries import DeliveredContent, Delivery, DeliveryEvent, Told
from connectors.records import Absence, Rdv, RdvSelection
from gateway.keys import Keyring, create_key_file, load_keys
from gateway.store.webhooks import Received
from gateway.sync.observe_rdv_solidarites import rdv_digest
from gateway.webhooks.applying import Applier
from tests.store.samples import AGENT, absence, copy, rdv
from tests.sync.reading_world import World

KEEPER = 100
"""An RDV that is always there: of a service of which nothing is read, nothing is judged gone."""


@dataclass
class Play:
    """A server that changes and tells of it, and the gateway that hears and reads."""

    world: World
    applier: Applier
    sent: list[Delivery] = field(default_factory=list)
    versions: int = 0
    kept: int = 0

    def change(self, about: Told, number: int) -> None:
        """Something new, or another version; each in a second of its own."""
        self.versions += 1
        self.world.clock.sleep(2)
        server, content = self.world.server, None
        if about is Told.RDV:
            new: DeliveredContent = rdv(number, users_count=self.versions)
            server.rdvs_held[number] = content = new  # type: ignore[assignment]
        else:
            new = absence(number, end=absence().end + timedelta(minutes=self.versions))
            server.absences_held[number] = content = new  # type: ignore[assignment]
        self._send(about, number, DeliveryEvent.UPDATED, content)

    def remove(self, about: Told, number: int) -> None:
        held: dict[int, Rdv] | dict[int, Absence]
        held = self.world.server.rdvs_held if about is Told.RDV else self.world.server.absences_held
        if number in held:
            self.world.clock.sleep(2)
            del held[number]
            self._send(about, number, DeliveryEvent.DESTROYED, None)

    def _send(self, about: Told, number: int, event: DeliveryEvent, content: DeliveredContent | None) -> None:
        said_at = self.world.clock.now().replace(microsecond=0)
        self.sent.append(Delivery(about, event, number, said_at, content=content))

    def deliver(self, which: int) -> None:
        """One of those sent, perhaps again; a copy of each is new to the gateway, so that nothing but order helps."""
        if self.sent:
            self.kept += 1
            delivery = self.sent[which % len(self.sent)]
            with self.world.store.transaction() as tx:
                tx.webhooks.keep([Received(3, "main", f"{self.kept}", self.world.clock.now(), delivery)])
            self.world.clock.sleep(1.1)
            self.applier.apply()

    def held(self) -> tuple[object, ...]:
        rdvs = {each.id: each.digest for each in self.world.store.observed_rdvs(3) if each.presence == "present"}
        absences = {
            each.id: (each.start, each.end, each.rrule)
            for each in self.world.store.observed_absences().values()
            if each.presence == "present"
        }
        return rdvs, absences


def truth(play: Play, keys: Keyring) -> tuple[object, ...]:
    """What readings alone give."""
    server = play.world.server
    return (
        {number: rdv_digest(keys.digest_key, each) for number, each in server.rdvs_held.items()},
        {number: (each.start, each.end, each.rrule) for number, each in server.absences_held.items()},
    )


THINGS = st.tuples(st.sampled_from([Told.RDV, Told.ABSENCE]), st.integers(1, 3))
STEPS = st.lists(
    st.one_of(
        THINGS.map(lambda thing: ("change", *thing)),
        THINGS.map(lambda thing: ("remove", *thing)),
        st.integers(0, 50).map(lambda which: ("deliver", which)),
        st.just(("read",)),
    ),
    max_size=25,
)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    path = tmp_path_factory.mktemp("keys") / "keys.toml"
    create_key_file(path)
    return load_keys(path)


@settings(max_examples=40)
@given(steps=STEPS, order=st.randoms(use_true_random=False), copied=st.booleans())
def test_when_all_was_delivered_what_is_held_is_what_is_there(
    keys: Keyring, sqlite_template: Path, steps: list[tuple[object, ...]], order: Random, copied: bool
) -> None:
    with TemporaryDirectory() as directory:
        world = World(keys, Path(shutil.copy(sqlite_template, directory)))
        try:
            _play(world, keys, steps, order, copied=copied)
        finally:
            world.database.close()


def _play(world: World, keys: Keyring, steps: list[tuple[object, ...]], order: Random, *, copied: bool) -> None:
    world.server.rdvs_held = {KEEPER: rdv(KEEPER)}
    if copied:
        with world.store.transaction() as tx:
            for number in (1, 2):
                tx.put_copy(copy(number))
    world.read()
    play = Play(world, Applier(world.store, world.clock, RdvSelection(), keys.digest_key))
    for name, *arguments in steps:
        if name == "read":
            world.read()
        else:
            getattr(play, str(name))(*arguments)
    rest = list(range(len(play.sent))) * 2
    order.shuffle(rest)
    for which in rest:
        play.deliver(which)
    assert play.held() == truth(play, keys)
    for _ in range(3):
        world.read()
    assert play.held() == truth(play, keys)


def test_the_agents_rdvs_are_what_is_compared(keys: Keyring) -> None:
    """A comparison of two empty worlds would prove nothing."""
    world = World(keys)
    world.server.rdvs_held = {KEEPER: rdv(KEEPER)}
    play = Play(world, Applier(world.store, world.clock, RdvSelection(), keys.digest_key))
    world.read()
    play.change(Told.RDV, 1)
    play.change(Told.ABSENCE, 1)
    assert play.held() != truth(play, keys)
    play.deliver(0)
    play.deliver(1)
    assert play.held() == truth(play, keys)
    assert world.store.agent_view(AGENT).rdvs
    world.database.close()
