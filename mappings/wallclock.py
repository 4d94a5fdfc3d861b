"""Wall-clock and instant: the two ways to say when, and the bridge between them.

RDV-Solidarités writes absences as wall-clock without a zone, calendars write instants. Twice a year the two do not
correspond one to one: the hour that the clocks skip in spring has no instant, the hour that they repeat in autumn
has two. Every function here says which side it errs on.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_MINUTE = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)


def to_wall(instant: datetime, zone: ZoneInfo) -> datetime:
    """What a clock in `zone` shows at an aware `instant`: naive, always exactly one."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def to_instant(wall: datetime, zone: ZoneInfo, *, start: bool = True) -> datetime:
    """The instant (UTC) at which a clock in `zone` shows the naive `wall`.

    In the repeated hour and in the skipped hour there are two readings, one per offset. A start takes the earlier
    one, an end (`start=False`) the later one: an interval never shrinks.
    """
    readings = [wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    return min(readings) if start else max(readings)


def outer_wall_interval(start: datetime, end: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The wall-clock interval [from, to) that covers all that a clock in `zone` shows between two instants.

    `start` and `end` are aware, `start` < `end`. Rounded outward to whole minutes. An interval that holds part of
    the repeated hour covers that hour wholly, since nobody can tell from the wall-clock which pass was meant.
    Always from < to.
    """
    if start >= end:
        raise ValueError("an interval starts before it ends")
    last = end - datetime.resolution
    first_repeated, last_repeated = _repeated(start, zone), _repeated(last, zone)
    lower = first_repeated[0] if first_repeated else to_wall(start, zone)
    upper = last_repeated[1] if last_repeated else to_wall(last, zone) + datetime.resolution
    lower = lower.replace(second=0, microsecond=0)
    floor = upper.replace(second=0, microsecond=0)
    return lower, floor if floor == upper else floor + _MINUTE


def _repeated(instant: datetime, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
    """The wall-clock interval that is shown twice and in which `instant` lies, if it does."""
    local = instant.astimezone(zone)
    if local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset():
        return None
    wall = local.replace(tzinfo=None, fold=0)
    earlier, later = to_instant(wall, zone), to_instant(wall, zone, start=False)
    before, after = (each.astimezone(zone).utcoffset() or timedelta() for each in (earlier, later))
    while later - earlier > _SECOND:  # the change of offset lies between the two: close in on it
        middle = earlier + ((later - earlier) // 2 // _SECOND) * _SECOND
        if middle.astimezone(zone).utcoffset() == before:
            earlier = middle
        else:
            later = middle
    change = later.replace(tzinfo=None, microsecond=0)
    return change + after, change + before
