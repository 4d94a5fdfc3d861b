"""Whatever is changed in the journal behind the gateway's back is found, and named: chain, number, id, time."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, func, insert, select, text, update

from gateway.journal import checkpoints, log
from gateway.journal.chain import GATEWAY, entry_digest
from gateway.journal.checkpoints import Checkpoint, UnusableCheckpoint, parse
from gateway.journal.findings import Finding, Kind
from gateway.journal.verify import Given, Verdict, verify
from gateway.keys import Keyring, create_key_file, load_keys
from gateway.store.columns import AnyText
from gateway.store.database import Database, open_database
from gateway.store.schema import journal, journal_content
from gateway.store.store import Store
from tests.store.samples import AGENT, NOW, entry

OTHER = AGENT + 1
WRITTEN = (AGENT, OTHER, None, AGENT, AGENT, OTHER, None, AGENT, OTHER, OTHER, None, AGENT)
"""Whose entries are written, one after the other: ids 1 to 12."""
MIDDLE = 5
"""The third of `AGENT`'s, with a pre-image."""


def write(store: Store) -> None:
    for number, agent_id in enumerate(WRITTEN, start=1):
        before = b"SUMMARY:%d" % number if agent_id is not None and number % 5 == 0 else None
        one = entry(agent_id=agent_id, reference=f"rdv {number}", at=at(number), before=before, fields=("start", "end"))
        with store.transaction() as tx:
            assert tx.journal(one) == number


def at(number: int) -> datetime:
    return NOW + timedelta(minutes=number)


@pytest.fixture
def written(store: Store) -> Store:
    write(store)
    return store


def open_up(connection: Connection) -> None:
    """What an intruder does first."""
    if connection.dialect.name == "sqlite":
        names = connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all()
        for name in names:
            connection.execute(text(f"DROP TRIGGER {name}"))
        connection.execute(text("PRAGMA defer_foreign_keys=ON"))
    else:
        for table in ("journal", "journal_content", "journal_checkpoint"):
            connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        connection.execute(text("ALTER TABLE journal_content DROP CONSTRAINT fk_journal_content_journal_id"))
    connection.execute(text("DROP INDEX ix_journal_chain_sequence"))


class _Over(Exception):
    pass


@contextmanager
def tampered(database: Database) -> Iterator[Connection]:
    """The database without its own protections; undone afterwards."""
    with suppress(_Over), database.write() as connection:
        open_up(connection)
        yield connection
        raise _Over


def judged(connection: Connection, keys: Keyring, *given: Checkpoint) -> Verdict:
    return verify(connection, keys, [Given("file", one) for one in given], public_key=None)


def found(connection: Connection, keys: Keyring, *given: Checkpoint) -> list[tuple[object, ...]]:
    """(kind, chain, first and last number, first and last id)."""
    return [brief(one) for one in judged(connection, keys, *given).findings]


def brief(one: Finding) -> tuple[object, ...]:
    return (one.kind, one.chain, one.sequence, one.last_sequence, one.entry_id, one.last_id)


def sealed(store: Store) -> Checkpoint:
    """As it comes back from where it was exported to."""
    with store.transaction() as tx:
        return parse(tx.seal_journal(at=NOW).line)


def change(connection: Connection, number: int, **values: object) -> None:
    connection.execute(update(journal).where(journal.c.id == number).values(**values))


def remove(connection: Connection, *numbers: int) -> None:
    connection.execute(delete(journal_content).where(journal_content.c.journal_id.in_(numbers)))
    connection.execute(delete(journal).where(journal.c.id.in_(numbers)))


def row_of(connection: Connection, number: int) -> dict[str, Any]:
    (row,) = connection.execute(select(journal).where(journal.c.id == number)).mappings()
    return dict(row)


# --- what is whole -------------------------------------------------------------------------------------------


def test_a_journal_as_it_was_written_is_whole_and_its_end_told_unsealed(written: Store) -> None:
    verdict = written.verify_journal()
    assert verdict.is_whole
    assert (verdict.entries, verdict.chains, verdict.first_id, verdict.last_id) == (12, 3, 1, 12)
    assert (verdict.sealed_id, verdict.unsealed, verdict.contents, verdict.unreadable) == (0, 12, 2, {})


def test_an_empty_journal_is_whole(store: Store) -> None:
    sealed(store)
    verdict = store.verify_journal()
    assert (verdict.is_whole, verdict.entries, verdict.unsealed, verdict.checkpoints) == (True, 0, 0, 1)


def test_each_chain_counts_from_one_and_ids_have_no_gap(written: Store, database: Database) -> None:
    with database.read() as connection:
        rows = connection.execute(select(journal.c.chain, journal.c.sequence).order_by(journal.c.id)).all()
    assert [tuple(row) for row in rows] == places()


def test_a_rolled_back_entry_leaves_no_gap(written: Store) -> None:
    with suppress(_Over), written.transaction() as tx:
        tx.journal(entry())
        raise _Over
    with written.transaction() as tx:
        assert tx.journal(entry()) == len(WRITTEN) + 1
    assert written.verify_journal().is_whole


def test_two_processes_that_write_at_once_make_no_fork_and_no_gap(url: str, keys: Keyring) -> None:
    """Each with an agent of its own, both with the gateway's chain."""
    trouble: list[Exception] = []

    def work(agent_id: int) -> None:
        database = open_database(url, keys, synchronous="OFF")
        try:
            for number in range(40):
                with Store(database).transaction() as tx:
                    tx.journal(entry(agent_id=agent_id, before=b"%d" % number))
                    tx.journal(entry(agent_id=None))
        except Exception as error:  # noqa: BLE001 - told by the other thread
            trouble.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=work, args=(agent_id,)) for agent_id in (AGENT, OTHER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trouble == []
    database = open_database(url, keys)
    verdict = Store(database).verify_journal()
    with database.read() as connection:
        last = dict(
            connection.execute(select(journal.c.chain, func.max(journal.c.sequence)).group_by(journal.c.chain)).all()
        )
    database.close()
    assert (verdict.findings, verdict.entries) == ((), 160)
    assert last == {AGENT: 40, OTHER: 40, GATEWAY: 80}


# --- altered -------------------------------------------------------------------------------------------------


def other_value(connection: Connection, column: Any, value: Any) -> object:
    """The same with one bit changed, or as little as its type lets."""
    if isinstance(column.type, AnyText):
        return f"{value[:-1]}{chr(ord(value[-1]) ^ 1)}" if value else "x"
    return value + timedelta(microseconds=1) if isinstance(value, datetime) else (value or 0) ^ 1


@pytest.mark.parametrize("number", [1, MIDDLE, 12])
@pytest.mark.parametrize("name", [column.name for column in journal.c if column.name != "id"])
def test_one_bit_in_any_column_is_found_and_named(
    written: Store, database: Database, keys: Keyring, name: str, number: int
) -> None:
    with tampered(database) as connection:
        before = row_of(connection, number)
        change(connection, number, **{name: other_value(connection, journal.c[name], before[name])})
        (finding,) = judged(connection, keys).findings
    assert finding.entry_id == number
    if number != 12:  # nothing comes after it that would tell which
        assert finding.kind is Kind.ALTERED
        assert (finding.chain, finding.sequence) == (before["chain"], before["sequence"])
    else:
        assert finding.kind in (Kind.ALTERED, Kind.ALTERED_OR_INSERTED)
    if name != "at":
        assert finding.at == at(number)


def test_an_altered_id_is_found_with_the_one_that_it_was(written: Store, database: Database, keys: Keyring) -> None:
    with tampered(database) as connection:
        remove_content = delete(journal_content).where(journal_content.c.journal_id == 4)
        connection.execute(remove_content)
        change(connection, 4, id=4 ^ 256)
        (finding,) = judged(connection, keys).findings
    assert brief(finding) == (Kind.MOVED, AGENT, 2, None, 4 ^ 256, None)
    assert "written as entry 4, number 2" in finding.detail


@pytest.mark.parametrize("value", ["CAST(x'ff00' AS TEXT)", "x'00'", "NULL", "1.5", "'2026-02-30 00:00:00'", "''"])
@pytest.mark.parametrize("name", ["at", "rule", "sequence", "chain", "agent_id", "digest"])
def test_a_value_that_is_none_is_an_altered_one_not_a_crash(
    sqlite_store: Store, path: Any, keys: Keyring, name: str, value: str
) -> None:
    """SQLite lets any value into any column."""
    write(sqlite_store)
    database = open_database(path, keys)
    with tampered(database) as connection:
        connection.execute(text("PRAGMA ignore_check_constraints=ON"))
        if value == "NULL" and name != "agent_id":
            value = "0"
        connection.execute(text(f"UPDATE journal SET {name} = {value} WHERE id = {MIDDLE}"))
        assert {one.entry_id for one in judged(connection, keys).findings} == {MIDDLE}
    database.close()


# --- removed -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((MIDDLE,), [(Kind.REMOVED, AGENT, 3, 3, MIDDLE, MIDDLE)]),
        ((1,), [(Kind.REMOVED, AGENT, 1, 1, 1, 1)]),
        ((4, 5), [(Kind.REMOVED, AGENT, 2, 3, 4, 5)]),
        ((2, 8), [(Kind.REMOVED, OTHER, 1, 1, 2, 2), (Kind.REMOVED, AGENT, 4, 4, 8, 8)]),
        ((10,), [(Kind.REMOVED, None, None, None, 10, 10)]),  # the last of its chain, and another's comes after it
        ((3, 7, 11), [(Kind.REMOVED, None, None, None, number, number) for number in (3, 7, 11)]),  # a whole chain
    ],
)
def test_removed_entries_are_found_and_named(
    written: Store, database: Database, keys: Keyring, numbers: tuple[int, ...], expected: list[object]
) -> None:
    with tampered(database) as connection:
        remove(connection, *numbers)
        assert found(connection, keys) == expected


def test_with_a_checkpoint_the_chain_of_what_was_removed_last_is_known(
    written: Store, database: Database, keys: Keyring
) -> None:
    checkpoint = sealed(written)
    with tampered(database) as connection:
        remove(connection, 3, 7, 11)
        assert found(connection, keys, checkpoint) == [(Kind.REMOVED, GATEWAY, 1, 3, 3, 11)]


@pytest.mark.parametrize("first", [12, 9, 1])
def test_a_tail_that_was_cut_off_is_found_by_an_exported_checkpoint(
    written: Store, database: Database, keys: Keyring, first: int
) -> None:
    checkpoint = sealed(written)
    with tampered(database) as connection:
        remove(connection, *range(first, 13))
        connection.execute(text("DELETE FROM journal_checkpoint"))
        assert found(connection, keys) == []  # nothing in the database could tell
        findings = judged(connection, keys, checkpoint).findings
    assert {one.kind for one in findings} == {Kind.REMOVED}
    ranges = [(one.chain, range(one.sequence or 0, (one.last_sequence or 0) + 1)) for one in findings]
    missing = {(chain, number) for chain, numbers in ranges for number in numbers}
    assert missing == set(places()[first - 1 :])


def places() -> list[tuple[int, int]]:
    """(chain, number) of each entry."""
    counts: Counter[int] = Counter()
    found = []
    for agent_id in WRITTEN:
        chain = GATEWAY if agent_id is None else agent_id
        counts[chain] += 1
        found.append((chain, counts[chain]))
    return found


def test_a_tail_that_was_cut_off_and_grew_again_is_not_what_was_sealed(
    written: Store, database: Database, keys: Keyring
) -> None:
    checkpoint = sealed(written)
    with tampered(database) as connection:
        remove(connection, 12)
        log.append(connection, keys, [entry(agent_id=AGENT, reference="rdv 99")])
        log.append(connection, keys, [entry(agent_id=AGENT, reference="rdv 100")])
        assert found(connection, keys, checkpoint) == [(Kind.DIFFERS, AGENT, 5, None, 12, None)]


# --- reordered, inserted -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("one", "two"), [(4, 5), (4, 12), (5, 6), (1, 2), (11, 12)])
def test_two_entries_that_were_swapped_are_named(
    written: Store, database: Database, keys: Keyring, one: int, two: int
) -> None:
    with tampered(database) as connection:
        connection.execute(delete(journal_content))
        for former, new in ((one, 99), (two, one), (99, two)):
            change(connection, former, id=new)
        findings = [each for each in judged(connection, keys).findings if each.kind is not Kind.CONTENT_REMOVED]
    assert [(each.kind, each.entry_id) for each in findings] == [(Kind.MOVED, one), (Kind.MOVED, two)]
    assert [f"written as entry {number}" in each.detail for each, number in zip(findings, (two, one), strict=True)]


def test_two_numbers_of_a_chain_that_were_swapped_are_named(written: Store, database: Database, keys: Keyring) -> None:
    with tampered(database) as connection:
        change(connection, 4, sequence=3)
        change(connection, 5, sequence=2)
        assert found(connection, keys) == [
            (Kind.MOVED, AGENT, 3, None, 4, None),
            (Kind.MOVED, AGENT, 2, None, 5, None),
        ]


def test_an_entry_inserted_at_the_end_is_named(written: Store, database: Database, keys: Keyring) -> None:
    with tampered(database) as connection:
        forged = row_of(connection, 12)
        connection.execute(insert(journal), forged | {"id": 13, "sequence": 6, "previous": forged["digest"]})
        assert found(connection, keys) == [(Kind.ALTERED_OR_INSERTED, AGENT, 6, None, 13, None)]


@pytest.mark.parametrize("number", [0, -1, 40, 1 << 40])
def test_an_entry_inserted_elsewhere_is_named(written: Store, database: Database, keys: Keyring, number: int) -> None:
    with tampered(database) as connection:
        connection.execute(insert(journal), row_of(connection, 4) | {"id": number, "rule": "forged"})
        assert found(connection, keys) == [(Kind.INSERTED, AGENT, 2, None, number, None)]


def test_an_entry_inserted_by_renumbering_what_follows_is_named(
    written: Store, database: Database, keys: Keyring
) -> None:
    with tampered(database) as connection:
        connection.execute(delete(journal_content))
        for number in range(12, 4, -1):
            row = row_of(connection, number)
            change(connection, number, id=number + 1, sequence=row["sequence"] + (row["chain"] == AGENT))
        connection.execute(insert(journal), row_of(connection, 4) | {"id": 5, "sequence": 3, "rule": "forged"})
        findings = judged(connection, keys).findings
    told = {each.entry_id: each.kind for each in findings if each.kind is not Kind.CONTENT_REMOVED}
    assert told.pop(5) in (Kind.INSERTED, Kind.ALTERED, Kind.ALTERED_OR_INSERTED)
    assert told == dict.fromkeys(range(6, 14), Kind.MOVED)


# --- pre-images ----------------------------------------------------------------------------------------------


def test_a_pre_image_that_was_replaced_removed_or_added_is_named(
    written: Store, database: Database, keys: Keyring
) -> None:
    with tampered(database) as connection:
        one, other = connection.scalars(select(journal_content.c.before).order_by(journal_content.c.journal_id))
        of_middle = journal_content.c.journal_id == MIDDLE
        for content in (other, b"", one[:-1] + bytes([one[-1] ^ 1])):
            connection.execute(update(journal_content).where(of_middle).values(before=content))
            assert found(connection, keys) == [(Kind.CONTENT_REPLACED, AGENT, 3, None, MIDDLE, None)]
        connection.execute(delete(journal_content).where(of_middle))
        assert found(connection, keys) == [(Kind.CONTENT_REMOVED, AGENT, 3, None, MIDDLE, None)]
        connection.execute(insert(journal_content), {"journal_id": MIDDLE, "before": one})
        connection.execute(insert(journal_content), {"journal_id": 1, "before": one})
        assert found(connection, keys) == [(Kind.CONTENT_INSERTED, AGENT, 1, None, 1, None)]


# --- whoever has the keys too --------------------------------------------------------------------------------


def made_anew(connection: Connection, keys: Keyring, number: int, **changes: object) -> None:
    """An entry rewritten, and all that follows it in its chain, with right digests: only a checkpoint tells."""
    change(connection, number, **changes)
    chain = row_of(connection, number)["chain"]
    of_chain = select(journal.c.id).where(journal.c.chain == chain).order_by(journal.c.sequence)
    previous = ""
    for each in connection.scalars(of_chain).all():
        row = row_of(connection, each) | {"previous": previous}
        previous = entry_digest(keys.chain_key, row)
        change(connection, each, previous=row["previous"], digest=previous)


def test_a_chain_made_anew_with_the_keys_is_not_what_was_sealed(
    written: Store, database: Database, keys: Keyring
) -> None:
    checkpoint = sealed(written)
    with tampered(database) as connection:
        made_anew(connection, keys, 4, rule="another")
        connection.execute(text("DELETE FROM journal_checkpoint"))
        assert found(connection, keys) == []
        assert found(connection, keys, checkpoint) == [(Kind.DIFFERS, AGENT, 5, None, 12, None)]


def test_an_entry_made_anew_without_those_after_it_does_not_fit_in(
    written: Store, database: Database, keys: Keyring
) -> None:
    with tampered(database) as connection:
        row = row_of(connection, 4) | {"rule": "another"}
        change(connection, 4, rule="another", digest=entry_digest(keys.chain_key, row))
        assert found(connection, keys) == [(Kind.RELINKED, AGENT, 3, None, 5, None)]


# --- checkpoints ---------------------------------------------------------------------------------------------


def test_what_a_checkpoint_covers_is_sealed_and_what_comes_after_is_not(written: Store) -> None:
    checkpoint = sealed(written)
    with written.transaction() as tx:
        tx.journal(entry())
        tx.journal(entry(agent_id=None))
    verdict = written.verify_journal([Given("file", checkpoint)])
    assert (verdict.is_whole, verdict.sealed_id, verdict.unsealed, verdict.sealed_at) == (True, 12, 2, NOW)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"number":1', '"number":2'),
        ('"last_id":12', '"last_id":11'),
        ('"removed_before":null', '"removed_before":"2026-01-01T00:00:00.000000+00:00"'),
        ("[[0,3,", "[[0,2,"),
        ('"at":"20', '"at":"21'),
    ],
)
def test_an_altered_checkpoint_counts_for_nothing_and_is_named(written: Store, old: str, new: str) -> None:
    line = sealed(written).line
    assert old in line
    verdict = written.verify_journal([Given("from the safe", parse(line.replace(old, new)))])
    assert [(one.kind, one.detail.partition(":")[0]) for one in verdict.findings] == [
        (Kind.CHECKPOINT, "from the safe")
    ]


def test_a_checkpoint_signed_by_another_key_counts_for_nothing(
    written: Store, database: Database, keys: Keyring, tmp_path: Any
) -> None:
    create_key_file(tmp_path / "keys")
    stranger = load_keys(tmp_path / "keys")
    with tampered(database) as connection:
        foreign = checkpoints.make(connection, stranger, at=NOW)
        assert {one.kind for one in judged(connection, keys, foreign).findings} == {Kind.CHECKPOINT}
    checkpoint = sealed(written)
    own = checkpoints.read_public_key(checkpoints.public_key_pem(keys).encode())
    theirs = checkpoints.read_public_key(checkpoints.public_key_pem(stranger).encode())
    assert written.verify_journal([Given("file", checkpoint)], public_key=own).is_whole
    assert not written.verify_journal([Given("file", checkpoint)], public_key=theirs).is_whole


@pytest.mark.parametrize("line", ["", "x", "{}", "[]", "3", '{"journal_checkpoint": 2}', '{"journal_checkpoint": 1}'])
def test_what_is_no_checkpoint_is_refused(line: str) -> None:
    with pytest.raises(UnusableCheckpoint):
        checkpoints.parse_all(line)


def test_only_the_newest_checkpoints_are_kept(written: Store, database: Database) -> None:
    with written.transaction() as tx:
        for _ in range(40):
            tx.seal_journal(at=NOW)
    with database.read() as connection:
        assert [number for number, _ in checkpoints.kept(connection)] == list(range(11, 41))


# --- any change at all ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared(shared_store: Store) -> Store:
    write(shared_store)
    return shared_store


@given(data=st.data())
def test_any_bit_of_any_value_is_found_and_its_entry_named(shared: Store, keys: Keyring, data: st.DataObject) -> None:
    database = shared._database
    number = data.draw(st.integers(1, len(WRITTEN)), "entry")
    name = data.draw(st.sampled_from([column.name for column in journal.c if column.name != "id"]), "column")
    with tampered(database) as connection:
        value = row_of(connection, number)[name]
        if isinstance(value, str):
            place = data.draw(st.integers(0, max(0, len(value) - 1)), "place")
            flipped = chr(ord(value[place]) ^ (1 << data.draw(st.integers(0, 6), "bit"))) if value else "x"
            changed: object = value[:place] + flipped + value[place + 1 :]
        elif isinstance(value, datetime):
            changed = value + timedelta(microseconds=data.draw(st.integers(-(10**12), 10**12), "by"))
        else:
            changed = (value or 0) ^ (1 << data.draw(st.integers(0, 40), "bit"))
        assume(changed != value)
        change(connection, number, **{name: changed})
        findings = judged(connection, keys).findings
        assert [one.entry_id for one in findings] == [number]
