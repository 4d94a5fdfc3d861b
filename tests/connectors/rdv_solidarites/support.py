"""What the tests of the client share: a clock, a token, records as the API gives them, and a client on a handler."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from connectors.rdv_solidarites import Authentication, RdvSolidaritesClient
from connectors.rdv_solidarites.tokens import Token, TokenEndpoint

BASE_URL = "https://rdv.example"
START = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
PAGE_SIZE = 100

Handler = Callable[[httpx2.Request], httpx2.Response]


class FakeClock:
    """Time that passes only by sleeping; `slept` holds every pause."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now
        self._lock = threading.Lock()
        self.slept: list[float] = []

    def now(self) -> datetime:
        with self._lock:
            return self._now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
            self._now += timedelta(seconds=seconds)


class FixedToken:
    """A token that never changes."""

    def __init__(self) -> None:
        self._token = Token(headers={"access-token": "t", "client": "c", "uid": "u"})

    def token(self, endpoint: TokenEndpoint) -> Token:
        return self._token

    def renewed(self, refused: Token, endpoint: TokenEndpoint) -> Token:
        return self._token


class Server:
    """Answers by a handler and remembers what it was asked."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return self._handler(request)

    def paths(self) -> list[str]:
        return [f"{request.method} {request.url.path}" for request in self.requests]


def client_of(
    handler: Handler,
    *,
    authentication: Authentication | None = None,
    clock: FakeClock | None = None,
    base_url: str = BASE_URL,
    **settings: Any,
) -> RdvSolidaritesClient:
    return RdvSolidaritesClient(
        base_url,
        authentication or FixedToken(),
        clock=clock or FakeClock(),
        transport=httpx2.MockTransport(handler),
        **{"requests_per_second": None, **settings},
    )


def in_turn(*answers: httpx2.Response | Exception) -> Handler:
    """A handler that gives these answers one after the other, and fails when asked for more."""
    left = iter(answers)

    def handler(request: httpx2.Request) -> httpx2.Response:
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return handler


def html(status: int = 200) -> httpx2.Response:
    return httpx2.Response(status, html="<html><body>Bonjour</body></html>")


def page(
    key: str, records: Iterable[Any], *, number: int = 1, pages: int = 1, total: int | None = None
) -> httpx2.Response:
    records = list(records)
    meta = {
        "current_page": number,
        "next_page": number + 1 if number < pages else None,
        "prev_page": number - 1 or None,
        "total_pages": pages,
        "total_count": len(records) if total is None else total,
    }
    return httpx2.Response(200, json={key: records, "meta": meta})


def paged(key: str, records: list[Any], request: httpx2.Request) -> httpx2.Response:
    """The page of `records` that the request asks for."""
    number = int(request.url.params["page"])
    pages = -(-len(records) // PAGE_SIZE)
    chosen = records[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]
    return page(key, chosen, number=number, pages=pages, total=len(records))


def agent_record(number: int = 12, **changes: Any) -> dict[str, Any]:
    record = {"id": number, "first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.org"}
    return record | changes


def absence_record(number: int = 412, **changes: Any) -> dict[str, Any]:
    record = {
        "id": number,
        "ical_uid": f"absence_{number}@RDV Solidarités",
        "title": "Occupé",
        "first_day": "2026-03-03",
        "end_day": "2026-03-03",
        "start_time": "09:00:00",
        "end_time": "10:30:00",
        "rrule": None,
        "agent": agent_record(),
        "organisation": {"id": 3, "name": "MDS"},
        "ical": "BEGIN:VCALENDAR",
    }
    return record | changes


def rdv_record(number: int = 77, **changes: Any) -> dict[str, Any]:
    record = {
        "id": number,
        "uuid": f"uuid-{number}",
        "status": "unknown",
        "starts_at": "2026-03-03 09:00:00 +0100",
        "ends_at": "2026-03-03 09:30:00 +0100",
        "duration_in_min": 30,
        "address": "1 rue de la Mairie, 75001 Paris",
        "context": "confidence of a usager",
        "cancelled_at": None,
        "max_participants_count": None,
        "users_count": 1,
        "name": None,
        "collectif": False,
        "organisation": {"id": 3, "name": "MDS"},
        "motif": {"id": 9, "name": "Suivi", "location_type": "public_office", "service_id": 5, "collectif": False},
        "users": [],
        "participations": [
            {"id": 501, "status": "unknown", "user": {"id": 601, "first_name": "Jeanne", "last_name": "Martin"}}
        ],
        "agents": [agent_record()],
        "lieu": {"id": 2, "name": "MDS Nord", "address": "1 rue de la Mairie, 75001 Paris"},
    }
    return record | changes


def described(error: Exception) -> str:
    """Everything that an error shows to a reader or a log."""
    return " ".join(map(str, (error, repr(error), getattr(error, "remedy", ""))))


def nested(record: Mapping[str, Any], name: str, **changes: Any) -> dict[str, Any]:
    """The record `name` within `record`, with changes."""
    return {**record[name], **changes}
