"""A small CalDAV server in memory, on a real socket, for servers that cannot run here.

It is as strict as a real one where it is not told otherwise by `Manners`, which hold what was documented or measured
of a kind of server. It checks Basic passwords, keeps calendars by path, and counts time itself, so that tests decide
what falls into one second.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import quote, unquote

import icalendar
import recurring_ical_events
from lxml import etree

_DAV = "{DAV:}"
_CAL = "{urn:ietf:params:xml:ns:caldav}"
_CTAG = "{http://calendarserver.org/ns/}getctag"
_ENDS = ("start", "end")
_START = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Manners:
    """`tokens`, `ctag`: what calendars have. `seconds`: both are the second of the last change; a delta accepts any
    token, tells what changed in later seconds, and ends with a token of a second that is over.
    `counters`: ETags count per item, from zero again after a removal. `conditions`: If-None-Match on PUT and If-Match
    on DELETE are honoured. `one_uid`: a UID is there once in a calendar.
    `far`: how many days after its start an endless series is still found by a query; None: always. `doubled_rows`: a
    query gives each href twice. `hangs_up`: GET and PUT end the connection without saying so. `dates`: answers to a
    GET and a REPORT tell when items were changed, and what time it is."""

    tokens: bool = True
    ctag: bool = True
    seconds: bool = False
    counters: bool = False
    conditions: bool = True
    one_uid: bool = True
    far: int | None = None
    doubled_rows: bool = False
    hangs_up: bool = False
    dates: bool = True
    software: str = "double"


@dataclass
class _Item:
    body: bytes
    etag: str
    modified: datetime
    uid: str


@dataclass
class _Calendar:
    name: str
    number: int = 1
    changed: datetime = _START
    items: dict[str, _Item] = field(default_factory=dict)
    log: list[tuple[int, datetime, str]] = field(default_factory=list)  # every change of every path


class DavDouble:
    """A server of some kind. `step`: how far its clock goes on with each request; 0 stops it."""

    name = "double"
    manners = Manners()

    def __init__(self, users: Mapping[str, str]) -> None:
        self.users = dict(users)
        self.calendars: dict[str, _Calendar] = {}
        self.clock = _START
        self.step = timedelta(seconds=3)
        self.lock = threading.RLock()
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        assert self._server is not None, "not started"
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def home(self, user: str) -> str:
        """The path of a user's calendar home."""
        return f"/dav/{user}/"

    def __enter__(self) -> Self:
        double = self

        class Handler(_Handler):
            owner = double

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    # --- what is there ---------------------------------------------------------------------------------------

    def find(self, path: str) -> tuple[_Calendar, _Item | None] | None:
        """The calendar of a path, and the item there."""
        folder = path[: path.rindex("/") + 1]
        calendar = self.calendars.get(folder)
        return None if calendar is None else (calendar, calendar.items.get(path))

    def put(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        """Status and ETag."""
        found = self.find(path)
        if found is None:
            return 409, ""
        calendar, item = found
        if self.manners.conditions and headers.get("if-none-match") == "*" and item is not None:
            return 412, ""
        wanted = headers.get("if-match")
        if wanted is not None and (item is None or item.etag != wanted):
            return 412, ""
        try:
            parsed = icalendar.Calendar.from_ical(body)
            uid = str(next(iter(parsed.walk("VEVENT")))["UID"])
        except (ValueError, StopIteration, KeyError):
            return 404, ""
        if self.manners.one_uid and any(each.uid == uid and at != path for at, each in calendar.items.items()):
            return 409, ""
        calendar.items[path] = _Item(body, self._etag(item, body), self.clock, uid)
        self._changed(calendar, path)
        return (201 if item is None else 204), calendar.items[path].etag

    def fill(self, path: str, body: bytes) -> None:
        """Put an item there without looking at it, which takes long for thousands."""
        calendar = self.calendars[path[: path.rindex("/") + 1]]
        calendar.items[path] = _Item(body, self._etag(None, body), self.clock, path)
        self._changed(calendar, path)

    def delete(self, path: str, headers: Mapping[str, str]) -> int:
        """The status."""
        found = self.find(path)
        if found is None or found[1] is None:
            return 404
        calendar, item = found
        if self.manners.conditions and headers.get("if-match") not in (None, item.etag if item else ""):
            return 412
        del calendar.items[path]
        self._changed(calendar, path)
        return 204

    def _etag(self, item: _Item | None, body: bytes) -> str:
        if not self.manners.counters:
            return f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        return '"gcs00000000"' if item is None else f'"gcs{int(item.etag[4:-1]) + 1:08}"'

    def _changed(self, calendar: _Calendar, path: str) -> None:
        calendar.number += 1
        calendar.changed = self.clock
        calendar.log.append((calendar.number, self.clock, path))

    def token(self, calendar: _Calendar) -> str:
        return str(int(calendar.changed.timestamp())) if self.manners.seconds else f"data:,{calendar.number}"

    def token_of_delta(self, calendar: _Calendar) -> str:
        if not self.manners.seconds:
            return self.token(calendar)
        return str(min(int(calendar.changed.timestamp()), int(self.clock.timestamp()) - 1))

    def since(self, calendar: _Calendar, token: str) -> list[str] | None:
        """Paths that changed after a token; None for one that was never given."""
        if self.manners.seconds:
            second = int(token) if token.isdigit() else 0
            return sorted({path for _, at, path in calendar.log if int(at.timestamp()) > second})
        number = token.removeprefix("data:,")
        if not number.isdigit() or not 0 < int(number) <= calendar.number:
            return None
        return sorted({path for at, _, path in calendar.log if at > int(number)})

    def in_span(self, item: _Item, start: datetime, end: datetime) -> bool:
        calendar = icalendar.Calendar.from_ical(item.body)
        first = next(iter(calendar.walk("VEVENT")))
        begins = first.decoded("DTSTART")
        far = self.manners.far
        if far is not None and "RRULE" in first and isinstance(begins, datetime):
            begins = begins if begins.tzinfo else begins.replace(tzinfo=UTC)
            if start > begins + timedelta(days=far):
                return False
        return bool(recurring_ical_events.of(calendar).between(start, end))


class _Handler(BaseHTTPRequestHandler):
    owner: DavDouble
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __getattr__(self, name: str) -> object:
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        double = self.owner
        with double.lock:
            double.clock += double.step
            if not self._knows_password():
                self._send(401, headers={"WWW-Authenticate": 'Basic realm="double"'})
                return
            getattr(self, f"_{self.command.lower()}")(unquote(self.path), body)
        if double.manners.hangs_up and self.command in ("GET", "PUT"):
            self.close_connection = True

    def _knows_password(self) -> bool:
        _, _, encoded = self.headers.get("Authorization", "").partition(" ")
        user, _, password = base64.b64decode(encoded).decode().partition(":")
        return bool(password) and self.owner.users.get(user) == password

    def _dates(self) -> bool:
        return self.owner.manners.dates or self.command not in ("GET", "REPORT")

    def _send(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        self.send_response_only(status)
        if self._dates():
            self.send_header("Date", format_datetime(self.owner.clock, usegmt=True))
        self.send_header("Server", self.owner.manners.software)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    # --- methods ---------------------------------------------------------------------------------------------

    def _mkcalendar(self, path: str, body: bytes) -> None:
        name = etree.fromstring(body).findtext(f".//{_DAV}displayname") or ""
        self.owner.calendars[path] = _Calendar(name, changed=self.owner.clock)
        self._send(201)

    def _put(self, path: str, body: bytes) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, etag = self.owner.put(path, body, headers)
        self._send(status, headers={"ETag": etag} if etag else {})

    def _delete(self, path: str, _body: bytes) -> None:
        if path in self.owner.calendars:
            del self.owner.calendars[path]
            self._send(204)
            return
        self._send(self.owner.delete(path, {name.lower(): value for name, value in self.headers.items()}))

    def _get(self, path: str, _body: bytes) -> None:
        found = self.owner.find(path)
        if found is None or found[1] is None:
            self._send(404)
            return
        item = found[1]
        dates = {"Last-Modified": format_datetime(item.modified, usegmt=True)} if self._dates() else {}
        self._send(200, item.body, {"Content-Type": "text/calendar", "ETag": item.etag, **dates})

    def _propfind(self, path: str, _body: bytes) -> None:
        double = self.owner
        deep = self.headers.get("Depth") == "1"
        if path in double.calendars:
            calendar = double.calendars[path]
            rows = [self._calendar_row(path, calendar)]
            rows += [self._item_row(at, item) for at, item in calendar.items.items()] if deep else []
        elif path.startswith("/dav/") or path == "/":
            user = base64.b64decode(self.headers["Authorization"].partition(" ")[2]).decode().partition(":")[0]
            home = double.home(user)
            principal = f"<D:current-user-principal><D:href>{home}</D:href></D:current-user-principal>"
            homes = f"<C:calendar-home-set><D:href>{home}</D:href></C:calendar-home-set>"
            kind = "<D:resourcetype><D:collection/></D:resourcetype>"
            rows = [_row(path, kind + principal + homes)]
            inside = [at for at in double.calendars if at.startswith(path)] if deep and path == home else []
            rows += [self._calendar_row(at, double.calendars[at]) for at in inside]
        else:
            self._send(404)
            return
        self._multistatus(rows)

    def _calendar_row(self, path: str, calendar: _Calendar) -> str:
        manners, token = self.owner.manners, self.owner.token(calendar)
        properties = "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>"
        properties += f"<D:displayname>{escape(calendar.name)}</D:displayname>"
        properties += f"<D:sync-token>{token}</D:sync-token>" if manners.tokens else ""
        properties += f"<S:getctag>{token}</S:getctag>" if manners.ctag else ""
        return _row(path, properties)

    def _report(self, path: str, body: bytes) -> None:
        calendar = self.owner.calendars.get(path)
        if calendar is None:
            self._send(404)
            return
        root = etree.fromstring(body)
        name = etree.QName(root).localname
        token = ""
        if name == "sync-collection":
            changed = self.owner.since(calendar, root.findtext(f"{_DAV}sync-token") or "")
            if changed is None or not self.owner.manners.tokens:
                self._send(403, b'<error xmlns="DAV:"><valid-sync-token/></error>', {"Content-Type": "text/xml"})
                return
            rows = [self._item_row(at, calendar.items.get(at)) for at in changed]
            token = f"<D:sync-token>{self.owner.token_of_delta(calendar)}</D:sync-token>"
        elif name == "calendar-multiget":
            with_data = root.find(f".//{_CAL}calendar-data") is not None
            hrefs = [unquote(href.text or "") for href in root.iterfind(f"{_DAV}href")]
            rows = [self._item_row(at, calendar.items.get(at), data=with_data) for at in hrefs]
        else:
            rows = list(self._in_span(calendar, root)) * (2 if self.owner.manners.doubled_rows else 1)
        self._multistatus(rows, token)

    def _in_span(self, calendar: _Calendar, query: etree._Element) -> Iterator[str]:
        data = query.find(f".//{_CAL}calendar-data") is not None
        spans = [
            tuple(datetime.strptime(span.attrib[name], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) for name in _ENDS)
            for span in query.iter(f"{_CAL}time-range")
        ]
        for at, item in calendar.items.items():
            if all(self.owner.in_span(item, *span) for span in spans):
                yield self._item_row(at, item, data=data)

    def _multistatus(self, rows: list[str], token: str = "") -> None:
        spaces = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:S="http://calendarserver.org/ns/"'
        body = f'<?xml version="1.0"?><D:multistatus {spaces}>{"".join(rows)}{token}</D:multistatus>'
        self._send(207, body.encode(), {"Content-Type": "application/xml; charset=utf-8"})

    def _item_row(self, path: str, item: _Item | None, *, data: bool = False) -> str:
        if item is None:
            gone = "<D:status>HTTP/1.1 404 Not Found</D:status>"
            return f"<D:response><D:href>{quote(path)}</D:href>{gone}</D:response>"
        properties = f"<D:getetag>{escape(item.etag)}</D:getetag>"
        if self._dates():
            properties += f"<D:getlastmodified>{format_datetime(item.modified, usegmt=True)}</D:getlastmodified>"
        properties += f"<D:getcontentlength>{len(item.body)}</D:getcontentlength><D:resourcetype/>"
        if data:
            properties += f"<C:calendar-data>{escape(item.body.decode())}</C:calendar-data>"
        return _row(path, properties)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        """Nobody reads a log."""


def _row(path: str, properties: str) -> str:
    given = f"<D:propstat><D:prop>{properties}</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
    return f"<D:response><D:href>{quote(path)}</D:href>{given}</D:response>"
