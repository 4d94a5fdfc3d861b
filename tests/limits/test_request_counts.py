"""What reading costs in requests, counted at the server: many calendars, many accounts, many events."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors.caldav import CalDavAccount, CalDavSettings, Servers
from connectors.caldav.profiles import UNKNOWN_SERVER
from connectors.caldav.provision import make_calendar
from gateway.keys import create_key_file, load_keys
from gateway.store.database import open_database, upgrade
from gateway.store.store import Store
from gateway.sync.fleet import Fleet, Steps
from gateway.sync.observe_calendars import CalendarObserver
from gateway.sync.observe_rdv_solidarites import RdvSolidaritesReading
from gateway.sync.values import AgentReport, AgentState, CalendarRef, LinkedAgent
from mappings.busy_rules import Patterns
from tests.connectors.caldav.bench import NOW, CalDavBench
from tests.contract.calendar_contract import vevent
from tests.servers.counting_proxy import CountingProxy, Seen
from tests.servers.dav_double import DavDouble

MANY = 200
USERS = {f"agent{number}": f"secret-{number}" for number in range(MANY)}


class _Clock:
    def now(self) -> datetime:
        return NOW

    def sleep(self, seconds: float) -> None:
        raise AssertionError(seconds)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    create_key_file(tmp_path / "keys")
    upgrade(tmp_path / "gateway.sqlite3")
    database = open_database(tmp_path / "gateway.sqlite3", load_keys(tmp_path / "keys"), synchronous="OFF")
    yield Store(database)
    database.close()


@pytest.fixture
def server() -> Iterator[DavDouble]:
    with DavDouble(USERS) as server:
        yield server


def observe(store: Store, accounts: dict[str, CalDavAccount], refs: list[CalendarRef]) -> None:
    """One run of the fleet over these calendars, each an agent's, as far as it reads calendars."""
    paris = ZoneInfo("Europe/Paris")
    agents = tuple(LinkedAgent(n, paris, (ref,), ref, AgentState.LIVE) for n, ref in enumerate(refs, start=1))
    reading = RdvSolidaritesReading(frozenset(each.agent_id for each in agents), NOW, (), complete=True)

    def unexpected(*arguments: object) -> Any:
        raise AssertionError(arguments)

    observer = CalendarObserver(store, _Clock(), b"k" * 32, timedelta(days=56), Patterns())
    steps = Steps(
        read_rdv_solidarites=lambda: reading,
        calendars_to_read=observer.to_read,
        read_calendar=observer.read,
        work=lambda agent, _reading, _anew: AgentReport(agent.agent_id),
        grant=unexpected,
        resume=unexpected,
        failed=unexpected,
    )
    Fleet(agents, accounts, steps, pools=partial(ThreadPoolExecutor, 4), on_report=None).run()


def login_of(seen: Seen) -> str:
    return base64.b64decode(seen.headers["authorization"].partition(" ")[2]).decode().partition(":")[0]


def test_200_calendars_in_one_home_cost_one_request_when_nothing_changed(server: DavDouble, store: Store) -> None:
    user, password = "agent0", USERS["agent0"]
    refs = []
    for number in range(MANY):
        path = f"{server.home(user)}c{number}/"
        make_calendar(server.url, user, password, path, "Agenda")
        server.fill(f"{path}a.ics", vevent(f"a{number}").encode())
        refs.append(CalendarRef("service", path))
    with CountingProxy(server.url) as proxy:
        settings = CalDavSettings("service", proxy.url, user, password, home=server.home(user))
        account = CalDavAccount(settings, now=lambda: NOW)
        try:
            observe(store, {"service": account}, refs)
            assert len(proxy.seen) == 1 + 2 * MANY
            proxy.forget()
            observe(store, {"service": account}, refs)
            assert [(seen.method, seen.depth) for seen in proxy.seen] == [("PROPFIND", "1")]
            server.fill(f"{refs[7].calendar}b.ics", vevent("b").encode())
            proxy.forget()
            observe(store, {"service": account}, refs)
            assert len(proxy.seen) == 1 + 3, "the look; the delta, the item, the proof that the calendar is there"
        finally:
            account.close()


def test_200_accounts_cost_one_request_each_when_nothing_changed(server: DavDouble, store: Store) -> None:
    servers = Servers(now=lambda: NOW)
    accounts: dict[str, CalDavAccount] = {}
    refs = []
    with CountingProxy(server.url) as proxy, ExitStack() as stack:
        for user, password in USERS.items():
            path = f"{server.home(user)}c/"
            make_calendar(server.url, user, password, path, "Agenda")
            server.fill(f"{path}a.ics", vevent(user).encode())
            settings = CalDavSettings(user, proxy.url, user, password, home=server.home(user))
            accounts[user] = CalDavAccount(settings, now=lambda: NOW, servers=servers)
            stack.callback(accounts[user].close)
            refs.append(CalendarRef(user, path))
        observe(store, accounts, refs)
        proxy.forget()
        observe(store, accounts, refs)
        assert Counter(login_of(seen) for seen in proxy.seen) == dict.fromkeys(USERS, 1)
        assert proxy.peak <= 8


@pytest.mark.parametrize("events", [1_000, 1_001])
def test_a_first_reading_is_one_listing_and_a_multiget_for_each_hundred(events: int) -> None:
    with DavDouble({"alice": "secret-alice"}) as server, CalDavBench(server, profile=UNKNOWN_SERVER) as bench:
        for number in range(events):
            server.fill(f"{bench.calendar}e{number}.ics", vevent(f"e{number}").encode())
        first = bench.account.changes(bench.calendar, None, {})
        assert len(first.items) == events
        assert bench.proxy.methods() == ["PROPFIND", *["REPORT"] * (-(-events // 100))]
