"""`feeds`: links are shown once, closed at once, and made in bulk for a mail merge."""

from __future__ import annotations

import csv
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.exits import Exit
from gateway.cli.main import main
from gateway.feeds.values import token_hash
from gateway.keys import create_key_file, load_keys
from gateway.store.database import open_database, upgrade

CONFIG = """
[gateway]
database = "gateway.sqlite3"
keys = "gateway.keys"
[rdv_solidarites]
url = "https://rdv.example.fr"
login = "technique@example.fr"
password_env = "P"
[[accounts]]
name = "agenda"
url = "https://agenda.example.fr/dav/"
username = "u"
password_env = "P"
[web]
base_url = "https://agenda.departement.example.fr"
[feeds]
motifs = [5, "Rendez-vous individuel"]
phone = "03 21 00 00 00"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    create_key_file(tmp_path / "gateway.keys")
    upgrade(tmp_path / "gateway.sqlite3", load_keys(tmp_path / "gateway.keys"))
    path = tmp_path / "rdv-gateway.toml"
    path.write_text(CONFIG)
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, Any]:
    with pytest.raises(SystemExit) as ended:
        main([*map(str, arguments), "--json"])
    out = capsys.readouterr().out
    return int(ended.value.code or 0), json.loads(out) if out.strip() else None


def test_a_link_is_made_shown_once_listed_rotated_and_closed(
    config: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    there = ("--config", config)
    code, made = run(capsys, "feeds", "create", "--for", "usager", "--id", 4711, "--qr", tmp_path / "code.svg", *there)
    assert code == Exit.FINE
    token = made["page"].rpartition("/")[2]
    assert made["page"] == f"https://agenda.departement.example.fr/ical/{token}"
    assert made["feed"] == f"{made['page']}.ics"
    assert made["webcal"] == f"webcal://agenda.departement.example.fr/ical/{token}.ics"
    assert made["page"] in made["sms"]
    assert made["page"] in made["letter"]
    assert "03 21 00 00 00" in made["letter"]
    assert len(token) == 43
    assert "<svg" in (tmp_path / "code.svg").read_text()
    _, listed = run(capsys, "feeds", "list", *there)
    assert [(each["link"], each["for"], each["id"], each["state"]) for each in listed["links"]] == [
        (1, "usager", None, "open")
    ]
    assert "4711" not in json.dumps(listed)
    _, other = run(capsys, "feeds", "rotate", 1, *there)
    assert other["page"] != made["page"]
    assert run(capsys, "feeds", "revoke", "--for", "usager", "--id", 4711, *there) == (
        Exit.FINE,
        {"revoked": [1], "not_open": []},
    )
    assert run(capsys, "feeds", "revoke", 1, *there) == (Exit.NEEDS_PERSON, {"revoked": [], "not_open": [1]})


def test_links_in_bulk_for_a_mail_merge(config: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    there = ("--config", config)
    run(capsys, "feeds", "create", "--for", "usager", "--id", 2, *there)
    (tmp_path / "in.csv").write_text("id;language;level\n1;;\n2;;\n3;en;place\nx;;\n4;;all\n", encoding="utf-8-sig")
    out = tmp_path / "out.csv"
    code, said = run(capsys, "feeds", "bulk", "--for", "usager", tmp_path / "in.csv", "--output", out, *there)
    assert code == Exit.NEEDS_PERSON
    assert (said["made"], said["had_one"], [each["line"] for each in said["set_aside"]]) == (2, 1, [5, 6])
    with out.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    assert [row["id"] for row in rows] == ["1", "3"]
    assert "Vos rendez-vous" in rows[0]["sms"]
    assert "appointments" in rows[1]["sms"]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    database = open_database(config.with_name("gateway.sqlite3"), load_keys(config.with_name("gateway.keys")))
    with database.read() as connection:
        known = {row[0] for row in connection.exec_driver_sql("SELECT hash FROM feed_token")}
    database.close()
    assert {token_hash(row["page"].rpartition("/")[2]) for row in rows} < known
    assert run(capsys, "feeds", "bulk", "--for", "usager", tmp_path / "in.csv", "--output", out, *there)[0] != Exit.FINE


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "--for", "lieu", "--id", 3, "--level", "full"), "no level full"),
        (("create", "--for", "usager", "--id", 3, "--qr", "code.gif"), "neither .svg nor .png"),
        (("rotate", 7), "no open link 7"),
        (("revoke",), "which links"),
    ],
)
def test_what_cannot_be_done_is_said(
    config: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[object, ...], said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["feeds", *map(str, arguments), "--config", str(config)])
    assert ended.value.code != Exit.FINE
    assert said in capsys.readouterr().err
