"""Finding an agent's calendar home by e-mail: on real servers, and on answers as other kinds give them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from connectors.errors import ITMustAct, RetryLater
from tests.connectors.caldav.answers import given, multistatus
from tests.connectors.caldav.bench import CalDavBench
from tests.servers.counting_proxy import Ask, Reply, Seen
from tests.servers.radicale import RadicaleServer
from tests.servers.xandikos import XandikosServer

EMAIL = "Alice@departement.example"
HOME = "<C:calendar-home-set><href>/homes/alice/</href></C:calendar-home-set>"
ADDRESS = "<C:calendar-user-address-set><href>mailto:alice@departement.example</href></C:calendar-user-address-set>"
LONGER = ADDRESS.replace("mailto:", "mailto:not-")
REFUSED = Reply(403)


def replying(choose: Callable[[bytes], Reply]) -> Callable[[Seen, Ask], Reply]:
    """A server whose answers to searches depend on their bodies; it says where principals are."""

    def trait(seen: Seen, ask: Ask) -> Reply:
        if seen.method == "PROPFIND" and b"principal-collection-set" in seen.body:
            where = "<principal-collection-set><href>/principals/</href></principal-collection-set>"
            return multistatus(given("/", where))
        if seen.method == "REPORT" and b"principal-" in seen.body:
            assert seen.path == "/principals/"
            assert seen.depth == "0"
            return choose(seen.body)
        return ask(seen)

    return trait


def searched_by(body: bytes) -> str:
    """Which property a search is for."""
    if b"calendarserver-principal-search" in body:
        return "token"
    found = re.search(rb"<D:property-search><D:prop><\w:([a-z-]+)/>", body)
    assert found is not None
    return found[1].decode()


def homes(server: RadicaleServer, choose: Callable[[bytes], Reply]) -> tuple[str, ...]:
    with CalDavBench(server, traits=[replying(choose)]) as bench:
        return bench.account.homes_of(EMAIL)


@pytest.mark.parametrize(
    ("way", "row"),
    [
        ("calendar-user-address-set", HOME + ADDRESS),
        (
            "email-address-set",
            HOME
            + '<S:email-address-set xmlns:S="http://calendarserver.org/ns/">'
            + "<S:email-address>alice@departement.example</S:email-address></S:email-address-set>",
        ),
        (
            "email-address",
            HOME + '<B:email-address xmlns:B="http://sabredav.org/ns">ALICE@departement.example</B:email-address>',
        ),
        ("token", HOME + ADDRESS),
    ],
)
def test_the_home_is_found_by_whichever_search_the_server_has(radicale: RadicaleServer, way: str, row: str) -> None:
    """RFC 3744's by three properties, then calendarserver's."""
    found = homes(radicale, lambda body: multistatus(given("/p/", row)) if searched_by(body) == way else REFUSED)
    assert found == ("/homes/alice/",)


def test_whoever_merely_has_a_similar_address_is_not_taken(radicale: RadicaleServer) -> None:
    """Servers match parts of words."""
    assert homes(radicale, lambda _: multistatus(given("/p/", HOME + LONGER))) == ()


def test_a_server_that_does_not_search_says_so_to_it(radicale: RadicaleServer) -> None:
    with pytest.raises(ITMustAct) as raised:
        homes(radicale, lambda _: Reply(501))
    assert "template" in raised.value.remedy


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_in_trouble_is_tried_later(radicale: RadicaleServer, status: int) -> None:
    """It is not taken for one that does not search."""
    with pytest.raises(RetryLater):
        homes(radicale, lambda _: Reply(status))


def test_a_search_of_another_kind_that_fails_after_one_that_found_nobody_is_no_trouble(
    radicale: RadicaleServer,
) -> None:
    """SOGo: 500 for calendarserver's search. Whoever has no account there would never be done with."""
    assert homes(radicale, lambda body: Reply(500) if searched_by(body) == "token" else multistatus()) == ()


def test_a_server_that_falls_into_trouble_between_two_searches_is_tried_later(radicale: RadicaleServer) -> None:
    with pytest.raises(RetryLater):
        homes(radicale, lambda body: Reply(503) if searched_by(body) == "token" else multistatus())


def test_calendars_on_another_server_are_not_followed(radicale: RadicaleServer) -> None:
    """The password was given for one."""
    elsewhere = HOME.replace("/homes", "https://elsewhere.example/homes")
    with pytest.raises(ITMustAct):
        homes(radicale, lambda _: multistatus(given("/p/", elsewhere + ADDRESS)))


def test_an_address_is_escaped(radicale: RadicaleServer) -> None:
    """Whatever stands in RDV-Solidarités."""
    bodies: list[bytes] = []
    with CalDavBench(radicale, traits=[replying(lambda body: (bodies.append(body), multistatus())[1])]) as bench:
        assert bench.account.homes_of("a&b<c>@example.fr") == ()
    assert all(b"a&amp;b&lt;c&gt;@example.fr" in body for body in bodies)


@pytest.mark.parametrize("kind", ["radicale", "xandikos"])
def test_a_real_server_that_knows_no_address_finds_nobody(kind: str, request: pytest.FixtureRequest) -> None:
    """Neither knows e-mails of its users; both answer."""
    server: RadicaleServer | XandikosServer = request.getfixturevalue(kind)
    with CalDavBench(server) as bench:
        assert bench.account.homes_of("alice@departement.example") == ()


def test_one_account_reaches_many_homes_with_its_own_connections(radicale: RadicaleServer) -> None:
    """A home, or a single calendar that is shared without its home."""
    with CalDavBench(radicale) as bench:
        account = bench.other_account(home=None)
        home = account.at_home(radicale.home("alice"))
        alone = account.at_home(bench.calendar)
        assert bench.calendar in {info.calendar for info in home.discover()}
        assert [info.calendar for info in alone.discover()] == [bench.calendar]
        assert [mark.calendar for mark in alone.look()] == [bench.calendar]
        assert account.requests == home.requests == alone.requests == 3
