"""How the server reads and writes times.

Everything is typed and stored as wall-clock of Europe/Paris, overseas too: an RDV at 9:00 in La Réunion is stored as
9:00 in Paris. In old mode it is shown with Paris' offset (the wrong instant); in new mode the same wall-clock is shown
with the organisation's own offset, and the RDV says its `time_zone`.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")
_STORED = "%Y-%m-%d %H:%M:%S"
_OFFSET_WITH_SPACE = re.compile(r" (?=[+-]\d\d:?\d\d$)")
_TIME_OF_DAY = re.compile(r"(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?")


def stored(instant: datetime) -> str:
    """An aware instant as the database keeps it (UTC text, whole seconds)."""
    return instant.astimezone(UTC).strftime(_STORED)


def from_stored(text: str) -> datetime:
    """The aware instant behind a stored text."""
    return datetime.strptime(text, _STORED).replace(tzinfo=UTC)


def stored_from_wall_clock(typed: datetime) -> str:
    """What an agent typed (naive), as the server stores it: taken for Paris time wherever the agent is."""
    return stored(typed.replace(tzinfo=PARIS))


def wall_clock(text: str) -> datetime:
    """The naive wall-clock that was typed, from a stored text."""
    return from_stored(text).astimezone(PARIS).replace(tzinfo=None)


def shown(instant: datetime) -> str:
    """Ruby's text form: spaces, and an offset without colon, e.g. `2022-01-01 08:00:00 +0100`. Not ISO 8601."""
    return instant.strftime("%Y-%m-%d %H:%M:%S %z")


def shown_in_paris(text: str) -> str:
    return shown(from_stored(text).astimezone(PARIS))


def shown_in(zone: str, text: str) -> str:
    """The typed wall-clock with the offset that `zone` has then (new mode)."""
    return shown(wall_clock(text).replace(tzinfo=ZoneInfo(zone)))


def parse_filter(text: str) -> str:
    """A `starts_after`/`starts_before` value, as stored text. Without offset it is Paris time; a date is its 00:00.

    Raises `ValueError` when unparsable (the real server answers 500 then).
    """
    parsed = datetime.fromisoformat(_OFFSET_WITH_SPACE.sub("", text.strip()))
    return stored(parsed if parsed.tzinfo else parsed.replace(tzinfo=PARIS))


def parse_day(value: object) -> str | None:
    """A typed date as `YYYY-MM-DD`, or None when there is none or it cannot be read."""
    if isinstance(value, date):
        return value.isoformat()
    try:
        return datetime.strptime(str(value).strip(), "%Y-%m-%d").replace(tzinfo=UTC).date().isoformat()
    except ValueError:
        return None


def parse_time(value: object) -> str | None:
    """A typed time of day (`H:m[:s]`) as `HH:MM:SS`, or None when there is none or it cannot be read (such as 8h)."""
    if isinstance(value, time):
        return value.strftime("%H:%M:%S")
    found = _TIME_OF_DAY.fullmatch(str(value).strip())
    if not found:
        return None
    try:
        hour, minute, second = (int(part or 0) for part in found.groups())
        return time(hour, minute, second).isoformat()
    except ValueError:
        return None


def today(now: datetime) -> date:
    """The day it is in Paris."""
    return now.astimezone(PARIS).date()
