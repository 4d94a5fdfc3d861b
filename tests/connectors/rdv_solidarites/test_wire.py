"""Pace, repeated reads, and the address: one exchange at a time."""

from __future__ import annotations

from datetime import timedelta

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ITMustAct, RetryLater
from connectors.network import Network
from connectors.rdv_solidarites.pace import Pace
from tests.connectors.rdv_solidarites.support import (
    START,
    FakeClock,
    FixedToken,
    Server,
    client_of,
    html,
    in_turn,
    page,
)

EMPTY = page("organisations", [])


@pytest.mark.parametrize(
    "trouble",
    [
        httpx2.Response(500),
        httpx2.Response(503),
        html(200),
        httpx2.ReadError("x"),
        httpx2.ConnectError("x"),
        httpx2.Response(429),
        httpx2.Response(429, headers={"Retry-After": "5"}),
    ],
)
def test_a_read_outlives_two_passing_troubles(trouble: httpx2.Response | Exception) -> None:
    clock = FakeClock()
    client = client_of(in_turn(trouble, trouble, EMPTY), clock=clock)
    assert client.organisations() == ()
    assert client.requests == 3
    assert len(clock.slept) == 2


def test_a_read_gives_up_after_three_attempts() -> None:
    client = client_of(lambda _: httpx2.Response(500))
    with pytest.raises(RetryLater):
        client.organisations()
    assert client.requests == 3


def test_a_short_retry_after_is_waited_for_and_a_long_one_is_the_callers() -> None:
    clock = FakeClock()
    client_of(in_turn(httpx2.Response(429, headers={"Retry-After": "3"}), EMPTY), clock=clock).organisations()
    assert clock.slept == [3.0]
    client = client_of(lambda _: httpx2.Response(429, headers={"Retry-After": "6"}), clock=clock)
    with pytest.raises(RetryLater) as caught:
        client.organisations()
    assert (caught.value.retry_after, client.requests, clock.slept) == (6.0, 1, [3.0])


def test_a_server_that_hangs_is_not_asked_a_third_time() -> None:
    clock = FakeClock()

    def hangs(request: httpx2.Request) -> httpx2.Response:
        clock.sleep(30)
        raise httpx2.ReadTimeout("x")

    client = client_of(hangs, clock=clock)
    with pytest.raises(RetryLater):
        client.organisations()
    assert client.requests == 2


@pytest.mark.parametrize("status", [301, 400, 403, 404, 422])
def test_a_verdict_is_not_asked_for_twice(status: int) -> None:
    client = client_of(lambda _: httpx2.Response(status))
    with pytest.raises(Exception, match=str(status)):
        client.organisations()
    assert client.requests == 1


def test_the_timeouts_are_those_configured() -> None:
    server = Server(lambda _: EMPTY)
    client = client_of(server, network=Network(connect_timeout=1.5, read_timeout=4.0))
    client.organisations()
    sent = server.requests[0].extensions["timeout"]
    assert (sent["connect"], sent["read"], client.read_timeout) == (1.5, 4.0, 4.0)
    assert client_of(server).read_timeout == 30.0


def test_no_cookie_of_the_server_is_sent_back() -> None:
    server = Server(lambda _: httpx2.Response(200, json={"organisations": []}, headers={"Set-Cookie": "session=1"}))
    client = client_of(server)
    client.organisations()
    client.organisations()
    assert "Cookie" not in server.requests[1].headers


# --- pace ----------------------------------------------------------------------------------------------------


def test_a_burst_leaves_at_once_and_then_two_per_second() -> None:
    clock = FakeClock()
    client = client_of(lambda _: EMPTY, clock=clock, requests_per_second=2.0, burst=3)
    for _ in range(7):
        client.organisations()
    assert clock.now() - START == timedelta(seconds=2)


def test_quiet_time_earns_one_burst_and_no_more() -> None:
    clock = FakeClock()
    pace = Pace(1.0, 2, clock)
    clock.sleep(3600)
    before = clock.now()
    for _ in range(4):
        pace.wait()
    assert clock.now() - before == timedelta(seconds=2)


def test_repeated_reads_and_renewals_count_and_are_paced_too() -> None:
    clock = FakeClock()
    unauthorised = httpx2.Response(401, json={"errors": ["x"]})
    client = client_of(
        in_turn(httpx2.Response(500), unauthorised, EMPTY), clock=clock, requests_per_second=0.1, burst=1
    )
    client.organisations()
    assert client.requests == 3
    assert clock.now() - START == timedelta(seconds=20)


def test_a_clock_set_back_freezes_nobody() -> None:
    class SetBack(FakeClock):
        def set_back(self) -> None:
            self._now -= timedelta(days=1)

    clock = SetBack()
    pace = Pace(2.0, 1, clock)
    pace.wait()
    clock.set_back()
    pace.wait()
    assert clock.slept == [0.5]


@given(st.lists(st.floats(0, 5), max_size=30), st.integers(1, 5))
def test_no_window_of_time_sees_more_than_the_burst_and_the_rate(pauses: list[float], burst: int) -> None:
    clock = FakeClock()
    pace = Pace(2.0, burst, clock)
    leaving = []
    for pause in pauses:
        clock.sleep(pause)
        pace.wait()
        leaving.append((clock.now() - START).total_seconds())
    for first in range(len(leaving)):
        for last in range(first, len(leaving)):
            assert last - first + 1 <= burst + 2.0 * (leaving[last] - leaving[first]) + 0.001


@pytest.mark.parametrize(("rate", "burst"), [(0.0, 1), (-1.0, 1), (1.0, 0)])
def test_a_pace_that_never_lets_go_is_refused(rate: float, burst: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        Pace(rate, burst, FakeClock())


# --- address -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["https://www.rdv-solidarites.fr", "https://rdv.example/", "http://localhost:5000", "http://127.0.0.1:5000",
     "http://127.9.9.9", "http://[::1]:5000"],
)  # fmt: skip
def test_an_encrypted_or_local_address_is_accepted(address: str) -> None:
    server = Server(lambda _: EMPTY)
    client_of(server, base_url=address).organisations()
    assert server.paths() == ["GET /api/v1/organisations"]


@pytest.mark.parametrize(
    "address",
    ["http://www.rdv-solidarites.fr", "http://localhost.example", "http://10.0.0.1", "http://0.0.0.0", "ftp://x", "",
     "www.rdv-solidarites.fr", "https://", "https://it:hunter2@rdv.example", "http://127.0.0.1.example"],
)  # fmt: skip
def test_any_other_address_is_refused_without_quoting_it(address: str) -> None:
    with pytest.raises(ITMustAct) as caught:
        client_of(lambda _: EMPTY, base_url=address, authentication=FixedToken())
    assert "hunter2" not in f"{caught.value}{caught.value.remedy}"
