"""The stop that a person gave, and counts of writes: shared by every process on the database."""

from __future__ import annotations

from datetime import timedelta

from gateway.keys import Keyring
from gateway.store.database import open_database
from gateway.store.store import Store
from gateway.sync.ceiling import hour_of
from gateway.sync.values import AgentHistory, HoldReason, Sign, Stop
from tests.store.samples import AGENT, MAIN, NOW

GIVEN = Stop(NOW, "adele", "Migration de la messagerie")
HOUR = timedelta(hours=1)


def test_a_stop_holds_for_every_process_until_it_is_lifted(store: Store, url: str, keys: Keyring) -> None:
    assert store.stop() is None
    with store.transaction() as tx:
        tx.set_stop(Stop(NOW - HOUR, "bruno"))
        tx.set_stop(GIVEN)
        assert tx.stop() == GIVEN
    other = open_database(url, keys)
    assert Store(other).stop() == GIVEN
    with Store(other).transaction() as tx:
        assert tx.lift_stop()
        assert not tx.lift_stop()
    other.close()
    assert store.stop() is None


def test_writes_are_counted_by_remote_and_clock_hour(store: Store) -> None:
    for at in (NOW - HOUR, NOW, NOW + timedelta(minutes=29)):  # 07:30, 08:30, 08:59
        with store.transaction() as tx:
            tx.count_write("rdv_solidarites", at=at)
            tx.count_write("zimbra", at=at)
    assert store.written("rdv_solidarites", now=NOW) == {hour_of(NOW - HOUR): 1, hour_of(NOW): 2}
    assert store.written("zimbra", now=NOW + 23 * HOUR) == {hour_of(NOW): 2}
    assert store.written("exchange", now=NOW) == {}


def test_a_count_that_was_not_committed_did_not_happen(store: Store) -> None:
    """A write is counted in the transaction of its intent."""
    try:
        with store.transaction() as tx:
            tx.count_write("zimbra", at=NOW)
            assert tx.written("zimbra", now=NOW) == {hour_of(NOW): 1}
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert store.written("zimbra", now=NOW) == {}


def test_counts_that_decide_nothing_any_more_are_dropped(store: Store) -> None:
    for hours in (0, 1, 60):
        with store.transaction() as tx:
            tx.count_write("zimbra", at=NOW + hours * HOUR)
    assert store.written("zimbra", now=NOW) == {hour_of(NOW + 60 * HOUR): 1}


def test_a_secret_can_be_forgotten(store: Store) -> None:
    with store.transaction() as tx:
        tx.put_secret("token", b"secret")
        tx.drop_secret("token")
        tx.drop_secret("token")
    assert store.secret("token") is None


def test_what_is_remembered_of_an_agent_keeps_which_moves_each_sign_makes_doubtful(store: Store) -> None:
    every, some = (Sign(HoldReason.DATABASE_RESTORED, "lost", doubted) for doubted in (None, frozenset({"a", "b"})))
    none = Sign(HoldReason.RDVS_RESTORED, "cut", frozenset())
    kept = AgentHistory({MAIN: 4}, (every, some, none))
    with store.transaction() as tx:
        tx.put_history(AGENT, kept)
    assert store.history_of(AGENT) == kept
