"""What was told, and messages on their way, in each kind of database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.alerts.values import Audience, Cause, Entry, Kind
from gateway.keys import Keyring
from gateway.store.alerts import QueuedMessage
from gateway.store.database import open_database
from gateway.store.store import Store
from tests.store.samples import MORNING, NOW

INSTANTS = st.none() | st.integers(0, 10**6).map(lambda seconds: NOW + timedelta(seconds=seconds))
WALLS = st.none() | st.integers(0, 10**4).map(lambda minutes: MORNING + timedelta(minutes=minutes))
CAUSES = st.builds(
    Cause,
    st.sampled_from(Kind),
    st.sampled_from(Audience),
    st.text(max_size=5),
    st.none() | st.integers(1, 2**40),
    st.none() | st.integers(1, 2**40),
    st.text(max_size=5),
    since=INSTANTS,
    start=WALLS,
    end=WALLS,
    until=INSTANTS,
    settle=st.none() | st.integers(0, 1000).map(lambda seconds: timedelta(seconds=seconds)),
    quiet=st.booleans(),
)
ENTRIES = st.builds(Entry, CAUSES, st.just(NOW), INSTANTS, INSTANTS, INSTANTS, st.integers(0, 9))
MESSAGE = QueuedMessage("1", "mail", "group", NOW, NOW, content=b"content")


@settings(max_examples=40)
@given(st.lists(ENTRIES, unique_by=lambda each: each.cause.identity, max_size=4))
def test_what_is_remembered_comes_back_equal(shared_store, entries):
    with shared_store.transaction() as tx:
        tx.save_alerts(entries, ())
    assert shared_store.alert_entries() == {each.cause.identity: each for each in entries}
    with shared_store.transaction() as tx:
        tx.save_alerts((), [each.cause.identity for each in entries])
    assert shared_store.alert_entries() == {}


def test_a_message_waits_until_it_is_due_and_is_gone_once_it_left(store):
    later = NOW + timedelta(minutes=5)
    with store.transaction() as tx:
        tx.queue_messages([MESSAGE, replace(MESSAGE, id="2", next_at=later)])
    assert store.due_messages(NOW, 10) == (MESSAGE,)
    with store.transaction() as tx:
        assert tx.begin_attempt(MESSAGE, next_at=later)
    (again,) = store.due_messages(later, 1)
    with store.transaction() as tx:
        tx.message_sent(again.id, at=later)
    assert [each.id for each in store.due_messages(later, 10)] == ["2"]
    counts = store.message_counts()
    assert (counts.waiting, counts.sent, counts.given_up) == (1, 1, 0)
    assert store.last_messages() == {"group": NOW}
    assert (store.messages_made(NOW - timedelta(hours=1)), store.messages_made(NOW)) == (2, 0)
    with store.transaction() as tx:
        tx.message_given_up("2", at=later)
        tx.forget_messages(later + timedelta(seconds=1))
    assert store.last_messages() == {}


def test_of_two_who_would_send_a_message_one_does(store):
    with store.transaction() as tx:
        tx.queue_messages([MESSAGE])
    (mine,), (yours,) = store.due_messages(NOW, 1), store.due_messages(NOW, 1)
    with store.transaction() as tx:
        assert tx.begin_attempt(mine, next_at=NOW)
        assert not tx.begin_attempt(yours, next_at=NOW)


def test_no_address_and_no_text_is_in_the_databases_files(path: Path, keys: Keyring):
    database = open_database(path, keys)
    store = Store(database)
    cause = Cause(Kind.CONFLICT, Audience.REFERENTE, "orphan", 7, address="canary@departement.example.fr")
    with store.transaction() as tx:
        tx.save_alerts([Entry(cause, NOW)], ())
        tx.queue_messages([replace(MESSAGE, content=b"To: canary@departement.example.fr")])
    files = b"".join(file.read_bytes() for file in path.parent.iterdir())
    database.close()
    assert b"alert_message" in files
    assert b"canary" not in files
