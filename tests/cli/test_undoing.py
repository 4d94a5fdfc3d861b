"""`undo` as it is typed."""

from __future__ import annotations

import itertools
from uuid import UUID


def test_a_run_is_undone_after_it_was_looked_at(deployment):
    cli = deployment.enrolled()
    cli("plan")
    cli("approve", "--all", "--yes")
    report = cli("sync", "--json").json
    written = [each for each in report["operations"] if each["action"] != "pair"]
    looked = cli("undo", report["run"][:8], "--dry-run", "--json")
    assert (looked.code, looked.json["dry_run"], len(looked.json["items"])) == (0, True, len(written))
    unasked = cli("undo", report["run"], "--json")
    assert (unasked.code, [each["done"] for each in unasked.json["items"]]) == (1, [False] * len(written))
    undone = cli("undo", report["run"], "--yes", "--json")
    assert (undone.code, {each["done"] for each in undone.json["items"]}) == (0, {True})
    assert cli("sync", "--json").json["operations"] == []
    assert cli("status", "--json").json["pinned"] > 0
    entries = cli("journal", "--run", undone.json["run"], "--json").json["entries"]
    assert {each["rule"] for each in entries} == {"undo", "decided by a person"}
    again = cli("undo", undone.json["run"], "--yes")
    assert again.code == 0
    assert f"{len(written)} put back, 0 refused" in again.out


def test_a_run_whose_id_begins_with_digits_is_found_and_never_taken_for_an_entry(deployment, monkeypatch):
    numbers = itertools.count(10_000_000)
    monkeypatch.setattr("gateway.composition.uuid4", lambda: UUID(f"{next(numbers)}-9abc-4def-8123-456789abcdef"))
    cli = deployment.enrolled()
    cli("plan")
    cli("approve", "--all", "--yes")
    run = cli("sync", "--json").json["run"]
    assert cli("undo", run[:8], "--dry-run", "--json").json["items"]
    assert f"no entry {run[:7]}" in cli("undo", run[:7], "--dry-run").err


def test_what_is_not_there_is_said(deployment):
    cli = deployment.enrolled()
    assert cli("undo", "99999", "--dry-run").code == 2
    assert cli("undo", "feedfeed", "--dry-run").code == 2
