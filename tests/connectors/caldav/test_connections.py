"""Networks and slow servers, between a real server and us."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from connectors.errors import (
    AnswerLost,
    RetryLater,
)
from connectors.network import Network
from tests.connectors.caldav.bench import CalDavBench
from tests.contract.calendar_contract import draft, vevent
from tests.servers.counting_proxy import Cut, Hang
from tests.servers.radicale import RadicaleServer


@pytest.fixture
def bench(radicale: RadicaleServer) -> Iterator[CalDavBench]:
    with CalDavBench(radicale) as bench:
        yield bench


# --- connections ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep_alive", ["no", "silent"])
def test_a_server_that_closes_after_each_answer_loses_nothing(radicale: RadicaleServer, keep_alive: str) -> None:
    with CalDavBench(radicale, keep_alive=keep_alive) as bench:
        for number in range(10):
            item = bench.account.create(bench.calendar, draft(f"rdvgw-{number}"))
            item = bench.account.update(bench.calendar, item, draft(f"rdvgw-{number}", summary="x"), notes=True)
            assert bench.account.read(bench.calendar, item.href) == item
            bench.account.delete(bench.calendar, item)


@pytest.mark.parametrize("method", ["PROPFIND", "REPORT", "GET"])
def test_a_reading_that_is_cut_is_sent_once_more_and_only_once(bench: CalDavBench, method: str) -> None:
    href = bench.other_client_puts("a", vevent("a"))
    bench.proxy.when(method, Cut())
    assert bench.account.read(bench.calendar, href) is not None
    assert bench.account.changes(bench.calendar, None, {}).complete
    bench.proxy.when(method, Cut(), times=2)

    def read_all() -> None:
        bench.account.read(bench.calendar, href)
        bench.account.changes(bench.calendar, None, {})

    with pytest.raises(RetryLater) as raised:
        read_all()
    assert type(raised.value) is RetryLater


def test_a_search_for_the_home_that_is_cut_is_made_once_more_and_only_once(bench: CalDavBench) -> None:
    account = bench.other_account(home=None)
    bench.proxy.when("PROPFIND", Cut())
    assert account.look()
    undiscovered = bench.other_account(home=None)
    bench.proxy.when("PROPFIND", Cut(), times=2)
    with pytest.raises(RetryLater):
        undiscovered.look()


def test_a_conditional_write_that_never_arrived_is_sent_once_more(bench: CalDavBench) -> None:
    bench.proxy.when("PUT", Cut())
    item = bench.account.create(bench.calendar, draft())
    bench.proxy.when("PUT", Cut())
    item = bench.account.update(bench.calendar, item, draft(summary="x"), notes=True)
    bench.proxy.when("DELETE", Cut())
    bench.account.delete(bench.calendar, item)
    assert bench.account.read(bench.calendar, item.href) is None


def test_a_delete_whose_answer_was_lost_is_done(bench: CalDavBench) -> None:
    item = bench.account.create(bench.calendar, draft())
    bench.proxy.when("DELETE", Cut(forward=True))
    bench.account.delete(bench.calendar, item)
    assert bench.account.read(bench.calendar, item.href) is None


@pytest.mark.parametrize("forward", [False, True])
def test_a_server_that_hangs_is_given_up(bench: CalDavBench, forward: bool) -> None:
    impatient = bench.other_account(network=Network(read_timeout=0.2))
    item = bench.account.create(bench.calendar, draft())
    bench.proxy.when(None, Hang(30, forward), times=None)
    with pytest.raises(RetryLater) as raised:
        impatient.look()
    assert type(raised.value) is RetryLater
    for write in (
        lambda: impatient.create(bench.calendar, draft("rdvgw-2")),
        lambda: impatient.update(bench.calendar, item, draft(summary="x"), notes=True),
        lambda: impatient.delete(bench.calendar, item),
    ):
        with pytest.raises(AnswerLost):
            write()


def test_an_answer_that_never_ends_is_given_up(bench: CalDavBench) -> None:
    with pytest.raises(RetryLater, match="does not end"):
        bench.other_account(answer_limit=0.0).look()


def test_a_server_that_is_away_was_not_written_to(bench: CalDavBench) -> None:
    item = bench.account.create(bench.calendar, draft())
    undiscovered = bench.other_account(home=None)
    bench.proxy.stop()
    for ask in (
        bench.account.look,
        lambda: bench.account.create(bench.calendar, draft("rdvgw-2")),
        lambda: bench.account.update(bench.calendar, item, draft(), notes=True),
        lambda: bench.account.delete(bench.calendar, item),
        undiscovered.discover,
    ):
        with pytest.raises(RetryLater) as raised:
            ask()
        assert type(raised.value) is RetryLater


def test_no_more_requests_at_a_time_than_allowed(bench: CalDavBench) -> None:
    account = bench.other_account(max_connections=2)
    account.look()
    bench.proxy.forget()
    threads = [threading.Thread(target=account.look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(bench.proxy.seen) == 8
    assert bench.proxy.peak <= 2
