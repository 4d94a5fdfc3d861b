"""`journal …`: looked at, exported, sealed, verified, purged, erased."""

from __future__ import annotations

import csv
import json
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import MARTINE, Cli, Deployment


@pytest.fixture
def cli(deployment: Deployment) -> Cli:
    """With Martine live, so that there is a journal."""
    return deployment.live()


@pytest.fixture
def database(cli: Cli) -> Path:
    (found,) = cli.config.parent.glob("*.sqlite3")
    return found


def tampered(database: Path, *statements: str) -> None:
    with closing(sqlite3.connect(database)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in names:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_entries_are_chosen_by_time_and_by_thing(cli):
    """And say who approved."""
    everything = cli("journal", "--limit", "1000", "--json").json["entries"]
    assert cli("journal", "--since", "2999-01-01", "--json").json["entries"] == []
    assert len(cli("journal", "--until", "2999-01-01", "--limit", "1000", "--json").json["entries"]) == len(everything)
    copies = cli("journal", "--object", "rdv_copy", "--limit", "1000", "--json").json["entries"]
    assert {entry["object"] for entry in copies} == {"rdv_copy"}
    assert {bool(entry["by"]) for entry in copies} == {True}
    reference = copies[0]["reference"]
    assert {entry["reference"] for entry in cli("journal", "--object", reference, "--json").json["entries"]} == {
        reference
    }
    wrong = cli("journal", "--since", "yesterday")
    assert (wrong.code, "no day and no time" in wrong.err) == (2, True)


def test_one_entry_is_shown_whole(cli):
    """What was there before only on demand."""
    shown = cli("journal", "show", "1", "--json").json
    assert (shown["id"], "before" in shown) == (1, False)
    assert "before" in cli("journal", "show", "1", "--content", "--json").json
    assert cli("journal", "show", "1").out.startswith("id: 1\n")
    assert cli("journal", "show", "999999").code == 2


def test_an_export_has_every_entry_and_all_of_it(cli, tmp_path):
    """As JSON lines and as CSV; files are the owner's alone and never overwritten."""
    lines = [json.loads(line) for line in cli("journal", "export").out.splitlines()]
    assert [line["id"] for line in lines] == list(range(1, len(lines) + 1))
    file = tmp_path / "journal.csv"
    told = cli("journal", "export", "--format", "csv", "--to", str(file), "--agent", str(MARTINE), "--json").json
    rows = list(csv.DictReader(file.read_text("utf-8").splitlines(), delimiter=";"))
    assert told["entries"] == len(rows) == sum(line["agent"] == MARTINE for line in lines)
    assert {row["digest"] for row in rows} <= {line["digest"] for line in lines}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert cli("journal", "export", "--to", str(file)).code == 2


def test_what_a_spreadsheet_would_compute_is_quoted(cli, database, tmp_path):
    """An href is what whoever made the event chose."""
    tampered(database, "UPDATE journal SET reference = '=1+1' WHERE id = 1")
    assert ";'=1+1;" in cli("journal", "export", "--format", "csv").out


def test_a_checkpoint_kept_elsewhere_tells_that_the_end_was_cut_off(cli, database, tmp_path):
    """And the public key, whose it is."""
    file, key = tmp_path / "checkpoints", tmp_path / "key.pem"
    assert cli("journal", "verify", "--json").json["sealed_to"] == 0
    assert cli("journal", "checkpoint", "--to", str(file)).code == 0
    assert cli("journal", "checkpoint", "--to", str(file)).code == 0
    assert len(file.read_text().splitlines()) == 2
    key.write_text(cli("journal", "public-key").out)
    options = ("journal", "verify", "--checkpoint", str(file), "--public-key", str(key), "--json")
    whole = cli(*options)
    assert (whole.code, whole.json["whole"], whole.json["unsealed"]) == (0, True, 0)
    last = whole.json["last_entry"]
    tampered(
        database,
        "PRAGMA foreign_keys=OFF",
        f"DELETE FROM journal_content WHERE journal_id = {last}",
        f"DELETE FROM journal WHERE id = {last}",
        "DELETE FROM journal_checkpoint",
    )
    assert cli("journal", "verify").code == 0, "nothing here can tell"
    cut = cli(*options)
    assert cut.code == 1
    (finding,) = cut.json["findings"]
    assert (finding["kind"], finding["entry"]) == ("removed", last)
    assert finding["chain"] is not None
    shown = cli("journal", "verify", "--checkpoint", str(file))
    assert "removed" in shown.out
    assert "All is as it was written" not in shown.out


def test_an_altered_entry_is_named(cli, database):
    """On the terminal too."""
    tampered(database, "UPDATE journal SET rule = 'another' WHERE id = 3")
    answer = cli("journal", "verify", "--json")
    assert (answer.code, [one["entry"] for one in answer.json["findings"]]) == (1, [3])


def test_what_is_no_checkpoint_is_refused(cli, tmp_path):
    """With words, not a defect."""
    (tmp_path / "file").write_text("x")
    for option in ("--checkpoint", "--public-key"):
        answer = cli("journal", "verify", option, str(tmp_path / "file"))
        assert (answer.code, "this is no" in answer.err) == (3, True) or answer.code == 2
    assert cli("journal", "verify", "--checkpoint", str(tmp_path / "none")).code == 2


def test_a_purge_says_what_would_go_and_does_it_when_told(cli):
    """Nothing is old enough here."""
    assert cli("journal", "purge", "--json").json == {"done": False, "contents": 0, "entries": 0, "swept": True}
    assert cli("journal", "purge", "--yes").code == 0
    assert cli("journal", "verify").code == 0


def test_who_has_left_is_erased_and_no_one_before(cli):
    """Their entries stay, and the chains whole."""
    assert cli("journal", "erase", str(MARTINE)).code == 1
    assert "has not left" in cli("journal", "erase", str(MARTINE), "--yes").err
    assert cli("leave", str(MARTINE), "--keep", "--yes").code == 0
    told = cli("journal", "erase", str(MARTINE), "--yes", "--json")
    assert (told.code, told.json["done"], told.json["swept"]) == (0, True, True)
    keys = next(cli.config.parent.glob("*.keys.persons"))
    assert [file.name for file in keys.iterdir()] == [f"agent-{MARTINE}.erased"]
    verdict = cli("journal", "verify", "--json").json
    assert (verdict["whole"], verdict["unreadable"]) == (True, {})
    assert cli("journal", "--agent", str(MARTINE), "--limit", "1", "--json").json["entries"][0]["action"] == "erase"
    assert cli("journal", "erase", "424242", "--yes").code == 2


def test_a_copy_of_the_database_says_that_its_journal_is_whole(cli, tmp_path):
    """Or that it is not, as where it came from."""
    told = cli("db", "copy", "--to", str(tmp_path / "copy.sqlite3"), "--json")
    assert (told.code, told.json["journal"]["whole"]) == (0, True)
