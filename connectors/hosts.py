"""Names of hosts as people write them, brought to one spelling so that they can be compared. Pure: nothing is
resolved."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Range = ipaddress.IPv4Network | ipaddress.IPv6Network

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
# A last label that is a number in any notation makes the whole an IPv4 address for resolvers (RFC 3986 section
# 7.4): 127.1, 2130706433 and 0x7f.1 are all this machine.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


def address_of(host: str) -> Address | None:
    """The address that `host` (brackets allowed) literally is, or None for a name.

    An IPv4 address written as IPv6 is the IPv4 address: the connection goes there.
    """
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


def host_name(host: str) -> str:
    """`host` in one spelling: lower case, ASCII (IDNA), without last dot; addresses as the standard writes them.

    Raises `ValueError` for what is neither a name nor an address in its usual form.
    """
    address = address_of(host)
    if address is not None:
        return str(address)
    try:
        name = (host if host.isascii() else host.encode("idna").decode("ascii")).lower().removesuffix(".")
    except UnicodeError:
        raise ValueError("not a host name") from None
    labels = name.split(".")
    if len(name) > 253 or not all(map(_LABEL.fullmatch, labels)) or _NUMBER.fullmatch(labels[-1]):
        raise ValueError("not a host name")
    return name


def is_loopback(host: str) -> bool:
    """Whether `host` (a name or an address literal) can only be this machine."""
    address = address_of(host)
    return host.lower().removesuffix(".") == "localhost" if address is None else address.is_loopback


@dataclass(frozen=True, slots=True)
class HostPattern:
    """Hosts that a person listed.

    `name`: in the spelling of `host_name`; `itself` and `below` say whether it covers that host and the names that
    end in it. `range`: addresses that are written as such. `port` None: the caller's usual port or any.
    """

    name: str = ""
    itself: bool = True
    below: bool = False
    range: Range | None = None
    port: int | None = None

    def covers(self, host: str) -> bool:
        """Whether `host`, in the spelling of `host_name`, is one of them. The port is the caller's matter."""
        address = address_of(host)
        if self.range is not None:
            return address is not None and address.version == self.range.version and address in self.range
        if address is not None:
            return self.itself and host == self.name
        return (self.itself and host == self.name) or (self.below and host.endswith(f".{self.name}"))


def exact_pattern(text: str) -> HostPattern:
    """`host`, `host:port`, `[address]:port`, or `*.domain` for the names below it, not itself. Raises `ValueError`."""
    bare, port = _without_port(text.strip())
    if bare.startswith("*."):
        name = host_name(bare[2:])
        if address_of(name) is not None or "." not in name:
            raise ValueError("expected *. with a domain, such as *.departement.example.fr")
        return HostPattern(name, itself=False, below=True, port=port)
    return HostPattern(host_name(bare), port=port)


def proxy_exception(text: str) -> HostPattern:
    """As other programs read `no_proxy`: a name (with or without a first `.` or `*.`) covers itself and the names
    below it; an address or a range (`10.0.0.0/8`) covers hosts that are written as addresses. `:port` narrows it.

    Raises `ValueError`.
    """
    text = text.strip()
    if "/" in text:
        return HostPattern(range=ipaddress.ip_network(text, strict=False))
    bare, port = _without_port(text)
    name = host_name(bare.removeprefix("*").removeprefix("."))
    return HostPattern(name, below=address_of(name) is None, port=port)


def _without_port(text: str) -> tuple[str, int | None]:
    if address_of(text) is not None:
        return text, None
    found = re.fullmatch(r"(.+):([0-9]{1,5})", text)
    if found is None:
        return text, None
    port = int(found[2])
    if not 0 < port < 65536:
        raise ValueError("not a port")
    return found[1], port
