"""Nothing personal is in the database's files in clear."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlalchemy.engine import make_url

from connectors.records import EventDraft, Participation, UsagerField
from gateway.keys import Keyring, Undecipherable
from gateway.store.database import Database, open_database
from gateway.store.schema import observed_absence
from gateway.store.store import Store
from gateway.sync.values import Held, HoldReason
from tests.servers.postgres import PostgresServer
from tests.store.samples import AGENT, NOW, absence, agent, entry, operation, rdv

SECRETS = (
    "Addictologie",
    "Camille Dupont",
    "3 rue des Lilas",
    "CMP Nord",
    "Dentiste",
    "Violences",
    "jeton-api",
    "Café",
)


def _forms(text: str) -> set[bytes]:
    return {text.encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be", "latin-1")} | {
        text.encode("unicode_escape")
    }


def _save_everything(store: Store) -> None:
    motif, person, home, place, title, why, token, accent = SECRETS
    personal = rdv(
        motif_name=motif,
        title=accent,
        lieu_name=place,
        lieu_address=home,
        context=why,
        participations=(Participation(1, "unknown", 5, ((UsagerField.LAST_NAME, person),)),),
    )
    draft = EventDraft("uid", "marker", NOW, NOW, f"{motif} {person}", location=home, description=f"{why} {accent}")
    write = operation(draft=draft)
    with store.transaction() as tx:
        tx.save_rdvs([personal], digests={1: "digest"}, agents_epoch=1, read_at=NOW)
        tx.save_absences([absence(1, title=title), absence(2, title=accent)])
        done = tx.open_intent("run", write, highest_absence_id=0, at=NOW)
        tx.close_intent(done.id, "done")
        tx.open_intent("run", write, highest_absence_id=0, at=NOW)
        tx.replace_holds(AGENT, [Held(write, HoldReason.FIRST_RUN, "first run")], run_id="run", at=NOW)
        tx.journal(entry(before=f"SUMMARY:{title}\r\nLOCATION:{home} {accent}".encode()))
        tx.put_secret("token", token.encode())


def _found(content: bytes) -> set[str]:
    return {text for text in SECRETS for form in _forms(text) if form in content}


def _check_readable(store: Store) -> None:
    """It is kept, and readable with the keys."""
    view = store.agent_view(AGENT)
    assert view.rdvs[0].rdv.lieu_address in SECRETS
    assert {seen.absence.title for seen in view.absences} <= set(SECRETS)


def test_no_personal_text_is_in_sqlites_files_the_write_ahead_log_included(path: Path, keys: Keyring) -> None:
    database = open_database(path, keys)
    store = Store(database)
    with store.transaction() as tx:
        tx.put_agent(agent(AGENT))
    _save_everything(store)
    _check_readable(store)
    wal = path.with_name(f"{path.name}-wal")
    assert b"zimbra" in path.read_bytes() + wal.read_bytes()  # what is not encrypted would be found
    for state in ("open", "closed"):
        assert (state, _found(b"".join(file.read_bytes() for file in path.parent.iterdir()))) == (state, set())
        database.close()


def test_no_personal_text_is_in_postgresqls_tables_nor_in_the_files_under_them(
    postgres: PostgresServer, postgres_url: str, keys: Keyring
) -> None:
    """The files hold what was overwritten and removed, too."""
    database = open_database(postgres_url, keys)
    store = Store(database)
    with store.transaction() as tx:
        tx.put_agent(agent(AGENT))
    _save_everything(store)
    _check_readable(store)
    database.close()
    name = str(make_url(postgres_url).database)
    for content in (postgres.rows(name), postgres.files(name)):
        assert b"zimbra" in content
        assert _found(content) == set()


def test_a_value_copied_to_another_row_is_not_read_as_that_rows(store: Store, database: Database) -> None:
    """Whoever can write the database cannot show one agent's absence under another's id."""
    with store.transaction() as tx:
        tx.save_absences([absence(1, title="Dentiste"), absence(2, agent_id=99)])
    with database.write() as connection:
        connection.execute(update(observed_absence).values(id=observed_absence.c.id + 10))
    with pytest.raises(Undecipherable, match=r"^observed_absence/title/11: altered, or moved from another place$"):
        store.agent_view(AGENT)


def test_values_show_no_title_when_printed(store: Store) -> None:
    _save_everything(store)
    shown = repr((store.agent_view(AGENT), store.open_intents(), store.holds(), store.journal(with_content=True)))
    assert [text for text in SECRETS if text in shown] == []
    assert "Dentiste" not in repr(replace(absence(), title="Dentiste"))
