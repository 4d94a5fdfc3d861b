"""The slowest steps: the worst of the last while, and the latest that took very long. The table stays small."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, bindparam, delete, insert, or_, select

from gateway.store.codec import dump_json
from gateway.store.columns import Instant
from gateway.store.schema import slow_step

KEPT_FOR = timedelta(days=30)
MOST = 200
"""So many of the worst are kept, and so many of the latest that took `VERY_LONG` or longer."""
VERY_LONG = 5_000


@dataclass(frozen=True, slots=True)
class SlowStep:
    """One step that ended `at`. Times in milliseconds: in all, and of them for waiting and for servers. `counts`: what
    it was about. `failure`: the kind of error, None if there was none."""

    at: datetime
    run_id: str
    agent_id: int | None
    step: str
    system: str
    milliseconds: int
    waited: int
    remote: int
    requests: int
    received: int
    counts: Mapping[str, int]
    failure: str | None

    @property
    def ours(self) -> int:
        """Milliseconds that neither waiting nor a server explains."""
        return max(0, self.milliseconds - self.waited - self.remote)


_C = slow_step.c
_COLUMNS = (
    *(_C.at, _C.run_id, _C.agent_id, _C.step, _C.system, _C.milliseconds),
    *(_C.waited, _C.remote, _C.requests, _C.received, _C.counts, _C.failure),
)
_BY_LENGTH = (_C.milliseconds.desc(), _C.id.desc())
_WORST = select(*_COLUMNS).order_by(*_BY_LENGTH)
_LATEST = select(*_COLUMNS).order_by(_C.at.desc(), _C.id.desc())
_FLOOR = select(_C.milliseconds).order_by(*_BY_LENGTH).offset(MOST - 1).limit(1)
_OLD = delete(slow_step).where(_C.at < bindparam("before", type_=Instant))
_WORST_IDS = select(_C.id).order_by(*_BY_LENGTH).limit(MOST).scalar_subquery()
_LATEST_IDS = (
    select(_C.id).where(_C.milliseconds >= VERY_LONG).order_by(_C.at.desc(), _C.id.desc()).limit(MOST).scalar_subquery()
)
_REST = delete(slow_step).where(~or_(_C.id.in_(_WORST_IDS), _C.id.in_(_LATEST_IDS)))


def slow_steps(connection: Connection, limit: int, *, latest: bool) -> tuple[SlowStep, ...]:
    query = (_LATEST if latest else _WORST).limit(limit)
    return tuple(_step(row) for row in connection.execute(query).mappings())


def _step(row: RowMapping) -> SlowStep:
    return SlowStep(**{**row, "counts": json.loads(row["counts"])})


def floor(connection: Connection) -> int:
    """Milliseconds at and below which a step is not among the worst; 0: as long as there are fewer."""
    return connection.execute(_FLOOR).scalar() or 0


def add_slow_steps(connection: Connection, steps: Iterable[SlowStep], *, now: datetime) -> None:
    """Keep these, and forget what they push out or is too old."""
    rows = [
        {column.name: getattr(each, column.name) for column in _COLUMNS} | {"counts": dump_json(dict(each.counts))}
        for each in steps
    ]
    if rows:
        connection.execute(insert(slow_step), rows)
    connection.execute(_OLD, {"before": now - KEPT_FOR})
    connection.execute(_REST)
