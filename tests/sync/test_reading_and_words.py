"""A listing that was asked for before something was said does not overwrite it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.keys import Keyring, create_key_file, load_keys
from gateway.store.last_word import Thing
from gateway.sync.values import Presence
from tests.store.samples import absence, rdv
from tests.sync.reading_world import World


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    path = tmp_path_factory.mktemp("keys") / "keys.toml"
    create_key_file(path)
    return load_keys(path)


@pytest.fixture
def world(keys: Keyring) -> World:
    return World(keys)


def test_what_was_said_after_a_listing_was_asked_for_stays(world: World) -> None:
    early, late = absence(1), absence(1, start=absence().start + timedelta(hours=2), end=absence().end.replace(hour=13))
    world.server.absences_held = {1: early}

    def told() -> None:
        with world.store.transaction() as tx:
            tx.save_absences([late])
        world.say(Thing.ABSENCE, 1)

    world.server.meanwhile = told
    world.read()
    assert world.absences == {1: late.start}
    world.server.meanwhile = lambda: None
    world.server.absences_held = {1: late}
    world.read()
    assert world.absences == {1: late.start}


def test_what_a_listing_lacks_and_was_told_of_meanwhile_or_moments_before_is_not_gone(world: World) -> None:
    with world.store.transaction() as tx:
        tx.save_absences([absence(1), absence(2)])
    world.clock.sleep(55)
    world.say(Thing.ABSENCE, 1)
    world.clock.sleep(-55)
    world.read()  # asked for five seconds later than what was said
    assert set(world.absences) == {1}
    world.read()
    assert set(world.absences) == set()


def test_a_removal_of_ours_is_not_undone_by_a_listing_that_was_asked_for_before_it(world: World) -> None:
    world.server.absences_held = {1: absence(1)}

    def removed() -> None:
        with world.store.transaction() as tx:
            tx.forget_absences([1])
        world.say(Thing.ABSENCE, 1, gone=True, by_us=True)

    world.server.meanwhile = removed
    world.read()
    assert world.absences == {}


def test_an_rdv_that_a_webhook_brought_during_a_reading_is_neither_overwritten_nor_judged_missing(world: World) -> None:
    world.server.rdvs_held = {1: rdv(1), 3: rdv(3)}
    world.read()
    moved = replace(rdv(1), starts_at=rdv().starts_at + timedelta(minutes=5))

    def told() -> None:
        with world.store.transaction() as tx:
            tx.save_rdvs([moved, rdv(2)], digests={1: "new", 2: "new"}, agents_epoch=0, read_at=world.clock.now())
        world.say(Thing.RDV, 1)
        world.say(Thing.RDV, 2)

    world.server.meanwhile = told
    world.server.rdvs_held = {1: replace(rdv(1), status="seen"), 3: rdv(3)}
    world.read()
    assert {each.id: each.digest for each in world.store.observed_rdvs(3)}.items() >= {1: "new", 2: "new"}.items()
    assert world.rdvs == {1: Presence.PRESENT, 2: Presence.PRESENT, 3: Presence.PRESENT}


def test_what_a_reading_finds_first_is_counted_as_lost_unless_its_webhook_comes(world: World) -> None:
    world.server.rdvs_held = {1: rdv(1), 2: rdv(2)}
    world.read()
    with world.store.transaction() as tx:
        tx.webhooks.put_endpoint(3, "main", installed_at=world.clock.now())
    world.clock.sleep(3600)
    world.server.rdvs_held = {1: rdv(1, status="seen"), 2: rdv(2, status="seen")}
    world.server.absences_held = {5: absence(5)}
    world.read()
    world.server.absences_held = {5: absence(5), 6: absence(6)}
    world.read()
    with world.store.transaction() as tx:
        tx.webhooks.drop_found_first(Thing.RDV, [2])
        assert tx.webhooks.count_lost(world.clock.now()) == {3: 2}  # RDV 1 and absence 6; 5 came with the first reading
        assert tx.webhooks.count_lost(world.clock.now()) == {}
        [row] = tx.webhooks.endpoints()
    assert row.lost == 2
