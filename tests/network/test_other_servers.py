"""A calendar server that points elsewhere: the account's password does not follow."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
import requests

from connectors.errors import ITMustAct
from connectors.hosts import exact_pattern
from tests.connectors.caldav.answers import given, multistatus
from tests.connectors.caldav.bench import CalDavBench
from tests.servers.counting_proxy import CountingProxy, Instead, Reply
from tests.servers.radicale import RadicaleServer


@pytest.fixture
def bench(radicale: RadicaleServer) -> Iterator[CalDavBench]:
    with CalDavBench(radicale) as bench:
        yield bench


@pytest.fixture
def stranger(radicale: RadicaleServer) -> Iterator[CountingProxy]:
    """Another server, which would answer."""
    with CountingProxy(radicale.url) as proxy:
        yield proxy


def points_to(kind: str, address: str) -> Reply:
    """The ways of a server to send a client elsewhere during discovery."""
    if kind == "redirect":
        return Reply(301, (("Location", address),))
    name = "C:calendar-home-set" if kind == "home" else "current-user-principal"
    return multistatus(given("/alice/", f"<{name}><href>{address}</href></{name}>"))


@pytest.mark.parametrize("kind", ["home", "redirect"])
@pytest.mark.parametrize("listed", [True, False])
def test_another_server_never_gets_the_password(
    bench: CalDavBench, stranger: CountingProxy, kind: str, listed: bool
) -> None:
    """Not even a listed one: a password was given for one server. IT is told what to configure."""
    address = stranger.url.replace("127.0.0.1", "localhost")
    hosts = (exact_pattern(address.removeprefix("http://").rstrip("/")),) if listed else ()
    bench.proxy.when(
        "PROPFIND",
        Instead(points_to(kind, f"{address}alice/")),
        matches=lambda seen: kind == "redirect" or b"calendar-home-set" in seen.body,
    )
    with pytest.raises(ITMustAct, match="points to another server") as raised:
        bench.other_account(home=None, allowed_hosts=hosts).discover()
    assert stranger.seen == ()
    assert ("(its host is not among the allowed ones)" in str(raised.value)) is not listed
    assert ("Configure localhost as the account's url" in raised.value.remedy) is listed
    secret = base64.b64encode(f"alice:{bench.password}".encode()).decode()
    assert all(seen.headers["authorization"] == f"Basic {secret}" for seen in bench.proxy.seen)


def test_a_redirect_within_the_server_names_the_address_to_configure(bench: CalDavBench) -> None:
    bench.proxy.when("PROPFIND", Instead(Reply(301, (("Location", "/remote.php/dav"),))))
    with pytest.raises(ITMustAct, match="another path") as raised:
        bench.other_account(home=None).discover()
    assert f"Configure {bench.proxy.url}remote.php/dav as the url" in raised.value.remedy


def test_a_principal_on_another_server_is_not_asked(bench: CalDavBench, stranger: CountingProxy) -> None:
    bench.proxy.when("PROPFIND", Instead(points_to("principal", f"{stranger.url}alice/")))
    with pytest.raises(ITMustAct):
        bench.other_account(home=None).discover()
    assert stranger.seen == ()


def test_whatever_the_caldav_package_wants_to_ask_goes_to_the_accounts_server(
    bench: CalDavBench, stranger: CountingProxy
) -> None:
    """It adds the password to each request, wherever that goes."""
    for method in ("PROPFIND", "PUT", "DELETE"):
        with pytest.raises(requests.RequestException):
            bench.account._package._client.request(f"{stranger.url}alice/", method)
    assert stranger.seen == ()
