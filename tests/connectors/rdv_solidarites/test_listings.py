"""Lists of several pages, absences first: what is believed, and what is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from connectors.errors import ITMustAct, OurBug, RetryLater, RightsMissing
from tests.connectors.rdv_solidarites.support import (
    START,
    FakeClock,
    Server,
    absence_record,
    agent_record,
    client_of,
    html,
    in_turn,
    page,
    paged,
)

MANY = [absence_record(number) for number in range(1, 251)]


def listing(records: list[Any]) -> Callable[[httpx2.Request], httpx2.Response]:
    return lambda request: paged("absences", records, request)


def test_all_pages_are_read_and_proven() -> None:
    server = Server(listing(MANY))
    found = client_of(server).absences()
    assert found.complete
    assert [absence.id for absence in found.absences] == list(range(1, 251))
    assert [request.url.params["page"] for request in server.requests] == ["1", "2", "3"]
    assert found.requested_at == START


def test_no_absence_at_all_is_a_proven_listing() -> None:
    found = client_of(listing([])).absences()
    assert (found.absences, found.complete) == ((), True)


def swapped(request: httpx2.Request) -> httpx2.Response:
    """Ties: rows 99 and 100 change places between pages, so that one comes twice and one not at all."""
    records = MANY if request.url.params["page"] != "2" else [*MANY[:100], MANY[99], *MANY[101:]]
    return paged("absences", records, request)


def test_a_swap_between_pages_is_read_again() -> None:
    clock = FakeClock()
    asked: list[str] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        clock.sleep(1)
        asked.append(request.url.params["page"])
        return swapped(request) if len(asked) <= 3 else paged("absences", MANY, request)

    found = client_of(handler, clock=clock).absences()
    assert found.complete
    assert len(found.absences) == 250
    assert asked == ["1", "2", "3", "1", "2", "3"]
    assert (found.requested_at - START).total_seconds() == 3, "a listing is as old as its own first request"


def test_what_always_swaps_is_given_but_not_complete() -> None:
    server = Server(swapped)
    found = client_of(server).absences()
    assert not found.complete
    assert len(found.absences) == 249
    assert len(server.requests) == 9


def test_what_one_reading_misses_another_may_give_and_together_they_prove() -> None:
    """Ties that swap the other way round each time: no single reading ever shows every row."""
    clock = FakeClock()
    asked: list[str] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        clock.sleep(1)
        asked.append(request.url.params["page"])
        if request.url.params["page"] != "2":
            return paged("absences", MANY, request)
        missed = 100 if asked.count("2") == 1 else 101
        return paged("absences", [*MANY[:missed], MANY[99], *MANY[missed + 1 :]], request)

    found = client_of(handler, clock=clock).absences()
    assert found.complete
    assert len(found.absences) == 250
    assert found.requested_at == START, "as old as the first of the readings that prove it"


def test_a_total_that_changes_between_pages_proves_nothing() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        number = int(request.url.params["page"])
        return page("absences", MANY[(number - 1) * 100 : number * 100], number=number, pages=3, total=249 + number % 2)

    assert not client_of(handler).absences().complete


@pytest.mark.parametrize("meta", [None, {}, {"total_count": "1"}, {"total_pages": 1}])
def test_without_a_total_nothing_is_proven(meta: object) -> None:
    answer = httpx2.Response(200, json={"absences": [absence_record()], "meta": meta})
    found = client_of(lambda _: answer).absences()
    assert (len(found.absences), found.complete) == (1, False)


def test_pages_without_next_page_are_counted() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        number = int(request.url.params["page"])
        records = MANY[(number - 1) * 100 : number * 100]
        return httpx2.Response(200, json={"absences": records, "meta": {"total_pages": 3, "total_count": 250}})

    assert client_of(handler).absences().complete


def test_a_list_that_shrinks_to_nothing_meanwhile_ends() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        number = int(request.url.params["page"])
        return page("absences", MANY[:100] if number == 1 else [], number=number, pages=9, total=900)

    assert not client_of(handler).absences().complete


def test_a_list_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.rdv_solidarites.listings._MOST_PAGES", 5)
    with pytest.raises(OurBug, match="does not end"):
        client_of(lambda _: page("absences", MANY[:100], pages=99)).absences()


def test_an_unreadable_absence_is_set_aside_and_known_to_be_there() -> None:
    """Promise: one bad item never stops the rest, and never looks deleted."""
    found = client_of(listing([absence_record(1), absence_record(2, start_time="8h"), absence_record(3)])).absences()
    assert found.complete
    assert [absence.id for absence in found.absences] == [1, 3]
    assert found.unreadable == ((2, "start_time is not a time of day"),)


@pytest.mark.parametrize("total", [1, 2])
def test_an_absence_without_an_id_leaves_the_listing_incomplete(total: int) -> None:
    records = [absence_record(1), absence_record(2, id=None)]
    found = client_of(lambda _: page("absences", records, total=total)).absences()
    assert (len(found.absences), found.complete) == (1, False)


@pytest.mark.parametrize("answer", [html(), httpx2.Response(200, json={"errors": []}), httpx2.Response(200, text="")])
def test_a_success_without_the_list_is_tried_later(answer: httpx2.Response) -> None:
    with pytest.raises(RetryLater):
        client_of(lambda _: answer).absences()


# --- lists that are whole or not given ------------------------------------------------------------------------

AGENTS = [agent_record(number) for number in range(1, 151)]


@pytest.mark.parametrize("key", ["agents", "absences"])
def test_a_list_that_announces_records_and_gives_none_is_not_empty(key: str) -> None:
    client = client_of(lambda _: page(key, [], total=60))
    with pytest.raises(RetryLater, match="announced"):
        getattr(client, key)()


def test_agents_of_one_organisation_are_asked_for_by_its_id() -> None:
    server = Server(lambda request: paged("agents", AGENTS, request))
    assert len(client_of(server).agents(7)) == 150
    assert [str(request.url.params) for request in server.requests] == [
        "organisation_id=7&page=1",
        "organisation_id=7&page=2",
    ]


def test_all_agents_are_asked_for_without_a_filter() -> None:
    server = Server(lambda _: page("agents", AGENTS[:2]))
    assert [agent.id for agent in client_of(server).agents()] == [1, 2]
    assert str(server.requests[0].url.params) == "page=1"


def test_agents_are_given_once_each_although_the_total_is_inflated() -> None:
    twice = [record for record in AGENTS for _ in range(2)]
    server = Server(lambda request: paged("agents", twice, request))
    assert len(client_of(server).agents()) == 150
    assert len(server.requests) == 6, "three pages, read twice with the same ids"


def test_a_list_of_agents_that_keeps_moving_is_not_given() -> None:
    """An agent missed between two pages must not look like one who left."""
    readings = iter([AGENTS, [*AGENTS[:100], AGENTS[0], *AGENTS[101:]], AGENTS, [*AGENTS[:100], *AGENTS[:50]]])

    def handler(request: httpx2.Request) -> httpx2.Response:
        return paged("agents", next(readings), request)

    with pytest.raises(RetryLater, match="moved"):
        client_of(handler).agents()


def test_an_agent_without_an_id_makes_the_list_unusable() -> None:
    with pytest.raises(RetryLater, match="no id"):
        client_of(lambda _: page("agents", [agent_record(1), {"email": "x@example.org"}])).agents()


def test_organisations_and_motifs() -> None:
    motif = {"id": 9, "name": "Suivi", "service_id": 5, "location_type": "phone", "collectif": True}
    server = Server(
        in_turn(page("organisations", [{"id": 3, "name": "MDS", "phone_number": None}]), page("motifs", [motif]))
    )
    client = client_of(server)
    (organisation,) = client.organisations()
    (found,) = client.motifs(3)
    assert (organisation.id, organisation.name, organisation.phone_number) == (3, "MDS", None)
    assert (found.id, found.service_id, found.location_type, found.collectif) == (9, 5, "phone", True)
    assert server.paths() == ["GET /api/v1/organisations", "GET /api/v1/organisations/3/motifs"]


def test_rights_refused_are_no_empty_list() -> None:
    with pytest.raises(RightsMissing):
        client_of(lambda _: httpx2.Response(403, json={"errors": [{"base": "forbidden"}]})).absences()


def test_a_redirect_is_not_followed() -> None:
    """The bare domain redirects: its POSTs would become GETs."""
    server = Server(lambda _: httpx2.Response(301, headers={"Location": "https://www.rdv.example/api?secret=1"}))
    with pytest.raises(ITMustAct, match=r"www\.rdv\.example") as caught:
        client_of(server).absences()
    assert "secret" not in str(caught.value)
    assert len(server.requests) == 1
