"""How many requests a server gets at the same time, and when it is left alone."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from connectors.caldav.concurrency import Concurrency, Turn
from connectors.caldav.findings import Caught
from connectors.caldav.profiles import PROFILES
from connectors.caldav.servers import Servers
from connectors.errors import AgentMustAct, RetryLater
from tests.connectors.caldav.bench import NOW, CalDavBench
from tests.servers.counting_proxy import Before, Cut, Instead, Reply
from tests.servers.radicale import RadicaleServer
from tests.servers.xandikos import XandikosServer

# Measured: answers per second at 1, 8 and 32 requests at the same time.
RADICALE = {1: 194.0, 8: 87.0}
XANDIKOS = {1: 184.0, 8: 342.0}


@dataclass
class SimulatedServer:
    """Takes as long as the measured server at the number of requests under way; all clients ask all the time."""

    rates: dict[int, float]
    now: float = 0.0
    running: list[tuple[float, int, Turn]] = field(default_factory=list)

    def seconds(self, together: int) -> float:
        low, high = self.rates[1], self.rates[8]
        return together / (low + (high - low) * (together - 1) / 7)

    def run(self, gate: Concurrency, requests: int) -> None:
        for number in range(requests):
            while len(self.running) >= gate.limit:
                self.now, _, turn = heapq.heappop(self.running)
                gate.end(turn, "look")
            turn = gate.begin()
            heapq.heappush(self.running, (self.now + self.seconds(len(self.running) + 1), number, turn))


@pytest.mark.parametrize(("rates", "least", "most"), [(RADICALE, 1, 3), (XANDIKOS, 6, 8)])
def test_the_limit_settles_where_the_server_is_at_its_best(rates: dict[int, float], least: int, most: int) -> None:
    server = SimulatedServer(rates)
    gate = Concurrency(2, 8, timer=lambda: server.now)
    server.run(gate, 2_000)
    seen = set()
    for _ in range(200):
        server.run(gate, 20)
        seen.add(gate.limit)
    assert least <= min(seen)
    assert max(seen) <= most


def test_a_server_that_becomes_slower_with_company_gets_less_of_it() -> None:
    server = SimulatedServer(XANDIKOS)
    gate = Concurrency(2, 8, timer=lambda: server.now)
    server.run(gate, 2_000)
    before = gate.limit
    server.rates = {1: 184.0, 8: 10.0}
    server.run(gate, 300)
    assert gate.limit < before / 2


def test_a_storm_of_broken_connections_halves_the_limit_once() -> None:
    gate = Concurrency(8, 8)
    turns = [gate.begin() for _ in range(8)]
    for turn in turns:
        gate.end(turn, "look", broken=True)
    assert gate.limit == 4
    for _ in range(5):
        gate.end(gate.begin(), "look", broken=True)
    assert gate.limit == 1


def test_the_limit_grows_again_slowly() -> None:
    gate = Concurrency(8, 8, timer=lambda: 0.0)
    gate.end(gate.begin(), "look", broken=True)
    assert gate.limit == 4
    rounds = 0
    while gate.limit < 8 and rounds < 2_000:
        rounds += 1
        turns = [gate.begin() for _ in range(gate.limit)]
        for turn in turns:
            gate.end(turn, "look")
    assert 10 <= rounds < 200


# --- shared by accounts ---------------------------------------------------------------------------------------------


@pytest.fixture
def bench(xandikos: XandikosServer) -> Iterator[CalDavBench]:
    with CalDavBench(xandikos) as bench:
        yield bench


def at_once(asks: list[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=ask) for ask in asks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_all_accounts_on_one_server_pass_one_gate(radicale: RadicaleServer) -> None:
    """A Radicale is at its best with one or two, however many accounts ask it."""
    with CalDavBench(radicale) as bench:
        servers = Servers()
        accounts = [bench.other_account(servers=servers, name=f"account{number}") for number in range(12)]
        at_once([account.look for account in accounts])
        assert len(bench.proxy.seen) == 12
        assert bench.proxy.peak <= PROFILES["radicale"].at_a_time[1]


def test_the_smallest_configured_number_counts_for_all(bench: CalDavBench) -> None:
    servers = Servers()
    accounts = [bench.other_account(servers=servers, max_connections=limit) for limit in (8, 1, 8)]
    at_once([account.look for account in accounts * 3])
    assert bench.proxy.peak == 1


# --- trouble --------------------------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize("trouble", [Instead(Reply(502)), Cut()])
def test_a_server_in_trouble_is_left_alone_and_tried_again_later(
    bench: CalDavBench, clock: Clock, trouble: Instead | Cut
) -> None:
    account = bench.other_account(now=clock.now)
    bench.proxy.when(None, trouble, times=None)
    for _ in range(40):
        with pytest.raises(RetryLater):
            account.look()
    asked = len(bench.proxy.seen)
    assert asked <= 14
    clock.at += timedelta(seconds=16)
    with pytest.raises(RetryLater):
        account.look()
    assert asked < len(bench.proxy.seen) <= asked + 2
    clock.at += timedelta(seconds=16)
    with pytest.raises(RetryLater) as raised:
        account.look()
    assert raised.value.retry_after == pytest.approx(14, abs=1), "longer each time"
    bench.proxy.behave()
    clock.at += timedelta(minutes=10)
    assert account.look()
    assert account.look()


def test_a_server_that_asks_for_patience_gets_it(bench: CalDavBench, clock: Clock) -> None:
    account = bench.other_account(now=clock.now)
    bench.proxy.when(None, Instead(Reply(429, (("Retry-After", "60"),))))
    for _ in range(5):
        with pytest.raises(RetryLater) as raised:
            account.look()
        assert raised.value.retry_after == 60.0
    assert len(bench.proxy.seen) == 1
    clock.at += timedelta(seconds=61)
    assert account.look()


def test_one_account_in_trouble_does_not_stop_those_on_other_servers(
    bench: CalDavBench, radicale: RadicaleServer
) -> None:
    servers = Servers()
    with CalDavBench(radicale) as other:
        account, well = bench.other_account(servers=servers), other.other_account(servers=servers)
        bench.proxy.when(None, Instead(Reply(503)), times=None)
        for _ in range(20):
            with pytest.raises(RetryLater):
                account.look()
        assert well.look()


# --- remembered -----------------------------------------------------------------------------------------------------


@dataclass
class Memory:
    texts: dict[str, str] = field(default_factory=dict)
    refused: bool = False
    accepted: int = 0

    def load(self, host: str) -> str | None:
        return self.texts.get(host)

    def save(self, host: str, text: str) -> None:
        self.texts[host] = text

    def was_refused(self) -> bool:
        return self.refused

    def note_refusal(self) -> None:
        self.refused = True

    def note_acceptance(self) -> None:
        self.accepted += 1


def test_a_refused_password_is_not_tried_by_a_later_run(bench: CalDavBench) -> None:
    memory = Memory()
    for _ in range(3):
        account = bench.other_account(password="not-the-password", passwords=memory)
        with pytest.raises(AgentMustAct):
            account.look()
    assert len(bench.proxy.seen) == 1


def test_an_accepted_password_is_noted_once(bench: CalDavBench) -> None:
    memory = Memory()
    account = bench.other_account(passwords=memory)
    account.look()
    account.look()
    assert memory.accepted == 1


def test_what_a_server_was_found_to_do_outlives_the_process(bench: CalDavBench) -> None:
    memory = Memory()
    for run in range(2):
        servers = Servers(memory)
        account = bench.other_account(servers=servers)
        account.discover()
        assert Caught.TOKEN_LIES not in account._server.findings.caught or run
        account._server.caught(Caught.TOKEN_LIES)
    assert Servers(memory).at(account.host, PROFILES["xandikos"], most_at_a_time=8).findings.trusts_tokens is False


def test_somebody_who_waits_at_the_gate_does_not_send_a_password_that_was_refused_meanwhile(
    bench: CalDavBench,
) -> None:
    servers = Servers()
    wrong = bench.other_account(password="not-the-password", servers=servers, max_connections=1)
    bench.proxy.when(None, Before(lambda: None), times=None)
    errors: list[type[Exception]] = []

    def look() -> None:
        try:
            wrong.look()
        except AgentMustAct as error:
            errors.append(type(error))

    at_once([look] * 6)
    assert len(errors) == 6
    assert len(bench.proxy.seen) == 1
