"""What is noted of each write beside its journal entry, so that it can be undone: ids, times and keyed digests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.sync.values import AgreedCopy, AgreedMirror, CalendarRef, Interval, OperationClass, PoolBlock


@dataclass(frozen=True, slots=True)
class UndoStep:
    """`left_…`: what the write left there, to know whether anybody edited it since. `copy`, `block`, `mirror`: what was
    agreed before it. `when`: wall-clock, for the order of work."""

    when: datetime
    op_class: OperationClass
    ref: CalendarRef | None = None
    href: str = ""
    rdv_id: int | None = None
    absence_id: int | None = None
    recurring: bool = False
    left_raw: str = ""  # of an event's body
    left_interval: Interval | None = None  # of an absence
    left_title: str = ""  # of an absence
    copy: AgreedCopy | None = None
    block: PoolBlock | None = None
    mirror: AgreedMirror | None = None
