"""The migrations make what the code expects, go back, and do all or nothing."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, text

from gateway.keys import Keyring
from gateway.store import database, migrate
from gateway.store.database import downgrade, open_database, upgrade
from gateway.store.problems import UnmigratedDatabase
from gateway.store.schema import REVISION, metadata
from gateway.store.store import Store
from tests.store.samples import AGENT, agent


@contextmanager
def plain(url: str) -> Iterator[Connection]:
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_the_tables_of_the_code_are_those_of_the_migrations(url: str) -> None:
    with plain(url) as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_checks_of_the_code_are_those_of_the_migrations(url: str, request: pytest.FixtureRequest) -> None:
    """Alembic does not compare CHECKs."""
    empty = "sqlite://" if url.startswith("sqlite") else request.getfixturevalue("empty_postgres_url")

    def checks(connection: Connection) -> dict[str, set[tuple[object, str]]]:
        look = inspect(connection)
        return {
            table: {(one["name"], one["sqltext"]) for one in look.get_check_constraints(table)}
            for table in metadata.tables
        }

    with plain(url) as migrated, plain(empty) as made:
        metadata.create_all(made)
        assert checks(migrated) == checks(made)
        assert sum(map(len, checks(made).values())) > 10


def test_the_code_names_the_newest_revision() -> None:
    assert ScriptDirectory.from_config(migrate.config()).get_heads() == [REVISION]


def test_down_to_nothing_and_up_again(url: str, keys: Keyring) -> None:
    downgrade(url, "base")
    with plain(url) as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]
    with pytest.raises(UnmigratedDatabase):
        open_database(url, keys)
    upgrade(url)
    opened = open_database(url, keys)
    assert Store(opened).agents() == ()
    opened.close()


def test_what_was_known_to_be_native_stays_so_and_every_event_is_asked_again(url: str) -> None:
    """Down: whether; up: as what, which only another reading tells."""
    downgrade(url, "0004")
    with plain(url) as connection:
        connection.execute(
            text(
                "INSERT INTO calendar_state (id, account, calendar, mark, read_at, patterns)"
                " VALUES (1, 'a', '/c/', 'm', '2026-03-02 09:00:00', 'asked')"
            )
        )
        for name, native in (("/c/1.ics", "TRUE"), ("/c/2.ics", "FALSE")):
            empty = ", ".join(["''"] * 7)
            connection.execute(
                text(
                    "INSERT INTO observed_event (calendar_id, href, version, raw_digest, uid, set_aside, owned_digest,"
                    f" times_digest, title_digest, notes_digest, native) VALUES (1, '{name}', '1', {empty}, {native})"
                )
            )
        connection.commit()
    upgrade(url)
    with plain(url) as connection:
        events = connection.execute(text("SELECT href, native FROM observed_event ORDER BY href")).all()
        assert [tuple(each) for each in events] == [("/c/1.ics", "sync"), ("/c/2.ics", None)]
        assert connection.execute(text("SELECT patterns FROM calendar_state")).scalar() == "anew"
    downgrade(url, "0004")
    with plain(url) as connection:
        events = connection.execute(text("SELECT href, native FROM observed_event ORDER BY href")).all()
        assert [bool(each.native) for each in events] == [True, False]


def test_a_database_that_is_current_is_left_alone(store: Store, url: str) -> None:
    upgrade(url)
    assert store.agents() == (agent(AGENT),)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_an_upgrade_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: Keyring, request: pytest.FixtureRequest, kind: str
) -> None:
    url = f"sqlite:///{tmp_path}/new.sqlite3" if kind == "sqlite" else request.getfixturevalue("empty_postgres_url")

    def fails_late(connection: Connection, _keys: object) -> None:
        migrate.command.upgrade(migrate.config(connection), "head")
        raise OSError("power cut")

    monkeypatch.setattr(database.migrate, "upgrade_connection", fails_late)
    with pytest.raises(OSError, match="power cut"):
        upgrade(url)
    monkeypatch.undo()
    with plain(url) as connection:
        assert inspect(connection).get_table_names() == []
    upgrade(url)
    open_database(url, keys).close()


def test_a_new_database_is_readable_by_its_owner_only(tmp_path: Path, keys: Keyring) -> None:
    path = tmp_path / "var" / "gateway.sqlite3"
    upgrade(f"sqlite:///{path}")
    opened = open_database(f"sqlite:///{path}", keys)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    opened.close()
    assert modes == {"gateway.sqlite3": 0o600, "gateway.sqlite3-wal": 0o600, "gateway.sqlite3-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("place", ["missing", "empty", "old"])
def test_a_database_that_is_not_current_is_refused_with_the_command_to_run(
    tmp_path: Path, keys: Keyring, place: str
) -> None:
    path = tmp_path / "gateway.sqlite3"
    if place != "missing":
        path.touch(0o600)
    if place == "old":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
            connection.execute("INSERT INTO alembic_version VALUES ('0000')")
            connection.commit()
    with pytest.raises(UnmigratedDatabase) as caught:
        open_database(f"sqlite:///{path}", keys)
    assert caught.value.remedy == "Run `rdv-gateway db upgrade`."
    assert path.exists() == (place != "missing")


def test_a_postgresql_database_without_tables_is_refused_with_the_command_to_run(
    empty_postgres_url: str, keys: Keyring
) -> None:
    with pytest.raises(UnmigratedDatabase) as caught:
        open_database(empty_postgres_url, keys)
    assert caught.value.remedy == "Run `rdv-gateway db upgrade`."


def test_a_database_of_a_newer_version_is_not_touched(url: str, keys: Keyring) -> None:
    with plain(url) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.commit()
    with pytest.raises(UnmigratedDatabase, match="newer version") as caught:
        open_database(url, keys)
    assert "Install that version" in caught.value.remedy
