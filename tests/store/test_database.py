"""Transactions, threads, processes, and a database that cannot be used."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from connectors.errors import ITMustAct, OurBug, RetryLater
from gateway.keys import Keyring, create_key_file, load_keys
from gateway.store import database as module
from gateway.store.database import AnotherSync, Database, ForeignDatabase, database_path, open_database, sync_lock
from gateway.store.schema import meta, pool_block
from gateway.store.store import Store
from tests.store.samples import AGENT, agent, block, copy, entry


@pytest.fixture(params=["file", "memory"])
def any_database(request: pytest.FixtureRequest, url: str, keys: Keyring) -> Iterator[Database]:
    """A database on a file, and one in memory."""
    opened = open_database(url if request.param == "file" else "sqlite:///:memory:", keys)
    with Store(opened).transaction() as tx:
        tx.put_agent(agent(AGENT))
    yield opened
    opened.close()


@pytest.fixture
def rival(url: str, keys: Keyring, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """The same database as another process has it, not patient."""
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.05)
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
    with store.transaction(), pytest.raises(RetryLater, match="keeps the database busy"):
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


def test_a_database_is_as_safe_as_it_can_be(url: str, keys: Keyring) -> None:
    opened = open_database(url, keys)
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


def test_a_full_disk_is_for_it_to_mend_and_loses_nothing_committed(database: Database, store: Store) -> None:
    with store.transaction() as tx:
        tx.put_secret("small", b"kept")

    def fill() -> None:
        with database.write() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count=1")
            connection.execute(insert(meta), {"name": "large", "value": "x" * 100_000})

    with pytest.raises(ITMustAct, match="its disk is full"):
        fill()
    assert store.secret("small") == b"kept"


def test_only_sqlite_is_spoken_so_far(keys: Keyring) -> None:
    with pytest.raises(ITMustAct, match="only SQLite"):
        open_database("postgresql://localhost/gateway", keys)


def test_an_unknown_degree_of_safety_is_refused(url: str, keys: Keyring) -> None:
    with pytest.raises(ValueError, match="synchronous is one of"):
        open_database(url, keys, synchronous="full; DROP TABLE journal")


def test_a_statement_that_fails_does_not_show_what_it_carried(database: Database) -> None:
    row = {"name": "Dentiste", "value": "Dentiste"}
    with database.write() as connection:
        connection.execute(insert(meta), row)
    with pytest.raises(IntegrityError) as caught, database.write() as connection:
        connection.execute(insert(meta), row)
    assert "Dentiste" not in str(caught.value)


# --- the one process that syncs ------------------------------------------------------------------------------


def test_only_one_may_sync_at_a_time(path: Path) -> None:
    with sync_lock(path), pytest.raises(AnotherSync, match="another process syncs"), sync_lock(path):
        pass
    with sync_lock(path):
        pass


def test_the_lock_also_holds_against_another_thread(path: Path) -> None:
    refused = threading.Event()

    def try_it() -> None:
        try:
            with sync_lock(path):
                pass
        except AnotherSync:
            refused.set()

    with sync_lock(path):
        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
    assert refused.is_set()


def test_the_lock_is_given_back_when_the_sync_fails(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), sync_lock(path):
        raise ZeroDivisionError
    with sync_lock(path):
        pass


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_needs_no_lock(url: str) -> None:
    assert database_path(url) is None
    with sync_lock(database_path(url)), sync_lock(database_path(url)):
        pass


def test_the_path_of_a_database_is_absolute() -> None:
    assert database_path("sqlite:////var/lib/gateway.sqlite3") == Path("/var/lib/gateway.sqlite3")
    assert database_path("sqlite:///gateway.sqlite3") == Path.cwd() / "gateway.sqlite3"
