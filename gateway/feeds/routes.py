"""Where feeds and their pages are had: for the public listener."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from connectors.errors import ConnectorError
from connectors.ports import Clock
from gateway.feeds.limits import PerMinute
from gateway.feeds.pages import SECURITY_POLICY, Pages, single
from gateway.feeds.readers import Readers
from gateway.feeds.serving import Body, FeedServer, Served
from gateway.feeds.values import Language, LinkState
from gateway.settings_feeds import FeedsSection

_PRIVATE = {
    "cache-control": "private, no-cache",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex, nofollow",
    "x-content-type-options": "nosniff",
}
_CALENDAR = "text/calendar; charset=utf-8"
_ZIPPED = "-gz"
"""Ends the validator of what is sent compressed: other bytes, another strong validator (RFC 9110 section 8.8.3.3)."""


@dataclass(frozen=True, slots=True)
class FeedParts:
    """What routes are made from. `links`: the most requests for one; `unknown`: for links that there are not, by
    address."""

    server: FeedServer
    pages: Pages
    readers: Readers
    feeds: FeedsSection
    clock: Clock
    links: PerMinute
    unknown: PerMinute


def feed_routes(parts: FeedParts) -> Sequence[BaseRoute]:
    """The feed, one entry of it, and its page."""
    answers = _Answers(parts)
    return (
        Route("/ical/{token}.ics", answers.feed, methods=["GET", "HEAD"]),
        Route("/ical/{token}/{name}.ics", answers.single, methods=["GET", "HEAD"]),
        Route("/ical/{token}", answers.page, methods=["GET", "HEAD"]),
    )


@dataclass(frozen=True, slots=True)
class _Answers:
    parts: FeedParts

    async def feed(self, request: Request) -> Response:
        now = self.parts.clock.now()
        served = await self._served(request, now)
        if isinstance(served, Response):
            return served
        if served.body is None:
            return self._closed(request, served)
        program = request.headers.get("user-agent", "")
        self.parts.readers.note(served.link.id, _source(request), program, now.date())
        return _conditional(request, served.body)

    async def single(self, request: Request) -> Response:
        served = await self._served(request, self.parts.clock.now())
        if isinstance(served, Response):
            return served
        if served.state is not LinkState.OPEN:
            return self._closed(request, served)
        found = single(served, request.path_params["name"])
        if found is None:
            return _unknown()
        disposition = {"content-disposition": 'attachment; filename="rendez-vous.ics"'}
        return Response(found, headers=_PRIVATE | disposition, media_type=_CALENDAR)

    async def page(self, request: Request) -> Response:
        now = self.parts.clock.now()
        served = await self._served(request, now)
        if isinstance(served, Response):
            return served
        if served.state is not LinkState.OPEN:
            return self._closed(request, served)
        phone = self.parts.feeds.phone_of(served.link.organisation_id)
        token = request.path_params["token"]
        return _html(self.parts.pages.feed(served, token, _language(request, served), now, phone), 200)

    async def _served(self, request: Request, now: datetime) -> Served | Response:
        """What a token opens, or why nothing is said of it."""
        source, token = _source(request), request.path_params["token"]
        if self.parts.unknown.is_over(source, now):
            return _too_often()
        try:
            served = await self.parts.server.served(token)
        except ConnectorError:
            return PlainTextResponse("Unavailable\n", 503, _PRIVATE | {"retry-after": "60"})
        if served is None:
            self.parts.unknown.note(source, now)
            return _unknown()
        if self.parts.links.note(str(served.link.id), now):
            return _too_often()
        return served

    def _closed(self, request: Request, served: Served) -> Response:
        """410: a page where one is read, else a line."""
        if "text/html" not in request.headers.get("accept", ""):
            return PlainTextResponse("Gone\n", 410, _PRIVATE)
        phone = self.parts.feeds.phone_of(served.link.organisation_id)
        return _html(self.parts.pages.closed(_language(request, served), phone), 410)


def _conditional(request: Request, body: Body) -> Response:
    zipped = _takes_gzip(request.headers.get("accept-encoding", ""))
    etag = f'"{body.etag}{_ZIPPED if zipped else ""}"'
    headers = _PRIVATE | {"etag": etag, "last-modified": body.last_modified, "vary": "accept-encoding"}
    if _is_known(request, body):
        return Response(status_code=304, headers=headers)
    headers["content-disposition"] = 'inline; filename="agenda.ics"'
    if zipped:
        headers["content-encoding"] = "gzip"
    return Response(body.zipped if zipped else body.plain, headers=headers, media_type=_CALENDAR)


def _is_known(request: Request, body: Body) -> bool:
    """RFC 9110 section 13.2.2: a validator given as If-None-Match decides alone."""
    given = request.headers.get("if-none-match")
    if given is not None:
        tags = {each.strip().removeprefix("W/").strip('"').removesuffix(_ZIPPED) for each in given.split(",")}
        return body.etag in tags or "*" in tags
    since = request.headers.get("if-modified-since")
    if since is None:
        return False
    try:
        asked = parsedate_to_datetime(since)
    except ValueError:
        return False
    return body.modified <= (asked if asked.tzinfo else asked.replace(tzinfo=UTC))


def _takes_gzip(accepted: str) -> bool:
    for each in accepted.lower().split(","):
        name, _, weight = each.partition(";")
        if name.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _language(request: Request, served: Served) -> Language:
    asked = request.query_params.get("lang")
    return Language(asked) if asked in set(Language) else served.link.language


def _source(request: Request) -> str:
    return request.client.host if request.client else ""


def _html(text: str, status: int) -> Response:
    return HTMLResponse(text, status, _PRIVATE | {"content-security-policy": SECURITY_POLICY})


def _unknown() -> Response:
    return PlainTextResponse("Not found\n", 404, _PRIVATE)


def _too_often() -> Response:
    return PlainTextResponse("Too many requests\n", 429, _PRIVATE | {"retry-after": "60"})
