"""The journal: added to and read, never changed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import IntegrityError

from gateway.keys import Keyring
from gateway.store.database import Database
from gateway.store.schema import journal, journal_content
from gateway.store.store import Store
from tests.store.samples import AGENT, NOW, entry


def test_entries_are_read_newest_first_and_page_by_page(store: Store) -> None:
    entries = [entry(reference=f"rdv {number}", at=NOW + timedelta(seconds=number)) for number in range(5)]
    with store.transaction() as tx:
        numbers = [tx.journal(one) for one in entries]
    assert numbers == sorted(set(numbers))
    assert [row.entry for row in store.journal()] == entries[::-1]
    page = store.journal(limit=2)
    assert [row.id for row in page] == numbers[:2:-1]
    assert [row.id for row in store.journal(limit=9, before_id=page[-1].id)] == numbers[2::-1]


def test_entries_are_chosen_by_agent_and_by_run(store: Store) -> None:
    with store.transaction() as tx:
        tx.journal(entry(agent_id=1, run_id="a"))
        tx.journal(entry(agent_id=2, run_id="a"))
        tx.journal(entry(agent_id=None, run_id="b"))
    assert [row.entry.agent_id for row in store.journal(run_id="a")] == [2, 1]
    assert [row.entry.run_id for row in store.journal(agent_id=2)] == ["a"]
    assert store.journal(agent_id=2, run_id="b") == ()


def test_a_pre_image_is_given_only_when_asked_for(store: Store) -> None:
    with store.transaction() as tx:
        tx.journal(entry(before=b"SUMMARY:Dentiste"))
        tx.journal(entry(before=b""))
        tx.journal(entry())
    assert [row.entry.before for row in store.journal()] == [None, None, None]
    assert [row.entry.before for row in store.journal(with_content=True)] == [None, b"", b"SUMMARY:Dentiste"]


_CHANGES = {
    "change an entry": update(journal).values(agent_id=9),
    "remove an entry": delete(journal),
    "change a pre-image": update(journal_content).values(before=b""),
}
_ONLY = {
    "sqlite": {
        "replace an entry": text("REPLACE INTO journal SELECT * FROM journal"),
        "replace a pre-image": text("REPLACE INTO journal_content VALUES (1, 'x')"),
    },
    "postgresql": {
        "replace a pre-image": text(
            "INSERT INTO journal_content VALUES (1, 'x') ON CONFLICT (journal_id) DO UPDATE SET before = 'x'"
        ),
        "empty the pre-images": text("TRUNCATE journal_content"),
        "empty everything": text("TRUNCATE journal CASCADE"),
    },
}


def test_the_database_itself_refuses_to_change_the_journal(store: Store, database: Database) -> None:
    with store.transaction() as tx:
        tx.journal(entry(before=b"before"))
    with database.read() as connection:
        kind = connection.dialect.name
    for change in (_CHANGES | _ONLY[kind]).values():
        with pytest.raises(IntegrityError, match="append-only"), database.write() as connection:
            connection.execute(change)
    assert [row.entry for row in store.journal(with_content=True)] == [entry(before=b"before")]


def test_an_erased_pre_image_leaves_the_entry_and_its_digest(store: Store, database: Database, keys: Keyring) -> None:
    with store.transaction() as tx:
        number = tx.journal(entry(before=b"before"))
    with database.write() as connection:
        connection.execute(delete(journal_content))
    with database.read() as connection:
        assert connection.scalar(select(journal.c.before_digest)) == keys.persons.digest(AGENT, b"before")
    assert store.journal(with_content=True) == ((number, entry()),)


def test_an_entry_of_what_was_rolled_back_is_not_in_the_journal(store: Store) -> None:
    def fail() -> None:
        with store.transaction() as tx:
            tx.journal(entry(before=b"before"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.journal() == ()
