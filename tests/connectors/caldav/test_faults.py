"""What answers mean: tables."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.caldav.dav_xml import ETAG, NotXml, parse_multistatus
from connectors.caldav.faults import Answer, WriteVerdict, failure, write_verdict
from connectors.errors import AgentMustAct, ConnectorError, ITMustAct, OurBug, RetryLater, RightsMissing

NOW = datetime(2026, 5, 4, 8, 30, tzinfo=UTC)
CAL = 'xmlns:C="urn:ietf:params:xml:ns:caldav"'
UID_CONFLICT = f'<error xmlns="DAV:" {CAL}><C:no-uid-conflict/></error>'.encode()
NO_RIGHT = b'<error xmlns="DAV:"><need-privileges/></error>'
FULL = b'<error xmlns="DAV:"><quota-not-exceeded/></error>'
GIVEN = "<propstat><prop><getetag>1</getetag></prop><status>HTTP/1.1 200 OK</status></propstat>"
SABRE = (
    b'<d:error xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns"><s:exception>PreconditionFailed</s:exception></d:error>'
)


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (200, b"", WriteVerdict.DONE),
        (201, b"", WriteVerdict.DONE),
        (204, b"", WriteVerdict.DONE),
        (202, b"", WriteVerdict.LOST),  # accepted is not done
        (302, b"", WriteVerdict.FAILED),
        (400, b"", WriteVerdict.REFUSED),
        (401, b"", WriteVerdict.FAILED),
        (403, b"", WriteVerdict.FAILED),
        (403, NO_RIGHT, WriteVerdict.FAILED),
        (403, UID_CONFLICT, WriteVerdict.REFUSED),
        (403, FULL, WriteVerdict.FAILED),
        (404, b"", WriteVerdict.REFUSED),
        (405, b"", WriteVerdict.REFUSED),
        (409, b"", WriteVerdict.CONDITION_FAILED),
        (409, UID_CONFLICT, WriteVerdict.REFUSED),
        (412, b"", WriteVerdict.CONDITION_FAILED),
        (412, b"Precondition failed.", WriteVerdict.CONDITION_FAILED),
        (412, SABRE, WriteVerdict.CONDITION_FAILED),
        (412, UID_CONFLICT, WriteVerdict.REFUSED),
        (413, b"", WriteVerdict.REFUSED),
        (415, b"", WriteVerdict.REFUSED),
        (422, b"", WriteVerdict.REFUSED),
        (423, b"", WriteVerdict.FAILED),
        (429, b"", WriteVerdict.FAILED),
        (500, b"", WriteVerdict.REFUSED),
        (502, b"", WriteVerdict.LOST),
        (503, b"", WriteVerdict.LOST),
        (504, b"", WriteVerdict.LOST),
        (507, b"", WriteVerdict.FAILED),
    ],
)
def test_what_became_of_a_write(status: int, body: bytes, verdict: WriteVerdict) -> None:
    assert write_verdict(Answer(status, body=body)) is verdict


def test_a_server_that_says_when_to_come_back_has_written_nothing() -> None:
    assert write_verdict(Answer(503, {"retry-after": "3"})) is WriteVerdict.FAILED


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b"<html>", ITMustAct),
        (207, b"<html>", ITMustAct),
        (301, b"", ITMustAct),
        (400, b"", OurBug),
        (401, b"", AgentMustAct),
        (403, b"", RightsMissing),
        (403, FULL, ITMustAct),
        (404, b"", ITMustAct),
        (405, b"", ITMustAct),
        (410, b"", ITMustAct),
        (423, b"", RetryLater),
        (429, b"", RetryLater),
        (500, b"", RetryLater),
        (501, b"", ITMustAct),
        (502, b"", RetryLater),
        (503, b"", RetryLater),
        (507, b"", ITMustAct),
    ],
)
def test_whom_a_failure_concerns(status: int, body: bytes, error: type[ConnectorError]) -> None:
    answer = Answer(status, body=body)
    found = failure(answer, "reading a calendar", system="an account", owned_by_it=False, now=NOW)
    assert type(found) is error
    assert found.system == "an account"
    assert found.remedy


def test_the_password_of_a_service_account_is_its_owners_matter() -> None:
    assert type(failure(Answer(401), "reading", system="x", owned_by_it=True, now=NOW)) is ITMustAct


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("Mon, 04 May 2026 08:31:00 GMT", 60.0),
        ("Mon, 04 May 2026 08:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
    ],
)
def test_when_to_come_back(header: str, seconds: float | None) -> None:
    found = failure(Answer(429, {"retry-after": header}), "reading", system="x", owned_by_it=False, now=NOW)
    assert isinstance(found, RetryLater)
    assert found.retry_after == seconds


@pytest.mark.parametrize(
    "body", [b"", b"hello", b"<html/>", b"<multistatus/>", b'<error xmlns="DAV:"/>', b"<a><b></a>"]
)
def test_what_is_no_multistatus_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(NotXml):
        parse_multistatus(body)


def test_entities_are_never_resolved() -> None:
    doctype = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    body = doctype + b'<multistatus xmlns="DAV:"><sync-token>&x;</sync-token></multistatus>'
    assert parse_multistatus(body).sync_token == ""


@pytest.mark.parametrize(
    ("row", "status"),
    [
        ("<status>HTTP/1.1 404 Not Found</status>", 404),
        (GIVEN, 200),
        ("<propstat><prop><getetag/></prop><status>HTTP/1.1 404 Not Found</status></propstat>", 200),
        ("<propstat><prop><getetag/></prop><status>HTTP/1.1 403 Forbidden</status></propstat>", 403),
        (
            "<propstat><prop><a/></prop><status>HTTP/1.1 403 x</status></propstat>" + GIVEN,
            200,
        ),
    ],
)
def test_the_status_of_a_row(row: str, status: int) -> None:
    body = f'<multistatus xmlns="DAV:"><response><href>/a/%C3%A9</href>{row}</response></multistatus>'
    (found,) = parse_multistatus(body.encode()).rows
    assert (found.path, found.status) == ("/a/é", status)
    assert found.text(ETAG) in ("", "1")
