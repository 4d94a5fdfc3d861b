"""What only a server brings: it may be away, refuse, lose a session, differ in its settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import insert, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, ProgrammingError

from connectors.errors import ConnectorError, ITMustAct, RetryLater
from gateway.keys import Keyring
from gateway.store import postgresql
from gateway.store.database import Database, open_database, sync_lock, upgrade
from gateway.store.postgresql import PostgreSql, connect_arguments
from gateway.store.problems import AnotherSync, Unreachable
from gateway.store.schema import meta
from gateway.store.store import Store
from tests.servers.postgres import PostgresServer
from tests.store.samples import AGENT, MAIN, MORNING, NOW, agent, block, copy, entry, event


@pytest.fixture
def database(postgres_url: str, keys: Keyring) -> Iterator[Database]:
    database = open_database(postgres_url, keys)
    yield database
    database.close()


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """A server for this module alone, which its tests stop, and where the role `locked` needs a password."""
    with PostgresServer() as server:
        server.execute("CREATE ROLE locked LOGIN PASSWORD 'geheim'")
        rules = server.data / "pg_hba.conf"
        rules.write_text("local all locked scram-sha-256\nlocal all all trust\n")
        server.execute("SELECT pg_reload_conf()")
        yield server


def end_sessions(server: PostgresServer, url: str) -> None:
    """As when the server restarts, or an administrator ends them."""
    name = make_url(url).database
    server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")


# --- what it is told -----------------------------------------------------------------------------------------


def test_what_comes_back_does_not_depend_on_the_servers_settings(
    postgres: PostgresServer, postgres_url: str, keys: Keyring
) -> None:
    name = make_url(postgres_url).database
    for setting in (
        "timezone TO 'Pacific/Chatham'",
        "datestyle TO 'SQL, DMY'",
        "default_transaction_isolation TO 'serializable'",
        "bytea_output TO 'escape'",
        "client_encoding TO 'LATIN1'",
        "statement_timeout TO 1",
        "idle_session_timeout TO 1",
    ):
        postgres.execute(f"ALTER DATABASE {name} SET {setting}")
    database = open_database(postgres_url, keys)
    store = Store(database)
    given = copy(1, ends_at=NOW), block(1, start=MORNING.replace(microsecond=1))
    with store.transaction() as tx:
        tx.put_agent(agent(AGENT))
        tx.put_copy(given[0])
        tx.put_block(given[1])
        tx.journal(entry(before=bytes(range(256))))
    view = store.agent_view(AGENT)
    assert (view.copies, view.blocks) == ((given[0],), (given[1],))
    assert store.journal(with_content=True)[0].entry == entry(before=bytes(range(256)))
    with database.write() as connection:
        assert connection.scalar(text("SHOW transaction_isolation")) == "read committed"
    with database.read() as connection:
        assert connection.scalar(text("SHOW transaction_isolation")) == "repeatable read"
    database.close()


def test_a_session_has_limits_and_its_machine_is_missed_soon(database: Database) -> None:
    expected = {
        "lock_timeout": "30s",
        "statement_timeout": "1min",
        "idle_in_transaction_session_timeout": "1min",
        "idle_session_timeout": "0",
        "TimeZone": "UTC",
        "synchronous_commit": "on",
        "application_name": "rdv-gateway",
    }
    with database.read() as connection:
        assert {name: connection.scalar(text(f"SHOW {name}")) for name in expected} == expected


def test_a_reading_cannot_write(database: Database) -> None:
    with pytest.raises(ITMustAct, match="may not be written"), database.read() as connection:
        connection.execute(insert(meta), {"name": "a", "value": "b"})


def test_text_is_ordered_by_code_point_and_may_hold_what_postgresql_cannot(database: Database) -> None:
    """A reading with a UID that holds U+0000 is kept like any other: one bad item never stops the rest."""
    store = Store(database)
    names = ["a", "B", "é", "Z", "\x1b", "z\x00", "🗓", "\x1b0"]
    events = [replace(event(name), uid=f"{name}\x00", href=name) for name in names]
    with store.transaction() as tx:
        tx.put_agent(agent(AGENT, sources=(), target=MAIN))
        tx.save_calendar_reading(MAIN, events=events, gone=["\x00"], cursor="\x00", mark="", read_at=NOW)
    seen = store.agent_view(AGENT).events
    assert [each.href for each in seen] == sorted(names)
    assert {each.uid for each in seen} == {f"{name}\x00" for name in names}
    with store.transaction() as tx:
        tx.save_calendar_reading(MAIN, events=[], gone=["z\x00"], cursor="", mark="", read_at=NOW)
    assert set(store.known_items(MAIN)) == set(names) - {"z\x00"}


def test_every_text_column_is_ordered_by_code_point(database: Database) -> None:
    """Else an upgrade of the system's locales may damage the indexes."""
    query = (
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        " AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'"
    )
    with database.read() as connection:
        assert connection.execute(text(query)).all() == []


# --- away, and back ------------------------------------------------------------------------------------------


def test_a_session_that_is_ended_undoes_its_transaction_and_the_next_one_works(
    database: Database, postgres: PostgresServer, postgres_url: str
) -> None:
    store = Store(database)

    def interrupted() -> None:
        with store.transaction() as tx:
            tx.put_agent(agent(AGENT))
            end_sessions(postgres, postgres_url)
            tx.put_block(block(1))

    with pytest.raises(Unreachable):
        interrupted()
    assert store.agents() == ()
    with store.transaction() as tx:
        tx.put_agent(agent(AGENT))
    assert store.agents() == (agent(AGENT),)


def test_a_sync_that_lost_its_lock_writes_nothing_any_more(
    database: Database, postgres: PostgresServer, postgres_url: str, keys: Keyring
) -> None:
    """Its process lives, and its other connections come back; but another process may sync by now."""
    store = Store(database)
    with store.transaction() as tx:
        tx.put_agent(agent(AGENT))
    with store.sync_lock():
        end_sessions(postgres, postgres_url)
        other = open_database(postgres_url, keys)
        with Store(other).sync_lock():
            for _ in range(3):
                with pytest.raises(Unreachable), store.transaction() as tx:
                    tx.put_block(block(1))
            with Store(other).transaction() as tx:
                tx.put_block(block(2))
        other.close()
        with pytest.raises(Unreachable, match="another process may sync by now"), store.transaction():
            pass
        assert [one.absence_id for one in store.agent_view(AGENT).blocks] == [2]
    with store.sync_lock(), store.transaction() as tx:
        tx.put_block(block(3))
    assert store.highest_absence_id() == 3


def test_a_server_that_stops_passes_and_all_goes_on_when_it_is_back(own_server: PostgresServer, keys: Keyring) -> None:
    url = own_server.url(own_server.new_database())
    upgrade(url)
    database = open_database(url, keys)
    store = Store(database)
    with store.transaction() as tx:
        tx.put_agent(agent(AGENT))
    own_server.stop()
    for _ in range(2):
        with pytest.raises(Unreachable):
            store.agents()
        with pytest.raises(Unreachable), store.transaction():
            pass
        with pytest.raises(Unreachable), store.sync_lock():
            pass
        with pytest.raises(Unreachable):
            open_database(url, keys)
    own_server.start()
    assert store.agents() == (agent(AGENT),)
    with store.sync_lock(), store.transaction() as tx:
        tx.put_block(block(1))
    database.close()


def test_a_statement_that_takes_too_long_is_given_up(
    postgres_url: str, keys: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "STATEMENT_SECONDS", 0.05)
    database = open_database(postgres_url, keys)
    with pytest.raises(RetryLater, match="takes too long"), database.read() as connection:
        connection.execute(text("SELECT pg_sleep(5)"))
    database.close()


def test_threads_wait_for_a_connection_and_not_for_ever(
    database: Database, postgres_url: str, keys: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "_POOL", 1)
    monkeypatch.setattr(postgresql, "_OVERFLOW", 0)
    narrow = open_database(postgres_url, keys)
    monkeypatch.setattr(narrow._engines.reading.pool, "_timeout", 0.05)
    with narrow.read(), pytest.raises(RetryLater, match="no connection to the database came free"), narrow.read():
        pass
    narrow.close()


# --- refusals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("postgresql://locked:falsch@/postgres", "refuses the connection"),
        ("postgresql://locked@/postgres", "asks for a password"),
        ("postgresql://nobody-here@/postgres", "refuses the connection"),
        ("postgresql://postgres@/no-such-database", "refuses the connection"),
    ],
)
def test_a_refusal_is_for_it_and_says_no_secret(
    own_server: PostgresServer, keys: Keyring, place: str, said: str
) -> None:
    url = f"{place}?host={own_server.directory}"
    with pytest.raises(ITMustAct, match=said) as refused:
        open_database(url, keys)
    assert "falsch" not in f"{refused.value} {refused.value.remedy} {refused.value.__cause__}"


def test_the_right_password_opens(own_server: PostgresServer, keys: Keyring) -> None:
    name = own_server.new_database()
    own_server.execute(f"ALTER DATABASE {name} OWNER TO locked")
    url = make_url(own_server.url(name, user="locked")).set(password="geheim")
    upgrade(url)
    open_database(url, keys).close()


def test_a_role_that_may_not_make_tables_is_for_it(own_server: PostgresServer) -> None:
    url = make_url(own_server.url(own_server.new_database(), user="locked")).set(password="geheim")
    with pytest.raises(ITMustAct, match="the role lacks a right"):
        upgrade(url)


def test_a_database_that_cannot_hold_every_text_is_refused(postgres: PostgresServer) -> None:
    postgres.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    try:
        with pytest.raises(ITMustAct, match="encoding is LATIN1"):
            upgrade(postgres.url("latin"))
    finally:
        postgres.drop_database("latin")


@pytest.mark.parametrize(
    ("state", "kind", "said"),
    [
        ("53100", ITMustAct, "its disk is full"),
        ("42501", ITMustAct, "lacks a right"),
        ("XX001", ITMustAct, "damaged"),
        ("40001", RetryLater, "keeps the database busy"),
        ("40P01", RetryLater, "keeps the database busy"),
        ("57014", RetryLater, "takes too long"),
        ("53300", Unreachable, "ended the connection"),
        ("08006", Unreachable, "ended the connection"),
        ("42P01", ProgrammingError, "UndefinedTable"),
    ],
)
def test_what_a_server_says_is_sorted_by_what_to_do(
    database: Database, state: str, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said), database.write() as connection:
        connection.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'words' USING ERRCODE = '{state}'; END $$"))


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ('connection to server at "10.0.0.1", port 5432 failed: Connection refused', Unreachable),
        ("could not translate host name", Unreachable),
        ("FATAL:  the database system is starting up", Unreachable),
        ("FATAL:  désolé, trop de clients sont déjà connectés", Unreachable),
        ("FATAL:  le système de bases de données se lance", Unreachable),
        ("FATAL:  authentification par mot de passe échouée pour l'utilisateur « gateway »", ITMustAct),
        ("FATAL:  no pg_hba.conf entry for host", ITMustAct),
        ("SSL error: certificate verify failed", ITMustAct),
        ("server does not support SSL, but SSL was required", ITMustAct),
    ],
)
def test_words_at_connecting_are_sorted_in_english_and_french(words: str, kind: type[ConnectorError]) -> None:
    explained = PostgreSql(make_url("postgresql:///gateway")).explain(psycopg.OperationalError(words))
    assert type(explained) is kind


def test_a_refused_row_is_not_quoted(database: Database) -> None:
    """PostgreSQL adds the values that it refuses to its messages."""
    row = {"name": "Dentiste", "value": "Dentiste"}
    with database.write() as connection:
        connection.execute(insert(meta), row)
    for statement, values in ((insert(meta), row), (text("SELECT CAST(:value AS integer)"), {"value": "Dentiste"})):
        with pytest.raises(DBAPIError) as caught, database.write() as connection:
            connection.execute(statement, values)
        assert "Dentiste" not in f"{caught.value} {caught.value.orig!r} {caught.value.orig}"
    assert isinstance(caught.value.orig, errors.DataError)


# --- the way there -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://gateway@db.departement.example.fr/gateway", ("verify-full", "system")),
        ("postgresql://gateway@10.1.2.3/gateway", ("verify-full", "system")),
        ("postgresql:///gateway?host=db1.example.fr,db2.example.fr", ("verify-full", "system")),
        ("postgresql:///gateway?host=localhost,db2.example.fr", ("verify-full", "system")),
        ("postgresql://db.example.fr/gateway?sslrootcert=/etc/ssl/ca.pem", ("verify-full", None)),
        ("postgresql://db.example.fr/gateway?sslmode=require", (None, None)),
        ("postgresql:///gateway", (None, None)),
        ("postgresql:///gateway?host=/run/postgresql", (None, None)),
        ("postgresql://gateway@localhost/gateway", (None, None)),
        ("postgresql://gateway@127.0.0.1/gateway", (None, None)),
    ],
)
def test_over_a_network_the_server_proves_who_it_is(
    url: str, expected: tuple[str | None, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGHOST", raising=False)
    arguments = connect_arguments(make_url(url), {})
    assert (arguments.get("sslmode"), arguments.get("sslrootcert")) == expected


def test_a_server_named_by_the_environment_proves_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db.example.fr")
    assert connect_arguments(make_url("postgresql:///gateway"), {})["sslmode"] == "verify-full"


def test_what_the_url_says_goes_first_and_its_options_are_kept(postgres_url: str) -> None:
    url = make_url(f"{postgres_url}&options=-csearch_path%3Dmine&connect_timeout=3")
    arguments = connect_arguments(url, {"timezone": "UTC"})
    assert arguments["options"] == "-csearch_path=mine -c timezone=UTC"
    assert "connect_timeout" not in arguments


def test_a_schema_of_its_own_is_possible(postgres: PostgresServer, empty_postgres_url: str, keys: Keyring) -> None:
    """Where the administrators give a schema instead of a database."""
    name = make_url(empty_postgres_url).database or ""
    postgres.execute("CREATE SCHEMA mine", database=name)
    url = f"{empty_postgres_url}&options=-csearch_path%3Dmine"
    upgrade(url)
    database = open_database(url, keys)
    with database.write() as connection:
        connection.execute(insert(meta), {"name": "a", "value": "b"})
    with database.read() as connection:
        assert connection.scalar(select(meta.c.value).where(meta.c.name == "a")) == "b"
        assert connection.scalar(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")) == 0
    database.close()
    with sync_lock(url), pytest.raises(AnotherSync), sync_lock(empty_postgres_url):
        pass


def test_nothing_of_a_password_is_said(tmp_path: Path, keys: Keyring) -> None:
    with pytest.raises(Unreachable) as away:
        open_database(f"postgresql://me:geheim@/gateway?host={tmp_path}", keys)
    assert "geheim" not in f"{away.value!r} {away.value.__cause__!r} {away.value.__cause__}"
