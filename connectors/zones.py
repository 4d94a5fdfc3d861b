"""Which IANA time zone the TZID of an iCalendar file means.

RFC 5545 section 3.2.19 leaves the names free, so that files hold IANA names, Windows names, Outlook's display names,
IANA names behind a vendor's prefix, and names that only the file's own VTIMEZONE explains. What nothing here explains
is said to be unknown: a guess would move somebody's appointment by hours.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from dateutil.rrule import rrulestr
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

FRENCH_ZONES = (
    "Europe/Paris",
    "America/Guadeloupe",
    "America/Martinique",
    "America/Cayenne",
    "America/Miquelon",
    "Indian/Reunion",
    "Indian/Mayotte",
    "Pacific/Noumea",
    "Pacific/Tahiti",
    "Pacific/Wallis",
    "Pacific/Marquesas",
    "Pacific/Gambier",
)
"""The zones of French territory, the first ones to try when a definition fits several."""

_UTC_NAMES = frozenset({"utc", "z", "gmt", "etc/utc", "etc/gmt", "etc/uct", "uct", "zulu", "etc/zulu"})
_DISPLAY_NAME = re.compile(r"\((?:UTC|GMT)(?:(?P<sign>[+-])(?P<hours>\d\d?)[:.](?P<minutes>\d\d))?\)\s*(?P<places>.+)")
_PLACE_SEPARATOR = re.compile(r",| and | et ")
# Whatever else a rule could say explodes into many onsets per year, which no real zone has.
_ONSET_RULE = re.compile(
    r"(?:(?:FREQ=YEARLY|(?:BYHOUR|BYMINUTE|BYSECOND)=\d+"
    r"|(?:INTERVAL|BYMONTH|BYDAY|BYMONTHDAY|BYSETPOS|WKST|UNTIL|COUNT)=[^;]+)(?:;|$))+"
)
_UNTIL = re.compile(r"UNTIL=(\d{8}T\d{6})Z")
_YEARS_BEFORE, _YEARS_AFTER = 1, 3
_FIRST_YEAR, _LAST_YEAR = 1972, 2034


class UnknownZone(LookupError):
    """Nothing says which zone is meant."""


@dataclass(frozen=True, slots=True)
class Observance:
    """A STANDARD or DAYLIGHT part of a VTIMEZONE (RFC 5545 section 3.6.5).

    `start` and `dates` are wall-clock times in `offset_from`; `rules` are RRULE values.
    """

    start: datetime
    offset_from: timedelta
    offset_to: timedelta
    rules: tuple[str, ...] = ()
    dates: tuple[datetime, ...] = ()


Definition = tuple[Observance, ...]
"""All observances of a VTIMEZONE."""


def zone_of(tzid: str, definition: Definition | None, year: int) -> tzinfo:
    """The zone that `tzid` means in a file that defines it as `definition`, for an event of `year`.

    A `ZoneInfo`, or `datetime.UTC`. Raises `UnknownZone`.

    A name that is known anywhere wins over the definition: definitions are often cut to this year's rules. A display
    name is the other way round, since what it names is only a guess from the places in it.
    """
    name = tzid.strip().strip('"').strip()
    found = _by_name(name)
    if found is None and definition:
        found = _by_definition(definition, min(max(year, _FIRST_YEAR), _LAST_YEAR))
    if found is None:
        found = _by_display_name(name, year)
    if found is None:
        raise UnknownZone(tzid)
    return found


@lru_cache(maxsize=1024)
def _by_name(name: str) -> tzinfo | None:
    if name.lower() in _UTC_NAMES:
        return UTC
    windows = WINDOWS_TO_OLSON.get(name)
    if windows is not None:
        return ZoneInfo(windows)
    known = _iana_names().get(name.lower())
    if known is not None:
        return ZoneInfo(known)
    # Vendors put their own path in front, for example /citadel.org/20210210_1/ or tzone://Microsoft/ .
    segments = [segment for segment in name.split("/") if segment]
    for first in range(0 if name.startswith("/") else 1, len(segments)):
        tail = "/".join(segments[first:]).lower()
        if tail in _UTC_NAMES:
            return UTC
        if "/" in tail and tail in _iana_names():
            return ZoneInfo(_iana_names()[tail])
    return None


@lru_cache(maxsize=1)
def _iana_names() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones()}


# --- Outlook's display names ---------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _by_display_name(name: str, year: int) -> tzinfo | None:
    """The zone of a name like "(UTC+01:00) Brussels, Copenhagen, Madrid, Paris".

    Every place in it that is an IANA city must tell the same time. In a translated name ("Bruxelles, Copenhague,
    Madrid, Paris") those places that are spelt alike are enough.
    """
    match = _DISPLAY_NAME.fullmatch(name)
    if match is None:
        return None
    standard = timedelta(hours=int(match["hours"] or 0), minutes=int(match["minutes"] or 0))
    if match["sign"] == "-":
        standard = -standard
    samples = _instants(year)
    zones: list[str] = []
    for place in _PLACE_SEPARATOR.split(match["places"]):
        zones += [zone for zone in _cities().get(_plain(place), ()) if _standard_offset(zone, samples) == standard]
    if not zones:
        return None
    first = next((zone for zone in FRENCH_ZONES if zone in zones), zones[0])
    offsets = _offsets(ZoneInfo(first), samples)
    if any(_offsets(ZoneInfo(zone), samples) != offsets for zone in zones):
        return None
    return ZoneInfo(first)


@lru_cache(maxsize=1)
def _cities() -> dict[str, tuple[str, ...]]:
    cities: dict[str, tuple[str, ...]] = {}
    for name in sorted(available_timezones()):
        area, _, city = name.rpartition("/")
        if area and area != "Etc":
            cities[_plain(city)] = (*cities.get(_plain(city), ()), name)
    return cities


def _plain(place: str) -> str:
    letters = unicodedata.normalize("NFKD", place.strip().replace(" ", "_")).casefold()
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _standard_offset(zone: str, samples: Sequence[datetime]) -> timedelta:
    return min(_offsets(ZoneInfo(zone), samples))


# --- definitions ---------------------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def _by_definition(definition: Definition, year: int) -> tzinfo | None:
    """The first IANA zone with the same offsets over several years around `year`, French ones first.

    Failing that, one with the same offsets at every noon: some programs (Lotus Notes) let the clocks change on the
    right day at a wrong hour. A time in that night may then be an hour off, which is better than not to see the event.
    """
    try:
        changes = _changes(definition, year - _YEARS_BEFORE, year + _YEARS_AFTER)
    except (ValueError, OverflowError, TypeError):
        return None  # a rule that makes no sense defines no zone
    noons = _instants(year)
    # A change of the same day at another hour shows in the seconds around it.
    nights = [moment for at, _, _ in changes for moment in (at - timedelta(seconds=1), at) if _within(moment, year)]
    return _same_offsets((*noons, *nights), changes) or _same_offsets(noons, changes)


def _same_offsets(samples: Sequence[datetime], changes: Sequence[_Change]) -> ZoneInfo | None:
    wanted = [_offset_at(changes, moment) for moment in samples]
    # A few instants rule most candidates out.
    few, few_wanted = samples[::60], wanted[::60]
    for name in _candidates():
        zone = ZoneInfo(name)
        if _offsets(zone, few) == few_wanted and _offsets(zone, samples) == wanted:
            return zone
    return None


@lru_cache(maxsize=1)
def _candidates() -> tuple[str, ...]:
    names = sorted(available_timezones())
    # For one fixed offset a name that promises it for ever is better than a place where it happens to hold.
    fixed = [name for name in names if name.startswith("Etc/")]
    places = [name for name in names if "/" in name and not name.startswith("Etc/")]
    return (*FRENCH_ZONES, *fixed, *places)


def _instants(year: int) -> tuple[datetime, ...]:
    """Every noon UTC of the years around `year`."""
    year = min(max(year, _FIRST_YEAR), _LAST_YEAR)
    first = datetime(year - _YEARS_BEFORE, 1, 1, 12, tzinfo=UTC)
    days = (datetime(year + _YEARS_AFTER, 1, 1, 12, tzinfo=UTC) - first).days
    return tuple(first + timedelta(days=day) for day in range(days))


def _within(moment: datetime, year: int) -> bool:
    return year - _YEARS_BEFORE <= moment.year < year + _YEARS_AFTER


def _offsets(zone: tzinfo, instants: Iterable[datetime]) -> list[timedelta]:
    return [instant.astimezone(zone).utcoffset() or timedelta() for instant in instants]


_Change = tuple[datetime, timedelta, timedelta]  # instant (UTC), offset before, offset after


def _changes(definition: Definition, first_year: int, end_year: int) -> list[_Change]:
    return sorted(
        ((onset - part.offset_from).replace(tzinfo=UTC), part.offset_from, part.offset_to)
        for part in definition
        for onset in _onsets(part, first_year, end_year)
    )


def _onsets(part: Observance, first_year: int, end_year: int) -> set[datetime]:
    """Wall-clock onsets from two years before the window (the one in force at its start) to its end."""
    onsets = {part.start, *part.dates}
    for rule in part.rules:
        if not _ONSET_RULE.fullmatch(rule) or "FREQ=YEARLY" not in rule:
            raise ValueError("not the rule of a time zone")
        start = part.start
        if "INTERVAL" not in rule and "COUNT" not in rule and (start.month, start.day) != (2, 29):
            # Outlook begins in 1601: the same yearly rule from a later year gives the same onsets.
            start = start.replace(year=max(start.year, first_year - 2))
        local = _UNTIL.sub(lambda match: f"UNTIL={_local_until(match[1], part):%Y%m%dT%H%M%S}", rule)
        recurrence = rrulestr(local, dtstart=start)
        onsets.update(recurrence.between(datetime(first_year - 2, 1, 1), datetime(end_year, 1, 2), inc=True))  # noqa: DTZ001  # wall-clock
    return onsets


def _local_until(text: str, part: Observance) -> datetime:
    # UNTIL is in UTC, the onsets are wall-clock times (RFC 5545 section 3.3.10).
    return datetime.strptime(text, "%Y%m%dT%H%M%S") + part.offset_from  # noqa: DTZ007  # wall-clock


def _offset_at(changes: Sequence[_Change], instant: datetime) -> timedelta:
    if not changes:
        return timedelta()
    offset = changes[0][1]
    for at, _, after in changes:
        if at > instant:
            break
        offset = after
    return offset
