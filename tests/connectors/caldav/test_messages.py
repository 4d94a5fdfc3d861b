"""Each kind of trouble has a message, an addressee and a remedy of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.errors import Addressee, ConnectorError
from tests.connectors.caldav.answers import given, multistatus, row
from tests.connectors.caldav.bench import CalDavBench
from tests.contract.calendar_contract import vevent
from tests.servers.counting_proxy import Cut, Instead, Reply
from tests.servers.radicale import RadicaleServer


@pytest.fixture
def bench(radicale: RadicaleServer) -> Iterator[CalDavBench]:
    with CalDavBench(radicale) as bench:
        yield bench


def troubles(bench: CalDavBench) -> dict[str, tuple[Instead | Cut, Addressee, str, str]]:
    """By name: what the server does, who can mend it, what the message and the remedy speak of."""
    nothing = given("/alice/", "<resourcetype><collection/></resourcetype>")
    return {
        "wrong password": (Instead(Reply(401)), Addressee.IT, "password", "check --retry"),
        "moved or deleted calendar": (Instead(Reply(404)), Addressee.IT, "does not find", "moved or deleted"),
        "calendar gone, in disguise": (
            Instead(multistatus(row(bench.calendar, 404))),
            Addressee.IT,
            "does not find",
            "moved or deleted",
        ),
        "withdrawn share": (Instead(Reply(403)), Addressee.IT, "does not let", "rights back"),
        "withdrawn share, in disguise": (
            Instead(multistatus(row(bench.calendar, 403))),
            Addressee.IT,
            "does not let",
            "rights back",
        ),
        "no calendar any more": (Instead(multistatus(nothing)), Addressee.IT, "does not speak of", "discovery"),
        "another address": (Instead(Reply(301)), Addressee.IT, "points to another", "Configure the address"),
        "login page": (Instead(Reply(200)), Addressee.IT, "of no use", "login page"),
        "full storage": (Instead(Reply(507)), Addressee.IT, "in trouble", "make room"),
        "server in trouble": (Instead(Reply(500)), Addressee.NOBODY, "in trouble", "next run"),
        "server busy": (Instead(Reply(503)), Addressee.NOBODY, "too much to do", "next run"),
        "connection cut": (Cut(), Addressee.NOBODY, "did not answer", "next run"),
    }


@pytest.mark.parametrize(
    "name",
    [
        "wrong password",
        "moved or deleted calendar",
        "calendar gone, in disguise",
        "withdrawn share",
        "withdrawn share, in disguise",
        "no calendar any more",
        "another address",
        "login page",
        "full storage",
        "server in trouble",
        "server busy",
        "connection cut",
    ],
)
def test_who_is_told_what_about_a_calendar_that_cannot_be_read(bench: CalDavBench, name: str) -> None:
    fault, addressee, message, remedy = troubles(bench)[name]
    account = bench.other_account(owned_by_it=True)
    bench.proxy.when(None, fault, times=None)
    with pytest.raises(ConnectorError) as raised:
        account.changes(bench.calendar, None, {})
    assert raised.value.addressee is addressee
    assert raised.value.system == "test"
    assert message in str(raised.value)
    assert remedy in raised.value.remedy


def test_an_event_that_the_server_does_not_give_is_named_and_the_others_are_read(bench: CalDavBench) -> None:
    bad, good = (bench.other_client_puts(name, vevent(name)) for name in "ab")
    bench.proxy.when("REPORT", Instead(Reply(500)))
    bench.proxy.when("GET", Instead(Reply(500)), path=bad)
    changes = bench.account.changes(bench.calendar, None, {})
    assert [item.href for item in changes.items] == [good]
    assert [(href, reason) for href, _, reason in changes.unreadable] == [(bad, "the server answers 500 for it")]
