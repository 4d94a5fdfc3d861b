"""The questions that reading is made of, each one request, and what an answer must look like to count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from connectors.caldav.dav_xml import (
    CREATED,
    CTAG,
    DAV,
    PRIVILEGES,
    REPORTS,
    RESOURCE_ID,
    RESOURCE_TYPE,
    SYNC_TOKEN,
    Multistatus,
    NotXml,
    Row,
    parse_multistatus,
    propfind,
)
from connectors.caldav.faults import Answer, failure
from connectors.caldav.findings import Announced
from connectors.caldav.paths import same_collection
from connectors.caldav.polling import Polling
from connectors.caldav.servers import Server
from connectors.caldav.settings import CalDavSettings
from connectors.caldav.versions import http_date
from connectors.errors import ConnectorError, ITMustAct

LOOK = (RESOURCE_TYPE, SYNC_TOKEN, CTAG)
BUSY = (429, 502, 503, 504)
_SOFTWARE = ("x-sabre-version", "x-davical-version", "x-zimbra-version", "server")


class Asking:
    """Sends questions about one account's calendars and judges the answers."""

    def __init__(self, settings: CalDavSettings, polling: Polling, server: Server, now: Callable[[], datetime]) -> None:
        self._settings = settings
        self._polling = polling
        self._now = now
        self.server = server
        self.of_calendar = (*LOOK, RESOURCE_ID, CREATED) if settings.profile.asks_identity else LOOK
        """What is asked of a calendar itself: whether it changed, and whether it is still the same one."""

    def now(self) -> datetime:
        """The instant on our clock."""
        return self._now()

    def server_time(self, answer: Answer) -> datetime:
        """The instant of an answer on the server's own clock, as far as it says; else on ours."""
        return http_date(answer.headers.get("date", "")) or self._now()

    # --- questions -------------------------------------------------------------------------------------------

    def propfind(
        self, path: str, properties: Sequence[str], depth: str, what: str, *, kind: str = ""
    ) -> tuple[Multistatus, Answer]:
        """Rows of a PROPFIND. Raises the error for any other answer."""
        answer = self._polling.send("PROPFIND", path, body=propfind(properties), depth=depth, kind=kind)
        page = page_of(answer)
        if page is None:
            raise self.failure(answer, what)
        return page, answer

    def report(self, path: str, body: bytes, *, depth: str = "0", kind: str = "", limit: int | None = None) -> Answer:
        """The answer to a REPORT, whatever it is. Raises `TooLarge`."""
        return self._polling.send("REPORT", path, body=body, depth=depth, kind=kind, limit=limit)

    def get(self, href: str, *, limit: int | None = None) -> Answer:
        """The answer to a GET, whatever it is. Raises `TooLarge`."""
        # Uncompressed: web servers in front mark the ETag of a compressed answer, and it would match no more.
        return self._polling.send("GET", href, encoding="identity", kind="GET", limit=limit)

    def state(self, calendar: str) -> tuple[Row, Answer]:
        """The calendar's own row; proves that it is there and readable."""
        page, answer = self.propfind(calendar, self.of_calendar, "0", "reading a calendar", kind="state")
        return self.own_row(calendar, page.rows), answer

    # --- judgement -------------------------------------------------------------------------------------------

    def own_row(self, calendar: str, rows: Sequence[Row]) -> Row:
        """The row of the calendar itself, which must be one. Raises `ITMustAct` or the error that the row says."""
        own = next((row for row in rows if same_collection(row.path, calendar)), None)
        if own is None:
            raise ITMustAct(
                "The calendar server's answer does not speak of the calendar that was asked for.",
                system=self._settings.name,
                remedy="Run discovery again: the calendar may have another path now.",
            )
        if own.status != 200:
            raise self.failure(Answer(own.status), "reading a calendar")
        if not own.is_calendar:
            raise ITMustAct(
                "What was a calendar is none any more.",
                system=self._settings.name,
                remedy="Run discovery again and correct the configuration. Nothing was removed.",
            )
        return own

    def mark(self, row: Row) -> str:
        """What of a calendar's row moves with its content; "" when nothing does, or not to be trusted."""
        if not self.server.findings.trusts_marks:
            return ""
        token, ctag = row.text(SYNC_TOKEN), row.text(CTAG)
        if ctag and not self._settings.profile.sync_tokens:
            return ctag
        # Both, where there are two: either of them fails to move on some server.
        return " ".join(text for text in (token, ctag) if text)

    def token(self, row: Row) -> str:
        """The sync-token to go on from; "" when this server's answers to one are of no use."""
        useful = self._settings.profile.sync_tokens and self.server.findings.trusts_tokens
        return row.text(SYNC_TOKEN) if useful else ""

    def note(self, rows: Sequence[Row], answer: Answer) -> None:
        """Remember what the server says of itself in an answer about its calendars."""
        announced = {
            what
            for row in rows
            for what, found in (
                (Announced.SYNC_TOKEN, bool(row.text(SYNC_TOKEN))),
                (Announced.SYNC_REPORT, row.holds(REPORTS, f"{DAV}sync-collection")),
                (Announced.CTAG, bool(row.text(CTAG))),
                (Announced.RESOURCE_ID, bool(row.text(RESOURCE_ID))),
                (Announced.CREATION_DATE, bool(row.text(CREATED))),
                (Announced.PRIVILEGES, PRIVILEGES in row.properties),
            )
            if found
        }
        software = next((text for name in _SOFTWARE if (text := answer.headers.get(name, ""))), "")
        self.server.announced(software[:80], announced)

    def failure(self, answer: Answer, what: str) -> ConnectorError:
        """The error for an answer that is not the hoped-for one."""
        settings = self._settings
        return failure(answer, what, system=settings.name, owned_by_it=settings.owned_by_it, now=self._now())


def identity_of(row: Row) -> str:
    """What tells a calendar from one made anew at the same address; "" when the server does not say."""
    return row.text(RESOURCE_ID) or row.text(CREATED)


def page_of(answer: Answer) -> Multistatus | None:
    """The rows of an answer; None when it has none."""
    if answer.status != 207:
        return None
    try:
        return parse_multistatus(answer.body)
    except NotXml:
        return None
