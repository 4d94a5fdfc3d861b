"""Answers reduced to what decides."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.rdv_solidarites.answers import answer_of
from connectors.retry_after import retry_after_seconds

NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Mon, 02 Mar 2026 07:01:30 GMT", 90.0),
        ("Mon, 02 Mar 2026 07:01:30 -0000", 90.0),
        ("Mon, 02 Mar 2026 06:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1e3", None),
        ("", None),
        (None, None),
        ("9" * 5000, None),
    ],
)
def test_retry_after_is_a_number_of_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, now=NOW) == seconds


@given(st.text())
def test_no_retry_after_header_breaks_us(value: str) -> None:
    seconds = retry_after_seconds(value, now=NOW)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'"x"', b"\xff\xfe\x00", b'{"a":', b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_no_document(body: bytes) -> None:
    assert answer_of(httpx2.Response(200, content=body), now=NOW).document is None


def test_the_host_of_a_relative_redirect_is_our_own() -> None:
    request = httpx2.Request("GET", "https://rdv.example/api/v1/absences")
    response = httpx2.Response(302, headers={"Location": "/agents/sign_in"}, request=request)
    assert answer_of(response, now=NOW).redirect_host == "rdv.example"


def test_an_answer_shows_nothing_of_its_body() -> None:
    assert "Oncologue" not in repr(answer_of(httpx2.Response(200, json={"title": "Oncologue"}), now=NOW))
