"""How long writes take, at the ceilings and at the request rate: what `plan` says, and `status` of what is used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.cli.describe import seconds_needed
from gateway.cli.output import duration
from gateway.settings import Settings
from gateway.store.store import Store
from gateway.sync.ceiling import RDV_SOLIDARITES, Ceiling, hour_of, writes_by_remote
from gateway.sync.values import Operation


@dataclass(frozen=True, slots=True)
class Outlook:
    """`writes` and `hours` by remote: how many, and in how many clock hours the last of them can be sent (0: in this
    one). `seconds`: of those to RDV-Solidarités at the request rate."""

    writes: dict[str, int]
    hours: dict[str, int]
    seconds: float
    rate: float
    ceiling: Ceiling

    @property
    def last_hour(self) -> int:
        """In how many clock hours everything can be sent."""
        return max(self.hours.values(), default=0)


def outlook(operations: Sequence[Operation], settings: Settings, store: Store, now: datetime) -> Outlook:
    """What these operations take from `now`, if nothing else is written."""
    ceiling = settings.limits.to_ceiling()
    writes = dict(sorted(writes_by_remote(operations).items()))
    hours = {
        remote: ceiling.hours_until_done(count, store.written(remote, now=now), now) for remote, count in writes.items()
    }
    rate = settings.rdv_solidarites.requests_per_second
    return Outlook(writes, hours, seconds_needed(operations, rate), rate, ceiling)


def outlook_text(found: Outlook) -> str:
    """For people: `40 writes in RDV-Solidarités, 12 in calendars (about 1 min at 2 requests/s; …)`."""
    there = found.writes.get(RDV_SOLIDARITES, 0)
    calendars = sum(found.writes.values()) - there
    pace = f"about {duration(timedelta(seconds=found.seconds))} at {found.rate:g} requests/s"
    return f"{calendars} writes in calendars, {there} in RDV-Solidarités ({pace}; {_ceiling_text(found)})"


def _ceiling_text(found: Outlook) -> str:
    ceiling = f"{found.ceiling.per_hour} writes an hour and {found.ceiling.per_day} a day"
    if found.last_hour == 0:
        return f"within the ceiling of {ceiling}"
    return f"the last in {duration(timedelta(hours=found.last_hour))} at the ceiling of {ceiling}"


def used(settings: Settings, store: Store, now: datetime) -> Iterator[tuple[str, int, int, int]]:
    """Per remote that was written to: its name, writes in this clock hour, in the last 24, and how many are left."""
    ceiling = settings.limits.to_ceiling()
    for remote in store.written_remotes(now=now):
        counts = store.written(remote, now=now)
        yield remote, counts.get(hour_of(now), 0), sum(counts.values()), ceiling.left(counts, now)
