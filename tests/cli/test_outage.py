"""`outage declare|end|list` as typed."""

from __future__ import annotations


def test_an_outage_is_declared_listed_shown_and_ended(deployment):
    cli = deployment.live()
    given = cli("outage", "declare", "agenda", "--until", "2199-01-01T08:00", "--reason", "migration", "--json")
    assert (given.code, given.json["outage"]["system"]) == (0, "agenda")
    assert [each["reason"] for each in cli("outage", "list", "--json").json["outages"]] == ["migration"]
    assert "OUTAGE of agenda" in cli("status").err
    report = cli("sync", "--json").json
    assert (report["requests"].get("agenda", 0), report["errors"]) == (0, [])
    assert "outage of agenda" in report["told"][0]
    assert cli("outage", "end", "agenda").code == 0
    assert cli("outage", "list", "--json").json["outages"] == []
    assert cli("sync", "--json").json["requests"]["agenda"] > 0
    entries = cli("journal", "--json").json["entries"]
    assert [each["action"] for each in entries if each["object"] == "outage"] == ["end", "declare"]


def test_what_names_no_system_or_no_outage_is_refused(deployment):
    cli = deployment.cli
    assert cli("outage", "declare", "agendas").code == 2
    assert cli("outage", "declare", "agenda", "--until", "2001-01-01T08:00").code == 2
    assert cli("outage", "end", "agenda").code == 2
