"""The API's times. Pure.

A timestamp comes as "2022-01-01 08:00:00 +0100" or in ISO 8601. Its wall-clock is the truth: for organisations
overseas the server may label it with the offset of Paris.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

from connectors.rdv_solidarites.unreadable import Unreadable

_TIMESTAMP = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})[ T](?P<time>\d{2}:\d{2}:\d{2})(?:\.\d+)? ?"
    r"(?:(?P<utc>Z|UTC)|(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>[0-5]\d))",
    re.ASCII,
)
_TIME_OF_DAY = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?", re.ASCII)
_SERVER_ZONE = "Europe/Paris"


@dataclass(frozen=True, slots=True)
class Timestamp:
    """`wall_clock`: naive, as people there read it. `instant`: what the server takes it for, UTC."""

    wall_clock: datetime
    instant: datetime


def timestamp(value: object, *, time_zone: str | None, what: str) -> Timestamp:
    """Reads either form; fractions of a second are dropped. Raises `Unreadable`, which names `what` and no value.

    No French territory lives at offset zero: a timestamp in UTC is an instant only, and its wall-clock is the one
    of `time_zone`, or of the server's own zone, in which it labels what has no `time_zone`.
    """
    match = _TIMESTAMP.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Unreadable(f"{what} is not a timestamp")
    try:
        written = datetime.fromisoformat(f"{match['day']}T{match['time']}")
        offset = timedelta() if match["utc"] else timedelta(hours=int(match["hours"]), minutes=int(match["minutes"]))
        labelled = timezone(-offset if match["sign"] == "-" else offset)
        instant = written.replace(tzinfo=labelled).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unreadable(f"{what} is no possible time") from None  # the cause would quote the value
    return Timestamp(wall_clock=written if offset else _in_zone(instant, time_zone, what), instant=instant)


def _in_zone(instant: datetime, time_zone: str | None, what: str) -> datetime:
    try:
        return instant.astimezone(ZoneInfo(time_zone or _SERVER_ZONE)).replace(tzinfo=None, fold=0)
    except (ValueError, OSError, KeyError, OverflowError):
        raise Unreadable(f"{what} is in UTC and its time_zone is unknown") from None


def day(value: object, *, what: str) -> date:
    """A date "2022-01-01". Raises `Unreadable`."""
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise Unreadable(f"{what} is not a date") from None


def wall_clock(on: date, value: object, *, what: str) -> datetime:
    """A day and a time of day "08:00:00" (or "08:00", "24:00") as a naive wall-clock. Raises `Unreadable`."""
    match = _TIME_OF_DAY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Unreadable(f"{what} is not a time of day")
    hour, minute, second = (int(part or 0) for part in match.groups())
    try:
        if (hour, minute, second) == (24, 0, 0):
            return datetime.combine(on + timedelta(days=1), time())
        return datetime.combine(on, time(hour, minute, second))
    except (ValueError, OverflowError):
        raise Unreadable(f"{what} is no possible time") from None


def as_parameter(instant: datetime) -> str:
    """An aware instant for `starts_after` and `starts_before`: without an offset the server would read Paris time."""
    return instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
