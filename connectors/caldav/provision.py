"""Making calendars and filling them, for the demonstration and for tests. The gateway itself never does this."""

from __future__ import annotations

from html import escape

import httpx2

from connectors.caldav.paths import encoded

_KINDS = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'


class ProvisionFailed(RuntimeError):
    """The server did not make or take it; the text holds the status."""


def make_calendar(url: str, username: str, password: str, path: str, display_name: str) -> None:
    """Make a calendar for events at `path` (decoded, absolute) on the server at `url`. Raises `ProvisionFailed`."""
    body = (
        f'<?xml version="1.0" encoding="utf-8"?><C:mkcalendar {_KINDS}><set><prop>'
        f"<displayname>{escape(display_name)}</displayname>"
        '<C:supported-calendar-component-set><C:comp name="VEVENT"/></C:supported-calendar-component-set>'
        "</prop></set></C:mkcalendar>"
    )
    with _client(url, username, password) as client:
        kind = {"Content-Type": "application/xml; charset=utf-8"}
        answer = client.request("MKCALENDAR", encoded(path), content=body.encode(), headers=kind)
    if answer.status_code != 201:
        raise ProvisionFailed(f"MKCALENDAR: {answer.status_code}")


def put_raw(url: str, username: str, password: str, href: str, body: bytes) -> None:
    """Put a file at `href` (decoded), over whatever is there. Raises `ProvisionFailed`."""
    with _client(url, username, password) as client:
        answer = client.put(encoded(href), content=body, headers={"Content-Type": "text/calendar; charset=utf-8"})
    if answer.status_code not in (200, 201, 204):
        raise ProvisionFailed(f"PUT: {answer.status_code}")


def _client(url: str, username: str, password: str) -> httpx2.Client:
    base = httpx2.URL(url)
    return httpx2.Client(
        base_url=f"{base.scheme}://{base.netloc.decode()}",
        auth=(username, password),
        trust_env=False,
        verify=base.scheme == "https",  # loading the system's store for nothing takes longer than the request
    )
