"""Finding the calendars of a person by e-mail: what a service account asks a server that lets it.

RFC 3744 section 9.4 (principal-property-search), then calendarserver-principal-search, which some servers have in its
place. Servers match parts of words, so that a principal counts only if it says itself that it has exactly this
address (RFC 6638 section 2.4.1, calendar-user-address-set).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from html import escape
from urllib.parse import urlsplit

from lxml import etree

from connectors.caldav.dav_xml import CALDAV, CALENDARSERVER, DAV
from connectors.caldav.faults import Answer, failure
from connectors.caldav.paths import decoded
from connectors.caldav.polling import Polling
from connectors.caldav.settings import CalDavSettings
from connectors.errors import ConnectorError, ITMustAct, OurBug, RightsMissing

_HOME = f"{CALDAV}calendar-home-set"
_ADDRESSES = f"{CALDAV}calendar-user-address-set"
_EMAILS = f"{CALENDARSERVER}email-address-set"
_SABRE_EMAIL = "{http://sabredav.org/ns}email-address"
_COLLECTIONS = f"{DAV}principal-collection-set"
_MOST_COLLECTIONS = 5
_ASKED = (_HOME, _ADDRESSES, _EMAILS, _SABRE_EMAIL)


@dataclass(frozen=True, slots=True)
class PrincipalSearch:
    """Asks one server. `now` gives the instant, for the pause that a server may ask for."""

    settings: CalDavSettings
    polling: Polling
    now: Callable[[], datetime]

    def homes_of(self, email: str) -> tuple[str, ...]:
        """Decoded paths of the calendar homes of whoever has this address; none when nobody has.

        Raises `ITMustAct` when the server does not search at all, or its calendars are on another server, and what
        reading raises.
        """
        answered = False
        for collection in self._collections():
            for body in _searches(email):
                answer = self.polling.send("REPORT", collection, body=body, depth="0")
                found = _principals(answer)
                if found is None:
                    self._refuse(answer, answered=answered)
                    continue
                answered = True
                homes = [home for principal in found if _has(principal, email) for home in self._homes(principal)]
                if homes:
                    return tuple(dict.fromkeys(homes))
        if answered:
            return ()
        raise ITMustAct(
            "The calendar server does not search for people.",
            system=self.settings.name,
            remedy="Reach the agents by a template in home, by shares, or by their own credentials.",
        )

    def _collections(self) -> tuple[str, ...]:
        """Where principals are searched (RFC 3744 section 5.8); where the account begins if the server does not say."""
        start = decoded(self.settings.url.partition("?")[0]) or "/"
        answer = self.polling.send("PROPFIND", start, body=_propfind(_COLLECTIONS), depth="0")
        rows = _principals(answer)
        if rows is None:
            raise self._failure(answer)
        found = [decoded(href) for row in rows for href in _texts(row, _COLLECTIONS, f"{DAV}href")]
        return tuple(dict.fromkeys(found))[:_MOST_COLLECTIONS] or (start,)

    def _homes(self, principal: _Properties) -> Iterator[str]:
        own = urlsplit(self.settings.url).hostname
        for href in _texts(principal, _HOME, f"{DAV}href"):
            host = urlsplit(href).hostname
            if host not in (None, own):
                raise ITMustAct(
                    "The calendar server says that an agent's calendars are on another server.",
                    system=self.settings.name,
                    remedy="Give that server a section of its own in [[accounts]].",
                )
            yield decoded(href)

    def _refuse(self, answer: Answer, *, answered: bool) -> None:
        """A search that is refused as such leads to the next kind; any other failure is told.

        A server that has searched by now and fails with 500 does not know this kind (SOGo).
        """
        if answered and answer.status == 500:
            return
        error = self._failure(answer)
        if not isinstance(error, OurBug | RightsMissing) and answer.status not in (404, 405, 409, 501):
            raise error

    def _failure(self, answer: Answer) -> ConnectorError:
        name, by_it = self.settings.name, self.settings.owned_by_it
        return failure(answer, "searching for people", system=name, owned_by_it=by_it, now=self.now())


def _searches(email: str) -> Iterator[bytes]:
    for name in (_ADDRESSES, _EMAILS, _SABRE_EMAIL):
        wanted = f"<D:prop>{_names(name)}</D:prop><D:match>{escape(email)}</D:match>"
        yield _document(
            f'<D:principal-property-search {_NAMESPACES} test="anyof"><D:property-search>{wanted}</D:property-search>'
            f"<D:prop>{_names(*_ASKED)}</D:prop></D:principal-property-search>"
        )
    yield _document(
        f'<S:calendarserver-principal-search {_NAMESPACES} context="user"><S:search-token>{escape(email)}'
        f"</S:search-token><D:prop>{_names(*_ASKED)}</D:prop></S:calendarserver-principal-search>"
    )


_Properties = dict[str, etree._Element]  # noqa: SLF001 - the stubs name no other type
"""The properties of one principal that were given, by name."""


def _has(principal: _Properties, email: str) -> bool:
    """Whether this principal says that it has exactly this address."""
    addresses = (
        *_texts(principal, _ADDRESSES, f"{DAV}href"),
        *_texts(principal, _EMAILS, f"{CALENDARSERVER}email-address"),
        *_texts(principal, _SABRE_EMAIL, _SABRE_EMAIL),
    )
    return email.strip().casefold() in {address.casefold().removeprefix("mailto:") for address in addresses}


def _texts(principal: _Properties, name: str, tag: str) -> list[str]:
    """The texts of these elements in a property, itself included."""
    element = principal.get(name)
    return [] if element is None else [each.text.strip() for each in element.iter(tag) if each.text]


def _principals(answer: Answer) -> list[_Properties] | None:
    """The rows of a multistatus; None for any other answer."""
    if answer.status != 207:
        return None
    try:
        root = etree.fromstring(answer.body, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except etree.XMLSyntaxError:
        return None
    if root.tag != f"{DAV}multistatus":
        return None
    return [
        {
            str(element.tag): element
            for propstat in response.iterfind(f"{DAV}propstat")
            if " 200 " in f"{propstat.findtext(f'{DAV}status')} "
            for element in propstat.iterfind(f"{DAV}prop/*")
        }
        for response in root.iterfind(f"{DAV}response")
    ]


_PREFIXES = {DAV: "D", CALDAV: "C", CALENDARSERVER: "S", "{http://sabredav.org/ns}": "B"}
_NAMESPACES = " ".join(f'xmlns:{prefix}="{name[1:-1]}"' for name, prefix in _PREFIXES.items())


def _names(*properties: str) -> str:
    return "".join(f"<{_PREFIXES[name[: name.index('}') + 1]]}:{name[name.index('}') + 1 :]}/>" for name in properties)


def _propfind(*properties: str) -> bytes:
    return _document(f"<D:propfind {_NAMESPACES}><D:prop>{_names(*properties)}</D:prop></D:propfind>")


def _document(text: str) -> bytes:
    return f'<?xml version="1.0" encoding="utf-8"?>{text}'.encode()
