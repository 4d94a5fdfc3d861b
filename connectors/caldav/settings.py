"""What has to be known of a CalDAV account."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import httpx2

from connectors.caldav.profiles import UNKNOWN_SERVER, ServerProfile
from connectors.errors import ITMustAct
from connectors.hosts import HostPattern, is_loopback
from connectors.network import Network


@dataclass(frozen=True, slots=True)
class CalDavSettings:
    """One account.

    `url`: the server, the principal or the home. `home`: path of the calendar home, when discovery cannot find it.
    `allow_plain_http`: permits http to another machine. `owned_by_it`: a wrong password is IT's matter, no agent's.
    `owner_addresses`: calendar -> e-mail addresses of its owner, to tell what the owner declined.
    `network`: the way there, and seconds of silence. `answer_limit`: seconds for one whole answer.
    `allowed_hosts`: hosts that may be named to a person as the right ones, when the server points to them.
    `max_connections`: requests at the same time at most; the server's profile may say less.
    """

    name: str
    url: str
    username: str
    password: str = field(repr=False)
    home: str | None = None
    profile: ServerProfile = UNKNOWN_SERVER
    allow_plain_http: bool = False
    owned_by_it: bool = False
    owner_addresses: Mapping[str, Collection[str]] = field(default_factory=dict, repr=False)
    network: Network = field(default_factory=Network)
    allowed_hosts: tuple[HostPattern, ...] = ()
    answer_limit: float = 120.0
    max_connections: int = 8

    def checked_url(self) -> httpx2.URL:
        """`url`, fit to carry a password. Raises `ITMustAct`."""
        try:
            url = httpx2.URL(self.url)
        except httpx2.InvalidURL:
            url = httpx2.URL("")
        if url.scheme not in ("http", "https") or not url.host:
            raise ITMustAct(
                "The address of the calendar server is not an http or https address.",
                system=self.name,
                remedy="Correct the account's url in the configuration.",
            )
        if url.userinfo:
            raise ITMustAct(
                f"The address of {url.host} holds a user name or a password.",
                system=self.name,
                remedy="Take them out of the url: credentials have their own settings.",
            )
        if url.scheme == "http" and not is_loopback(url.host) and not self.allow_plain_http:
            raise ITMustAct(
                f"The address of {url.host} is not encrypted (http).",
                system=self.name,
                remedy="Use its https address, or set allow_plain_http if the network in between is trusted.",
            )
        return url
