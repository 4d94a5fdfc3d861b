"""A database copied to another place is the same there, or nothing of it is."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import CheckConstraint, Connection, LargeBinary, Table, delete, func, insert, select, text

from connectors.errors import ITMustAct, RetryLater
from gateway.keys import Keyring
from gateway.store import copying, sqlite
from gateway.store.columns import AnyText, Instant, WallClock
from gateway.store.copying import CopyRefused, copy_database
from gateway.store.database import alone, backend_of, open_database, sync_lock, upgrade
from gateway.store.problems import AnotherSync, UnmigratedDatabase
from gateway.store.schema import intent, journal, meta, metadata
from gateway.store.store import Store
from tests.store.samples import AGENT, MAIN, NOW, SECOND, absence, agent, block, copy, entry, event, operation, rdv

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["sqlite to postgresql", "postgresql to sqlite"])
def way(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """A database with its tables and nothing in them, and a place where none is."""
    source, target = request.param.split(" to ")
    places = {"sqlite": lambda: f"sqlite:///{request.getfixturevalue('path')}"}
    places["postgresql"] = lambda: request.getfixturevalue("postgres_url")
    goals: dict[str, Callable[[], str]] = {"sqlite": lambda: f"sqlite:///{tmp_path}/copy/gateway.sqlite3"}
    goals["postgresql"] = lambda: request.getfixturevalue("empty_postgres_url")
    return places[source](), goals[target]()


@contextmanager
def whole(place: str) -> Iterator[Connection]:
    with alone(backend_of(place)) as connection:
        yield connection


# --- what is copied ------------------------------------------------------------------------------------------


def value(column: Any, table: Table, row: int) -> object:
    """One that is hard to keep, of each type. Rows 0 to 2: without what may be missing, with it, its bytes alone."""
    sealed = isinstance(column.type, LargeBinary)
    if column.nullable and (row == 0 or sealed != (row == 2)):
        return None
    if sealed:
        return bytes(range(256)) + b"%d" % row
    if isinstance(column.type, AnyText):
        return allowed(column, table)[row % 2] or f"'Ünï\x00 \x1b0 \\ 🗓 %s\r\n{row}"
    moment = datetime(2026, 3, 29, 0, 59, 59, 999_999) - timedelta(days=9_000 * row)
    if isinstance(column.type, Instant):
        return moment.replace(tzinfo=UTC)
    if isinstance(column.type, WallClock):
        return moment
    return {date: moment.date(), bool: row % 2 == 1, int: row + 1}[column.type.python_type]


def allowed(column: Any, table: Table) -> list[str]:
    """The first words that a CHECK lets in; empty ones where there is none."""
    for check in table.constraints:
        if isinstance(check, CheckConstraint) and str(check.sqltext).startswith(f"{column.name} IN"):
            return re.findall(r"'(.*?)'", str(check.sqltext))
    return ["", ""]


def fill(connection: Connection) -> None:
    """Three rows in every table, of today and of whatever comes; more in the journal than are copied at once."""
    for table in metadata.sorted_tables:
        rows = [{column.name: value(column, table, row) for column in table.c} for row in range(3)]
        connection.execute(insert(table), rows)
    more = {column.name: value(column, journal, 1) for column in journal.c}
    connection.execute(insert(journal), [more | {"id": number, "sequence": number} for number in range(1_001, 2_500)])


def content(connection: Connection) -> dict[str, list[tuple[object, ...]]]:
    return {
        name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
        for name, table in metadata.tables.items()
    }


@pytest.mark.parametrize(
    "way",
    ["sqlite to postgresql", "postgresql to sqlite", "sqlite to sqlite", "postgresql to postgresql"],
    indirect=True,
)
def test_every_value_of_every_table_is_the_same_in_the_copy(way: tuple[str, str]) -> None:
    source, target = way
    with whole(source) as connection:
        fill(connection)
        before = content(connection)
    copied = copy_database(source, target)
    with whole(target) as there, whole(source) as here:
        assert content(there) == content(here) == before
    assert {one.name: one.rows for one in copied} == {name: len(rows) for name, rows in before.items()}
    assert min(one.rows for one in copied) >= 3


def test_there_and_back_gives_the_same_digests(path: Path, empty_postgres_url: str, tmp_path: Path) -> None:
    with whole(f"sqlite:///{path}") as connection:
        fill(connection)
    there = copy_database(path, empty_postgres_url)
    assert copy_database(empty_postgres_url, tmp_path / "back.sqlite3") == there
    with whole(f"sqlite:///{tmp_path}/back.sqlite3") as connection:
        connection.execute(text("UPDATE observed_rdv SET content = x'00' WHERE id = 1"))
    (tmp_path / "third.sqlite3").unlink(missing_ok=True)
    changed = copy_database(tmp_path / "back.sqlite3", tmp_path / "third.sqlite3")
    assert [one.name for one, other in zip(there, changed, strict=True) if one != other] == [
        "observed_rdv",
        "change_count",  # the database counted that
    ]


def test_what_is_encrypted_is_read_in_the_copy_with_the_same_keys(way: tuple[str, str], keys: Keyring) -> None:
    source, target = way

    def seen(place: str) -> tuple[object, ...]:
        database = open_database(place, keys)
        store = Store(database)
        everything = (store.agent_view(AGENT), store.journal(with_content=True), store.secret("t"), store.runs())
        database.close()
        return everything

    database = open_database(source, keys)
    with Store(database).transaction() as tx:
        tx.put_agent(agent(AGENT))
        tx.save_calendar_reading(MAIN, events=[event()], gone=[], cursor="c", mark="m", read_at=NOW)
        tx.save_rdvs([rdv(title="Entretien")], digests={1: "d"}, agents_epoch=1, read_at=NOW)
        tx.save_absences([absence(title="Dentiste")])
        tx.put_block(block(1))
        tx.put_copy(copy(1))
        tx.open_intent("run", operation(), highest_absence_id=0, at=NOW, before=b"before")
        tx.journal(entry(before=b"SUMMARY:Dentiste"))
        tx.put_secret("t", b"jeton")
        tx.start_run("run", at=NOW)
    database.close()
    before = seen(source)
    copy_database(source, target)
    assert seen(target) == before
    assert seen(source) == before


def test_numbers_go_on_in_the_copy_also_after_rows_that_are_gone(way: tuple[str, str], keys: Keyring) -> None:
    source, target = way
    database = open_database(source, keys)
    with Store(database).transaction() as tx:
        tx.put_agent(agent(AGENT))
        entries = [tx.journal(entry()) for _ in range(3)]
        intents = [tx.open_intent("run", operation(), highest_absence_id=0, at=NOW).id for _ in range(4)]
        tx.save_calendar_reading(MAIN, events=[event()], gone=[], cursor="c", mark="m", read_at=NOW)
    with database.write() as connection:
        connection.execute(delete(intent))
    database.close()
    copy_database(source, target)
    database = open_database(target, keys)
    with Store(database).transaction() as tx:
        assert tx.journal(entry()) == max(entries) + 1
        assert tx.open_intent("run", operation(), highest_absence_id=0, at=NOW).id == max(intents) + 1
        tx.save_calendar_reading(SECOND, events=[], gone=[], cursor="", mark="", read_at=NOW)
    database.close()


def test_the_copys_journal_cannot_be_changed_either(way: tuple[str, str]) -> None:
    source, target = way
    with whole(source) as connection:
        fill(connection)
    copy_database(source, target)
    with pytest.raises(Exception, match="append-only"), whole(target) as connection:
        connection.execute(delete(journal))


# --- what is refused -----------------------------------------------------------------------------------------


def test_a_target_with_anything_in_it_is_refused_and_stays_as_it_is(way: tuple[str, str]) -> None:
    source, target = way
    upgrade(target)
    with whole(target) as connection:
        connection.execute(insert(meta), {"name": "instance", "value": "another"})
        before = content(connection)
    with pytest.raises(CopyRefused, match=r"is not empty: there are rows in meta$"):
        copy_database(source, target)
    with whole(target) as connection:
        assert content(connection) == before


def test_a_target_with_this_versions_tables_and_nothing_in_them_is_taken(way: tuple[str, str]) -> None:
    source, target = way
    upgrade(target)
    with whole(source) as connection:
        fill(connection)
    copy_database(source, target)
    with whole(target) as there, whole(source) as here:
        assert content(there) == content(here)


def test_a_target_with_tables_of_another_version_is_refused(way: tuple[str, str]) -> None:
    source, target = way
    upgrade(target)
    with whole(target) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    with pytest.raises(UnmigratedDatabase, match="has schema 0000"):
        copy_database(source, target)


def test_a_source_of_another_version_is_refused(way: tuple[str, str], keys: Keyring) -> None:
    source, target = way
    with whole(source) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    with pytest.raises(UnmigratedDatabase, match="has schema 0000"):
        copy_database(source, target)
    with pytest.raises(UnmigratedDatabase):
        open_database(target, keys)


def test_neither_is_copied_while_it_is_synced(way: tuple[str, str]) -> None:
    source, target = way
    upgrade(target)
    for place in way:
        with sync_lock(place), pytest.raises(AnotherSync):
            copy_database(source, target)
    copy_database(source, target)


def test_nobody_writes_into_the_source_while_it_is_copied(
    way: tuple[str, str], keys: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An approval given meanwhile would be missing in the copy: its command waits, then is told to try again."""
    source, target = way
    fast = copying._copy
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    monkeypatch.setattr("gateway.store.postgresql.BUSY_SECONDS", 0.05)
    other = open_database(source, keys)
    refusals = []

    def slow(table: Table, reading: Connection, writing: Connection) -> object:
        with pytest.raises(RetryLater, match=r"keeps .* busy") as refused:
            Store(other).transaction().__enter__()
        refusals.append(refused.value)
        monkeypatch.setattr(copying, "_copy", fast)
        return fast(table, reading, writing)

    monkeypatch.setattr(copying, "_copy", slow)
    copy_database(source, target)
    other.close()
    assert len(refusals) == 1


def test_a_database_is_not_copied_onto_itself_nor_into_memory(url: str) -> None:
    with pytest.raises(CopyRefused, match="is the database itself"):
        copy_database(url, url)
    with pytest.raises(CopyRefused, match="keeps nothing"):
        copy_database(url, "sqlite://")


def test_nothing_is_made_when_there_is_nothing_to_copy(tmp_path: Path) -> None:
    with pytest.raises(UnmigratedDatabase, match="there is no database"):
        copy_database(tmp_path / "none.sqlite3", tmp_path / "copy.sqlite3")
    assert list(tmp_path.iterdir()) == []


# --- what is interrupted -------------------------------------------------------------------------------------


def _is_nothing(place: str, keys: Keyring) -> bool:
    try:
        open_database(place, keys).close()
    except UnmigratedDatabase:
        return True
    return False


def test_a_copy_that_does_not_come_out_equal_is_not_kept(
    way: tuple[str, str], keys: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = way
    with whole(source) as connection:
        fill(connection)
    carry = copying._carry_numbers_given

    def altered(reading: Connection, writing: Connection) -> None:
        carry(reading, writing)
        writing.execute(text("UPDATE pool_block SET approved = NOT approved WHERE absence_id = 2"))

    monkeypatch.setattr(copying, "_carry_numbers_given", altered)
    with pytest.raises(CopyRefused, match="pool_block did not come out equal"):
        copy_database(source, target)
    assert _is_nothing(target, keys)


@pytest.mark.parametrize("instead", [ITMustAct("disk full", system="database"), KeyboardInterrupt()])
def test_a_copy_that_fails_in_the_middle_is_not_kept(
    way: tuple[str, str], keys: Keyring, monkeypatch: pytest.MonkeyPatch, instead: BaseException
) -> None:
    source, target = way
    with whole(source) as connection:
        fill(connection)

    def fails(*_: object) -> None:
        raise instead

    monkeypatch.setattr(copying, "_carry_numbers_given", fails)
    with pytest.raises(type(instead)):
        copy_database(source, target)
    assert _is_nothing(target, keys)
    monkeypatch.undo()
    assert sum(one.rows for one in copy_database(source, target)) > 1_500


_SLOWLY = """
import sys, time
from gateway.store import copying
real = copying._digest
def digest(rows, into):
    sys.stdout.write("batch\\n"); sys.stdout.flush()
    time.sleep(0.01)
    return real(rows, into)
copying._digest = digest
copying.copy_database(sys.argv[1], sys.argv[2])
"""


@pytest.mark.parametrize("batches", [12, 40], ids=["while writing", "while reading back"])
def test_killed_while_copying_and_begun_again(way: tuple[str, str], keys: Keyring, batches: int) -> None:
    source, target = way
    with whole(source) as connection:
        fill(connection)
    command = [sys.executable, "-c", _SLOWLY, source, target]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(batches):
            assert process.stdout.readline() == "batch\n"
        os.kill(process.pid, signal.SIGKILL)
    assert _is_nothing(target, keys)
    deadline = time.monotonic() + 10
    while True:
        try:
            copied = copy_database(source, target)
            break
        except AnotherSync:  # a server notices a little later that the process is gone
            assert time.monotonic() < deadline
            time.sleep(0.05)
    with whole(target) as connection:
        assert connection.scalar(select(func.count()).select_from(journal)) == 3 + 1_499
    assert {one.name for one in copied} == set(metadata.tables)
