"""What of usagers is chosen may change: the database follows at once, and RDVs are read again."""

from __future__ import annotations

import json

import pytest

from connectors.records import Participation, Rdv, RdvSelection, UsagerField
from gateway.store.codec import dump_rdv, load_rdv
from gateway.store.store import Store
from gateway.store.values import StoredWindow
from tests.store.samples import AGENT, NOW, agent, rdv

NAMES = RdvSelection(frozenset({UsagerField.FIRST_NAME, UsagerField.LAST_NAME}))
NAMES_AND_MORE = RdvSelection(frozenset(UsagerField), context=True)
WINDOW = StoredWindow(NOW, NOW.replace(month=4), NOW)
ZOE = ((UsagerField.FIRST_NAME, "Zoé"), (UsagerField.EMAIL, "zoe@example.org"))
WHOLE = rdv(
    location_type="home",
    lieu_address="1 rue Basse",
    context="violences",
    participations=(Participation(1, "unknown", 5, ZOE),),
)


@pytest.fixture
def read(store: Store) -> Store:
    """A store into which RDVs were read with everything chosen."""
    with store.transaction() as tx:
        tx.put_agent(agent(AGENT))
        tx.keep_selection(NAMES_AND_MORE)
        tx.save_rdvs([WHOLE], digests={1: "digest"}, agents_epoch=1, read_at=NOW)
        tx.save_rdv_windows(3, [WINDOW])
    return store


def choose(store: Store, selection: RdvSelection) -> None:
    with store.transaction() as tx:
        tx.keep_selection(selection)


def only_rdv(store: Store) -> Rdv:
    (seen,) = store.agent_view(AGENT).rdvs
    return seen.rdv


def test_the_same_selection_again_changes_nothing(read: Store) -> None:
    choose(read, RdvSelection(frozenset(reversed(UsagerField)), context=True))
    assert read.rdv_windows(3) == (WINDOW,)
    assert only_rdv(read) == WHOLE


def test_what_is_not_chosen_any_more_is_gone_before_anything_is_read_again(read: Store) -> None:
    choose(read, NAMES)
    kept = only_rdv(read)
    assert (kept.lieu_address, kept.context) == ("", "")
    assert [each.usager for each in kept.participations] == [((UsagerField.FIRST_NAME, "Zoé"),)]
    assert read.rdv_windows(3) == ()


def test_an_rdv_whose_content_was_reduced_is_news_when_it_is_read_with_the_same_digest(read: Store) -> None:
    """Chosen, taken back, chosen again before a reading: it has to come back."""
    choose(read, NAMES)
    choose(read, NAMES_AND_MORE)
    (known,) = read.observed_rdvs(3)
    assert known.digest != "digest"
    with read.transaction() as tx:
        tx.save_rdvs([WHOLE], digests={1: "digest"}, agents_epoch=1, read_at=NOW)
    assert only_rdv(read) == WHOLE


def test_a_field_that_is_chosen_now_makes_every_window_unread_and_keeps_what_is_known(read: Store) -> None:
    choose(read, NAMES)
    with read.transaction() as tx:
        tx.save_rdv_windows(3, [WINDOW])
        tx.save_rdvs([WHOLE.only(NAMES)], digests={1: "names"}, agents_epoch=1, read_at=NOW)
    choose(read, RdvSelection(NAMES.usager_fields | {UsagerField.EMAIL}))
    assert read.rdv_windows(3) == ()
    assert [each.digest for each in read.observed_rdvs(3)] == ["names"]


def test_a_record_of_an_earlier_version_is_read_without_the_name_that_it_kept() -> None:
    old = json.loads(dump_rdv(WHOLE))
    old["participations"] = [[1, "unknown", 5, "Zoé Martin"], [2, "seen", 6, None]]
    del old["phone_number"], old["visio_url"]
    loaded = load_rdv(json.dumps(old).encode())
    assert loaded.participations == (Participation(1, "unknown", 5), Participation(2, "seen", 6))
    assert loaded.context == WHOLE.context
