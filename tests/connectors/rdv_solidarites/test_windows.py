"""RDVs by windows: nothing missed, nothing believed that one page does not hold."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import OurBug
from connectors.records import RdvWindow
from tests.connectors.rdv_solidarites.support import (
    PAGE_SIZE,
    START,
    FakeClock,
    Server,
    agent_record,
    client_of,
    page,
    paged,
    rdv_record,
)

WEEK = RdvWindow(START, START + timedelta(days=7))


def at(moment: datetime, number: int, agents: int = 1) -> dict[str, Any]:
    text = (moment + timedelta(hours=1)).strftime("%Y-%m-%d %H:%M:%S +0100")
    return rdv_record(number, starts_at=text, ends_at=None, agents=[agent_record(agent + 1) for agent in range(agents)])


class RdvServer:
    """Filters by start (inclusive), repeats an RDV per agent, and gives its rows in another order each time."""

    def __init__(self, rdvs: Sequence[tuple[datetime, int]], agents: int = 1) -> None:
        self._rdvs = rdvs
        self._agents = agents
        self._random = random.Random(7)
        self.shuffles = True
        self.requests = 0

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests += 1
        after, before = (datetime.fromisoformat(request.url.params[name]) for name in ("starts_after", "starts_before"))
        assert after.tzinfo is not None
        rows = [
            at(moment, number, self._agents)
            for moment, number in self._rdvs
            if after <= moment <= before
            for _ in range(self._agents)
        ]
        if self.shuffles:
            self._random.shuffle(rows)
        return paged("rdvs", rows, request)


def spread(count: int, every: timedelta) -> list[tuple[datetime, int]]:
    return [(START + index * every, index + 1) for index in range(count)]


def test_a_window_that_fits_a_page_takes_one_request() -> None:
    server = Server(lambda request: page("rdvs", [rdv_record(1)]))
    found = client_of(server).rdvs(3, [WEEK])
    assert found.windows == (WEEK,)
    assert (found.organisation_id, [rdv.id for rdv in found.rdvs], found.requested_at) == (3, [1], START)
    (request,) = server.requests
    assert request.url.path == "/api/v1/organisations/3/rdvs"
    assert dict(request.url.params) == {
        "starts_after": "2026-03-02T07:00:00Z",
        "starts_before": "2026-03-09T07:00:00Z",
        "page": "1",
    }


def test_no_window_no_request() -> None:
    client = client_of(lambda _: page("rdvs", []))
    assert (client.rdvs(3, []).windows, client.requests) == ((), 0)


def test_a_window_that_does_not_fit_is_halved_until_it_does() -> None:
    server = RdvServer(spread(350, timedelta(minutes=20)))
    found = client_of(server).rdvs(3, [WEEK])
    assert sorted(rdv.id for rdv in found.rdvs) == list(range(1, 351))
    assert_tiles(found.windows, WEEK)
    assert len(found.windows) > 3


def test_the_windows_that_were_read_are_read_again_with_one_request_each() -> None:
    server = RdvServer(spread(350, timedelta(minutes=20)))
    client = client_of(server)
    windows = client.rdvs(3, [WEEK]).windows
    before = server.requests
    assert client.rdvs(3, windows).windows == windows
    assert server.requests - before == len(windows)


def test_an_rdv_repeated_for_each_of_its_agents_is_one() -> None:
    server = RdvServer(spread(60, timedelta(hours=1)), agents=3)
    found = client_of(server).rdvs(3, [WEEK])
    assert sorted(rdv.id for rdv in found.rdvs) == list(range(1, 61))
    assert all(rdv.agent_ids == (1, 2, 3) for rdv in found.rdvs)
    assert_tiles(found.windows, WEEK)


def test_one_instant_that_does_not_fit_is_believed_when_two_readings_agree() -> None:
    noon = START + timedelta(hours=5)
    server = RdvServer([(noon, number) for number in range(1, 151)])
    server.shuffles = False
    found = client_of(server).rdvs(3, [WEEK])
    assert len(found.rdvs) == 150
    assert RdvWindow(noon, noon) in found.windows
    assert_tiles(found.windows, WEEK)


def test_one_instant_whose_readings_differ_is_not_listed_and_its_rdvs_are_given() -> None:
    noon = START + timedelta(hours=5)
    server = RdvServer([(noon, number) for number in range(1, 151)])
    found = client_of(server).rdvs(3, [RdvWindow(noon, noon), WEEK])
    assert 100 < len(found.rdvs) <= 150
    assert all(not window.start <= noon <= window.end for window in found.windows)
    assert found.windows, "the rest of the week is believed"


def test_the_work_for_one_window_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.rdv_solidarites.windows._MOST_PIECES", 9)
    server = RdvServer(spread(2000, timedelta(minutes=5)))
    found = client_of(server).rdvs(3, [WEEK])
    assert server.requests == 9
    assert found.windows
    assert found.windows[-1].end < WEEK.end, "what was not read is not listed"


def test_the_later_reading_of_an_rdv_holds() -> None:
    """An RDV that moves from one window into the next while they are read is where it was read last."""
    first, second = RdvWindow(START, START), RdvWindow(START + timedelta(hours=1), START + timedelta(hours=1))
    answers = iter([[at(START, 1)], [at(START + timedelta(hours=1), 1)]])
    found = client_of(lambda _: page("rdvs", next(answers))).rdvs(3, [first, second])
    assert [rdv.starts_at_server for rdv in found.rdvs] == [START + timedelta(hours=1)]


def test_unreadable_rdvs_are_set_aside() -> None:
    records = [rdv_record(1), rdv_record(2, starts_at=None), rdv_record(3, id=None), "odd"]
    found = client_of(lambda _: page("rdvs", records)).rdvs(3, [WEEK])
    assert [rdv.id for rdv in found.rdvs] == [1]
    assert sorted(found.unreadable, key=str) == [
        (2, "starts_at is not a timestamp"),
        (None, "the rdv has no id"),
        (None, "the rdv has no id"),
    ]


def test_an_rdv_without_organisation_is_of_the_one_asked_for() -> None:
    found = client_of(lambda _: page("rdvs", [rdv_record(1, organisation=None)])).rdvs(42, [WEEK])
    assert [(rdv.organisation_id, rdv.url) for rdv in found.rdvs] == [
        (42, "https://rdv.example/admin/organisations/42/rdvs/1")
    ]


def test_a_window_is_widened_to_whole_seconds_and_told_in_utc() -> None:
    paris = datetime.fromisoformat("2026-03-02T08:00:00.250+01:00")
    found = client_of(lambda _: page("rdvs", [])).rdvs(3, [RdvWindow(paris, paris)])
    assert found.windows == (RdvWindow(START, START + timedelta(seconds=1)),)
    assert found.windows[0].start.tzinfo is UTC


@pytest.mark.parametrize(
    "window",
    [RdvWindow(START, START - timedelta(seconds=1)), RdvWindow(START.replace(tzinfo=None), START)],
)
def test_a_window_that_makes_no_sense_is_our_bug(window: RdvWindow) -> None:
    with pytest.raises(OurBug):
        client_of(lambda _: page("rdvs", [])).rdvs(3, [window])


def assert_tiles(windows: Sequence[RdvWindow], whole: RdvWindow) -> None:
    """The windows follow each other without a gap of a whole second, from the start of `whole` to its end."""
    assert windows[0].start == whole.start
    assert windows[-1].end == whole.end
    for left, right in pairwise(windows):
        assert right.start - left.end == timedelta(seconds=1)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(1, 70)), max_size=8),
    st.integers(1, 2),
)
def test_whatever_the_distribution_every_rdv_of_a_listed_window_is_given(
    clusters: list[tuple[int, int]], agents: int
) -> None:
    numbers = iter(range(1, 10_000))
    rdvs = [(START + timedelta(minutes=minute), next(numbers)) for minute, size in clusters for _ in range(size)]
    window = RdvWindow(START, START + timedelta(minutes=400))
    found = client_of(RdvServer(rdvs, agents), clock=FakeClock()).rdvs(3, [window])
    given_ids = {rdv.id for rdv in found.rdvs}
    for moment, number in rdvs:
        listed = any(read.start <= moment <= read.end for read in found.windows)
        assert number in given_ids or not listed
    crowded = {moment for moment, _ in rdvs if sum(other == moment for other, _ in rdvs) * agents > PAGE_SIZE}
    if not crowded:
        assert_tiles(found.windows, window)
