"""Entries that an earlier version wrote are put into their chains, and their pre-images under the keys of persons."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from connectors.errors import ITMustAct
from gateway.keys import Keyring
from gateway.sealing import PERSON_FORMAT
from gateway.store.database import alone, backend_of, downgrade, open_database, upgrade
from gateway.store.store import Store
from tests.store.samples import AGENT, NOW

_ENTRY = text(
    "INSERT INTO journal (id, at, run_id, agent_id, side, action, object, reference, rule, fields, before_digest,"
    " after_digest)"
    " VALUES (:id, :at, 'run', :agent, 'calendar', 'update', 'rdv_copy', :reference, 'rule', '[]', '', '')"
)
_CONTENT = text("INSERT INTO journal_content (journal_id, before) VALUES (:id, :before)")
_IDS = (1, 2, 5, 9)
"""With gaps: numbers that PostgreSQL gave and a rollback took back."""


def written_before(url: str, keys: Keyring) -> None:
    downgrade(url, "0006")
    with alone(backend_of(url)) as connection:
        moment = NOW if connection.dialect.name == "postgresql" else f"{NOW:%Y-%m-%d %H:%M:%S.%f}"
        for number in _IDS:
            row = {"id": number, "at": moment, "agent": None if number == 2 else AGENT, "reference": f"rdv {number}"}
            connection.execute(_ENTRY, row)
        sealed = keys.encrypt(b"before 5", "journal_content/before/5")
        connection.execute(_CONTENT, {"id": 5, "before": sealed})


def test_they_are_whole_and_readable_afterwards(url: str, keys: Keyring) -> None:
    written_before(url, keys)
    upgrade(url, keys)
    database = open_database(url, keys)
    store = Store(database)
    verdict = store.verify_journal()
    assert (verdict.findings, verdict.entries, verdict.chains) == ((), 4, 2)
    rows = store.journal(with_content=True)
    assert [(row.id, row.entry.reference, row.entry.before) for row in rows] == [
        (4, "rdv 9", None),
        (3, "rdv 5", b"before 5"),
        (2, "rdv 2", None),
        (1, "rdv 1", None),
    ]
    with database.read() as connection:
        assert connection.scalar(text("SELECT before FROM journal_content"))[:1] == PERSON_FORMAT
    database.close()


def test_without_the_keys_nothing_is_changed_and_the_command_is_said(url: str, keys: Keyring) -> None:
    written_before(url, keys)
    with pytest.raises(ITMustAct, match="are to be linked") as caught:
        upgrade(url)
    assert caught.value.remedy == "Run `rdv-gateway db upgrade`."
    with alone(backend_of(url)) as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "0006"


def test_there_and_back_the_entries_stay(url: str, keys: Keyring) -> None:
    written_before(url, keys)
    upgrade(url, keys)
    downgrade(url, "0006")
    with alone(backend_of(url)) as connection:
        assert connection.scalar(text("SELECT count(*) FROM journal")) == 4
        with pytest.raises(Exception, match="append-only"):
            connection.execute(text("DELETE FROM journal"))
        connection.rollback()
