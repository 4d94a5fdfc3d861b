"""Identity of what a CalDAV server holds: the percent-decoded path.

Servers spell one path in several ways ("@" or "%40", "%c3" or "%C3"), so that only decoded paths are compared.
"""

from __future__ import annotations

from urllib.parse import quote, unquote_to_bytes, urlsplit

_SAFE = "@:!$&'()*+,;=~"


def decoded(href: str) -> str:
    """The identity of an href, which may be a whole address or a path."""
    path = urlsplit(href.strip()).path if "://" in href else href.strip().split("?")[0].split("#")[0]
    return "/".join(_segment(segment) for segment in path.split("/"))


def encoded(path: str) -> str:
    """A decoded path as it goes over the wire. `decoded(encoded(path)) == path` for every path from `decoded`."""
    # A percent sign is only in a segment that has kept its encoding.
    return "/".join(segment if "%" in segment else quote(segment, safe=_SAFE) for segment in path.split("/"))


def same_collection(one: str, other: str) -> bool:
    """Whether two decoded paths are one collection, written with or without its last slash."""
    return one.rstrip("/") == other.rstrip("/")


def _segment(segment: str) -> str:
    # A segment that would not survive the way back (a slash or a percent sign inside a name, bytes that are no
    # UTF-8) stays encoded, in one spelling.
    raw = unquote_to_bytes(segment)
    try:
        plain = raw.decode()
    except UnicodeDecodeError:
        plain = "%"
    return quote(raw, safe=_SAFE) if "/" in plain or "%" in plain else plain
