"""What a huge calendar takes, and that what exceeds a limit is set aside alone, and named with the limit."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.caldav.provision import make_calendar
from tests.contract.calendar_contract import vevent
from tests.servers.dav_double import DavDouble

HOME = "/dav/alice/"
CALENDAR = f"{HOME}big/"
MEMORY = 300
"""MB of the whole process."""
OWN_TIME = 10.0
"""Seconds of the process's own CPU."""


@pytest.fixture
def server() -> Iterator[DavDouble]:
    with DavDouble({"alice": "secret-alice"}) as server:
        make_calendar(server.url, "alice", "secret-alice", CALENDAR, "Grand")
        server.step = timedelta()
        yield server


def fill(server: DavDouble, name: str, body: str) -> None:
    server.fill(f"{CALENDAR}{name}.ics", body.encode())


def observe_and_plan(server: DavDouble, folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.limits.big_calendar", server.url, HOME, CALENDAR, str(folder)],
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_ten_thousand_events_and_endless_series_fit_in_memory_and_time(server: DavDouble, tmp_path: Path) -> None:
    first = datetime(2026, 1, 5, 8, tzinfo=UTC)
    for number in range(9_990):
        start = first + timedelta(hours=number)
        times = (f"DTSTART:{start:%Y%m%dT%H%M%SZ}", f"DTEND:{start + timedelta(minutes=30):%Y%m%dT%H%M%SZ}")
        fill(server, f"e{number}", vevent(f"e{number}", "DESCRIPTION:" + "x" * 700, start=times[0], end=times[1]))
    ancient = {"start": "DTSTART:19700101T000000Z", "end": "DTEND:19700101T000001Z"}
    for number, rule in enumerate(["SECONDLY", "MINUTELY", "HOURLY", "DAILY", "MINUTELY;INTERVAL=7"] * 2):
        fill(server, f"series{number}", vevent(f"series{number}", f"RRULE:FREQ={rule}", **ancient))
    result = observe_and_plan(server, tmp_path)
    assert result["events"] == 10_000
    assert result["requests"] <= 2 + 100
    assert result["peak_mb"] < MEMORY
    assert result["cpu"] < OWN_TIME
    named = {each["href"]: each["reason"] for each in result["set_aside"]}
    assert set(named) == {f"{CALENDAR}series{number}.ics" for number in (0, 1, 2, 4, 5, 6, 7, 9)}
    assert set(named.values()) == {"sub-daily rule"}


def test_one_event_that_is_too_large_is_set_aside_and_the_others_are_read(server: DavDouble, tmp_path: Path) -> None:
    start = "DTSTART:20260511T080000Z"
    for number in range(20):
        fill(server, f"large{number}", vevent(f"large{number}", "DESCRIPTION:" + "x" * 1_900_000, start=start))
    fill(server, "huge", vevent("huge", "DESCRIPTION:" + "x" * 3_000_000))
    fill(server, "small", vevent("small"))
    result = observe_and_plan(server, tmp_path)
    assert result["events"] == 22
    assert result["peak_mb"] < MEMORY
    assert [(each["href"], each["reason"]) for each in result["set_aside"]] == [
        (f"{CALENDAR}huge.ics", "larger than the limit for one event (2 MiB)")
    ]
