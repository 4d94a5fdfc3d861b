"""Content lines of iCalendar (RFC 5545 section 3.1) from texts that may hold anything. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from icalendar.parser import Contentline

PRODUCT_ID = "-//rdv-gateway//NONSGML rdv-gateway//FR"

_LINE_BREAKS = re.compile(r"\r\n|[\r\n\x0b\x0c\x85\u2028\u2029]")
# Neither iCalendar (section 3.1) nor XML can carry these; half a surrogate pair is no character at all.
_NOT_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")


def utc(instant: datetime) -> str:
    """An instant as DATE-TIME in UTC (section 3.3.5)."""
    return f"{instant.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def cleaned(text: str) -> str:
    """`text` with line feeds as its only breaks, and without what no calendar can carry."""
    return _NOT_TEXT.sub("", _LINE_BREAKS.sub("\n", text)).strip()


def one_line(text: str) -> str:
    """`cleaned`, on one line."""
    return " ".join(cleaned(text).split("\n"))


def escaped(text: str) -> str:
    """A value of type TEXT (section 3.3.11)."""
    # Not the library's: it takes a backslash before a capital N for a line break, and "C:\Notes" would lose a letter.
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def fold(line: str) -> str:
    """A content line in pieces of at most 75 octets, no character cut; without its line end."""
    made: bytes = Contentline(line).to_ical()  # type: ignore[no-untyped-call]  # the library has no hints here
    return made.decode()


def folded(lines: Iterable[str]) -> bytes:
    """A whole file."""
    return "".join(f"{fold(line)}\r\n" for line in lines).encode()
