"""Writing absences: what is sent, and what every outcome means."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from connectors.errors import AnswerLost, BadItem, OurBug, RetryLater, RightsMissing, Stale
from connectors.rdv_solidarites import RdvSolidaritesClient
from connectors.records import AbsenceDraft
from tests.connectors.rdv_solidarites.support import Server, absence_record, client_of, described, html, in_turn

DRAFT = AbsenceDraft(12, "Oncologue", datetime(2026, 3, 3, 22, 0), datetime(2026, 3, 4, 0, 30, 15))
FIELDS = {
    "title": "Oncologue",
    "first_day": "2026-03-03",
    "start_time": "22:00:00",
    "end_day": "2026-03-04",
    "end_time": "00:30:15",
}
WRITTEN = httpx2.Response(200, json={"absence": absence_record()})
GONE = httpx2.Response(404, json={"not_found": "absence"})
FORBIDDEN = httpx2.Response(403, json={"errors": [{"base": "forbidden"}]})

WRITES = {
    "create": lambda client: client.create_absence(DRAFT),
    "update": lambda client: client.update_absence(412, DRAFT),
    "delete": lambda client: client.delete_absence(412),
}


def write(kind: str, client: RdvSolidaritesClient) -> None:
    WRITES[kind](client)


def test_a_creation_sends_agent_title_and_four_fields() -> None:
    server = Server(lambda _: WRITTEN)
    assert client_of(server).create_absence(DRAFT).id == 412
    assert server.paths() == ["POST /api/v1/absences"]
    assert json.loads(server.requests[0].content) == FIELDS | {"agent_id": 12}
    assert server.requests[0].headers["Content-Type"] == "application/json"
    assert server.requests[0].headers["access-token"] == "t"


def test_an_update_sends_title_and_all_four_fields() -> None:
    """A start alone is refused by the server when it passes the stored end."""
    server = Server(lambda _: WRITTEN)
    assert client_of(server).update_absence(412, DRAFT).id == 412
    assert server.paths() == ["PATCH /api/v1/absences/412"]
    assert json.loads(server.requests[0].content) == FIELDS


@pytest.mark.parametrize("changes", [{"title": " "}, {"end": DRAFT.start}, {"end": datetime(2026, 3, 3, 21)}])
@pytest.mark.parametrize("kind", ["create", "update"])
def test_what_would_be_refused_is_not_sent(kind: str, changes: dict[str, Any]) -> None:
    server = Server(lambda _: WRITTEN)
    client, draft = client_of(server), replace(DRAFT, **changes)
    with pytest.raises(BadItem, match="without a title, or that does not end after its start"):
        client.create_absence(draft) if kind == "create" else client.update_absence(412, draft)
    assert server.paths() == []


@pytest.mark.parametrize("answer", [httpx2.Response(204), httpx2.Response(200, json={}), GONE])
def test_a_deletion_succeeds_also_when_it_was_gone(answer: httpx2.Response) -> None:
    server = Server(lambda _: answer)
    client_of(server).delete_absence(412)
    assert server.paths() == ["DELETE /api/v1/absences/412"]


def test_one_absence_is_shown_or_proven_gone() -> None:
    client = client_of(in_turn(WRITTEN, GONE))
    shown = client.absence(412)
    assert shown is not None
    assert shown.title == "Occupé"
    assert client.absence(412) is None


def test_the_404_page_of_a_proxy_proves_nothing_gone() -> None:
    with pytest.raises(RetryLater):
        client_of(lambda _: html(404)).absence(412)
    with pytest.raises(AnswerLost):
        client_of(lambda _: html(404)).delete_absence(412)


def test_rights_missing_on_one_absence_is_not_gone() -> None:
    with pytest.raises(RightsMissing):
        client_of(lambda _: FORBIDDEN).absence(412)


def test_an_absence_that_cannot_be_read_is_not_gone() -> None:
    answer = httpx2.Response(200, json={"absence": absence_record(first_day=None, title="Oncologue")})
    with pytest.raises(BadItem) as caught:
        client_of(lambda _: answer).absence(412)
    assert "Oncologue" not in described(caught.value)


def test_an_answer_without_the_absence_is_tried_later() -> None:
    with pytest.raises(RetryLater):
        client_of(lambda _: httpx2.Response(200, json={})).absence(412)


@pytest.mark.parametrize("kind", WRITES)
@pytest.mark.parametrize(
    "outcome",
    [
        *[httpx2.Response(status) for status in (500, 502, 503, 504)],
        html(200),
        html(500),
        httpx2.ReadTimeout("x"),
        httpx2.WriteTimeout("x"),
        httpx2.ReadError("x"),
        httpx2.RemoteProtocolError("x"),
    ],
)
def test_a_write_without_a_usable_answer_is_lost_and_not_repeated(
    kind: str, outcome: httpx2.Response | Exception
) -> None:
    server = Server(in_turn(outcome))
    with pytest.raises(AnswerLost) as caught:
        write(kind, client_of(server))
    assert "Oncologue" not in described(caught.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize("kind", ["create", "update"])
@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(204),
        httpx2.Response(200, text='{"absence":{"id":412,'),
        httpx2.Response(200, json={"absence": None}),
        httpx2.Response(200, json={"absence": absence_record(id=None)}),
        httpx2.Response(200, json=[]),
    ],
)
def test_a_success_whose_absence_cannot_be_read_is_lost(kind: str, answer: httpx2.Response) -> None:
    with pytest.raises(AnswerLost):
        write(kind, client_of(lambda _: answer))


@pytest.mark.parametrize("kind", WRITES)
@pytest.mark.parametrize(
    ("outcome", "retry_after"),
    [
        (httpx2.ConnectError("x"), None),
        (httpx2.ConnectTimeout("x"), None),
        (httpx2.Response(429, headers={"Retry-After": "1"}), 1.0),
        (httpx2.Response(429), None),
    ],
)
def test_a_write_that_was_not_executed_is_tried_later_by_the_caller(
    kind: str, outcome: httpx2.Response | Exception, retry_after: float | None
) -> None:
    server = Server(in_turn(outcome))
    with pytest.raises(RetryLater) as caught:
        write(kind, client_of(server))
    assert type(caught.value) is RetryLater
    assert caught.value.retry_after == retry_after
    assert len(server.requests) == 1


@pytest.mark.parametrize("kind", WRITES)
def test_a_write_without_the_rights_says_so(kind: str) -> None:
    with pytest.raises(RightsMissing):
        write(kind, client_of(lambda _: FORBIDDEN))


def test_an_update_of_what_is_gone_is_stale() -> None:
    with pytest.raises(Stale):
        client_of(lambda _: GONE).update_absence(412, DRAFT)


def test_a_creation_for_an_unknown_agent_is_a_bad_item() -> None:
    with pytest.raises(BadItem):
        client_of(lambda _: httpx2.Response(404, json={"not_found": "agent"})).create_absence(DRAFT)


@pytest.mark.parametrize("kind", ["create", "update"])
def test_a_refusal_names_codes_and_no_title(kind: str) -> None:
    errors = {"ends_time": [{"error": "must_be_after_start_time"}], "title": [{"error": "Oncologue refusé"}]}
    answer = httpx2.Response(422, json={"errors": errors, "error_messages": ["Oncologue"]})
    with pytest.raises(BadItem, match="ends_time: must_be_after_start_time") as caught:
        write(kind, client_of(lambda _: answer))
    assert "Oncologue" not in described(caught.value)


@pytest.mark.parametrize("kind", WRITES)
def test_a_write_is_sent_again_after_a_401_since_it_was_not_executed(kind: str) -> None:
    success = httpx2.Response(204) if kind == "delete" else WRITTEN
    server = Server(in_turn(httpx2.Response(401, json={"errors": ["x"]}), success))
    write(kind, client_of(server))
    assert len(server.requests) == 2
    assert server.requests[0].content == server.requests[1].content


def test_an_instant_is_no_wall_clock() -> None:
    draft = AbsenceDraft(12, "x", datetime(2026, 3, 3, 22, 0, tzinfo=UTC), datetime(2026, 3, 4, 0, 30))
    client = client_of(lambda _: WRITTEN)
    with pytest.raises(OurBug):
        client.create_absence(draft)
    assert client.requests == 0
