"""The XML of WebDAV and CalDAV: request bodies, and the rows of a multistatus (RFC 4918 section 13)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from io import BytesIO

from lxml import etree

from connectors.caldav.paths import decoded, encoded

DAV = "{DAV:}"
CALDAV = "{urn:ietf:params:xml:ns:caldav}"
CALENDARSERVER = "{http://calendarserver.org/ns/}"

RESOURCE_TYPE = f"{DAV}resourcetype"
ETAG = f"{DAV}getetag"
MODIFIED = f"{DAV}getlastmodified"
SIZE = f"{DAV}getcontentlength"
CREATED = f"{DAV}creationdate"
RESOURCE_ID = f"{DAV}resource-id"
REPORTS = f"{DAV}supported-report-set"
SYNC_TOKEN = f"{DAV}sync-token"
CTAG = f"{CALENDARSERVER}getctag"
DISPLAY_NAME = f"{DAV}displayname"
PRIVILEGES = f"{DAV}current-user-privilege-set"
PRINCIPAL = f"{DAV}current-user-principal"
COMPONENTS = f"{CALDAV}supported-calendar-component-set"
CALENDAR_DATA = f"{CALDAV}calendar-data"
OF_ITEMS = (ETAG, MODIFIED, SIZE)
"""What is asked of each item in a listing."""

_PREFIXES = {DAV: "D:", CALDAV: "C:", CALENDARSERVER: "S:"}
_NAMESPACES = " ".join(f'xmlns:{prefix[:-1]}="{name[1:-1]}"' for name, prefix in _PREFIXES.items())
_STATUS = re.compile(r"HTTP/\S+\s+(\d{3})")


class NotXml(ValueError):
    """The answer is not XML, or not a multistatus."""


@dataclass(frozen=True, slots=True)
class Property:
    """A property's text, elements inside it included, and for each of these its tag, `name` attribute and own text."""

    text: str
    inside: tuple[tuple[str, str, str], ...] = ()

    def texts(self, tag: str) -> list[str]:
        """The texts, without blanks around them, of the elements of this tag that have one."""
        return [text.strip() for found, _, text in self.inside if found == tag and text]


@dataclass(frozen=True, slots=True)
class Row:
    """What a multistatus says of one resource. `path`: decoded. `properties`: only those given with 200.

    `status`: the row's own, or 200 when any property was given, or the worst that was said of its properties.
    `refused`: statuses of the properties that were not given, other than 404.
    """

    path: str
    status: int
    properties: dict[str, Property] = field(default_factory=dict, repr=False)
    refused: dict[str, int] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """The text of a property; "" when it was not given."""
        found = self.properties.get(name)
        return "" if found is None else found.text

    def holds(self, name: str, child: str) -> bool:
        """Whether the property has this element inside, at any depth."""
        found = self.properties.get(name)
        return found is not None and any(tag == child for tag, _, _ in found.inside)

    @property
    def is_calendar(self) -> bool:
        """Whether its resourcetype says calendar (RFC 4791 section 4.2)."""
        return self.holds(RESOURCE_TYPE, f"{CALDAV}calendar")


@dataclass(frozen=True, slots=True)
class Multistatus:
    """Rows in the server's order, and the sync-token of a sync-collection answer ("" without)."""

    rows: tuple[Row, ...]
    sync_token: str = ""


def parse_multistatus(body: bytes) -> Multistatus:
    """Read a 207 answer, row by row, so that a long one takes little more room than its rows. Raises `NotXml`."""
    rows: list[Row] = []
    reader = etree.iterparse(
        BytesIO(body), tag=f"{DAV}response", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True
    )
    try:
        for _, response in reader:
            rows.append(_row(response))
            response.clear()
            before = response.getprevious()
            if before is not None and before.tag == response.tag:
                response.getparent().remove(before)
    except etree.XMLSyntaxError:
        raise NotXml("not XML") from None
    root = reader.root
    if root is None or root.tag != f"{DAV}multistatus":
        raise NotXml("not a multistatus")
    return Multistatus(tuple(rows), (root.findtext(SYNC_TOKEN) or "").strip())


def error_elements(body: bytes) -> frozenset[str]:
    """The precondition elements in an error answer (RFC 4918 section 16), in Clark notation; none if it is not XML."""
    root = _root(body)
    if root is None or root.tag != f"{DAV}error":
        return frozenset()
    return frozenset(child.tag for child in root if isinstance(child.tag, str))


def propfind(properties: Iterable[str]) -> bytes:
    """Body of a PROPFIND for these properties."""
    return _document(f"<D:propfind {_NAMESPACES}><D:prop>{_names(properties)}</D:prop></D:propfind>")


def sync_collection(token: str) -> bytes:
    """Body of a sync-collection REPORT (RFC 6578).

    No limit: some servers cut at it and say nothing. No calendar-data: some servers leave it out.
    """
    return _document(
        f"<D:sync-collection {_NAMESPACES}><D:sync-token>{escape(token)}</D:sync-token>"
        f"<D:sync-level>1</D:sync-level><D:prop>{_names(OF_ITEMS)}</D:prop></D:sync-collection>"
    )


def time_range(start: datetime, end: datetime) -> bytes:
    """Body of a calendar-query REPORT (RFC 4791 section 9.9) for events between two instants."""
    span = f'start="{start.astimezone(UTC):%Y%m%dT%H%M%SZ}" end="{end.astimezone(UTC):%Y%m%dT%H%M%SZ}"'
    return _document(
        f"<C:calendar-query {_NAMESPACES}><D:prop>{_names(OF_ITEMS)}</D:prop>"
        '<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">'
        f"<C:time-range {span}/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"
    )


def multiget(paths: Iterable[str], *, bodies: bool = True) -> bytes:
    """Body of a calendar-multiget REPORT (RFC 4791 section 7.9) for decoded paths."""
    hrefs = "".join(f"<D:href>{escape(encoded(path))}</D:href>" for path in paths)
    wanted = _names((ETAG, MODIFIED, CALENDAR_DATA) if bodies else OF_ITEMS)
    return _document(f"<C:calendar-multiget {_NAMESPACES}><D:prop>{wanted}</D:prop>{hrefs}</C:calendar-multiget>")


def _document(text: str) -> bytes:
    return f'<?xml version="1.0" encoding="utf-8"?>{text}'.encode()


def _names(properties: Iterable[str]) -> str:
    return "".join(f"<{_PREFIXES[name[: name.index('}') + 1]]}{name.partition('}')[2]}/>" for name in properties)


def _root(body: bytes) -> etree._Element | None:
    # Entities are never resolved nor anything fetched; without huge_tree one long description would end the reading.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    try:
        return etree.fromstring(body, parser) if body.strip() else None
    except etree.XMLSyntaxError:
        return None


def _row(response: etree._Element) -> Row:
    properties: dict[str, Property] = {}
    refused: dict[str, int] = {}
    for propstat in response.iterfind(f"{DAV}propstat"):
        status = _status(propstat)
        for element in propstat.iterfind(f"{DAV}prop/*"):
            if status == 200:
                properties[str(element.tag)] = _property(element)
            elif status != 404:
                refused[str(element.tag)] = status
    own = _status(response)
    if not own:
        own = 200 if properties or not refused else max(refused.values())
    return Row(decoded(response.findtext(f"{DAV}href") or ""), own, properties, refused)


def _property(element: etree._Element) -> Property:
    if not len(element):
        return Property(element.text or "")
    inside = tuple((str(each.tag), each.get("name", ""), each.text or "") for each in element.iterdescendants())
    return Property("".join(map(str, element.itertext())).strip(), inside)


def _status(element: etree._Element) -> int:
    match = _STATUS.match((element.findtext(f"{DAV}status") or "").strip())
    return int(match[1]) if match else 0
