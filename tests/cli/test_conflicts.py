"""`conflicts`, and what `plan`, `sync`, `status`, `approve` and `check` say of them."""

from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from gateway.cli.conflicts import MOST_SHOWN, doubled_text, show_conflicts
from gateway.cli.describe import remedy_of
from gateway.sync.values import Conflict, ConflictKind
from tests.cli.conftest import CALENDAR_PASSWORD, MARTINE

NOW = datetime(2026, 3, 2, 9)


def over_busy(number, agent=MARTINE):
    """One of many, each an hour after the one before."""
    start = NOW + timedelta(hours=number)
    return Conflict(agent, ConflictKind.RDV_OVER_BUSY, "overlaps", rdv_id=number, start=start, end=start)


@pytest.fixture
def doubled(deployment):
    """Martine, whose calendar holds an RDV that the product's own sync wrote."""
    day = datetime.now(UTC) + timedelta(days=3)
    body = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:RDV Solidarités\r\nBEGIN:VEVENT\r\nUID:native\r\n"
        f"DTSTAMP:20260301T080000Z\r\nDTSTART:{day:%Y%m%d}T090000Z\r\nDTEND:{day:%Y%m%d}T093000Z\r\n"
        "SUMMARY:Inventé\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    answer = httpx2.put(
        f"{deployment.calendars_url}{deployment.calendar.lstrip('/')}native.ics",
        content=body.encode(),
        auth=(deployment.username, CALENDAR_PASSWORD),
        headers={"Content-Type": "text/calendar; charset=utf-8"},
    )
    assert answer.status_code == 201
    return deployment


def test_nothing_is_listed_before_a_sync_and_a_plan_keeps_nothing(doubled):
    """A plan shows it; only a sync keeps it."""
    cli = doubled.enrolled()
    planned = cli("plan", "--json").json["conflicts"]
    assert "native_sync" in {each["kind"] for each in planned}
    assert all(each["remedy"] for each in planned)
    listed = cli("conflicts")
    assert (listed.code, "No conflict" in listed.err) == (0, True)


def test_a_second_synchroniser_is_said_before_anything_is_approved_and_after(doubled):
    """By `plan`, `check` and `approve`; then by `sync`, `conflicts` and `status`."""
    cli = doubled.enrolled()
    assert "native_sync" in cli("plan").out
    assert "second synchroniser" in cli("check").out
    approved = cli("approve", "--all", "--yes")
    assert "stay held whatever is approved" in approved.err
    assert cli("sync").code == 1
    copies = [each for each in cli("sync", "--json").json["held"] if each["object"] == "rdv_copy"]
    assert {each["reason"] for each in copies} == {"native_sync"}

    listed = cli("conflicts", str(MARTINE), "--json")
    assert listed.code == 1
    (native,) = [each for each in listed.json["conflicts"] if each["kind"] == "native_sync"]
    assert (native["agent"], native["tell"], native["told_at"]) == (MARTINE, ["agent"], None)
    assert native["href"].endswith("native.ics")
    status = cli("status", "--json").json
    assert {"kind": "native_sync", "count": 1, "agents": 1} in status["conflicts"]
    assert status["agents"][0]["conflicts"] == len(listed.json["conflicts"])
    assert "native_sync" in cli("status").out
    shown = cli("conflicts").out
    assert "switch its sync off" in shown
    assert "Inventé" not in shown + listed.out


def test_conflicts_of_somebody_who_is_not_enrolled_are_refused(deployment):
    """As every command that names agents."""
    assert deployment.cli("conflicts", "999").code == 2


def test_of_many_the_counts_come_first_and_the_nearest_are_shown(capsys):
    """1,200 agents remain readable."""
    many = [over_busy(number, agent=number % 30) for number in range(3 * MOST_SHOWN)]
    show_conflicts(many[::-1])
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert lines[2].split()[:3] == ["rdv_over_busy", "150", "30"]
    assert sum("overlaps" in line for line in lines) == MOST_SHOWN
    assert "rdv 0 " in shown.out
    assert "rdv 149" not in shown.out
    assert "100 more" in shown.err


def test_what_has_no_date_is_shown_before_what_has_one(capsys):
    """A second synchroniser is not lost behind a hundred RDVs."""
    native = Conflict(2, ConflictKind.NATIVE_SYNC, "looks like its own sync")
    show_conflicts([*map(over_busy, range(2 * MOST_SHOWN)), native])
    assert "looks like its own sync" in capsys.readouterr().out


def test_agents_who_are_doubled_are_counted_and_the_first_are_named():
    """A whole wave may be."""
    assert "3 agents" in doubled_text([3, 1, 2])
    assert ": 1, 2, 3." in doubled_text([3, 1, 2])
    assert doubled_text(range(1000)).count(",") < 60


def test_every_kind_says_what_to_do():
    """None is forgotten."""
    assert all(remedy_of(kind) for kind in ConflictKind)
