"""What holds writes back: the stop that a person gave, and how many writes each remote got by clock hour."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select, update

from gateway.store.schema import meta, write_count
from gateway.store.upsert import upsert
from gateway.sync.ceiling import DAY_HOURS, HOUR, hour_of
from gateway.sync.values import Stop

_STOP = "stop"
_KEPT = timedelta(hours=2 * DAY_HOURS)  # counts older than that decide nothing, whatever the zone of a clock


def stop(connection: Connection) -> Stop | None:
    text = connection.scalar(select(meta.c.value).where(meta.c.name == _STOP))
    if text is None:
        return None
    content = json.loads(text)
    return Stop(datetime.fromisoformat(content["at"]), content["by"], content["reason"])


def set_stop(connection: Connection, given: Stop) -> None:
    content = {"at": given.at.isoformat(), "by": given.by, "reason": given.reason}
    upsert(connection, meta, [{"name": _STOP, "value": json.dumps(content)}])


def lift_stop(connection: Connection) -> bool:
    return connection.execute(delete(meta).where(meta.c.name == _STOP)).rowcount == 1


def written(connection: Connection, remote: str, *, since: datetime) -> dict[datetime, int]:
    rows = connection.execute(
        select(write_count.c.hour, write_count.c.writes).where(
            write_count.c.remote == remote, write_count.c.hour >= since
        )
    )
    return {hour: writes for hour, writes in rows}  # noqa: C416 - rows are not pairs to a type checker


def written_remotes(connection: Connection, *, since: datetime) -> tuple[str, ...]:
    query = select(write_count.c.remote).where(write_count.c.hour >= since).distinct()
    return tuple(sorted(connection.scalars(query)))


def count_write(connection: Connection, remote: str, *, at: datetime) -> None:
    hour = hour_of(at)
    this = (write_count.c.remote == remote, write_count.c.hour == hour)
    raised = update(write_count).where(*this).values(writes=write_count.c.writes + 1)
    if connection.execute(raised).rowcount == 0:
        upsert(connection, write_count, [{"remote": remote, "hour": hour, "writes": 1}])
        connection.execute(delete(write_count).where(write_count.c.hour < hour - _KEPT))


def window_start(now: datetime) -> datetime:
    """The oldest clock hour that still counts at `now`."""
    return hour_of(now) - (DAY_HOURS - 1) * HOUR
