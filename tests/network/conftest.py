"""A département's network: servers with certificates of a private authority, known to one proxy alone."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest

from connectors.caldav import CalDavAccount, CalDavSettings
from connectors.caldav.provision import make_calendar
from connectors.network import Network, Proxy
from connectors.rdv_solidarites import DeviseTokens, MemoryTokenStore, RdvSolidaritesClient
from gateway.clock import SystemClock
from gateway.sandbox.seed import ACCOUNT, PASSWORD, seed_departement
from gateway.sandbox.server import Sandbox
from tests.servers.authority import Authority
from tests.servers.connect_proxy import ConnectProxy
from tests.servers.counting_proxy import CountingProxy
from tests.servers.radicale import RadicaleServer

AGENDA = "agenda.departement.test"
RDVS = "rdvs.departement.test"
PLACES = (f"{AGENDA}:443", f"{RDVS}:443")
CALENDAR = "/alice/behind-tls/"
TIMES = (datetime(2031, 5, 5, 9, 0), datetime(2031, 5, 5, 10, 0))


@dataclass
class Departement:
    """Both servers behind TLS (`agenda`, `rdvs`), the proxy that knows them, and the authority that signed for them."""

    agenda: CountingProxy
    rdvs: CountingProxy
    authority: Authority
    proxy: ConnectProxy

    def network(self, **changes: Any) -> Network:
        """The network as it has to be configured; `changes`: what is not."""
        values = {"proxy": Proxy(self.proxy.url), "ca_file": self.authority.ca_file, "connect_timeout": 2.0}
        return Network(**(values | changes))


class Clients:
    """Real clients of both servers; closed at the end."""

    def __init__(self, password: str, held: ExitStack) -> None:
        self._password = password
        self._held = held

    def account(self, network: Network, *, url: str = f"https://{AGENDA}/", **changes: Any) -> CalDavAccount:
        values = {
            "name": "zimbra",
            "url": url,
            "username": "alice",
            "password": self._password,
            "network": network,
        }
        account = CalDavAccount(CalDavSettings(**(values | changes)))
        self._held.callback(account.close)
        return account

    def rdv_solidarites(self, network: Network, *, url: str = f"https://{RDVS}") -> RdvSolidaritesClient:
        clock = SystemClock()
        tokens = DeviseTokens(ACCOUNT, PASSWORD, MemoryTokenStore(), clock)
        client = RdvSolidaritesClient(url, tokens, clock=clock, network=network, requests_per_second=None)
        self._held.callback(client.close)
        return client


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    today = datetime.now(ZoneInfo("Europe/Paris")).date()
    with Sandbox(seed=lambda state: seed_departement(state, today)) as running:
        yield running


@pytest.fixture
def clients(radicale: RadicaleServer) -> Iterator[Clients]:
    with ExitStack() as held:
        yield Clients(radicale.users["alice"], held)


@pytest.fixture(scope="session")
def calendar(radicale: RadicaleServer) -> str:
    make_calendar(radicale.url, "alice", radicale.users["alice"], CALENDAR, "Agenda")
    return CALENDAR


@contextmanager
def departement(
    authority: Authority,
    radicale: RadicaleServer,
    sandbox: Sandbox,
    *,
    tls: ssl.SSLContext | None = None,
    plain: bool = False,
    tls_of_proxy: ssl.SSLContext | None = None,
    **proxy: Any,
) -> Iterator[Departement]:
    """`tls`: what both servers present in place of good certificates; `plain`: no TLS; the rest: the proxy's."""
    tls = None if plain else tls or authority.server(AGENDA, RDVS)
    with (
        CountingProxy(radicale.url, tls=tls) as agenda,
        CountingProxy(sandbox.url, tls=tls) as rdvs,
        ConnectProxy(_places(agenda, rdvs), tls=tls_of_proxy, **proxy) as running,
    ):
        yield Departement(agenda, rdvs, authority, running)


def _places(*servers: CountingProxy) -> dict[str, int]:
    return {place: urlsplit(server.url).port or 0 for place, server in zip(PLACES, servers, strict=True)}
