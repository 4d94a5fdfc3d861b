"""Each way in which a network fails: its own message, whom it concerns, what to do. For every client."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import Addressee, ConnectorError, ITMustAct, RetryLater
from connectors.network import ClientCertificate, Network, Proxy
from connectors.records import AbsenceDraft
from gateway.sandbox.server import Sandbox
from tests.contract.calendar_contract import draft
from tests.network.conftest import AGENDA, RDVS, TIMES, Clients, Departement, departement
from tests.servers.authority import Authority
from tests.servers.counting_proxy import Instead, Reply
from tests.servers.process import free_port
from tests.servers.radicale import RadicaleServer


@dataclass(frozen=True)
class Case:
    """`around`: what differs of servers and proxy; `network`: of the configuration. `said` and `remedy` are held by
    the error's; `of_proxy`: the message names the proxy, else the server."""

    said: str
    remedy: str
    around: Callable[[Authority, Authority], dict[str, Any]] = lambda _own, _other: {}
    network: Callable[[Departement, Authority], dict[str, Any]] = lambda _there, _other: {}
    of_proxy: bool = False
    kind: type[ConnectorError] = ITMustAct


def login(there: Departement, user: str = "gateway", password: str = "wrong-password") -> dict[str, Any]:
    return {"proxy": Proxy(there.proxy.url, user, password)}


CASES = {
    "authority not configured": Case(
        said="is not trusted: the authority that signed it is not in the operating system's store.",
        remedy="[network] ca_file",
        network=lambda _there, _other: {"ca_file": None},
    ),
    "another authority configured": Case(
        said="nor in",
        remedy="[network] ca_file",
        network=lambda _there, other: {"ca_file": other.ca_file},
    ),
    "certificate expired": Case(
        said="has expired",
        remedy="renewed",
        around=lambda own, _other: {"tls": own.server(AGENDA, RDVS, days=-1)},
    ),
    "certificate not yet valid": Case(
        said="is not valid yet",
        remedy="clock",
        around=lambda own, _other: {"tls": own.server(AGENDA, RDVS, begins_in=1)},
    ),
    "certificate of another name": Case(
        said="is made for another name",
        remedy="name that the certificate holds",
        around=lambda own, _other: {"tls": own.server("mail.departement.test")},
    ),
    "client certificate missing": Case(
        said="wants a client certificate, and none is configured",
        remedy="client_certificate_file",
        around=lambda own, _other: {"tls": own.server(AGENDA, RDVS, clients=own)},
    ),
    "client certificate of an authority that the server does not know": Case(
        said="refuses the configured client certificate (TLSV1_ALERT_UNKNOWN_CA)",
        remedy="authority that this server accepts",
        around=lambda own, _other: {"tls": own.server(AGENDA, RDVS, clients=own)},
        network=lambda _there, other: {"client_certificate": other.client()},
    ),
    "client certificate expired": Case(
        said="refuses the configured client certificate (SSLV3_ALERT_CERTIFICATE_EXPIRED)",
        remedy="renewed if it has expired",
        around=lambda own, _other: {"tls": own.server(AGENDA, RDVS, clients=own)},
        network=lambda there, _other: {"client_certificate": there.authority.client("old", days=-1)},
    ),
    "no common version of TLS": Case(
        said="No encryption could be agreed on",
        remedy="TLS 1.2 or later",
        around=lambda own, _other: {"tls": old_tls(own)},
    ),
    "no TLS at that port": Case(
        said="does not speak TLS",
        remedy="port",
        around=lambda _own, _other: {"plain": True},
    ),
    "proxy wants a login": Case(
        said="does not accept our user name and password, or wants them (407)",
        remedy="proxy_username",
        around=lambda _own, _other: {"login": ("gateway", "right-password")},
        of_proxy=True,
    ),
    "proxy refuses the login": Case(
        said="does not accept our user name and password, or wants them (407)",
        remedy="proxy_password_env",
        around=lambda _own, _other: {"login": ("gateway", "right-password")},
        network=lambda there, _other: login(there),
        of_proxy=True,
    ),
    "proxy does not let through": Case(
        said="refuses to connect to {host} (403)",
        remedy="allowed on the proxy",
        around=lambda _own, _other: {"verdict": 403},
        of_proxy=True,
    ),
    "proxy does not get through": Case(
        said="did not get through to {host} (503)",
        remedy="tries again",
        around=lambda _own, _other: {"verdict": 503},
        of_proxy=True,
        kind=RetryLater,
    ),
    "proxy hangs up": Case(
        said="did not get through to {host}",
        remedy="tries again",
        around=lambda _own, _other: {"verdict": 0},
        of_proxy=True,
        kind=RetryLater,
    ),
    "proxy not running": Case(
        said="cannot be reached (ConnectionRefusedError)",
        remedy="[network] proxy",
        network=lambda _there, _other: {"proxy": Proxy(f"http://127.0.0.1:{free_port()}")},
        of_proxy=True,
    ),
    "proxy of an unknown name": Case(
        said="cannot be reached (gaierror)",
        remedy="[network] proxy",
        network=lambda _there, _other: {"proxy": Proxy("http://proxy.invalid:3128")},
        of_proxy=True,
    ),
    "proxy of an untrusted certificate": Case(
        said="certificate of the proxy",
        remedy="ca_file",
        around=lambda _own, other: {"tls_of_proxy": other.server("127.0.0.1")},
        of_proxy=True,
    ),
}


def old_tls(authority: Authority) -> ssl.SSLContext:
    context = authority.server(AGENDA, RDVS)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-CAMELLIA128-SHA256")
    return context


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("other"), "Another authority")


@pytest.fixture(scope="module", params=CASES)
def met(
    request: pytest.FixtureRequest, authority: Authority, other: Authority, radicale: RadicaleServer, sandbox: Sandbox
) -> Iterator[tuple[Case, Departement, Any]]:
    case = CASES[request.param]
    with departement(authority, radicale, sandbox, **case.around(authority, other)) as there:
        yield case, there, there.network(**case.network(there, other))


ASKS: dict[str, tuple[str, Callable[[Clients, Any], object]]] = {
    "discovery": (AGENDA, lambda clients, network: clients.account(network).discover()),
    "polling": (AGENDA, lambda clients, network: clients.account(network, home="/alice/").look()),
    "writing": (AGENDA, lambda clients, network: clients.account(network).create("/alice/x/", draft())),
    "RDV-Solidarités": (RDVS, lambda clients, network: clients.rdv_solidarites(network).organisations()),
}


@pytest.mark.parametrize("ask", ASKS)
def test_a_fault_of_the_network_is_said_with_its_place_and_remedy(
    ask: str, met: tuple[Case, Departement, Any], clients: Clients
) -> None:
    case, there, network = met
    host, act = ASKS[ask]
    with pytest.raises(ConnectorError) as raised:
        act(clients, network)
    error = raised.value
    assert (type(error), error.addressee) == (case.kind, case.kind.addressee)
    assert case.said.format(host=host) in str(error)
    assert case.remedy in error.remedy
    assert (network.proxy.place if case.of_proxy else host) in str(error)
    assert (there.agenda.seen, there.rdvs.seen) == ((), ())
    assert "password" not in str(error).replace("user name and password", "")


def test_a_write_is_not_lost_when_the_network_refused_it(
    authority: Authority, radicale: RadicaleServer, sandbox: Sandbox, clients: Clients
) -> None:
    """Nothing left this machine, or nothing was taken: there is nothing to settle by reading."""
    tls = authority.server(AGENDA, RDVS, clients=authority)
    with departement(authority, radicale, sandbox, tls=tls) as there:
        certificate = authority.client()
        client = clients.rdv_solidarites(there.network(client_certificate=certificate))
        agent = client.agents()[0]
        for changes in ({}, {"proxy": Proxy(f"http://127.0.0.1:{free_port()}")}):
            with pytest.raises(ITMustAct):
                clients.rdv_solidarites(there.network(**changes)).create_absence(AbsenceDraft(agent.id, "x", *TIMES))


def test_the_page_that_asks_for_a_client_certificate_is_understood(
    authority: Authority, radicale: RadicaleServer, sandbox: Sandbox, clients: Clients
) -> None:
    """nginx, which stands before many calendar servers, completes the handshake and then answers with a page."""
    page = b"<html><head><title>400 No required SSL certificate was sent</title></head></html>"
    with departement(authority, radicale, sandbox) as there:
        there.agenda.when(None, Instead(Reply(400, (("Content-Type", "text/html"),), page)), times=None)
        for _, act in [ASKS[name] for name in ("discovery", "polling", "writing")]:
            with pytest.raises(ITMustAct, match="wants a client certificate, and none is configured"):
                act(clients, there.network())


def test_a_proxy_that_does_not_answer_in_time_is_not_the_servers_fault(
    authority: Authority, radicale: RadicaleServer, sandbox: Sandbox, clients: Clients
) -> None:
    with ExitStack() as held:
        there = held.enter_context(departement(authority, radicale, sandbox))
        silent = held.enter_context(socket.create_server(("127.0.0.1", 0)))
        proxy = Proxy(f"http://127.0.0.1:{silent.getsockname()[1]}")
        network = there.network(proxy=proxy, read_timeout=0.2, connect_timeout=0.2)
        for _, act in ASKS.values():
            with pytest.raises(RetryLater, match=proxy.place):
                act(clients, network)


FILES = {
    "no such file": ({"ca_file": "none.pem"}, "none.pem, cannot be used (No such file or directory)"),
    "no certificates": ({"ca_file": "text"}, "text, cannot be used (it does not hold PEM certificates)"),
    "no client certificate": ({"client_certificate": ("text", None, "")}, "it does not hold a PEM certificate"),
    "wrong password": ({"client_certificate": ("own.pem", "own.key", "wrong")}, "own.pem cannot be decrypted"),
    "no password": ({"client_certificate": ("own.pem", "own.key", "")}, "own.pem cannot be decrypted"),
    "key of another": ({"client_certificate": ("own.pem", "two.key", "")}, "do not belong together"),
}


@pytest.mark.parametrize("case", FILES)
def test_files_that_cannot_be_used_are_named(case: str, clients: Clients, tmp_path: Path) -> None:
    """When a client is made, for both libraries at once. No password is asked for on a terminal."""
    authority = Authority(tmp_path)
    authority.client("own", password="right-password")
    authority.client("two")
    (tmp_path / "text").write_text("certificate")
    values, said = FILES[case]
    changes: dict[str, Any] = {}
    if "ca_file" in values:
        changes["ca_file"] = tmp_path / str(values["ca_file"])
    else:
        first, second, password = values["client_certificate"]
        changes["client_certificate"] = ClientCertificate(
            tmp_path / first, tmp_path / second if second else None, password
        )
    network = Network(**changes)
    for make in (lambda: clients.account(network), lambda: clients.rdv_solidarites(network)):
        with pytest.raises(ITMustAct) as raised:
            make()
        assert said in str(raised.value)
        assert raised.value.addressee is Addressee.IT
