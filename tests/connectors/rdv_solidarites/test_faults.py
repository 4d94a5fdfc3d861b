"""The classifier by table: each failure against each kind of call."""

from __future__ import annotations

import httpx2
import pytest

from connectors.errors import (
    AnswerLost,
    BadItem,
    ConnectorError,
    ITMustAct,
    OurBug,
    RetryLater,
    RightsMissing,
    Stale,
)
from connectors.rdv_solidarites.answers import Answer
from connectors.rdv_solidarites.faults import Call, failure, no_answer, not_the_api

LIST, SHOW, CREATE, UPDATE, DELETE, TOKEN = Call
READS = (LIST, SHOW, TOKEN)
WRITES = (CREATE, UPDATE, DELETE)

OWN_404 = Answer(404, {"not_found": "absence"})
OLD_404 = Answer(404, {"success": False, "errors": ["introuvable"]})
FOREIGN_404 = Answer(404, {"status": 404, "message": "no route"})
HTML_404 = Answer(404)

ANSWERS: list[tuple[Answer, tuple[Call, ...], type[ConnectorError]]] = [
    (Answer(301, redirect_host="www.rdv-solidarites.fr"), tuple(Call), ITMustAct),
    (Answer(302), tuple(Call), ITMustAct),
    (Answer(400, {}), tuple(Call), OurBug),
    (Answer(401, {"errors": ["x"]}), tuple(Call), ITMustAct),
    (Answer(403, {"errors": [{"base": "forbidden"}]}), tuple(Call), RightsMissing),
    (Answer(403), tuple(Call), RightsMissing),
    (OWN_404, (SHOW, UPDATE, DELETE), Stale),
    (OLD_404, (SHOW, UPDATE, DELETE), Stale),
    (OWN_404, (CREATE,), BadItem),
    (OWN_404, (LIST,), RightsMissing),
    (OWN_404, (TOKEN,), ITMustAct),
    (HTML_404, (SHOW,), RetryLater),
    (FOREIGN_404, (SHOW,), RetryLater),
    (HTML_404, WRITES, AnswerLost),
    (FOREIGN_404, WRITES, AnswerLost),
    (HTML_404, (LIST, TOKEN), ITMustAct),
    (Answer(405), tuple(Call), OurBug),
    (Answer(407), tuple(Call), ITMustAct),
    (Answer(408), tuple(Call), RetryLater),
    (Answer(422, {"errors": {}}), WRITES, BadItem),
    (Answer(422, {"errors": {}}), READS, OurBug),
    (Answer(429, retry_after=7.0), tuple(Call), RetryLater),
    *[(Answer(status), READS, RetryLater) for status in (500, 502, 503, 504, 599)],
    *[(Answer(status), WRITES, AnswerLost) for status in (500, 502, 503, 504, 599)],
]

BEFORE_SENDING = (httpx2.ConnectError("x"), httpx2.ConnectTimeout("x"), httpx2.PoolTimeout("x"))
AFTER_SENDING = (
    httpx2.ReadTimeout("x"),
    httpx2.WriteTimeout("x"),
    httpx2.ReadError("x"),
    httpx2.WriteError("x"),
    httpx2.RemoteProtocolError("x"),
    httpx2.DecodingError("x"),
)


TRANSPORT: list[tuple[httpx2.HTTPError, tuple[Call, ...], type[ConnectorError]]] = [
    *[(error, tuple(Call), RetryLater) for error in BEFORE_SENDING],
    *[(error, READS, RetryLater) for error in AFTER_SENDING],
    *[(error, WRITES, AnswerLost) for error in AFTER_SENDING],
    (httpx2.LocalProtocolError("x"), tuple(Call), OurBug),
]


@pytest.mark.parametrize(("answer", "calls", "expected"), ANSWERS)
def test_an_answer_means_one_kind_of_error_for_each_kind_of_call(
    answer: Answer, calls: tuple[Call, ...], expected: type[ConnectorError]
) -> None:
    assert {type(failure(answer, call, "GET /x")) for call in calls} == {expected}


@pytest.mark.parametrize(("error", "calls", "expected"), TRANSPORT)
def test_no_answer_means_one_kind_of_error_for_each_kind_of_call(
    error: httpx2.HTTPError, calls: tuple[Call, ...], expected: type[ConnectorError]
) -> None:
    assert {type(no_answer(error, call, "GET /x")) for call in calls} == {expected}


@pytest.mark.parametrize(("calls", "expected"), [(READS, RetryLater), (WRITES, AnswerLost)])
def test_a_success_that_is_not_the_apis_is_no_success(calls: tuple[Call, ...], expected: type[ConnectorError]) -> None:
    assert {type(not_the_api(Answer(200), call, "GET /x")) for call in calls} == {expected}


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("call", Call)
def test_retry_after_reaches_the_caller(status: int, call: Call) -> None:
    error = failure(Answer(status, retry_after=90.0), call, "GET /x")
    assert isinstance(error, RetryLater)
    assert error.retry_after == 90.0


def test_a_429_is_never_a_lost_answer() -> None:
    assert not any(isinstance(failure(Answer(429), call, "POST /x"), AnswerLost) for call in Call)


def test_a_refusal_tells_its_codes_and_nothing_else_of_the_body() -> None:
    answer = Answer(
        422,
        {
            "errors": {
                "ends_time": [{"error": "must_be_after_start_time"}],
                "title": [{"error": "blank", "value": "Oncologue"}, {"error": "Oncologue est invalide"}, "Oncologue"],
                "Oncologue !": [{"error": "invalid"}],
                "agent": None,
            },
            "error_messages": ["Oncologue"],
        },
    )
    text = str(failure(answer, CREATE, "POST /x"))
    assert "ends_time: must_be_after_start_time" in text
    assert "title: blank" in text
    assert "Oncologue" not in text


@pytest.mark.parametrize("errors", [["Oncologue"], None, "Oncologue", 3, {"title": {"error": "blank"}}])
def test_a_refusal_of_an_unknown_shape_still_is_one(errors: object) -> None:
    error = failure(Answer(422, {"errors": errors}), UPDATE, "PATCH /x")
    assert isinstance(error, BadItem)
    assert "no code given" in str(error)


def test_a_redirect_names_its_host_and_what_to_do() -> None:
    error = failure(Answer(301, redirect_host="www.rdv-solidarites.fr"), LIST, "GET /x")
    assert "www.rdv-solidarites.fr" in str(error)
    assert "address" in error.remedy


def test_a_403_of_a_proxy_is_not_blamed_on_rights() -> None:
    assert failure(Answer(403), LIST, "GET /x").remedy != failure(Answer(403, {}), LIST, "GET /x").remedy
