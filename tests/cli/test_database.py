"""`db upgrade` and `db copy`, and a deployment on PostgreSQL."""

import tomllib

import pytest

from gateway.composition import opened_store
from gateway.settings import load
from gateway.store.database import sync_lock
from tests.store.samples import AGENT, agent, entry


@pytest.fixture
def made(cli):
    """A deployment on SQLite with one agent and one entry in its journal."""
    answer = cli(
        *("init", "--url", "https://rdv.example.fr", "--login", "technique@example.fr", "--account", "agenda"),
        *("--account-url", "https://dav.example.fr/", "--username", "service"),
    )
    assert answer.code == 0
    with opened_store(load(cli.config)) as store, store.transaction() as tx:
        tx.put_agent(agent(AGENT))
        tx.journal(entry(before=b"before"))
    return cli


def name_database(cli, url):
    old = tomllib.loads(cli.config.read_text())["gateway"]["database"]
    cli.config.write_text(cli.config.read_text().replace(f'database = "{old}"', f'database = "{url}"'))


def journal(cli):
    answer = cli("journal", "--json")
    assert answer.code == 0, answer.err
    return answer.json


def test_to_postgresql_and_back_by_the_commands_alone(made, empty_postgres_url):
    """Copy, change the configuration, go on; the other way too."""
    before = journal(made)
    answer = made("db", "copy", "--to", empty_postgres_url, "--json")
    assert answer.code == 0, answer.err
    there = {table["table"]: (table["rows"], table["sha256"]) for table in answer.json["tables"]}
    assert (there["journal"][0], there["linked_agent"][0], there["pool_block"][0]) == (1, 1, 0)
    name_database(made, empty_postgres_url)
    assert journal(made) == before
    assert made("db", "upgrade", "--json").json == {"database": empty_postgres_url, "current": True}
    assert [one["agent"] for one in made("status", "--json").json["agents"]] == [AGENT]

    back = made.config.parent / "back.sqlite3"
    answer = made("db", "copy", "--to", str(back), "--json")
    assert answer.json["to"] == str(back)
    assert {table["table"]: (table["rows"], table["sha256"]) for table in answer.json["tables"]} == there
    name_database(made, "back.sqlite3")
    assert journal(made) == before


def test_a_person_reads_what_was_copied_and_what_to_do(made):
    """Rows and a digest of each table, then the next step."""
    answer = made("db", "copy", "--to", str(made.config.parent / "copy.sqlite3"))
    assert answer.code == 0
    assert "equal on both ends" in answer.out
    assert "gateway.database" in answer.out


def test_a_copy_is_refused_where_something_is_and_while_a_sync_runs(made):
    """Exit codes 2 and 4; the target stays as it is."""
    target = made.config.parent / "copy.sqlite3"
    with sync_lock(made.config.parent / "rdv-gateway.sqlite3"):
        assert made("db", "copy", "--to", str(target)).code == 4
    assert made("db", "copy", "--to", str(target)).code == 0
    before = target.read_bytes()
    again = made("db", "copy", "--to", str(target))
    assert again.code == 2
    assert "is not empty" in again.err
    assert target.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--to", "postgresql://me:geheim@localhost/gateway"), "a URL must not carry a password"),
        (("--to", "mysql://localhost/gateway"), "begins with postgresql://"),
        (("--to", "postgresql://localhost"), "the database's name at the end"),
        (("--to", "postgresql:///x", "--password-env", "NOT_SET"), "the environment variable NOT_SET is not set"),
        (("--to", "postgresql:///x", "--password-env", "A", "--password-file", "b"), "are both given"),
    ],
)
def test_a_target_that_cannot_be_is_said_in_one_line(made, options, said):
    """Without quoting a password."""
    answer = made("db", "copy", *options)
    assert answer.code == 2
    assert said in answer.err
    assert "geheim" not in answer.err


def test_a_server_that_is_away_is_a_remote_failure(made, tmp_path):
    """Exit code 3, for `sync` as for any other command."""
    name_database(made, f"postgresql://me@/gateway?host={tmp_path}")
    for command in (("status",), ("sync",), ("db", "upgrade")):
        answer = made(*command)
        assert (answer.code, "cannot be reached" in answer.err) == (3, True), answer.err


def test_a_password_reaches_the_database_from_its_file(made, monkeypatch):
    """And from nowhere else: it is in no output."""
    seen = []
    monkeypatch.setattr("gateway.cli.database.upgrade", lambda url, _keys: seen.append(url))
    monkeypatch.setattr("gateway.cli.database.sync_lock", lambda _url: sync_lock("sqlite://"))
    (made.config.parent / "password").write_text("geheim\n")
    text = made.config.read_text().replace("[gateway]", '[gateway]\ndatabase_password_file = "password"')
    made.config.write_text(text)
    refused = made("db", "upgrade")
    assert (refused.code, "database is a file" in refused.err) == (2, True)
    name_database(made, "postgresql://me@db.example.fr/gateway")
    answer = made("db", "upgrade")
    assert answer.code == 0
    assert [url.password for url in seen] == ["geheim"]
    assert "geheim" not in answer.out + answer.err + repr(seen)
