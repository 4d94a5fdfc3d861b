"""Puts the sample agendas on the calendar server, as the agents' own calendar programs would: not through the
gateway's connector, which has to find them by itself."""

from __future__ import annotations

from collections.abc import Iterable

import httpx2

from gateway.demo.agendas import Entry

CALENDAR = "agenda"

_MKCALENDAR = """\
<?xml version="1.0" encoding="utf-8"?>
<C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">
  <D:set><D:prop>
    <D:displayname>Agenda</D:displayname>
    <C:supported-calendar-component-set><C:comp name="VEVENT"/></C:supported-calendar-component-set>
  </D:prop></D:set>
</C:mkcalendar>
"""
_EXISTS = frozenset({405, 409})


def fill(home: str, login: str, password: str, entries: Iterable[Entry], *, calendar: str = CALENDAR) -> None:
    """Make the calendar in the home (RFC 4791 section 5.3.1), unless it is there, and put every entry in it.

    Raises `httpx2.HTTPError` when the server refuses: it is the demo's own, so that is a defect.
    """
    with httpx2.Client(base_url=home, auth=(login, password), trust_env=False) as client:
        xml = {"Content-Type": "application/xml; charset=utf-8"}
        made = client.request("MKCALENDAR", f"{calendar}/", content=_MKCALENDAR.encode(), headers=xml)
        if made.status_code not in _EXISTS:
            made.raise_for_status()
        for entry in entries:
            headers = {"Content-Type": "text/calendar; charset=utf-8"}
            client.put(f"{calendar}/{entry.name}", content=entry.body, headers=headers).raise_for_status()
