"""The XML of WebDAV and CalDAV: request bodies, and the rows of a multistatus (RFC 4918 section 13)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape

from lxml import etree

from connectors.caldav.paths import decoded, encoded

DAV = "{DAV:}"
CALDAV = "{urn:ietf:params:xml:ns:caldav}"
CALENDARSERVER = "{http://calendarserver.org/ns/}"

RESOURCE_TYPE = f"{DAV}resourcetype"
ETAG = f"{DAV}getetag"
MODIFIED = f"{DAV}getlastmodified"
SYNC_TOKEN = f"{DAV}sync-token"
CTAG = f"{CALENDARSERVER}getctag"
DISPLAY_NAME = f"{DAV}displayname"
PRIVILEGES = f"{DAV}current-user-privilege-set"
PRINCIPAL = f"{DAV}current-user-principal"
COMPONENTS = f"{CALDAV}supported-calendar-component-set"
CALENDAR_DATA = f"{CALDAV}calendar-data"

_PREFIXES = {DAV: "D:", CALDAV: "C:", CALENDARSERVER: "S:"}
_NAMESPACES = " ".join(f'xmlns:{prefix[:-1]}="{name[1:-1]}"' for name, prefix in _PREFIXES.items())
_STATUS = re.compile(r"HTTP/\S+\s+(\d{3})")


class NotXml(ValueError):
    """The answer is not XML, or not a multistatus."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a multistatus says of one resource. `path`: decoded. `properties`: only those given with 200.

    `status`: the row's own, or 200 when any property was given, or the worst that was said of its properties.
    `refused`: statuses of the properties that were not given, other than 404.
    """

    path: str
    status: int
    properties: dict[str, etree._Element] = field(default_factory=dict, repr=False)
    refused: dict[str, int] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """The text of a property; "" when it was not given."""
        element = self.properties.get(name)
        return "" if element is None else (element.text or "")

    def holds(self, name: str, child: str) -> bool:
        """Whether the property has this element inside, at any depth."""
        element = self.properties.get(name)
        return element is not None and next(element.iter(child), None) is not None

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
    """Read a 207 answer. Raises `NotXml`."""
    root = _root(body)
    if root is None or root.tag != f"{DAV}multistatus":
        raise NotXml("not a multistatus")
    rows = tuple(_row(response) for response in root.iterfind(f"{DAV}response"))
    return Multistatus(rows, (root.findtext(SYNC_TOKEN) or "").strip())


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
        f"<D:sync-level>1</D:sync-level><D:prop>{_names((ETAG, MODIFIED))}</D:prop></D:sync-collection>"
    )


def multiget(paths: Iterable[str]) -> bytes:
    """Body of a calendar-multiget REPORT (RFC 4791 section 7.9) for decoded paths."""
    hrefs = "".join(f"<D:href>{escape(encoded(path))}</D:href>" for path in paths)
    wanted = _names((ETAG, MODIFIED, CALENDAR_DATA))
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
    properties: dict[str, etree._Element] = {}
    refused: dict[str, int] = {}
    for propstat in response.iterfind(f"{DAV}propstat"):
        status = _status(propstat)
        for element in propstat.iterfind(f"{DAV}prop/*"):
            if status == 200:
                properties[str(element.tag)] = element
            elif status != 404:
                refused[str(element.tag)] = status
    own = _status(response)
    if not own:
        own = 200 if properties or not refused else max(refused.values())
    return Row(decoded(response.findtext(f"{DAV}href") or ""), own, properties, refused)


def _status(element: etree._Element) -> int:
    match = _STATUS.match((element.findtext(f"{DAV}status") or "").strip())
    return int(match[1]) if match else 0
