"""Random events for the comparison of expansions, as iCalendar text; what ical.js makes of them."""

from __future__ import annotations

import json
import select
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, NamedTuple, Self
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

HERE = Path(__file__).parent
ZONES = ("Europe/Paris", "America/New_York", "America/Miquelon", "Australia/Sydney", "Indian/Reunion")
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
LONGEST_ANSWER = 1.0
"""Seconds after which ical.js is walking a rule that never matches."""


class Told(NamedTuple):
    """An occurrence: its ends as wall-clock of their zone (ISO 8601), and as seconds since 1970."""

    start: str
    start_instant: int
    end: str
    end_instant: int


class Oracle:
    """ical.js in a process of its own. A context manager."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            ["node", str(HERE / "recurrence_oracle.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, text: str, start: datetime, end: datetime) -> list[Told] | str:
        """The occurrences that overlap [start, end), and some around it; or why there is no answer."""
        question = {"ics": text, "from": int(start.timestamp()), "to": int(end.timestamp())}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], LONGEST_ANSWER)
        if not ready:
            self.__exit__()
            self.__enter__()
            return "no answer"
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return str(answer["error"]) if "error" in answer else [Told(*each) for each in answer["found"]]


@dataclass(frozen=True)
class Kind:
    """How the times of an event are written: a zone's name, "UTC", "floating" or "day"."""

    name: str

    @property
    def is_day(self) -> bool:
        return self.name == "day"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.name if self.name in ZONES else "Etc/UTC")

    def line(self, name: str, *walls: datetime, more: str = "") -> str:
        parameter = f";TZID={self.name}" if self.name in ZONES else ";VALUE=DATE" if self.is_day else ""
        return f"{name}{more}{parameter}:{','.join(map(self.text, walls))}"

    def text(self, wall: datetime) -> str:
        if self.is_day:
            return f"{wall:%Y%m%d}"
        return f"{wall:%Y%m%dT%H%M%S}" + ("Z" if self.name == "UTC" else "")

    def until(self, wall: datetime) -> str:
        """UNTIL as RFC 5545 section 3.3.10 wants it: UTC for times of a zone, else in the form of DTSTART."""
        if self.name not in ZONES:
            return self.text(wall)
        return f"{wall.replace(tzinfo=self.zone).astimezone(UTC):%Y%m%dT%H%M%SZ}"


def file_of(*components: Iterable[str]) -> str:
    lines = [line for each in components for line in ("BEGIN:VEVENT", "UID:oracle", *each, "END:VEVENT")]
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *lines, "END:VCALENDAR", ""])


kinds = st.sampled_from([*ZONES, *ZONES, "UTC", "floating", "day"]).map(Kind)


@st.composite
def walls(draw: st.DrawFn, kind: Kind, first: date, last: date) -> datetime:
    """A wall-clock of whole minutes; often in the small hours, where clocks change."""
    day = draw(st.dates(first, last))
    if kind.is_day:
        return datetime.combine(day, time.min)
    hour = draw(st.sampled_from([0, 1, 2, 3, 8, 9, 14, 18, 23]))
    return datetime.combine(day, time(hour, draw(st.sampled_from([0, 15, 30, 45]))))


def _numbers(low: int, high: int, most: int = 3) -> st.SearchStrategy[str]:
    values = st.integers(low, high).filter(bool)
    return st.lists(values, min_size=1, max_size=most, unique=True).map(_listed)


def _listed(numbers: list[int]) -> str:
    return ",".join(map(str, sorted(numbers)))


_days = st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=4, unique=True).map(",".join)


def _ordinal_days(most: int) -> st.SearchStrategy[str]:
    ordinals = st.integers(-most, most).filter(bool)
    day = st.tuples(ordinals, st.sampled_from(WEEKDAYS)).map(lambda pair: f"{pair[0]}{pair[1]}")
    return st.lists(day, min_size=1, max_size=3, unique=True).map(",".join)


Parts = dict[str, st.SearchStrategy[str]]

_MONTHS: Parts = {"BYMONTH": _numbers(1, 12)}
_INTERVAL: Parts = {"INTERVAL": st.integers(1, 5).map(str)}
_WEEK: Parts = _INTERVAL | {"BYDAY": _days, "WKST": st.sampled_from(WEEKDAYS)}
_POSITION: Parts = {"BYSETPOS": _numbers(-3, 4, 2)}
_TIME: Parts = {"BYHOUR": st.integers(0, 23).map(str), "BYMINUTE": st.sampled_from(["0", "30"])}
_TIMES: Parts = {
    "BYHOUR": st.lists(st.integers(0, 23), min_size=1, max_size=2, unique=True).map(_listed),
    "BYMINUTE": st.sampled_from(["0", "30", "0,30"]),
}

COMBINATIONS: list[tuple[str, Parts, Parts]] = [  # FREQ, parts that are there, parts that may be
    ("DAILY", {}, _MONTHS | _TIMES | _INTERVAL | {"BYDAY": _days}),
    ("DAILY", {"BYMONTHDAY": _numbers(1, 31)}, _TIMES | {"BYDAY": _days}),
    ("WEEKLY", {}, _TIMES | _INTERVAL),
    ("WEEKLY", _WEEK, _TIMES),
    ("WEEKLY", _MONTHS, _TIMES | {"BYDAY": _days}),
    ("MONTHLY", {}, _TIME | _INTERVAL),
    ("MONTHLY", {"BYMONTHDAY": _numbers(-31, 31)}, _TIME | _INTERVAL),
    ("MONTHLY", {"BYDAY": _days | _ordinal_days(5)}, _TIME | _INTERVAL),
    ("MONTHLY", {"BYDAY": _days} | _POSITION, _TIME | _INTERVAL),
    ("MONTHLY", {"BYDAY": _days, "BYMONTHDAY": _numbers(1, 31)}, {}),
    ("YEARLY", {}, _TIME | _INTERVAL | _MONTHS),
    ("YEARLY", {"BYMONTHDAY": _numbers(1, 28)} | _MONTHS, _TIME | _INTERVAL),
    ("YEARLY", {"BYDAY": _days | _ordinal_days(5)} | _MONTHS, _TIME | _INTERVAL),
    ("YEARLY", {"BYDAY": _days, "BYMONTH": st.integers(1, 12).map(str)} | _POSITION, _INTERVAL),
    ("YEARLY", {"BYDAY": _days, "BYMONTHDAY": _numbers(1, 31)} | _MONTHS, {}),
    ("YEARLY", {"BYYEARDAY": _numbers(-366, 366)}, _TIME | _INTERVAL),
]
"""What RFC 5545 section 3.3.10 allows together, as far as ical.js 2.2.1 follows it. It does not where
  - BYSETPOS is beside FREQ=DAILY or WEEKLY, or several times a day: it is let fall, or counts days in place of times;
  - BYSETPOS=-4 is the first of four: it is missed on the 1st of a month;
  - a yearly BYSETPOS chooses among several months: it chooses within each, not within the year;
  - a yearly or monthly rule has several times a day: they are let fall, or taken on the 1st of the month;
  - a yearly BYDAY counts weeks of the year (44TH), or stands beside BYWEEKNO: every week is taken;
  - BYMONTH is beside FREQ=MONTHLY;INTERVAL=2 or more: months are not counted from DTSTART;
  - BYMONTH is beside FREQ=MONTHLY and BYDAY: dates are missed where a month has no fifth weekday, or given twice;
  - a negative BYMONTHDAY is beside FREQ=DAILY (nothing ever matches) or FREQ=YEARLY (whole years are missed);
  - FREQ=YEARLY;BYMONTHDAY=31 meets a month of 30 days: the first of the next is taken;
  - UNTIL is in another year in UTC than on the clock: a yearly rule gives nothing in the new year.
It also gives a DTSTART that an EXDATE takes away when an RDATE comes before it.
`tests/mappings/test_rules_by_definition.py` judges these by the definition of each part."""


@st.composite
def rules(draw: st.DrawFn, kind: Kind) -> str:
    """A rule without an end."""
    frequency, present, possible = draw(st.sampled_from(COMBINATIONS))
    more = [name for name in possible if draw(st.booleans()) and not (kind.is_day and name in _TIMES)]
    chosen = present | {name: possible[name] for name in more}
    return ";".join([f"FREQ={frequency}", *(f"{name}={draw(values)}" for name, values in chosen.items())])
