"""VTIMEZONE definitions (RFC 5545 section 3.6.5) of the zones of French territory, in the one form that all read.

They are written as yearly rules: from lists of dates some calendar programs use the first date only, and show an
appointment an hour late. Each holds for times from 1997 on (Saint-Pierre-et-Miquelon: 2007).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_FIXED = {
    "America/Guadeloupe": ("-0400", "AST"),
    "America/Martinique": ("-0400", "AST"),
    "America/St_Barthelemy": ("-0400", "AST"),
    "America/Marigot": ("-0400", "AST"),
    "America/Cayenne": ("-0300", "-03"),
    "Indian/Reunion": ("+0400", "+04"),
    "Indian/Mayotte": ("+0300", "EAT"),
    "Pacific/Tahiti": ("-1000", "-10"),
    "Pacific/Marquesas": ("-0930", "-0930"),
    "Pacific/Gambier": ("-0900", "-09"),
    "Pacific/Noumea": ("+1100", "+11"),
    "Pacific/Wallis": ("+1200", "+12"),
}


def _observance(kind: str, start: str, offsets: tuple[str, str], name: str, rule: str = "") -> tuple[str, ...]:
    return (
        f"BEGIN:{kind}",
        f"DTSTART:{start}",
        f"TZOFFSETFROM:{offsets[0]}",
        f"TZOFFSETTO:{offsets[1]}",
        f"TZNAME:{name}",
        *((f"RRULE:{rule}",) if rule else ()),
        f"END:{kind}",
    )


def _zone(name: str, *observances: tuple[str, ...]) -> tuple[str, ...]:
    lines = [line for observance in observances for line in observance]
    return ("BEGIN:VTIMEZONE", f"TZID:{name}", *lines, "END:VTIMEZONE")


_WITH_SUMMER_TIME = {
    "Europe/Paris": (
        _observance("DAYLIGHT", "19970330T020000", ("+0100", "+0200"), "CEST", "FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU"),
        _observance("STANDARD", "19971026T030000", ("+0200", "+0100"), "CET", "FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU"),
    ),
    # North American dates, unlike every other French territory.
    "America/Miquelon": (
        _observance("DAYLIGHT", "20070311T020000", ("-0300", "-0200"), "-02", "FREQ=YEARLY;BYMONTH=3;BYDAY=2SU"),
        _observance("STANDARD", "20071104T020000", ("-0200", "-0300"), "-03", "FREQ=YEARLY;BYMONTH=11;BYDAY=1SU"),
    ),
}

VTIMEZONES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {name: _zone(name, *observances) for name, observances in _WITH_SUMMER_TIME.items()}
    | {
        name: _zone(name, _observance("STANDARD", "19700101T000000", (offset, offset), label))
        for name, (offset, label) in _FIXED.items()
    }
)
"""IANA name -> content lines of its VTIMEZONE, without line ends."""
