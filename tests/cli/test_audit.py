"""`audit` as typed: its number, its exit codes, its remedy."""

from dataclasses import replace
from datetime import timedelta

import httpx2
import pytest

from gateway.composition import opened_store
from gateway.settings import load
from tests.cli.conftest import CALENDAR_PASSWORD, MARTINE


@pytest.fixture
def live(deployment):
    cli = deployment.live()
    assert cli("sync").code == 0
    return cli


def make_stale(cli):
    """The shadow of one event holds another time than the event, under the same ETag."""
    with opened_store(load(cli.config)) as store, store.transaction() as tx:
        event = next(each for each in store.agent_view(MARTINE).events if each.times and not each.marker)
        component = event.times.components[0]
        later = replace(component, start=component.start + timedelta(days=1), end=component.end + timedelta(days=1))
        tx.save_event(replace(event, raw_digest="0" * 64, times=replace(event.times, components=(later,))))
    return event.href


def test_no_drift_is_0_and_says_how_much_was_compared(live):
    answer = live("audit", "--json")
    assert answer.code == 0, answer.out
    assert (answer.json["drift"], answer.json["not_compared"]) == (0, 0)
    assert answer.json["agents"][0]["compared"]["events"] > 0
    assert "Drift: 0. 1 agents compared" in live("audit", str(MARTINE)).out


def test_drift_is_1_and_repair_lets_the_next_sync_end_it(live):
    href = make_stale(live)
    answer = live("audit", "--json")
    assert answer.code == 1
    causes = {each["cause"] for each in answer.json["causes"] if each["is_drift"]}
    assert "version_came_back" in causes
    assert all(each["remedy"] and each["means"] for each in answer.json["causes"])
    shown = live("audit")
    assert (shown.code, href in shown.out) == (1, True)

    repaired = live("audit", "--repair-shadow", "--json")
    assert len(repaired.json["read_again"]) == 1
    assert live("sync").code == 0
    assert live("audit").code == 0
    assert "read_again" in live("journal", "--limit", "1000").out


def test_what_cannot_be_compared_is_3(live, deployment, monkeypatch):
    monkeypatch.setenv("AGENDA_PASSWORD", "another")
    answer = live("audit", "--json")
    assert answer.code == 3
    assert (answer.json["drift"], answer.json["not_compared"]) == (0, 1)
    assert answer.json["agents"][0]["errors"][0]["remedy"]


def test_paused_agents_are_passed_over_and_named(live):
    live("pause", str(MARTINE))
    assert live("audit", "--json").json["not_synced"] == [MARTINE]


def test_nobody_unknown_is_audited(live):
    assert live("audit", "999").code == 2
    assert live("audit", "--wave", "7").code == 2


def test_an_audit_shows_no_title(live, deployment):
    """Whatever it finds."""
    make_stale(live)
    calendar = f"{deployment.calendars_url}{deployment.calendar.lstrip('/')}"
    titles = [line for line in _lines(calendar, deployment) if line.startswith("SUMMARY:")]
    assert titles
    out = live("audit").out + live("audit", "--json").out
    assert not [each for each in titles if each.removeprefix("SUMMARY:") in out]


def _lines(calendar, deployment):
    query = (
        '<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><C:calendar-data/></prop>'
        '<C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>'
    )
    answer = httpx2.request(
        "REPORT",
        calendar,
        content=query.encode(),
        auth=(deployment.username, CALENDAR_PASSWORD),
        headers={"Depth": "1"},
    )
    return answer.text.splitlines()
