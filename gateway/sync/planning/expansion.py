"""The expansion of events, remembered by content: that of an unchanged series is paid once a day, not at every run.

The window is part of what it is remembered by, so that a series rolls into the horizon when its next date comes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from connectors.errors import BadItem
from mappings.blocks import wall_interval
from mappings.recurrence import Occurrence, occurrences
from mappings.times import EventTimes

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A busy occurrence as the agent's clock shows it. `length`: as the event has it; whole days count 24 hours."""

    recurrence_id: str
    start: datetime  # naive wall-clock, as `end`
    end: datetime
    length: timedelta
    label: str


@dataclass(frozen=True, slots=True)
class Window:
    """Instants [start, end), and the zone whose clock the stretches are read from."""

    start: datetime
    end: datetime
    zone: ZoneInfo


class Expansions:
    """What series come to in a window; the least recently asked for are forgotten beyond `most` occurrences.

    Thread-safe. What goes in decides what comes out: nothing here can be out of date.
    """

    def __init__(self, most: int = 200_000) -> None:
        self._most = most
        self._held = 0
        self._known: OrderedDict[tuple[EventTimes, Window], tuple[Stretch, ...] | str] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, times: EventTimes, window: Window) -> tuple[Stretch, ...]:
        """Busy stretches of an event that overlap the window. Raises `BadItem` as `occurrences` does."""
        if len(times.components) == 1 and not times.components[0].recurrence:
            return _expanded(times, window)  # as cheap as remembering it
        key = (times, window)
        with self._lock:
            found = self._known.get(key)
            if found is not None:
                self._known.move_to_end(key)
        if found is None:
            found = self._remember(key)
        if isinstance(found, str):
            raise BadItem(found, system="calendar")
        return found

    def _remember(self, key: tuple[EventTimes, Window]) -> tuple[Stretch, ...] | str:
        """What cannot be expanded is remembered too: finding that out can be the dearest of all."""
        found: tuple[Stretch, ...] | str
        try:
            found = _expanded(*key)
        except BadItem as error:
            found = str(error)
        with self._lock:
            if key not in self._known:
                self._known[key] = found
                self._held += _weight(found)
            while self._held > self._most and len(self._known) > 1:
                _, forgotten = self._known.popitem(last=False)
                self._held -= _weight(forgotten)
        return found


def _weight(found: tuple[Stretch, ...] | str) -> int:
    """A series without any occurrence weighs too: it is remembered with its times."""
    return 4 + (len(found) if isinstance(found, tuple) else 0)


def _expanded(times: EventTimes, window: Window) -> tuple[Stretch, ...]:
    found = occurrences(times, window.start, window.end, window.zone)
    return tuple(
        Stretch(each.recurrence_id, *wall_interval(each, window.zone), _length(each), each.label) for each in found
    )


def _length(occurrence: Occurrence) -> timedelta:
    if occurrence.first_day is not None and occurrence.last_day is not None:
        return occurrence.last_day - occurrence.first_day + _DAY
    return occurrence.end - occurrence.start
