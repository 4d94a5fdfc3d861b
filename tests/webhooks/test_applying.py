"""What webhooks change in what is observed, told by tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from itertools import count
from typing import Any

import pytest

from connectors.deliveries import DeliveredContent, Delivery, DeliveryEvent, Lieu, PlageOuverture, Told
from connectors.records import Absence, Participation, Rdv, RdvSelection, UsagerField
from gateway.keys import Keyring, create_key_file, load_keys
from gateway.store.last_word import Thing
from gateway.store.webhooks import Received
from gateway.sync.values import Action, Interval, ObjectKind, Operation, OperationClass, Presence, Side
from gateway.webhooks.applying import Applied, Applier
from tests.store.samples import AGENT, MORNING, absence, agent, block, copy, rdv
from tests.sync.reading_world import World as ReadingWorld

OTHER = 8
CREATED, UPDATED, DESTROYED = DeliveryEvent.CREATED, DeliveryEvent.UPDATED, DeliveryEvent.DESTROYED
MODELS = {Rdv: Told.RDV, Absence: Told.ABSENCE, PlageOuverture: Told.PLAGE_OUVERTURE, Lieu: Told.LIEU}
PLAGE = PlageOuverture(9, AGENT, 3, date(2026, 3, 2), time(9), time(12), None, 4, (1,), "Permanence")
LIEU = Lieu(4, 3, single_use=False, name="MDS", address="1 rue")


class World(ReadingWorld):
    """With webhooks, each said now unless told otherwise."""

    def __init__(self, keys: Keyring) -> None:
        super().__init__(keys)
        self.numbers = count()
        self.applier = Applier(self.store, self.clock, RdvSelection(), keys.digest_key)

    def tell(self, content: DeliveredContent, event: DeliveryEvent = UPDATED, *, ago: float = 0) -> None:
        self._keep(Delivery(MODELS[type(content)], event, content.id, self._said(ago), content=content))

    def tell_gone(self, about: Told, number: int, *, ago: float = 0, purge: bool = False) -> None:
        self._keep(Delivery(about, DESTROYED, number, self._said(ago), purge=purge))

    def _said(self, ago: float) -> datetime:
        return (self.clock.now() - timedelta(seconds=ago)).replace(microsecond=0)

    def _keep(self, delivery: Delivery) -> None:
        with self.store.transaction() as tx:
            tx.webhooks.keep([Received(3, "main", f"{next(self.numbers)}", self.clock.now(), delivery)])

    def apply(self) -> Applied:
        self.clock.sleep(2)
        return self.applier.apply()

    def read_all(self) -> None:
        """One reading, some time after what was before."""
        self.read()
        self.clock.sleep(60)

    def starts(self, number: int) -> datetime:
        return next(each.rdv.starts_at for each in self.store.agent_view(AGENT).rdvs if each.rdv.id == number)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    path = tmp_path_factory.mktemp("keys") / "keys.toml"
    create_key_file(path)
    return load_keys(path)


@pytest.fixture
def world(keys: Keyring) -> World:
    """One RDV and one absence, read a minute ago."""
    world = World(keys)
    world.server.rdvs_held = {1: rdv(1), 2: rdv(2)}
    world.server.absences_held = {1: absence(1)}
    world.read_all()
    return world


def moved(number: int = 1, **changes: Any) -> Rdv:
    return rdv(number, starts_at=MORNING.replace(hour=15), ends_at=MORNING.replace(hour=16), **changes)


def test_an_rdv_that_moved_is_there_at_once(world: World) -> None:
    world.tell(moved())
    assert world.apply().agent_ids == {AGENT}
    assert world.starts(1).hour == 15


def test_an_unknown_rdv_is_taken_over_whatever_its_event(world: World) -> None:
    world.tell(rdv(5), UPDATED)
    assert world.apply() == Applied(frozenset({AGENT}), deliveries=1, changes=1)
    assert world.rdvs[5] is Presence.PRESENT


def test_an_rdv_as_it_is_known_touches_nobody(world: World) -> None:
    world.tell(rdv(1))
    assert world.apply() == Applied(deliveries=1)


def test_what_is_older_than_the_last_reading_is_dropped(world: World) -> None:
    world.tell(moved(), ago=3600)
    world.tell(absence(1, start=absence().start - timedelta(hours=1)), ago=3600)
    world.tell(rdv(5), ago=3600)
    world.tell(absence(5), ago=3600)
    assert world.apply() == Applied(deliveries=4, stale=4)
    assert (world.starts(1), set(world.rdvs), set(world.absences)) == (MORNING, {1, 2}, {1})


def test_what_is_older_than_a_reading_that_was_not_whole_is_dropped(world: World) -> None:
    late = absence(1, start=absence().start + timedelta(minutes=5))
    world.server.rdvs_held[1], world.server.absences_held[1], world.server.whole = moved(), late, False
    world.read_all()
    world.tell(rdv(1, status="seen"), ago=70)
    world.tell(absence(1, start=absence().start - timedelta(minutes=5)), ago=70)
    assert world.apply() == Applied(deliveries=2, stale=2)
    assert (world.starts(1).hour, world.absences[1]) == (15, late.start)


def test_of_two_webhooks_the_later_counts_in_whatever_order_they_come(world: World) -> None:
    world.tell(moved(), ago=5)
    world.apply()
    world.tell(rdv(1, status="seen"), ago=30)
    assert world.apply().stale == 1
    assert world.starts(1).hour == 15


def test_of_one_second_the_last_received_counts(world: World) -> None:
    world.tell(rdv(1, status="seen"))
    world.tell(moved())
    world.apply()
    assert world.starts(1).hour == 15


@pytest.mark.parametrize("together", [True, False])
def test_of_one_second_a_removal_is_the_last_word(world: World, *, together: bool) -> None:
    """An id never comes back."""
    world.tell_gone(Told.RDV, 2)
    if not together:
        world.apply()
    world.tell(rdv(2, status="seen"), ago=0 if together else 2)
    world.apply()
    assert set(world.rdvs) == {1}


def test_a_burst_acts_at_once_and_its_rest_as_one(world: World) -> None:
    world.tell(rdv(5))
    assert world.apply().changes == 1
    for minutes in range(5):
        world.tell(rdv(5, ends_at=MORNING + timedelta(minutes=30 + minutes)))
    world.clock.sleep(0.5)
    assert world.applier.apply() == Applied(again_in=1.0)
    assert world.apply() == Applied(frozenset({AGENT}), deliveries=5, changes=1)


def test_a_removal_is_proven_by_its_webhook(world: World) -> None:
    with world.store.transaction() as tx:
        tx.put_copy(copy(1))
    world.tell_gone(Told.RDV, 1)
    world.tell_gone(Told.RDV, 2)
    assert world.apply().agent_ids == {AGENT}
    assert world.rdvs == {1: Presence.GONE}  # nobody has a copy of the other


def test_what_was_removed_does_not_come_back_by_a_late_webhook(world: World) -> None:
    world.tell_gone(Told.RDV, 2)
    world.tell_gone(Told.RDV, 77)
    world.apply()
    world.tell(rdv(2), CREATED, ago=20)
    world.tell(rdv(77), UPDATED, ago=20)
    assert world.apply().stale == 2
    assert set(world.rdvs) == {1}


def test_a_removal_of_something_unknown_is_nothing(world: World) -> None:
    world.tell_gone(Told.RDV, 77)
    world.tell_gone(Told.ABSENCE, 77)
    assert world.apply() == Applied(deliveries=2)


def test_a_purge_is_no_cancellation(world: World) -> None:
    with world.store.transaction() as tx:
        tx.put_copy(copy(1))
    world.tell_gone(Told.RDV, 1, purge=True)
    assert world.apply().agent_ids == frozenset()
    [seen] = [each for each in world.store.agent_view(AGENT).rdvs if each.rdv.id == 1]
    assert seen.presence is Presence.UNKNOWN
    assert "purged" in seen.missing_because


def test_an_agent_who_left_an_rdv_is_touched_too(world: World) -> None:
    """The payload names only its agents of now."""
    with world.store.transaction() as tx:
        tx.put_agent(agent(OTHER))
        tx.put_copy(copy(1))
    world.tell(rdv(1, agent_ids=(OTHER,)))
    assert world.apply().agent_ids == {AGENT, OTHER}
    assert [each.rdv.agent_ids for each in world.store.agent_view(AGENT).rdvs if each.rdv.id == 1] == [(OTHER,)]


def test_what_belongs_to_nobody_enrolled_is_dropped(world: World) -> None:
    world.tell(rdv(5, agent_ids=(99,)))
    world.tell(absence(5, agent_id=99))
    world.tell(replace(PLAGE, agent_id=99))
    assert world.apply() == Applied(deliveries=3)
    assert (set(world.rdvs), set(world.absences)) == ({1, 2}, {1})


def test_what_is_not_chosen_any_more_is_not_kept(world: World) -> None:
    """It passed the door under the rules of then."""
    named = Participation(1, "unknown", 5, ((UsagerField.LAST_NAME, "Martin"),))
    world.tell(rdv(5, participations=(named,), context="note"))
    world.apply()
    [seen] = [each.rdv for each in world.store.agent_view(AGENT).rdvs if each.rdv.id == 5]
    assert (seen.participations[0].usager, seen.context) == ((), "")


def test_an_absence_follows(world: World) -> None:
    later = absence(1, start=absence().start + timedelta(minutes=5))
    world.tell(later)
    assert world.apply().agent_ids == {AGENT}
    assert world.absences == {1: later.start}
    world.tell_gone(Told.ABSENCE, 1)
    assert world.apply().agent_ids == {AGENT}
    assert world.absences == {}


def test_an_absence_of_the_pool_is_gone_for_good_by_its_webhook(world: World) -> None:
    with world.store.transaction() as tx:
        tx.put_block(block(1))
    world.tell_gone(Told.ABSENCE, 1)
    world.apply()
    assert world.store.observed_absences()[1].presence is Presence.GONE


def wrote(world: World, written: Absence) -> None:
    with world.store.transaction() as tx:
        tx.save_absences([written])
    world.say(Thing.ABSENCE, written.id, by_us=True)


def test_an_echo_of_our_own_write_is_nothing(world: World) -> None:
    wrote(world, absence(5))
    world.tell(absence(5), CREATED)
    assert world.apply() == Applied(deliveries=1)


def test_the_echo_of_our_last_write_but_one_does_not_look_like_an_edit_by_hand(world: World) -> None:
    wrote(world, absence(5))
    world.tell(absence(5), CREATED)
    last = absence(5, start=absence().start + timedelta(minutes=5))
    wrote(world, last)
    assert world.apply() == Applied(reading_wanted=True, deliveries=1, stale=1)
    assert world.absences[5] == last.start


def test_the_echo_of_a_write_of_something_that_we_removed_since_is_nothing(world: World) -> None:
    world.tell(absence(5), CREATED)
    world.say(Thing.ABSENCE, 5, gone=True, by_us=True)
    assert world.apply() == Applied(deliveries=1)


def test_an_edit_by_hand_some_seconds_after_our_write_counts(world: World) -> None:
    wrote(world, absence(5))
    world.clock.sleep(4)
    edited = absence(5, start=absence().start + timedelta(minutes=5))
    world.tell(edited)
    assert world.apply().agent_ids == {AGENT}
    assert world.absences[5] == edited.start


def test_an_absence_that_is_being_written_is_no_work(world: World) -> None:
    made = absence(5)
    operation = Operation(
        AGENT,
        Side.RDV_SOLIDARITES,
        Action.CREATE,
        ObjectKind.BUSY_BLOCK,
        OperationClass.COVER,
        "block",
        made.start,
        interval=Interval(made.start, made.end),
    )
    with world.store.transaction() as tx:
        tx.open_intent("run", operation, highest_absence_id=1, at=world.clock.now())
    world.tell(made, CREATED)
    assert world.apply() == Applied(deliveries=1)
    assert set(world.absences) == {1, 5}


@pytest.mark.parametrize("about", [Told.AGENT, Told.AGENT_ROLE])
def test_an_agent_or_a_role_that_is_removed_asks_for_a_reading(world: World, about: Told) -> None:
    """Absences of an agent who is removed vanish without a webhook."""
    world.tell_gone(about, 3)
    assert world.apply() == Applied(reading_wanted=True, deliveries=1)


def test_what_cannot_be_read_asks_for_a_reading_and_leaves_what_is_known(world: World) -> None:
    world._keep(Delivery(Told.RDV, UPDATED, 1, world._said(0), unreadable="starts_at is not a timestamp"))
    assert world.apply() == Applied(reading_wanted=True, deliveries=1)
    assert world.starts(1) == MORNING


def test_plages_and_lieux_are_kept_as_known(world: World) -> None:
    world.tell(PLAGE)
    world.tell(LIEU)
    world.apply()
    world.tell(replace(PLAGE, title="late"), ago=60)
    world.tell_gone(Told.LIEU, 4)
    world.apply()
    with world.store.webhooks() as tables:
        assert list(tables.known()) == [PLAGE]


def test_the_servers_clock_may_differ(world: World) -> None:
    """It is two minutes behind: its webhook says an instant before the reading, and is later."""
    world.applier.clock_offset = lambda: timedelta(minutes=-2)
    world.tell(moved(), ago=120)
    assert world.apply().agent_ids == {AGENT}


def test_what_was_applied_is_erased_and_its_copies_are_known_for_some_days(world: World) -> None:
    for _ in range(2):
        delivery = Delivery(Told.RDV, UPDATED, 1, world._said(0), content=moved())
        with world.store.transaction() as tx:
            kept = tx.webhooks.keep([Received(3, "main", "same", world.clock.now(), delivery)] * 3)
        world.apply()
        assert kept == (1 if _ == 0 else 0)
    world.clock.sleep(11 * 86_400)
    world.apply()
    with world.store.transaction() as tx:
        assert tx.webhooks.keep([Received(3, "main", "same", world.clock.now(), delivery)]) == 1


def test_a_full_batch_goes_on_at_once(world: World) -> None:
    with world.store.transaction() as tx:
        said = world._said(0)
        tx.webhooks.keep(
            [
                Received(3, "main", f"b{n}", world.clock.now(), Delivery(Told.RDV, CREATED, n, said, content=rdv(n)))
                for n in range(100, 700)
            ]
        )
    first = world.apply()
    assert (first.deliveries, first.again_in) == (500, 0.0)
    assert world.apply().deliveries == 100
    assert len(world.rdvs) == 602


def test_the_journal_tells_of_what_changed_and_not_of_what_it_says(world: World) -> None:
    world.tell(moved())
    world.tell_gone(Told.ABSENCE, 1)
    world.apply()
    entries = {(each.entry.reference, each.entry.rule) for each in world.store.journal(run_id="webhook")}
    assert entries == {("rdv 1", "changed"), ("absence 1", "vanished")}
