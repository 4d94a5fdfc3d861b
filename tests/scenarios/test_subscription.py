"""An agent whose own calendar can only be subscribed to: it blocks their time, and RDVs go to another calendar."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.ics import CALENDAR
from gateway.sync.values import AgentState, CalendarRef, LinkedAgent
from tests.connectors.ics.bench import calendar, event
from tests.scenarios.departement import Departement, problems
from tests.scenarios.person import Person, hours
from tests.servers.feed_server import SECRET, FeedServer

_PARIS = ";TZID=Europe/Paris"
_TITLE = "Psychiatre-Zyx"


class Subscriber:
    """An agent, and the calendar that they publish."""

    def __init__(self, departement: Departement, server: FeedServer, person: Person) -> None:
        self.departement = departement
        self.server = server
        self.person = person
        self._events: dict[str, bytes] = {}
        self.publishes()

    def publishes(self, **details: object) -> None:
        """The calendar as it is now."""
        self.server.publish(self.person.login, calendar(*self._events.values()), **details)

    def has(self, name: str, day: int, hour: int) -> None:
        """An event in their own calendar."""
        start, end = (f"DT{which}{_PARIS}:{moment:%Y%m%dT%H%M%S}" for which, moment in self._hours(day, hour))
        self._events[name] = event(name, start, end, f"SUMMARY:{_TITLE}", start="")
        self.publishes()

    def _hours(self, day: int, hour: int) -> Iterator[tuple[str, datetime]]:
        return zip(("START", "END"), hours(self.departement.at(day, hour)), strict=True)

    def has_no(self, *names: str) -> None:
        for name in names:
            del self._events[name]
        self.publishes()

    @property
    def statuses(self) -> list[int]:
        return self.server.statuses()


@pytest.fixture
def subscriber(departement: Departement, monkeypatch: pytest.MonkeyPatch) -> Iterator[Subscriber]:
    """Live, with a subscription that blocks and a calendar that only receives."""
    with FeedServer() as server:
        person = departement.agent()
        links = departement.directory / "links.csv"
        links.write_text(f"email;url\n{person.login}@dept.example;{server.link(person.login)}\n")
        links.chmod(0o600)
        account = {"name": "feeds", "kind": "ics", "url": server.url, "credentials_file": str(links)}
        configured = departement.configuration

        def configuration() -> dict[str, Any]:
            found = configured()
            return found | {"accounts": [*found["accounts"], account]}

        def linked(agent: Person) -> LinkedAgent:
            source = CalendarRef(f"feeds/{agent.login}@dept.example", CALENDAR)
            target = CalendarRef(agent.login, agent.calendar)
            return LinkedAgent(agent.id, agent.zone, (source,), target, AgentState.FIRST_RUN)

        monkeypatch.setattr(departement, "configuration", configuration)
        monkeypatch.setattr(departement, "linked", linked)
        made = Subscriber(departement, server, person)
        departement.goes_live()
        yield made
        departement.stop()


def test_a_published_event_blocks_and_follows_while_rdvs_go_to_the_other_calendar(
    departement: Departement, subscriber: Subscriber
) -> None:
    agent = subscriber.person
    subscriber.has("meeting", 1, 9)
    departement.rdv(departement.at(2, 14), agent)
    departement.settled()
    assert agent.blocks() == [hours(departement.at(1, 9))]
    assert len(agent.shown()) == 1
    subscriber.has("meeting", 1, 11)
    departement.settled()
    assert agent.blocks() == [hours(departement.at(1, 11))]
    subscriber.has_no("meeting")
    departement.settled()
    assert agent.blocks() == []
    assert len(agent.shown()) == 1


def test_an_unchanged_round_costs_one_conditional_request(departement: Departement, subscriber: Subscriber) -> None:
    """Also after a restart: what is remembered is in the database."""
    subscriber.has("meeting", 1, 9)
    departement.settled()
    for restarted in (False, True):
        if restarted:
            departement.stop()
        departement.forget_requests()
        subscriber.server.seen.clear()
        departement.sync()
        assert subscriber.statuses == [304]
        assert set(departement.calendar_requests()) == {"PROPFIND"}
        assert departement.writes() == []


@pytest.mark.parametrize(
    ("details", "said"),
    [
        ({"status": 404}, "link was renewed"),
        ({"cut": 120, "length": False, "validators": frozenset()}, "did not come whole"),
        ({"status": 500}, "in trouble"),
    ],
)
def test_a_feed_that_fails_frees_nothing_and_is_told(
    departement: Departement, subscriber: Subscriber, details: dict[str, Any], said: str
) -> None:
    agent = subscriber.person
    subscriber.has("meeting", 1, 9)
    departement.settled()
    subscriber.publishes(**details)
    report = departement.sync()
    assert any(said in each for each in problems(report))
    assert agent.blocks() == [hours(departement.at(1, 9))]
    subscriber.has("meeting", 1, 10)
    departement.settled()
    assert agent.blocks() == [hours(departement.at(1, 10))]


def test_a_feed_that_is_suddenly_empty_waits_for_an_approval(departement: Departement, subscriber: Subscriber) -> None:
    names = [f"m{number}" for number in range(1, 9)]
    for number, name in enumerate(names, start=1):
        subscriber.has(name, number, 9)
    departement.settled()
    subscriber.has_no(*names)
    departement.sync()
    departement.sync()
    assert len(subscriber.person.blocks()) == len(names)
    departement.approves()
    departement.settled()
    assert subscriber.person.blocks() == []


def test_neither_the_link_nor_a_title_is_in_the_files_of_the_gateway(
    departement: Departement, subscriber: Subscriber
) -> None:
    subscriber.has("meeting", 1, 9)
    departement.settled()
    departement.stop()
    kept = [path for path in Path(departement.directory).glob("**/*") if path.is_file() and path.name != "links.csv"]
    assert kept
    for path in kept:
        content = path.read_bytes()
        assert SECRET.encode() not in content, path.name
        assert _TITLE.encode() not in content, path.name
