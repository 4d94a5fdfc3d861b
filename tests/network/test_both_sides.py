"""Calendars and RDV-Solidarités behind a private authority, reachable through a proxy alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from connectors.caldav import CalDavAccount
from connectors.errors import RetryLater
from connectors.hosts import proxy_exception
from connectors.network import Proxy
from connectors.records import AbsenceDraft
from gateway.sandbox.server import Sandbox
from tests.contract.calendar_contract import draft
from tests.network.conftest import AGENDA, PLACES, RDVS, TIMES, Clients, Departement, departement
from tests.servers.authority import Authority
from tests.servers.radicale import RadicaleServer


@pytest.fixture
def there(authority: Authority, radicale: RadicaleServer, sandbox: Sandbox) -> Iterator[Departement]:
    with departement(authority, radicale, sandbox) as there:
        yield there


def exercise(account: CalDavAccount, calendar: str) -> None:
    """Discovery by the caldav package, polling by httpx2, writes by the package again."""
    assert calendar in {info.calendar for info in account.discover()}
    assert calendar in {mark.calendar for mark in account.look()}
    item = account.create(calendar, draft("rdvgw-network"))
    assert account.changes(calendar, None, {}).present == {item.href}
    item = account.update(calendar, item, draft("rdvgw-network", summary="x"), notes=True)
    account.delete(calendar, item)
    assert account.read(calendar, item.href) is None


def test_everything_goes_through_the_proxy_to_servers_of_the_private_authority(
    there: Departement, clients: Clients, calendar: str
) -> None:
    """The names are known to the proxy alone, the authority to the configuration alone: each request needed both."""
    exercise(clients.account(there.network()), calendar)
    client = clients.rdv_solidarites(there.network())
    agent = client.agents()[0]
    absence = client.create_absence(AbsenceDraft(agent.id, "Occupé", *TIMES))
    client.delete_absence(absence.id)
    assert client.absence(absence.id) is None
    assert there.proxy.connected() == set(PLACES)
    assert len(there.rdvs.seen) == client.requests


def test_a_proxy_that_wants_a_password_gets_it_and_no_server_does(
    authority: Authority, radicale: RadicaleServer, sandbox: Sandbox, clients: Clients, calendar: str
) -> None:
    login = ("gateway", "pass:é%40")
    with departement(authority, radicale, sandbox, login=login) as there:
        network = there.network(proxy=Proxy(there.proxy.url, *login))
        exercise(clients.account(network), calendar)
        assert clients.rdv_solidarites(network).organisations()
        seen = [*there.agenda.seen, *there.rdvs.seen]
    assert seen
    assert not any("proxy-authorization" in each.headers for each in seen)
    assert login[1] not in repr(network)


def test_a_proxy_that_is_reached_encrypted(
    authority: Authority, radicale: RadicaleServer, sandbox: Sandbox, clients: Clients, calendar: str
) -> None:
    with departement(authority, radicale, sandbox, tls_of_proxy=authority.server("127.0.0.1")) as there:
        exercise(clients.account(there.network()), calendar)
        assert clients.rdv_solidarites(there.network()).organisations()
        assert there.proxy.connected() == set(PLACES)


def test_servers_that_want_a_client_certificate_get_it(
    authority: Authority, radicale: RadicaleServer, sandbox: Sandbox, clients: Clients, calendar: str
) -> None:
    """With a key that has a password, as keys on disk should."""
    certificate = authority.client(password="key-password")
    tls = authority.server(AGENDA, RDVS, clients=authority)
    with departement(authority, radicale, sandbox, tls=tls) as there:
        network = there.network(client_certificate=certificate)
        exercise(clients.account(network), calendar)
        assert clients.rdv_solidarites(network).organisations()
    assert "key-password" not in repr(network)


def test_this_machine_is_never_reached_through_the_proxy(
    there: Departement, radicale: RadicaleServer, sandbox: Sandbox, clients: Clients, calendar: str
) -> None:
    exercise(clients.account(there.network(), url=radicale.url), calendar)
    assert clients.rdv_solidarites(there.network(), url=sandbox.url).organisations()
    assert there.proxy.asked == ()


def test_an_exception_of_the_proxy_is_reached_directly(there: Departement, clients: Clients) -> None:
    """One of the two hosts is excepted: nobody resolves its name, and the proxy is not asked for it."""
    network = there.network()
    assert network.proxy
    network = replace(network, proxy=replace(network.proxy, exceptions=(proxy_exception(AGENDA),)))
    account = clients.account(network, home="/alice/")
    for ask in (account.look, lambda: account.create("/alice/x/", draft())):
        with pytest.raises(RetryLater):
            ask()
    assert clients.rdv_solidarites(network).organisations()
    assert there.proxy.connected() == {PLACES[1]}


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_not_used(
    variable: str, there: Departement, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a sync by hand and one as a service would go different ways."""
    monkeypatch.setenv(variable, there.proxy.url)
    account = clients.account(there.network(proxy=None), home="/alice/")
    client = clients.rdv_solidarites(there.network(proxy=None))
    for ask in (account.look, lambda: account.create("/alice/x/", draft()), client.organisations):
        with pytest.raises(RetryLater):
            ask()
    assert there.proxy.asked == ()
    monkeypatch.setenv(variable, "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "*")
    assert clients.rdv_solidarites(there.network()).organisations()
    assert there.proxy.connected() == {PLACES[1]}
