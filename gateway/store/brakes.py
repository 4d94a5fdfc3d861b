"""What holds writes back: the stop that a person gave, and how many writes each remote got by clock hour."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, select, update

from gateway.store.agreed import HIGHEST_ABSENCE
from gateway.store.schema import meta, write_count
from gateway.store.statements import given
from gateway.store.upsert import upsert
from gateway.sync.ceiling import DAY_HOURS, HOUR, hour_of
from gateway.sync.values import Stop

_STOP = "stop"
_KEPT = timedelta(hours=2 * DAY_HOURS)  # counts older than that decide nothing, whatever the zone of a clock
_READ_STOP, _LIFT_STOP = (made.where(meta.c.name == _STOP) for made in (select(meta.c.value), delete(meta)))
_KEPT_BEFORE_WRITE = select(meta.c.name, meta.c.value).where(meta.c.name.in_((_STOP, HIGHEST_ABSENCE)))
_WRITTEN = select(write_count.c.hour, write_count.c.writes).where(
    given(write_count.c.remote), write_count.c.hour >= bindparam("since")
)
_COUNT_ONE = (
    update(write_count).where(given(write_count.c.remote, write_count.c.hour)).values(writes=write_count.c.writes + 1)
)
_FORGET_COUNTS = delete(write_count).where(write_count.c.hour < bindparam("before"))


@dataclass(frozen=True, slots=True)
class BeforeWrite:
    """`written`: to this remote, by clock hour."""

    stopped: bool
    highest_absence_id: int
    written: Mapping[datetime, int]


def before_write(connection: Connection, remote: str | None, *, since: datetime) -> BeforeWrite:
    kept = {name: value for name, value in connection.execute(_KEPT_BEFORE_WRITE)}  # noqa: C416 - as in `written`
    counts = {} if remote is None else written(connection, remote, since=since)
    return BeforeWrite(_STOP in kept, int(kept.get(HIGHEST_ABSENCE, 0)), counts)


def stop(connection: Connection) -> Stop | None:
    text = connection.scalar(_READ_STOP)
    if text is None:
        return None
    content = json.loads(text)
    return Stop(datetime.fromisoformat(content["at"]), content["by"], content["reason"])


def set_stop(connection: Connection, given: Stop) -> None:
    content = {"at": given.at.isoformat(), "by": given.by, "reason": given.reason}
    upsert(connection, meta, [{"name": _STOP, "value": json.dumps(content)}])


def lift_stop(connection: Connection) -> bool:
    return connection.execute(_LIFT_STOP).rowcount == 1


def written(connection: Connection, remote: str, *, since: datetime) -> dict[datetime, int]:
    rows = connection.execute(_WRITTEN, {"of_remote": remote, "since": since})
    return {hour: writes for hour, writes in rows}  # noqa: C416 - rows are not pairs to a type checker


def written_remotes(connection: Connection, *, since: datetime) -> tuple[str, ...]:
    query = select(write_count.c.remote).where(write_count.c.hour >= since).distinct()
    return tuple(sorted(connection.scalars(query)))


def count_write(connection: Connection, remote: str, *, at: datetime) -> None:
    hour = hour_of(at)
    if connection.execute(_COUNT_ONE, {"of_remote": remote, "of_hour": hour}).rowcount == 0:
        upsert(connection, write_count, [{"remote": remote, "hour": hour, "writes": 1}])
        connection.execute(_FORGET_COUNTS, {"before": hour - _KEPT})


def window_start(now: datetime) -> datetime:
    """The oldest clock hour that still counts at `now`."""
    return hour_of(now) - (DAY_HOURS - 1) * HOUR
