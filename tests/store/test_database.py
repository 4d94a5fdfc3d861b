"""Transactions, threads, processes, and a database that cannot be used."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from connectors.errors import ITMustAct, OurBug, RetryLater
from gateway.keys import Keyring, create_key_file, load_keys
from gateway.store import postgresql, sqlite
from gateway.store.database import Database, open_database, sync_lock, where
from gateway.store.problems import AnotherSync, ForeignDatabase
from gateway.store.schema import meta, pool_block
from gateway.store.store import Store
from gateway.sync.values import AgentState
from tests.store.samples import AGENT, agent, block, copy, entry


@pytest.fixture(params=["path", "postgres_url", "memory"])
def any_database(request: pytest.FixtureRequest, keys: Keyring) -> Iterator[Database]:
    """A database of each kind, and one in memory."""
    place = "sqlite:///:memory:" if request.param == "memory" else request.getfixturevalue(request.param)
    opened = open_database(place, keys, synchronous="OFF")
    with Store(opened).transaction() as tx:
        tx.put_agent(agent(AGENT))
    yield opened
    opened.close()


@pytest.fixture
def rival(url: str, keys: Keyring, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """The same database as another process has it, not patient."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    monkeypatch.setattr(postgresql, "BUSY_SECONDS", 0.05)
    opened = open_database(url, keys)
    monkeypatch.undo()
    yield opened
    opened.close()


# --- transactions --------------------------------------------------------------------------------------------


def test_all_of_a_transaction_is_kept_or_nothing(any_database: Database) -> None:
    store = Store(any_database)

    def fail() -> None:
        with store.transaction() as tx:
            tx.put_block(block(1))
            tx.put_copy(copy(1))
            tx.journal(entry(before=b"x"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    view = store.agent_view(AGENT)
    assert (view.blocks, view.copies, store.journal(), store.highest_absence_id()) == ((), (), (), 0)
    with store.transaction() as tx:
        tx.put_block(block(1))
    assert store.agent_view(AGENT).blocks == (block(1),)


def test_reads_within_a_transaction_see_what_it_wrote(any_database: Database) -> None:
    store = Store(any_database)
    with store.transaction() as tx:
        tx.put_block(block(5))
        assert store.highest_absence_id() == 5
        assert store.agent_view(AGENT).blocks == (block(5),)


def test_transactions_do_not_nest(any_database: Database) -> None:
    store = Store(any_database)
    with store.transaction() as tx:
        with pytest.raises(OurBug, match="inside another one"), store.transaction():
            pass
        tx.put_block(block(1))
    assert store.mapped_absence_ids() == {1}


def test_a_reader_stays_at_one_instant_while_others_write(database: Database, store: Store) -> None:
    with database.read() as connection:
        before = connection.execute(select(pool_block)).all()
        with ThreadPoolExecutor(1) as other:
            other.submit(_put_block, store).result()
        assert connection.execute(select(pool_block)).all() == before == []
    assert store.mapped_absence_ids() == {1}


def test_another_thread_sees_nothing_before_the_commit(store: Store) -> None:
    with ThreadPoolExecutor(1) as other:
        with store.transaction() as tx:
            tx.put_block(block(1))
            assert other.submit(store.mapped_absence_ids).result() == frozenset()
        assert other.submit(store.mapped_absence_ids).result() == {1}


def test_in_memory_another_thread_waits_for_the_commit(keys: Keyring) -> None:
    opened = open_database("sqlite://", keys)
    store = Store(opened)
    with ThreadPoolExecutor(1) as other:
        with store.transaction() as tx:
            tx.put_secret("name", b"data")
            seen = other.submit(store.secret, "name")
            assert not wait([seen], timeout=0.05).done
        assert seen.result() == b"data"
    opened.close()


def test_writers_that_read_first_lose_no_update(any_database: Database) -> None:
    """Each adds one to a counter that it read in its transaction."""

    def add() -> None:
        for _ in range(10):
            _count(any_database)

    with any_database.write() as connection:
        connection.execute(insert(meta), {"name": "counter", "value": "0"})
    with ThreadPoolExecutor(6) as threads:
        for done in [threads.submit(add) for _ in range(6)]:
            done.result()
    with any_database.read() as connection:
        assert connection.scalar(select(meta.c.value).where(meta.c.name == "counter")) == "60"


def test_writers_of_two_processes_lose_no_update(database: Database, url: str, keys: Keyring) -> None:
    other = open_database(url, keys, synchronous="OFF")
    with database.write() as connection:
        connection.execute(insert(meta), {"name": "counter", "value": "0"})
    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(lambda d: [_count(d) for _ in range(25)], each) for each in (database, other)]:
            done.result()
    other.close()
    with database.read() as connection:
        assert connection.scalar(select(meta.c.value).where(meta.c.name == "counter")) == "50"


def test_a_process_that_waits_too_long_is_told_to_try_again(store: Store, rival: Database) -> None:
    with store.transaction(), pytest.raises(RetryLater, match=r"another process keeps .* busy"):
        Store(rival).transaction().__enter__()
    with Store(rival).transaction() as tx:
        tx.put_block(block(1))


def _count(database: Database) -> None:
    of_counter = meta.c.name == "counter"
    with database.write() as connection:
        value = int(connection.scalar(select(meta.c.value).where(of_counter)) or 0)
        connection.execute(update(meta).where(of_counter).values(value=str(value + 1)))


def _put_block(store: Store) -> None:
    with store.transaction() as tx:
        tx.put_block(block(1))


# --- opening -------------------------------------------------------------------------------------------------


def test_a_sqlite_database_is_as_safe_as_it_can_be(path: Path, keys: Keyring) -> None:
    opened = open_database(path, keys)
    pragmas = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}
    with opened.read() as connection:
        found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas}
    opened.close()
    assert found == pragmas


def test_a_database_belongs_to_the_instance_that_opened_it_first(
    store: Store, url: str, tmp_path: Path, keys: Keyring
) -> None:
    create_key_file(tmp_path / "other.toml")
    with pytest.raises(ForeignDatabase, match="another instance"):
        open_database(url, load_keys(tmp_path / "other.toml"))
    open_database(url, keys).close()


def test_a_file_that_is_no_database_is_for_it_to_look_at(tmp_path: Path, keys: Keyring) -> None:
    path = tmp_path / "gateway.sqlite3"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(ITMustAct, match="it is no SQLite database"):
        open_database(f"sqlite:///{path}", keys)


def test_a_full_disk_is_for_it_to_mend_and_loses_nothing_committed(path: Path, keys: Keyring) -> None:
    database = open_database(path, keys, synchronous="OFF")
    store = Store(database)
    with store.transaction() as tx:
        tx.put_secret("small", b"kept")

    def fill() -> None:
        with database.write() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count=1")
            connection.execute(insert(meta), {"name": "large", "value": "x" * 100_000})

    with pytest.raises(ITMustAct, match="its disk is full"):
        fill()
    assert store.secret("small") == b"kept"
    database.close()


@pytest.mark.parametrize("url", ["mysql://gateway:geheim@localhost/gateway", "not a URL: geheim"])
def test_another_kind_of_database_is_refused_without_quoting_its_url(keys: Keyring, url: str) -> None:
    with pytest.raises(ITMustAct, match="neither SQLite nor PostgreSQL") as refused:
        open_database(url, keys)
    assert "geheim" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_statement_that_fails_does_not_show_what_it_carried(database: Database) -> None:
    row = {"name": "Dentiste", "value": "Dentiste"}
    with database.write() as connection:
        connection.execute(insert(meta), row)
    with pytest.raises(IntegrityError) as caught, database.write() as connection:
        connection.execute(insert(meta), row)
    assert "Dentiste" not in str(caught.value)


# --- the one process that syncs ------------------------------------------------------------------------------


def test_only_one_may_sync_at_a_time(url: str, database: Database) -> None:
    for lock in (partial(sync_lock, url), database.sync_lock):
        for other in (partial(sync_lock, url), database.sync_lock):
            with lock(), pytest.raises(AnotherSync, match="another process syncs"), other():
                pass
            with other():
                pass


def test_the_lock_also_holds_against_another_thread(url: str) -> None:
    refused = threading.Event()

    def try_it() -> None:
        try:
            with sync_lock(url):
                pass
        except AnotherSync:
            refused.set()

    with sync_lock(url):
        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
    assert refused.is_set()


def test_the_lock_is_given_back_when_the_sync_fails(url: str, database: Database) -> None:
    with pytest.raises(ZeroDivisionError), sync_lock(url):
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), database.sync_lock():
        raise ZeroDivisionError
    with sync_lock(url):
        pass


def test_a_sync_writes_from_all_its_threads_and_so_may_others_who_do_not_sync(
    store: Store, url: str, keys: Keyring
) -> None:
    """Approving and enrolling go on during a sync."""
    other = open_database(url, keys, synchronous="OFF")
    with store.sync_lock(), ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(_put, store, number) for number in range(1, 9)]:
            done.result()
        _put(Store(other), 9)
        with pytest.raises(OurBug), store.transaction() as tx:
            tx.set_agent_state(999, AgentState.LIVE)
        assert [one.absence_id for one in store.agent_view(AGENT).blocks] == list(range(1, 10))
    other.close()
    _put(store, 11)
    assert store.highest_absence_id() == 11


def _put(store: Store, number: int) -> None:
    with store.transaction() as tx:
        tx.put_block(block(number))


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_needs_no_lock(url: str) -> None:
    with sync_lock(url), sync_lock(url):
        pass


def test_where_a_database_is_said_without_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert where("sqlite:////var/lib/gateway.sqlite3") == "/var/lib/gateway.sqlite3"
    assert where(Path("gateway.sqlite3")) == where("sqlite:///gateway.sqlite3") == f"{tmp_path}/gateway.sqlite3"
    assert where("postgresql://me:geheim@db.example.fr/gateway") == "postgresql://me@db.example.fr/gateway"
