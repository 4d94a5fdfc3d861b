"""Which addresses may be asked on somebody's word: a person who types one, or a server that points to another.

Only listed hosts are. What is judged is the address as written: names are not resolved here. A name that was listed
may therefore point to a private address, as a département's own servers do; a name that an attacker controls is not
listed. Whoever rebinds a listed name gains nothing without a certificate for it, since every connection but one to
this machine is checked against its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx2

from connectors.hosts import Address, HostPattern, address_of, host_name, is_loopback

_USUAL_PORT = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class HostAndPort:
    """Where an address leads. `host` in the spelling of `connectors.hosts.host_name`."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def host_and_port(url: str) -> HostAndPort:
    """Where `url` leads. Raises `ValueError`, with a reason fit to be shown, for an address that must not be used.

    Refused: schemes other than https (http: to this machine only), user names and passwords, and every spelling that
    two parsers could read differently.
    """
    if not url.isprintable() or any(sign in url for sign in " \\"):
        raise ValueError("it holds characters that an address cannot hold")
    try:
        one, other = urlsplit(url), httpx2.URL(url)
        port = one.port
    except (ValueError, httpx2.InvalidURL):
        raise ValueError("it is not an address") from None
    if one.scheme not in _USUAL_PORT:
        raise ValueError("it does not begin with https://")
    if "@" in one.netloc:
        raise ValueError("it holds a user name or a password")
    try:
        # `raw_host` is what is really asked for: there are two ways to write "ß" in a domain.
        host, again = host_name(one.hostname or ""), host_name(other.raw_host.decode("ascii"))
    except ValueError:
        raise ValueError("it names no host in a usual form") from None
    if host != again or one.scheme != other.scheme or _port(other.port, one.scheme) != _port(port, one.scheme):
        raise ValueError("it can be read in several ways")
    if one.scheme == "http" and not is_loopback(host):
        raise ValueError("it is not encrypted (http)")
    return HostAndPort(host, _port(port, one.scheme))


def refusal(url: str, allowed: Iterable[HostPattern]) -> str | None:
    """Why `url` may not be asked, in words that continue "it may not be used: …"; None when it may.

    A pattern without a port allows the usual one of the scheme only. The text never repeats the address.
    """
    try:
        place = host_and_port(url)
    except ValueError as problem:
        return str(problem)
    covering = [pattern for pattern in allowed if pattern.covers(place.host)]
    usual = _USUAL_PORT[urlsplit(url).scheme]
    if any(place.port == (pattern.port or usual) for pattern in covering):
        return None
    if covering:
        return f"port {place.port} of this host is not among the allowed ones"
    address = address_of(place.host)
    return "its host is not among the allowed ones" if address is None else _kind(address)


def patterns_of(urls: Iterable[str]) -> Sequence[HostPattern]:
    """Exactly the hosts and ports of addresses that the configuration itself names. Raises `ValueError`."""
    places = [host_and_port(url) for url in urls]
    return [HostPattern(place.host, port=place.port) for place in places]


def _kind(address: Address) -> str:
    if address.is_loopback:
        return "it is an address of this machine that is not among the allowed ones"
    if address.is_link_local:
        return "it is a link-local address that is not among the allowed ones"
    if not address.is_global:
        return "it is an address of a private network that is not among the allowed ones"
    return "its address is not among the allowed ones"


def _port(port: int | None, scheme: str) -> int:
    return _USUAL_PORT[scheme] if port is None else port
