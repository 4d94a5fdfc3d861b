"""Which faults there are, and which of them can befall which kind of operation in which phase of it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from typing import NamedTuple


class Phase(StrEnum):
    """Of one remote write."""

    BEFORE = "before send"  # it is prepared, its intent committed
    SENT = "sent, unanswered"
    ANSWERED = "answered, uncommitted"


class Fault(StrEnum):
    """What befalls an operation."""

    KILL = "killed"
    KILL_RESTORED = "killed, database set back"
    KILL_LOST = "killed, database lost"
    DATABASE_BUSY = "database busy"
    DATABASE_FULL = "database full"
    STOP = "stopped by a person"
    CEILING = "ceiling of writes"
    CLOCK = "clock leaps ahead"
    TOO_MANY = "429"
    TROUBLE = "5xx"
    TROUBLE_DONE = "5xx, done"
    SLOW = "slow"
    TIMEOUT = "timeout"
    TIMEOUT_DONE = "timeout, done"
    TIMEOUT_LATE = "timeout, done later"
    RIGHTS = "403"
    PASSWORD = "401"
    EDITED = "edited by a person"
    ETAG = "another ETag for nothing"


ANYWHERE = (Fault.KILL, Fault.KILL_RESTORED, Fault.KILL_LOST, Fault.STOP, Fault.CLOCK)
REQUEST_FAULTS = (Fault.TOO_MANY, Fault.TROUBLE, Fault.SLOW, Fault.TIMEOUT, Fault.RIGHTS, Fault.PASSWORD)
_OF_SENT = (
    *(Fault.TOO_MANY, Fault.TROUBLE, Fault.TROUBLE_DONE, Fault.SLOW, Fault.TIMEOUT, Fault.TIMEOUT_DONE),
    *(Fault.TIMEOUT_LATE, Fault.RIGHTS),
)
_DATABASE = (Fault.DATABASE_BUSY, Fault.DATABASE_FULL)

_EVENTS = ("rdv_copy", "absence_event")
OPERATIONS = (
    *(f"{action} {kind}" for kind in _EVENTS for action in ("create", "update", "delete")),
    *(f"{action} busy_block" for action in ("create", "update", "delete")),
    *(f"{action} absence" for action in ("update", "delete")),
)
"""What is written, on both sides."""


class Cell(NamedTuple):
    """One square of the table."""

    fault: Fault
    operation: str
    phase: Phase


@cache
def cells_of(operation: str) -> tuple[tuple[Fault, Phase], ...]:
    """Faults and phases that an operation can meet."""
    action, _, kind = operation.partition(" ")
    return tuple(_possible(action, is_event=kind in _EVENTS))


def every_cell() -> list[Cell]:
    """The whole table."""
    return [Cell(fault, each, phase) for each in OPERATIONS for fault, phase in cells_of(each)]


def _possible(action: str, *, is_event: bool) -> Iterator[tuple[Fault, Phase]]:
    read_again = is_event and action != "delete"
    by_phase = {
        Phase.BEFORE: (*ANYWHERE, *_DATABASE, *REQUEST_FAULTS, Fault.CEILING),
        Phase.SENT: (*ANYWHERE, *_OF_SENT),
        Phase.ANSWERED: (*ANYWHERE, *_DATABASE, *(REQUEST_FAULTS if read_again else ())),
    }
    for phase, faults in by_phase.items():
        for fault in faults:
            yield fault, phase
    if action == "create":
        return  # nobody can edit what is not there
    yield Fault.EDITED, Phase.BEFORE
    if is_event:  # a precondition protects it; the few milliseconds of an absence are a known limit
        yield Fault.ETAG, Phase.BEFORE
    if read_again:
        yield Fault.EDITED, Phase.ANSWERED
