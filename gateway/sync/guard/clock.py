"""Whether our clock can be believed: nothing that depends on the time is decided by one that cannot. Pure."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

_BACK = timedelta(minutes=2)
_AHEAD = timedelta(hours=36)


def clock_trouble(
    now: datetime, last: datetime | None, offsets: Collection[timedelta], tolerance: timedelta
) -> str | None:
    """Why `now` is not to be believed; None if it is.

    `last`: the latest instant of an earlier run. `offsets`: how far the clocks of servers were ahead of ours (RFC 9110
    section 6.6.1, Date). A server that agrees is proof, whatever others say: theirs may be wrong as well.
    """
    if any(abs(offset) <= tolerance for offset in offsets):
        return None
    if offsets:
        offset = min(offsets, key=abs)
        return f"our clock is {_text(abs(offset))} {'behind' if offset > timedelta(0) else 'ahead of'} the servers'"
    if last is None:
        return None
    if now < last - _BACK:
        return f"our clock went back by {_text(last - now)} since the last run, and no server tells the time"
    if now > last + _AHEAD:
        return f"our clock is {_text(now - last)} after the last run, and no server tells the time"
    return None


def _text(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    return f"{minutes} min" if minutes < 120 else f"{round(minutes / 60)} h"
