"""CalDAV passes the contract of calendar connectors on the real servers that Debian packages, and meets what a proxy
in between would hide: their own connections, their own addresses, and calendars that are not there."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.caldav.profiles import PROFILES
from connectors.errors import BadItem, ITMustAct
from connectors.records import Transparency
from tests.connectors.caldav.bench import CalDavBench, CalDavServer
from tests.contract.calendar_contract import CalendarContract, draft, versions, vevent
from tests.servers.cyrus import CyrusServer
from tests.servers.davical import DavicalServer
from tests.servers.debian import program
from tests.servers.sogo import SogoServer

pytestmark = pytest.mark.system

# What each server is known for.
SOGO: dict[str, Any] = {"counts_seconds": True, "settling_time": 2.05}
DAVICAL: dict[str, Any] = {"one_uid": False}
CYRUS: dict[str, Any] = {"one_uid_per_user": True}
_KNOWN_FOR = {"sogo": SOGO, "davical": DAVICAL, "cyrus": CYRUS}


class TestSogo(CalendarContract):
    @pytest.fixture
    def bench(self, sogo: SogoServer) -> Iterator[CalDavBench]:
        with CalDavBench(sogo, **SOGO) as bench:
            yield bench


class TestDavical(CalendarContract):
    @pytest.fixture
    def bench(self, davical: DavicalServer) -> Iterator[CalDavBench]:
        with CalDavBench(davical, **DAVICAL) as bench:
            yield bench


class TestCyrus(CalendarContract):
    @pytest.fixture
    def bench(self, cyrus: CyrusServer) -> Iterator[CalDavBench]:
        with CalDavBench(cyrus, **CYRUS) as bench:
            yield bench


@pytest.fixture(params=sorted(_KNOWN_FOR))
def bench(request: pytest.FixtureRequest) -> Iterator[CalDavBench]:
    server: CalDavServer = request.getfixturevalue(request.param)
    with CalDavBench(server, **_KNOWN_FOR[request.param]) as bench:
        yield bench


@pytest.mark.parametrize(("package", "name"), [("sogo", "sogo"), ("davical", "davical"), ("cyrus-imapd", "cyrus")])
def test_the_profile_names_the_version_that_these_tests_run(package: str, name: str) -> None:
    asked = [program("dpkg-query"), "--show", "--showformat=${Version}", package]
    version = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert version.startswith(PROFILES[name].version)


def test_writing_and_reading_bear_how_the_server_ends_its_connections(bench: CalDavBench) -> None:
    """SOGo closes after each GET and PUT without saying so."""
    account = bench.other_account(url=bench.server.url)
    for number in range(10):
        item = account.create(bench.calendar, draft(f"rdvgw-{number}"))
        item = account.update(bench.calendar, item, draft(f"rdvgw-{number}", summary="Autre"), notes=True)
        account.look()
        if number % 2:
            account.delete(bench.calendar, item)
    assert len(account.changes(bench.calendar, None, {}).items) == 5


@pytest.mark.parametrize("path", ["start", "home"])
def test_calendars_are_found_from_the_address_that_people_are_told(bench: CalDavBench, path: str) -> None:
    starts = {"sogo": "/SOGo/dav/", "davical": "/caldav.php/", "cyrus": "/dav/"}
    where = starts[bench.server.name] if path == "start" else bench.server.home("alice")
    account = bench.other_account(url=bench.proxy.url + where[1:], home=None)
    assert bench.calendar in {info.calendar for info in account.discover()}


@pytest.mark.parametrize("name", ["sogo", "davical"])
def test_a_person_is_found_by_their_address_alone(name: str, request: pytest.FixtureRequest) -> None:
    """Cyrus shows people nobody but themselves."""
    with CalDavBench(request.getfixturevalue(name)) as bench:
        account = bench.other_account(url=bench.proxy.url + {"sogo": "SOGo/dav/", "davical": "caldav.php/"}[name])
        assert account.homes_of("agent1@dept.example") == (bench.server.home("agent1"),)
        assert account.homes_of("gent1@dept.example") == ()


def test_a_service_account_reaches_a_calendar_of_cyrus_under_its_own_home(cyrus: CyrusServer) -> None:
    """The agent's own path leads it elsewhere (301), whatever its rights; its home does not list what is shared."""
    service = "agent2"
    with CalDavBench(cyrus, **CYRUS) as bench:
        cyrus.share(bench.calendar, service)
        shared = f"{cyrus.home(service)}alice.{bench.calendar.split('/')[-2]}/"
        login = {"username": service, "password": cyrus.users[service]}
        account = bench.other_account(home=shared, **login)
        assert [(info.calendar, info.writable) for info in account.discover()] == [(shared, True)]
        item = account.create(shared, draft(transparency=Transparency.TRANSPARENT))
        (seen,) = bench.account.changes(bench.calendar, None, {}).items
        # Whether an event takes up time is everybody's own affair in a shared calendar.
        assert b"TRANSP:TRANSPARENT" in item.body
        assert b"TRANSP" not in seen.body
        assert seen.body == item.body.replace(b"TRANSP:TRANSPARENT\r\n", b"")
        first = account.changes(shared, None, {})
        assert [mark.mark for mark in account.look()] == [first.mark]
        account.delete(shared, item)
        assert account.changes(shared, first.cursor, versions(first)).removed == {item.href}
        with pytest.raises(ITMustAct):
            bench.other_account(**login).look()
        own_home = bench.other_account(home=cyrus.home(service), **login)
        assert shared not in {info.calendar for info in own_home.discover()}
        assert own_home.homes_of("alice@dept.example") == ()


def test_calendars_that_are_gone_or_of_somebody_else_are_no_empty_ones(bench: CalDavBench) -> None:
    gone = f"{bench.server.home('alice')}gone/"
    others = bench.other_account(home=bench.server.home("agent1"))
    for attempt in (
        lambda: bench.account.changes(gone, None, {}),
        lambda: bench.account.read(gone, f"{gone}a.ics"),
        lambda: bench.account.create(gone, draft()),
        others.look,
        others.discover,
    ):
        with pytest.raises(ITMustAct):
            attempt()


def test_a_calendar_that_goes_away_after_a_reading_loses_nothing(bench: CalDavBench) -> None:
    bench.other_client_puts("a", vevent("a"))
    bench.settle()
    first = bench.account.changes(bench.calendar, None, {})
    bench.other_client_deletes(bench.calendar)
    with pytest.raises(ITMustAct):
        bench.account.changes(bench.calendar, first.cursor, versions(first))
    bench.makes_calendar()


def test_a_calendar_made_anew_at_the_same_address_is_read_as_it_is_now(bench: CalDavBench) -> None:
    """At once, but for SOGo, where nothing tells one from the other: with the next whole listing."""
    href = bench.other_client_puts("a", vevent("a"))
    for number in range(4):
        bench.other_client_puts(f"kept{number}", vevent(f"kept{number}"))
    bench.settle()
    first = bench.account.changes(bench.calendar, None, {})
    bench.other_client_deletes(bench.calendar)
    bench.makes_calendar()
    created = bench.other_client_puts("b", vevent("b"))
    again = bench.account.changes(bench.calendar, first.cursor, versions(first))
    if bench.server.name == "sogo":
        assert set(versions(again)) == {created}
        again = bench.account.changes(bench.calendar, None, versions(first))
    assert again.complete
    assert again.present == {created}
    assert href not in versions(again)


def test_sogo_mails_people_of_a_meeting_and_nobody_for_what_is_ours(sogo: SogoServer) -> None:
    """It says nothing about meetings of the past."""
    year = datetime.now(UTC).year + 1
    start = datetime(year, 6, 1, 9, tzinfo=UTC)
    people = ("ORGANIZER:mailto:alice@dept.example", "ATTENDEE:mailto:usager@ailleurs.example")
    times = (f"DTSTART:{year}0601T090000Z", f"DTEND:{year}0601T100000Z")
    with CalDavBench(sogo, **SOGO) as bench:
        before = list(sogo.mail.recipients)
        created = bench.account.create(bench.calendar, draft(start=start))
        moved = draft(start=start + timedelta(hours=1), description="Avec usager@ailleurs.example")
        bench.account.delete(bench.calendar, bench.account.update(bench.calendar, created, moved, notes=True))
        assert sogo.mail.recipients == before
        href = bench.other_client_puts("meeting", vevent("meeting", *people, start=times[0], end=times[1]))
        told = list(sogo.mail.recipients)
        assert told == [*before, "usager@ailleurs.example"]
        item = bench.account.read(bench.calendar, href)
        assert item is not None
        with pytest.raises(BadItem):
            bench.account.delete(bench.calendar, item)
        assert sogo.mail.recipients == told


def test_an_invitation_is_neither_changed_nor_removed_where_that_would_send_mail(bench: CalDavBench) -> None:
    people = ("ORGANIZER:mailto:chef@ailleurs.example", "ATTENDEE:mailto:alice@dept.example")
    href = bench.other_client_puts("meeting", vevent("meeting", *people))
    item = bench.account.read(bench.calendar, href)
    assert item is not None
    with pytest.raises(BadItem):
        bench.account.delete(bench.calendar, item)
    with pytest.raises(BadItem):
        bench.account.update(bench.calendar, item, draft("meeting"), notes=False)
    assert bench.account.read(bench.calendar, href) == item
